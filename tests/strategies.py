"""Every hypothesis strategy of the test suite, built from parts that are valid.

Spoil a valid thing in the test that wants a spoiled one.
"""

import json

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from staticemb_distiller.file import Parts, Settings

# --- files -----------------------------------------------------------------------------------


def word_level_tokenizer(n_tokens: int) -> bytes:
    """A `tokenizer.json` of the words w0, w1, … cut at white space."""
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "WordLevel",
                "vocab": {f"w{i}": i for i in range(n_tokens)},
                "unk_token": "w0",
            },
        }
    ).encode()


def finite_floats(width: int = 32, bound: float = 1e4) -> st.SearchStrategy[float]:
    """Floats whose sums and squares stay finite in float32."""
    return st.floats(-bound, bound, width=width, allow_subnormal=False)


@st.composite
def parts(draw: st.DrawFn, max_rows: int = 9, max_dim: int = 12) -> Parts:
    """Valid parts of a file, of every dtype and with every optional tensor."""
    n_rows = draw(st.integers(1, max_rows))
    dim = draw(st.integers(1, max_dim))
    dtype = draw(st.sampled_from(["float32", "float16", "int8"]))
    elements = {
        "float32": finite_floats(),
        "float16": finite_floats(16, 1024.0),
        "int8": st.integers(-128, 127),
    }[dtype]
    embeddings = draw(hnp.arrays(dtype, (n_rows, dim), elements=elements))
    scale = None
    if dtype == "int8":
        steps = st.floats(2**-20, 2.0, width=32)
        scale = draw(hnp.arrays("float32", dim, elements=steps))
    rows = None
    if draw(st.booleans()):
        index = draw(st.sampled_from(["uint16", "uint32", "int64"]))
        n_tokens = draw(st.integers(1, 2 * max_rows))
        rows = draw(hnp.arrays(index, n_tokens, elements=st.integers(0, n_rows - 1)))
    n_tokens = n_rows if rows is None else len(rows)
    weights = None
    if draw(st.booleans()):
        weights = draw(hnp.arrays("float32", n_tokens, elements=st.floats(0, 4, width=32)))
    return Parts(
        embeddings=embeddings,
        tokenizer=word_level_tokenizer(n_tokens),
        scale=scale,
        weights=weights,
        rows=rows,
        optional=draw(optional_tensors()),
    )


_NAMES = st.tuples(
    st.sampled_from(["head", "space", "pieces"]),
    st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), min_size=1, max_size=3),
).map(lambda pair: ".".join([pair[0], *pair[1]]))


def optional_tensors() -> st.SearchStrategy[dict[str, np.ndarray]]:
    """Tensors of optional parts, of every dtype; their values are anything."""
    dtypes = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    dtypes += ["float16", "float32", "float64"]
    shapes = hnp.array_shapes(max_dims=4, max_side=3)
    return st.dictionaries(_NAMES, hnp.arrays(st.sampled_from(dtypes), shapes), max_size=4)


@st.composite
def settings_for(draw: st.DrawFn, parts: Parts) -> Settings:
    """Valid settings for some parts."""
    dim = parts.embeddings.shape[1]
    keys = st.one_of(
        st.sampled_from(["teacher", "recipe", "creator", "description"]),
        st.text(st.characters(codec="utf-8"), max_size=8).map(lambda key: "x-" + key),
    )
    characters = st.characters(codec="utf-8")
    texts = st.text(characters)
    names = st.text(characters, min_size=1, max_size=64)  # at most 256 bytes
    beta = st.floats(0, 16).map(lambda number: round(number, 15))
    damping = st.tuples(beta, st.integers(1, dim))
    return Settings(
        prefixes=draw(st.lists(st.integers(1, dim), max_size=4)),
        normalize=draw(st.booleans()),
        damping=draw(st.none() | damping),
        max_tokens=draw(st.none() | st.integers(1, 2**31 - 1)),
        unknown_token_id=draw(st.none() | st.integers(0, parts.n_token_ids - 1)),
        provenance=draw(st.dictionaries(keys, texts, max_size=3)),
        prompts=draw(st.dictionaries(names, texts, max_size=3)),
        optional=draw(st.dictionaries(_NAMES | st.just("space"), texts, max_size=2)),
    )


@st.composite
def files(draw: st.DrawFn) -> tuple[Parts, Settings]:
    """Parts and settings that make a valid file."""
    drawn = draw(parts())
    return drawn, draw(settings_for(drawn))


# --- pooling ---------------------------------------------------------------------------------


