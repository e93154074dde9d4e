"""A strategy of tokenizers of any design: normalizers × pre-tokenizers × models × added tokens.

Most are the design of no real model. `tokenizer_families` holds those of real ones.
"""

import json
from typing import Any

from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from tokenizer_families import _LLAMA3, _QWEN, clusters, nmt_nfkc

_CORPUS = [
    "ab ba  aab\tb. a",
    " A b",
    "\na\n b\n\nab\r\na",
    "▁a ▁▁ b▁a",
    "é e\u0301 ½ 1 12 ﬁ",
    "a\0b \u200ba\u200d \x1c \xa0b",
    "北京 a北b 👍🏽 \u0301a \u3000",
    "<m> [M] don't a-b, .a",
]

# Contents of added tokens, and pieces of texts: what some part of a tokenizer cuts at or changes.
_CONTENTS = [
    *["\n", "\t", " ", "  ", "   ", "▁", "▁▁", " ▁", "\n\n", "\r\n", "\r", "\x1c", "\x85"],
    *["\xa0", "\u3000", "\u200b", "\0", "\u0301", "a", "ab", "b", "a b", " a", "a ", "a\n", "\na"],
    *["▁a", "a▁", "a▁b", "##a", "Ġ", "Ġa", ".", "-", "<m>", "[M]", "A", "é", "e\u0301", "½", "1"],
    *["北", "aa", "\x01", "\xad", "ﬁ", "'", "\ufffd", "Ċ", "x a", "\ufeff"],
    *[
        "北京",
        "a北",
        "\u0301\u0301",
        "a\u0301",
        "\u20dd",
        "\u0903",
        "👍",
        "🏽",
        "👍🏽",
        "가",
        "\u1161",
    ],
    *[
        "İ",
        "i\u0307",
        "ß",
        "Σ",
        "\u3000a",
        "a\xa0",
        " \u0301",
        "▁\u0301",
        "\t ",
        " \n",
        "##",
        "a.b",
    ],
]
_PIECES = [
    *[" ", " ", " ", " ", "a", "b", "ab", "ba", "aab", "x", "A", "B"],
    *["  ", "   ", "\n", "\n\n", "\t", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1f", "\x85"],
    *["\xa0", "\u2003", "\u2028", "\u3000", "\u1680", "\u180e", "\u200b", "\u200d", "\u2060"],
    *["\ufeff", "\0", "\x01", "\x7f", "\xad", "\ufffd", "▁", "▁▁", "Ġ", "##", "_"],
    *["\u0301", "\u0327", "\u20dd", "\ufe0f", "\u0903", "\u0e33", "\u0600", "\u06dd", "\u1161"],
    *["\u115f", "\u3164", "\ufdfa", "\xa8", "é", "e\u0301", "É", "½", "ﬁ", "İ", "ß", "Σ", "1"],
    *["12", "٣", "北", "京", "ﾊ", "\uff9e", "가", "👍", "🏽", "👍🏽", "🇩", "\U000e0020"],
    *[".", ",", "-", "'", "'s", "don't", "<m>", "[M]", "<", "\u037e", "。", "x" * 24],
]

_BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
_PATTERNS: list[str | Regex] = [
    *[" ", "  ", "\n", "▁", "a", ".", "a b"],
    *map(Regex, [r"\s+", r"\s", r"\w+|[^\w\s]+", " {2,}", r"\d", "[ab]", _QWEN, _LLAMA3]),
]
_flag = st.booleans()


@st.composite
def _replacements(draw: st.DrawFn) -> normalizers.Normalizer:
    string = st.sampled_from([" ", "  ", "\n", "a", "ab", "▁", "``", "a b", ".", "\u0301", "\0"])
    regex = st.sampled_from([" {2,}", r"\s+", r"\s", "a+", r"[^a-z ]", r"\n+", "^ ", " $", "b "])
    pattern = draw(string | regex.map(Regex))
    return normalizers.Replace(
        pattern, draw(st.sampled_from([" ", "▁", "", "a", "b ", "  ", "\n"]))
    )


_STEPS = st.one_of(
    st.sampled_from([normalizers.NFC, normalizers.NFD, normalizers.NFKC, normalizers.NFKD]).map(
        lambda kind: kind()
    ),
    st.sampled_from([normalizers.Lowercase, normalizers.StripAccents, normalizers.Nmt]).map(
        lambda kind: kind()
    ),
    st.builds(normalizers.Strip, left=_flag, right=_flag),
    st.builds(
        normalizers.BertNormalizer,
        clean_text=_flag,
        handle_chinese_chars=_flag,
        strip_accents=st.none() | _flag,
        lowercase=_flag,
    ),
    _replacements(),
    _replacements(),
    st.sampled_from(["▁", " ", "a", "\n"]).map(normalizers.Prepend),
    st.builds(lambda: normalizers.Precompiled(nmt_nfkc())),
    st.builds(lambda: normalizers.Precompiled(clusters())),
    st.just(normalizers.ByteLevel()),
)

_metaspaces = st.builds(
    pre_tokenizers.Metaspace,
    prepend_scheme=st.sampled_from(["always", "first", "never"]),
    split=_flag,
)
_byte_levels = st.builds(pre_tokenizers.ByteLevel, add_prefix_space=_flag, use_regex=_flag)
_SPLITS = st.one_of(
    st.sampled_from(
        [
            pre_tokenizers.BertPreTokenizer,
            pre_tokenizers.Whitespace,
            pre_tokenizers.WhitespaceSplit,
            pre_tokenizers.UnicodeScripts,
        ]
    ).map(lambda kind: kind()),
    _metaspaces,
    st.builds(
        pre_tokenizers.Metaspace,
        replacement=st.sampled_from("_▁"),
        prepend_scheme=st.sampled_from(["always", "first", "never"]),
    ),
    _byte_levels,
    st.sampled_from(_BEHAVIORS).map(pre_tokenizers.Punctuation),
    st.builds(pre_tokenizers.Digits, individual_digits=_flag),
    st.sampled_from(" a▁\n").map(pre_tokenizers.CharDelimiterSplit),
    st.builds(
        pre_tokenizers.Split, st.sampled_from(_PATTERNS), st.sampled_from(_BEHAVIORS), invert=_flag
    ),
)
# What the rules of `separable` know, so that much of what is drawn can be cut: a family's
# normalizers and pre-tokenizers.
_LOCAL = st.lists(_STEPS, max_size=2)
_MARKING = st.sampled_from(
    [
        [normalizers.Replace(" ", "▁")],
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")],
    ]
)
_COLLAPSING = st.builds(
    lambda steps, left, content: [
        *steps,
        normalizers.Strip(left=left, right=True),
        normalizers.Replace(Regex(" {2,}"), content),
    ],
    _LOCAL,
    _flag,
    st.sampled_from(" ▁"),
)
_CHARACTERS = st.sampled_from(
    [
        *[[], [normalizers.NFC()], [normalizers.NFKC()], [normalizers.Lowercase()]],
        *[[normalizers.BertNormalizer()], [normalizers.BertNormalizer(lowercase=False)]],
        *[[normalizers.Nmt()], [normalizers.NFKD(), normalizers.StripAccents()]],
        [normalizers.BertNormalizer(handle_chinese_chars=False, lowercase=False)],
    ]
)
_whole = st.sampled_from(["always", "first", "never"]).map(
    lambda scheme: [pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)]
)
_marked = st.sampled_from(["always", "always", "first", "never"]).map(
    lambda scheme: [pre_tokenizers.Metaspace(prepend_scheme=scheme)]
)
_FAMILIES = {
    "bert": (
        _CHARACTERS | _LOCAL,
        st.sampled_from([pre_tokenizers.BertPreTokenizer, pre_tokenizers.Whitespace]).map(
            lambda kind: [kind()]
        ),
    ),
    "xlmr": (
        _CHARACTERS | _LOCAL,
        st.tuples(st.just(pre_tokenizers.WhitespaceSplit()), _metaspaces).map(list),
    ),
    "collapsing": (_COLLAPSING, _marked),
    "t5": (_CHARACTERS | _LOCAL, _marked),
    "gpt2": (
        st.sampled_from([[], [normalizers.NFC()], [normalizers.NFD()], [normalizers.Lowercase()]]),
        st.builds(pre_tokenizers.ByteLevel, add_prefix_space=_flag).map(lambda step: [step]),
    ),
    "qwen": (
        st.sampled_from([[], [normalizers.NFC()]]),
        st.tuples(
            st.sampled_from([_QWEN, _LLAMA3]).map(
                lambda pattern: pre_tokenizers.Split(Regex(pattern), "isolated")
            ),
            st.builds(pre_tokenizers.ByteLevel, add_prefix_space=_flag, use_regex=st.just(False)),
        ).map(list),
    ),
    "llama": (_MARKING, st.just([])),
    "gemma": (_MARKING, st.just([pre_tokenizers.Split(" ", "merged_with_previous")])),
    "mistral": (st.just([]), _whole),
    "any": (st.lists(_STEPS, max_size=3), st.lists(_SPLITS, max_size=3)),
}


