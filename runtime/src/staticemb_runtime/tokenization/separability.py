"""Where a tokenizer's texts may be cut so that the ids of the words, joined, are the text's.

The decision is made from the tokenizer's own definition (normalizer, pre-tokenizer, model, added
tokens), by a whitelist: a design that is not named here, or not provably exact, has no splitter and
goes to `tokenizers` text by text. The proofs are about cutting and stand beside the rules that need
them; what a word turns into is never predicted: `tokenizers` says it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from staticemb_runtime.tokenization import separator_pieces as pieces
from staticemb_runtime.tokenization.components import Design, collapses, local
from staticemb_runtime.tokenization.cut_rules import Guard, beside_blanks
from staticemb_runtime.tokenization.segmenters import FIRST, SPACES, Dropped, Kept, Splitter
from staticemb_runtime.tokenization.separator_pieces import MARK

from ..format.tokenizer_library import is_failure

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The split patterns of byte-level BPE: GPT-2's own (which RoBERTa and ModernBERT use), and those
# that Qwen 2 and 3, and Llama 3 (cl100k) write out. In each of them:
# - a blank is matched only as the first character of a match or inside a run of white space;
# - a run of white space before a visible character gives its last blank to the match that begins
#   there, whatever stands to the left: so the text may be cut before a blank that a visible
#   character follows, and what is left of the cut, run of white space included, matches as it
#   would at the end of a text (`\s+(?!\S)` takes the rest of the run in both cases);
# - a single line feed between two visible characters ends a match: the text may be cut after it.
_GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CL100K_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BYTE_LEVEL_PATTERNS = {_GPT2_PATTERN, _CL100K_PATTERN % "", _CL100K_PATTERN % "{1,3}"}


def find_splitter(tokenizer: Tokenizer) -> Splitter | None:
    """How texts may be cut for a tokenizer, or None: not at all, as where its own parts fail.

    Args:
        tokenizer: without truncation and padding.
    """
    design = Design(tokenizer)
    if not design.repeatable():
        return None
    try:
        for rule in (_dropped, _byte_level, _metaspace, _whole_bpe):
            found = rule(design)
            if found is not None:
                return found
    except BaseException as error:
        if not is_failure(error):
            raise
    return None


# --- white space dropped -------------------------------------------------------------------------

_CUT_AND_DROP = {"BertPreTokenizer", "Whitespace", "WhitespaceSplit"}
# Each piece by itself: these look at nothing but the piece.
_WITHIN_PIECES = _CUT_AND_DROP | {"Punctuation", "Digits", "Split", "ByteLevel", "UnicodeScripts"}


def _dropped(design: Design) -> Splitter | None:
    """BERT, XLM-R, WordLevel on white space: the pre-tokenizer cuts at white space first.

    An added token is found inside a word or not at all, as none contains white space; what it
    swallows to its left or right (`lstrip`, `rstrip`) is white space that is dropped anyway, and
    white space is no word character to `single_word`. So even its spelling needs no care.

    SentencePiece's marker without that cut also belongs here where the normalizer strips the
    text's end and turns every run of blanks into one: a word then is what stands between runs.
    """
    steps, pre = design.normalizers, design.pre_kinds
    if pre[:1] and pre[0] in _CUT_AND_DROP:
        steps = [step for step in steps if not (collapses(step) and step["content"] == " ")]
        marked = False
        within = all(
            kind in _WITHIN_PIECES or (kind == "Metaspace" and step["prepend_scheme"] != "first")
            for kind, step in zip(pre[1:], design.pre_tokenizers[1:], strict=True)
        )
        if not within:
            return None
    elif (
        pre == ["Metaspace"]
        and design.pre_tokenizers[0]["split"]
        and design.pre_tokenizers[0]["replacement"] == MARK
        and design.pre_tokenizers[0]["prepend_scheme"] == "always"
        and design.kinds[-2:] == ["Strip", "Replace"]
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
    raw, late = design.spellings()
    if any(not spelling or set(spelling) & set(SPACES) for spelling in raw + late):
        return None
    if marked and any(MARK in spelling for spelling in late):
        return None  # a run of blanks is such a marker by then, and no word shows it
    one, two = design.pieces("a"), design.pieces("b")
    if not one or not two:
        return None
    # Grapheme clusters, which the precompiled map replaces as a whole, end at these four for sure.
    candidates = " \t\n\r" if "Precompiled" in design.kinds else SPACES
    spaces = [space for space in candidates if design.pieces(f"a{space}b") == one + two]
    if " " not in spaces:
        return None
    check = None
    if marked or "Precompiled" in design.kinds:
        # With the marker, a segment beside an added token begins differently: let none be cut.
        check = beside_blanks(design, raw if marked else [], late if marked else [], end=marked)
    return Dropped(spaces, check, _dropped_plain(design, raw, late, marked=marked))


def _dropped_plain(
    design: Design, raw: list[str], late: list[str], *, marked: bool
) -> pieces.Plain | None:
    """BERT isolates punctuation marks; with the marker a word is one piece."""
    last = design.pre_tokenizers[-1]
    if marked or design.pre_kinds == ["WhitespaceSplit", "Metaspace"]:
        if last["prepend_scheme"] != "always" or not last["split"] or last["replacement"] != MARK:
            return None
        return pieces.one_piece(
            raw + late, design.normalize, keeps_printable=design.keeps_printable()
        )
    if design.pre_kinds != ["BertPreTokenizer"]:
        return None
    lowercase = False
    if design.kinds == ["BertNormalizer"]:
        lowercase = bool(design.normalizers[0]["lowercase"])
    elif design.kinds == ["Lowercase"]:
        lowercase = True
    elif design.kinds:
        return None
    folded = [spelling.lower() if lowercase else spelling for spelling in raw]
    return pieces.isolated_marks(folded + late, lowercase=lowercase)


# --- white space kept ----------------------------------------------------------------------------


def _byte_level(design: Design) -> Splitter | None:
    """GPT-2, RoBERTa, ModernBERT, Qwen, Llama 3: see the patterns above.

    NFC, NFD and lower case neither make nor remove white space and are local (see `design`).
    An added token that goes on behind a line feed could be cut there: then only blanks are cut at.
    """
    steps = design.pre_tokenizers
    if design.pre_kinds == ["ByteLevel"]:
        if not steps[0]["use_regex"]:
            return None
        prefix = steps[0]["add_prefix_space"]  # the first word then looks like the others
    elif design.pre_kinds == ["Split", "ByteLevel"]:
        split = steps[0]
        if (
            split["pattern"].get("Regex") not in _BYTE_LEVEL_PATTERNS
            or split["behavior"] != "Isolated"
            or split["invert"]
            or steps[1]["use_regex"]
            or steps[1]["add_prefix_space"]  # every match then gets a blank, not the text
        ):
            return None
        prefix = False
    else:
        return None
    if not set(design.kinds) <= {"NFC", "NFD", "Lowercase"}:
        return None
    guard = Guard(design)
    if guard.unsure:
        return None

    def check(word: str) -> bool:
        return not guard.spells(word)

    plain = None if "Lowercase" in design.kinds else pieces.byte_level(prefix=prefix)
    if prefix:

        def check_prefixed(word: str) -> bool:
            return not word[0].isspace() and check(word)

        return Kept(" (?=\\S)", two_forms=False, check=check_prefixed, plain=plain, runs=guard.runs)
    lines = not any(re.search(r"\n\S", spelling) for spelling in guard.raw + guard.late)
    return Kept(
        " (?=\\S)",
        two_forms=True,
        check=check,
        plain=plain,
        careful="\n" if lines else "",
        line=r"(?<=\S\n)(?=\S)" if lines else None,
        runs=guard.runs,
        run_cut=r"(?<=\S) (?=\S)",
    )


def _metaspace(design: Design) -> Splitter | None:
    """T5 and its kin: each blank becomes the marker and begins a new piece.

    In a run of blanks all but the last are pieces of their own, which stay with the left side.

    With `prepend_scheme` "first" the text's first piece gets a marker like the others, unless the
    normalizer removed what stood before it: a word for which that matters is refused.
    """
    if design.pre_kinds != ["Metaspace"] or not all(map(local, design.normalizers)):
        return None
    if "Strip" in design.kinds or not design.pre_tokenizers[0]["split"]:
        return None
    if design.pre_tokenizers[0]["replacement"] != MARK:
        return None
    scheme = design.pre_tokenizers[0]["prepend_scheme"]
    two_forms = scheme == "never"
    guard = Guard(design)
    if guard.unsure or design.normalize("x y") != "x y":
        return None
    # Other characters that the normalizer turns into a blank, whatever stands beside them, and that
    # no added token is made of: a word shows no token that the cut takes a character from.
    also = "".join(
        space
        for space in "\t\n\r"
        if design.normalize(f"x{space}y") == "x y"
        and not any(space in token for token in guard.raw)
    )
    return Kept(
        f"(?<!\r)[ {re.escape(also)}](?=\\S)",  # \r\n is one grapheme cluster, so one blank
        two_forms=two_forms,
        check=beside_blanks(
            design,
            guard.raw,
            guard.late,
            end=guard.late_runs,
            two_forms=two_forms,
            first=scheme == "first",
        ),
        plain=pieces.one_piece([], design.normalize, keeps_printable=design.keeps_printable()),
        careful=also,
        runs=guard.runs,
    )


def _whole_bpe(design: Design) -> Splitter | None:
    """Llama 2, Mistral, Gemma: no cut at all before the merges of BPE.

    A merge across a cut joins a symbol that ends in a visible character with one that begins with
    the marker, and its product is in the vocabulary. Where no token has the marker behind another
    character there is no such merge; merges left and right of the cut then go on independently,
    in the order of their ranks, to the same end. The marker must be a token itself, so that runs
    of unknown characters, which may be fused, end there; and there must be an unknown token, as
    a word of unknown characters would vanish without one, and two markers meet.
    """
    steps, pre = design.normalizers, design.pre_tokenizers
    blank_to_mark = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    if steps[-1:] == [blank_to_mark]:
        # No blank is left for this split, which some Gemma files carry, to cut at.
        idle = {"pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
        if pre and (len(pre) > 1 or any(pre[0].get(key) != value for key, value in idle.items())):
            return None
        if steps[:-1] == [{"type": "Prepend", "prepend": MARK}]:
            two_forms = False
        elif not steps[:-1]:
            two_forms = True
        else:
            return None
    elif not steps and design.pre_kinds == ["Metaspace"]:
        if pre[0]["split"] or pre[0]["replacement"] != MARK:
            return None
        two_forms = pre[0]["prepend_scheme"] == "never"
    else:
        return None
    model: Any = design.tokenizer.model
    if (
        design.model != "BPE"
        or model.ignore_merges
        or model.continuing_subword_prefix
        or model.end_of_word_suffix
        or model.token_to_id(MARK) is None
        or model.unk_token is None
        or model.token_to_id(model.unk_token) is None
    ):
        return None
    guard = Guard(design)
    vocabulary = design.tokenizer.get_vocab(with_added_tokens=False)
    if guard.unsure or any(MARK in token.lstrip(MARK) for token in vocabulary):
        return None

    def visible(character: str) -> bool:
        return character != MARK and not character.isspace()

    def check(word: str) -> bool:
        if two_forms and word == FIRST:
            return True
        # Blanks stay only at a text's own ends, where there is no cut.
        seen = word.rstrip(" ")
        seen = seen.lstrip(" ") if two_forms else seen
        return bool(seen) and visible(seen[0]) and visible(seen[-1]) and not guard.spells(word)

    return Kept(
        f"(?<=[^\\s{MARK}]) (?=[^\\s{MARK}])",
        two_forms=two_forms,
        check=check,
        plain=pieces.one_piece([], str, keeps_printable=True),
        runs=guard.runs,
    )
