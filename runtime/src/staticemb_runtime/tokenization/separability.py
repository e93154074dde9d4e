"""The choice of cuts for a tokenizer: a text's ids must equal the joined ids of its words.

The choice follows a whitelist of tokenizer definitions (normalizer, pre-tokenizer, model, added
tokens). A tokenizer that is not listed, or whose cuts are not provably exact, has no splitter:
`tokenizers` encodes its texts whole. Each rule's docstring holds its proof, which concerns only the
cuts; the ids of words always come from the tokenizer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..format.tokenizer_library import is_failure
from . import separator_pieces as pieces
from .components import Components, collapses, local
from .cut_rules import CutRule, beside_blanks
from .segmenters import SPACES, Dropped, Kept, Splitter
from .separator_pieces import MARK

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The split patterns of byte-level BPE: GPT-2's (also used by RoBERTa and ModernBERT), and those
# spelled out by Qwen 2 and 3 and by Llama 3 (cl100k). In each of them:
# - a blank is matched only as the first character of a match or inside a run of white space;
# - a run of white space before a visible character gives its last blank to the match that begins
#   there, for any text to the left. So a text may be cut before a blank that a visible character
#   follows. The text to the left of the cut, with its white space, matches as at the end of a text
#   (`\s+(?!\S)` takes the rest of the run in both cases);
# - a single line feed between two visible characters ends a match: the text may be cut after it.
_GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CL100K_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BYTE_LEVEL_PATTERNS = {_GPT2_PATTERN, _CL100K_PATTERN % "", _CL100K_PATTERN % "{1,3}"}


def find_splitter(tokenizer: Tokenizer) -> Splitter | None:
    """Find the rule that cuts texts for a tokenizer.

    Args:
        tokenizer: a tokenizer without truncation and padding.

    Returns:
        None if no rule is exact, or if a component of the tokenizer fails.
    """
    components = Components(tokenizer)
    if not components.repeatable():
        return None
    try:
        for rule in (_dropped, _byte_level, _metaspace, _whole_bpe):
            splitter = rule(components)
            if splitter is not None:
                return splitter
    except BaseException as error:
        if not is_failure(error):
            raise
    return None


# --- white space dropped -------------------------------------------------------------------------

_CUT_AND_DROP = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
# These treat each piece independently of the others.
_WITHIN_PIECES = _CUT_AND_DROP | {"Punctuation", "Digits", "Split", "ByteLevel", "UnicodeScripts"}


def _dropped(components: Components) -> Splitter | None:
    """Make the rule for BERT, XLM-R and WordLevel: the pre-tokenizer cuts at white space first.

    No added token contains white space, so each is found inside a word or not at all. The white
    space that it strips (`lstrip`, `rstrip`) is dropped anyway. White space is not a word character
    for `single_word`. So the spelling of added tokens does not matter.

    This rule also covers SentencePiece's marker without that cut, if the normalizer strips the
    text's end and turns every run of blanks into one blank. A word is then the text between runs.
    """
    steps, pre = components.normalizers, components.pre_kinds
    if pre[:1] and pre[0] in _CUT_AND_DROP:
        steps = [step for step in steps if not (collapses(step) and step["content"] == " ")]
        marked = False
        within = all(
            kind in _WITHIN_PIECES or (kind == "Metaspace" and step["prepend_scheme"] != "first")
            for kind, step in zip(pre[1:], components.pre_tokenizers[1:], strict=True)
        )
        if not within:
            return None
    elif (
        pre == ["Metaspace"]
        and components.pre_tokenizers[0]["split"]
        and components.pre_tokenizers[0]["replacement"] == MARK
        and components.pre_tokenizers[0]["prepend_scheme"] == "always"
        and components.kinds[-2:] == ["Strip", "Replace"]
        and steps[-2]["strip_right"]
        and collapses(steps[-1])
        and steps[-1]["content"] in {" ", MARK}
    ):
        steps = steps[:-2]
        marked = True
    else:
        return None
    if not all(map(local, steps)):
        return None
    raw, late = components.spellings()
    if any(not spelling or set(spelling) & set(SPACES) for spelling in raw + late):
        return None
    if marked and any(MARK in spelling for spelling in late):
        return None  # the normalizer makes this marker of a run of blanks, which no word shows
    left, right = components.pieces("a"), components.pieces("b")
    if not left or not right:
        return None
    # The precompiled map replaces grapheme clusters. These four characters always end a cluster.
    candidates = " \t\n\r" if "Precompiled" in components.kinds else SPACES
    spaces = [space for space in candidates if components.pieces(f"a{space}b") == left + right]
    if " " not in spaces:
        return None
    check = None
    if marked or "Precompiled" in components.kinds:
        # With the marker, the segment after an added token begins differently: refuse such words.
        check = beside_blanks(components, raw if marked else [], late if marked else [], end=marked)
    return Dropped(spaces, check, _dropped_plain(components, raw, late, marked=marked))


def _dropped_plain(
    components: Components, raw: list[str], late: list[str], *, marked: bool
) -> pieces.Plain | None:
    """Make the rule for known pieces: a word is one piece with the marker."""
    if not marked and components.pre_kinds != ["WhitespaceSplit", "Metaspace"]:
        return None
    last = components.pre_tokenizers[-1]
    if last["prepend_scheme"] != "always" or not last["split"] or last["replacement"] != MARK:
        return None
    return pieces.one_piece(
        raw + late, components.normalize, keeps_printable=components.keeps_printable()
    )


# --- white space kept ----------------------------------------------------------------------------


def _byte_level(components: Components) -> Splitter | None:
    """Make the rule for GPT-2, RoBERTa, ModernBERT, Qwen and Llama 3: see the patterns above.

    NFC, NFD and lower case neither make nor remove white space and are local (see `components`).
    If an added token continues after a line feed, texts are cut only at blanks.
    """
    steps = components.pre_tokenizers
    if components.pre_kinds == ["ByteLevel"]:
        if not steps[0]["use_regex"]:
            return None
        prefix = steps[0]["add_prefix_space"]  # the first word then also has a blank
    elif components.pre_kinds == ["Split", "ByteLevel"]:
        split = steps[0]
        if (
            split["pattern"].get("Regex") not in _BYTE_LEVEL_PATTERNS
            or split["behavior"] != "Isolated"
            or split["invert"]
            or steps[1]["use_regex"]
            or steps[1]["add_prefix_space"]  # adds a blank before each match, not only the text
        ):
            return None
        prefix = False
    else:
        return None
    if not set(components.kinds) <= {"NFC", "NFD", "Lowercase"}:
        return None
    cut_rule = CutRule(components)
    if cut_rule.unsure:
        return None

    def check(word: str) -> bool:
        # Before other white space a text is not cut at a blank. The cut of bytes sees ASCII alone.
        return not (word[:1] == " " and word[1:2].isspace()) and not cut_rule.spells(word)

    plain = None if "Lowercase" in components.kinds else pieces.byte_level(prefix=prefix)
    if prefix:

        def check_prefixed(word: str) -> bool:
            return not word[0].isspace() and check(word)

        return Kept(
            r" (?=\S)", two_forms=False, check=check_prefixed, plain=plain, runs=cut_rule.runs
        )
    lines = not any(re.search(r"\n\S", spelling) for spelling in cut_rule.raw + cut_rule.late)
    return Kept(
        r"(?= \S)",
        two_forms=True,
        check=check,
        plain=plain,
        line=r"(?<=\S\n)(?=\S)" if lines else None,
        runs=cut_rule.runs,
        run_cut=r"(?<=\S)(?= \S)",
    )


def _metaspace(components: Components) -> Splitter | None:
    """Make the rule for T5 and similar: each blank becomes the marker and starts a piece.

    In a run of blanks, all but the last are separate pieces, which stay with the left side.

    With `prepend_scheme` "first" the text's first piece also gets a marker, unless the normalizer
    removed text before it. A word whose ids depend on this is refused.
    """
    if components.pre_kinds != ["Metaspace"] or not all(map(local, components.normalizers)):
        return None
    if "Strip" in components.kinds or not components.pre_tokenizers[0]["split"]:
        return None
    if components.pre_tokenizers[0]["replacement"] != MARK:
        return None
    scheme = components.pre_tokenizers[0]["prepend_scheme"]
    two_forms = scheme == "never"
    cut_rule = CutRule(components)
    if cut_rule.unsure or components.normalize("x y") != "x y":
        return None
    # Other characters that the normalizer turns into a blank for all neighbors. No added token may
    # contain them: the cut would remove them from the token, and no word would show it.
    other_spaces = "".join(
        space
        for space in "\t\n\r"
        if components.normalize(f"x{space}y") == "x y"
        and not any(space in token for token in cut_rule.raw)
    )
    return Kept(
        # \r\n is one grapheme cluster and one blank.
        r"(?= \S)" if two_forms else f"(?<!\r)[ {re.escape(other_spaces)}](?=\\S)",
        two_forms=two_forms,
        check=beside_blanks(
            components,
            cut_rule.raw,
            cut_rule.late,
            end=cut_rule.late_runs,
            two_forms=two_forms,
            first=scheme == "first",
        ),
        plain=pieces.one_piece(
            [],
            components.normalize,
            keeps_printable=components.keeps_printable(),
            two_forms=two_forms,
        ),
        other_spaces=other_spaces,
        runs=cut_rule.runs,
    )


def _whole_bpe(components: Components) -> Splitter | None:
    """Make the rule for Llama 2, Mistral and Gemma: BPE merges without a pre-tokenizer's cut.

    A merge across a cut joins a symbol that ends in a visible character with a symbol that begins
    with the marker. Its product is in the vocabulary. If no token has the marker after another
    character, there is no such merge. The merges on the two sides of the cut are then independent
    and give the same symbols in the order of their ranks. The marker must be a token, so that it
    ends a run of unknown characters, which may be fused. An unknown token must exist: without it, a
    word of unknown characters would vanish and two markers would meet.
    """
    steps, pre = components.normalizers, components.pre_tokenizers
    blank_to_mark = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    if steps[-1:] == [blank_to_mark]:
        # Some Gemma files have this split, which never finds a blank.
        idle = {"pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
        if pre and (len(pre) > 1 or any(pre[0].get(key) != value for key, value in idle.items())):
            return None
        if steps[:-1] == [{"type": "Prepend", "prepend": MARK}]:
            two_forms = False
        elif not steps[:-1]:
            two_forms = True
        else:
            return None
    elif not steps and components.pre_kinds == ["Metaspace"]:
        if pre[0]["split"] or pre[0]["replacement"] != MARK:
            return None
        two_forms = pre[0]["prepend_scheme"] == "never"
    else:
        return None
    model: Any = components.tokenizer.model
    if (
        components.model != "BPE"
        or model.ignore_merges
        or model.continuing_subword_prefix
        or model.end_of_word_suffix
        or model.token_to_id(MARK) is None
        or model.unk_token is None
        or model.token_to_id(model.unk_token) is None
    ):
        return None
    cut_rule = CutRule(components)
    vocabulary = components.tokenizer.get_vocab(with_added_tokens=False)
    if cut_rule.unsure or any(MARK in token.lstrip(MARK) for token in vocabulary):
        return None

    def visible(character: str) -> bool:
        return character != MARK and not character.isspace()

    def check(word: str) -> bool:
        if two_forms and not word:
            return True
        # Apart from the one before it, a word holds blanks only at the ends of the text, where
        # there is no cut.
        core = word.rstrip(" ")
        core = core.lstrip(" ") if two_forms else core
        return bool(core) and visible(core[0]) and visible(core[-1]) and not cut_rule.spells(word)

    return Kept(
        f"(?<=[^\\s{MARK}])(?= [^\\s{MARK}])"
        if two_forms
        else f"(?<=[^\\s{MARK}]) (?=[^\\s{MARK}])",
        two_forms=two_forms,
        check=check,
        plain=pieces.one_piece([], str, keeps_printable=True, two_forms=two_forms),
        runs=cut_rule.runs,
    )