def _added(contents: list[str]) -> st.SearchStrategy[AddedToken]:
    return st.builds(
        AddedToken,
        st.sampled_from(contents),
        special=_flag,
        normalized=_flag,
        lstrip=_flag,
        rstrip=_flag,
        single_word=_flag,
    )


# Half of the designs have no added token with white space in it: more of these can be cut.
_ADDED = st.sampled_from(
    [_added(_CONTENTS), _added([token for token in _CONTENTS if token.split() == [token]])]
)


_PROCESSORS = st.sampled_from(
    [
        *[None, None, processors.ByteLevel(), processors.BertProcessing(("a", 1), ("<unk>", 0))],
        processors.RobertaProcessing(("a", 1), ("<unk>", 0), trim_offsets=True),
        processors.TemplateProcessing("<unk> $0 a", None, [("<unk>", 0), ("a", 1)]),
    ]
)


def _pieces(tokenizer: Tokenizer) -> list[str]:
    """What a tokenizer gives its model of the corpus, and the substrings of that, sorted."""
    found = set()
    for text in _CORPUS:
        if tokenizer.normalizer is not None:
            text = tokenizer.normalizer.normalize_str(text)
        words = [text]
        if tokenizer.pre_tokenizer is not None:
            words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
        for word in words:
            for size in range(1, 5):
                found.update(word[at : at + size] for at in range(len(word) - size + 1))
    return sorted(found)


