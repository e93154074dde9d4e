"""Definitions with BERT's rules: the members of a `tokenizer.json`, and strategies of them."""

import json
from typing import Any

import numpy as np
import tokenizers
from hypothesis import strategies as st
from tokenizers import Tokenizer

from staticemb_runtime.tokenization.bert import BertTokenizer
from staticemb_runtime.tokenization.bert_definition import read_bert
from staticemb_runtime.tokenization.unicode_data import LIBRARY
from tokenizer_designs import _CONTENTS, _PIECES

# What the steps of the normalizer order, decompose or drop, besides the pieces of any design.
MARKS = [
    *["\u0334", "\u0345", "\u0328", "\u0323", "\u0300", "\u034f", "\u20d0", "\u0f73", "\u0cca"],
    *["\u302e", "\u302f", "\u1b44", "\u1baa", "\ua9c0", "\U0001d165", "\U0001d16d", "\U0001d15e"],
    *["\U00011442", "\U00011446", "\U0001e000", "\U0001e94a", "\u0344", "\u0340", "\U00011938"],
]
LETTERS = [
    *["ệ", "\u212b", "\u2126", "\u212a", "\uf900", "한", "\u1112", "ẞ", "ς", "Σ", "ΟΔΟΣ", "\u01c5"],
    *["\u1c90", "\u13a0", "\u2c6f", "\U00010400", "\U0001e900", "\u3400", "\U0002a700"],
    *["\U0002b820", "\U0002f800", "\U00030000"],
]
# Other versions of the library have other tables of what Unicode got lately.
SAME_TABLES = tokenizers.__version__ == LIBRARY
LATE = ["\u1c89", "\ua7dc", "\U00010d50", "\U00016ea0"] if SAME_TABLES else []
PIECES = [*_PIECES, *MARKS, *MARKS, *LETTERS, *LATE]
CONTENTS = [*_CONTENTS, *MARKS[:4], "\u302e", "\U0001d165", "ệ", "\u212a", "한", "[UNK]"]


def bert_normalizer(
    clean_text: bool = True,
    handle_chinese_chars: bool = True,
    strip_accents: bool | None = None,
    lowercase: bool = True,
) -> dict[str, Any]:
    """The state of a `BertNormalizer`."""
    return {"type": "BertNormalizer"} | locals()


def added_token(token_id: int, content: str, **flags: bool) -> dict[str, Any]:
    """The state of an added token."""
    names = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"id": token_id, "content": content} | dict.fromkeys(names, False) | flags


def definition(
    tokens: list[str],
    *,
    added: list[dict[str, Any]] | None = None,
    normalizer: dict[str, Any] | None = None,
    prefix: str = "##",
    longest: int = 100,
) -> dict[str, Any]:
    """The members of a definition; its first token is the unknown one."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added or [],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": tokens[0],
            "continuing_subword_prefix": prefix,
            "max_input_chars_per_word": longest,
            "vocab": {token: index for index, token in enumerate(dict.fromkeys(tokens))},
        },
    }


def read(
    members: dict[str, Any] | str | bytes, n_token_ids: int = 1_000_000
) -> BertTokenizer | None:
    """Read a definition without the library."""
    if isinstance(members, dict):
        members = json.dumps(members)
    data = members.encode() if isinstance(members, str) else members
    return read_bert(np.frombuffer(data, np.uint8), n_token_ids)


def oracle(members: dict[str, Any] | str) -> Tokenizer:
    """Read a definition with the library, without truncation and padding."""
    tokenizer = Tokenizer.from_str(members if isinstance(members, str) else json.dumps(members))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


_flag = st.booleans()
bert_normalizers = st.builds(bert_normalizer, _flag, _flag, st.none() | _flag, _flag)
normalizers = st.one_of(st.sampled_from([None, {"type": "Lowercase"}]), *[bert_normalizers] * 3)
_characters = st.characters(exclude_categories=["Cs"] if SAME_TABLES else ["Cs", "Cn"])
texts = st.lists(
    st.one_of(*[st.sampled_from(PIECES)] * 9, _characters),
    max_size=16,
).map("".join)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Definitions with BERT's rules, with any added tokens."""
    prefix = draw(st.sampled_from(["##", "##", "##", "", "a", " ", "▁"]))
    parts = st.lists(st.sampled_from(CONTENTS), max_size=25)
    tokens = ["[UNK]", *draw(parts), *(prefix + part for part in draw(parts))]
    known = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    free = len(known)
    added = []
    for content in draw(st.lists(st.sampled_from(CONTENTS), max_size=4, unique=True)):
        index = known.get(content)
        if index is None:
            index, free = free, free + 1
        names = ("single_word", "lstrip", "rstrip", "normalized", "special")
        added.append(added_token(index, content, **{name: draw(_flag) for name in names}))
    return definition(
        list(known),
        added=added,
        normalizer=draw(normalizers),
        prefix=prefix,
        longest=draw(st.sampled_from([0, 2, 20, 100])),
    )