@st.composite
def batches(
    draw: st.DrawFn, n_tokens: int, max_texts: int = 6, max_length: int = 40
) -> list[list[int]]:
    """The token ids of some texts: empty ones and repeated tokens among them."""
    text = st.lists(st.integers(0, n_tokens - 1), max_size=max_length)
    return draw(st.lists(text, min_size=1, max_size=max_texts))


# --- texts -----------------------------------------------------------------------------------

_WHITE_SPACE = [chr(code) for code in range(0x110000) if chr(code).isspace()]
# What Unicode or some tokenizer treats nearly as white space or drops: zero-width characters,
# controls, fillers, SentencePiece's marker, characters that a compatibility mapping gives a blank.
_NEARLY_SPACE = list(
    "\x00\x01\x07\x08\x1b\x7f\x80\x9f\xad\u034f\u061c\u115f\u180e\u200b\u200c\u200d"
)
_NEARLY_SPACE += list(
    "\u200e\u200f\u2060\u2061\u3164\ufeff\ufffd▁Ġ\xa8\xaf\xb4\xb8\u02d8\u2017\u203e"
)
_NEARLY_SPACE += list("\ufc5e\ufdfa\ufe49\ufffe\U000e0020\U000e007f")
_JOINING = list("\u0300\u0301\u0308\u0327\u0345\u20dd\ufe0f\u0903\u093f\u0e33\u0eb3\u0600\u06dd")
_JOINING += list("\u1161\u11a8\uff9e\u0d4e\U0001f3fb\U000110bd\U000111c2\U0001f1e9\U0001f1ea")
_SCRIPTS = (
    "The quick brown fox house, (London) don't WE'RE I'll 3.5% 1,200 e-mail x=1&y=2 ... -- [] <> "
    "München Äpfel été crêpes İstanbul ıssız straße ﬁn ½ ² ™ \u212b A\u030a \u037e\u037e` \u212a К "
    "Быстрая лиса Ёлка ΟΔΥΣΣΕΥΣ οδυσσεύς 素早い茶色の狐 カタカナ ﾊﾝｶﾞｸ "
    "北京是中国的首都。 다람쥐 가각 "
    "الثعلب ١٢٣ הכלב׃ तेज़ लोमड़ी สุนัข น้ำ ກຳ 👨‍👩‍👧 👍🏽 🇩🇪 ❤️ 𝔘𝔫𝔦 𠮷野家 Ⅷ ①"
)
_ADDED = (
    "[MASK] [CLS] [PAD] [UNK] [SEP] [unused0] [mask] <s> </s> <unk> <pad> <mask> <bos> <mark> <h1> "
    "<|endoftext|> <|im_start|> <tool_call> <extra_id_0> <0x0A> [INST] |||IP_ADDRESS||| "
    "Covid-19 COVID-19 covid-19 fox Fox QUICK quick br"
)


def texts(max_pieces: int = 24) -> st.SearchStrategy[str]:
    """Any text without lone surrogates, weighted toward what tokenizers treat differently.

    Words of many scripts, every kind of white space alone and in runs, controls, marks and joiners
    that change their neighbors, and spellings of added tokens, mostly with blanks between.
    """
    word = st.sampled_from(_SCRIPTS.split())
    space = st.sampled_from(_WHITE_SPACE)
    anything = st.text(
        st.characters(exclude_categories=["Cs"]) | st.characters(codec="ascii"), max_size=6
    )
    piece = st.one_of(
        word,
        word,
        word.flatmap(lambda w: st.sampled_from([w + " ", " " + w, w.upper(), w[::-1], w * 40])),
        st.sampled_from(_ADDED.split()),
        space,
        st.lists(st.just(" ") | st.sampled_from("\n\t\r") | space, max_size=4).map("".join),
        st.sampled_from(_NEARLY_SPACE),
        st.sampled_from(_JOINING),
        st.sampled_from("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        anything,
    )
    between = st.sampled_from([" ", " ", " ", "", "", "  ", "\n"])
    pairs = st.tuples(between, piece).map("".join)
    return st.lists(pairs, max_size=max_pieces).map("".join)


# --- training --------------------------------------------------------------------------------


@st.composite
def pair_columns(draw: st.DrawFn, width: int = 2, max_size: int = 60) -> list[list[int]]:
    """Rows of text numbers, from all different to all alike."""
    texts = draw(st.sampled_from([3, 10, 40, 400]))
    row = st.lists(st.integers(0, texts - 1), min_size=width, max_size=width)
    return draw(st.lists(row, min_size=2, max_size=max_size))