@st.composite
def _models(draw: st.DrawFn, pieces: list[str], *, whole: bool) -> models.Model:
    """A model of some of the pieces; where words are not cut apart, one that does not join them."""
    if whole:
        pieces = ["▁", *(piece for piece in pieces if "▁" not in piece.lstrip("▁"))]
    single = [piece for piece in pieces if len(piece) == 1]
    if not whole and draw(_flag):
        single = draw(st.lists(st.sampled_from(single), unique=True)) if single else []
    longer = [piece for piece in pieces if len(piece) > 1]
    chosen = draw(st.lists(st.sampled_from(longer), unique=True, max_size=12)) if longer else []
    kinds = ["WordPiece", "WordLevel", "Unigram", "BPE", "BPE"]
    kind = "BPE" if whole else draw(st.sampled_from(kinds))
    if kind == "Unigram":
        scores = {piece: -float(3 + i % 5) for i, piece in enumerate([*single, *chosen])}
        unknown = draw(st.integers(0, len(scores)))
        entries = [*scores.items()]
        entries.insert(unknown, ("<unk>", 0.0))
        if draw(_flag):
            entries += [(f"<0x{byte:02X}>", -9.0) for byte in range(256)]
        return models.Unigram(entries, unk_id=unknown, byte_fallback=draw(_flag))
    tokens = ["<unk>", *single, *chosen]
    if kind == "WordPiece":
        prefix = draw(st.sampled_from(["##", "##", "##", "", "@@", "▁", "a", " "]))
        tokens += [prefix + piece for piece in tokens[1:]]
        return models.WordPiece(
            {token: index for index, token in enumerate(dict.fromkeys(tokens))},
            unk_token=draw(st.sampled_from(["<unk>", tokens[-1]])),
            max_input_chars_per_word=draw(st.sampled_from([0, 1, 2, 20, 100])),
            continuing_subword_prefix=prefix,
        )
    if kind == "WordLevel":
        return models.WordLevel({token: index for index, token in enumerate(tokens)}, "<unk>")
    merges: dict[tuple[str, str], None] = {}
    for piece in chosen:  # spelled from the left or from the right
        left = draw(_flag)
        for at in range(2, len(piece) + 1):
            pair = (piece[: at - 1], piece[at - 1 : at]) if left else (piece[-at], piece[1 - at :])
            merges[pair] = None
    suffix = None if whole else draw(st.sampled_from([None, None, None, "</w>", "a", "▁"]))
    if suffix is not None:
        tokens += [token + suffix for token in tokens[1:]]
        last = {(left, right + suffix): None for left, right in merges}
        merges = {**merges, **last} if draw(_flag) else {**last, **merges}
    tokens += [token for pair in merges for token in (*pair, "".join(pair))]
    tokens += [f"<0x{byte:02X}>" for byte in (0x20, 0xE2, 0x96, 0x81, 0x61, 0xCC)]
    return models.BPE(
        {token: index for index, token in enumerate(dict.fromkeys(tokens))},
        list(merges),
        unk_token=draw(st.sampled_from([None, "<unk>", "<unk>"])),
        fuse_unk=draw(_flag),
        byte_fallback=draw(_flag),
        dropout=draw(st.sampled_from([None, None, None, 0.0])),
        **({} if suffix is None else {"end_of_word_suffix": suffix}),
        ignore_merges=not whole and draw(_flag),
    )


def _spelling(tokenizer: Tokenizer, token: AddedToken) -> tuple[bool, str]:
    """What is looked for: in the normalized text, or in the text as it is."""
    if not token.normalized or tokenizer.normalizer is None:
        return False, token.content
    return True, tokenizer.normalizer.normalize_str(token.content)


@st.composite
def designs(draw: st.DrawFn) -> str:
    """The `tokenizer.json` of a tokenizer of any design, with a small vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    family = draw(st.sampled_from([*_FAMILIES, "any"]))
    steps, splits = map(draw, _FAMILIES[family])
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    if splits:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    whole = family in {"llama", "gemma", "mistral"}
    tokenizer.model = draw(_models(_pieces(tokenizer), whole=whole))
    tokenizer.post_processor = draw(_PROCESSORS)
    # `tokenizers` gives either id, by chance, where two added tokens are looked for as the same.
    added = draw(
        st.lists(draw(_ADDED), max_size=3, unique_by=lambda token: _spelling(tokenizer, token))
    )
    # With one that is normalized to nothing, only single bytes do not make it search for ever.
    spelled = {token: _spelling(tokenizer, token) for token in added}
    if (True, "") in spelled.values():
        added = [token for token in added if spelled[token][1] == "" or not spelled[token][0]]
    tokenizer.add_special_tokens([token for token in added if token.special])
    tokenizer.add_tokens([token for token in added if not token.special])
    return tokenizer.to_str()


def design_texts(definition: str, max_pieces: int = 16) -> st.SearchStrategy[str]:
    """Texts of what the parts of any design treat differently, and of its own tokens, glued."""
    members: dict[str, Any] = json.loads(definition)
    contents = [token["content"] for token in members["added_tokens"]]
    anything = st.characters(exclude_categories=["Cs"])
    piece = st.one_of(
        *[st.sampled_from(_PIECES)] * 6,
        *[st.sampled_from(contents)] * (2 if contents else 0),
        st.sampled_from(_CONTENTS),
        anything,
    )
    return st.lists(piece, max_size=max_pieces).map("".join)
