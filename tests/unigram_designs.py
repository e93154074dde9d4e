"""Small Unigram tokenizers, and the part `pieces` of any tokenizer, for tests of the arrays."""

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, normalizers

from staticemb_distiller.file.pieces import pieces_tensors
from staticemb_runtime.format.tokenizer_library import is_failure
from staticemb_runtime.tokenization.unigram_encoder import UnigramEncoder, open_unigram
from tokenizer_families import clusters, nmt_nfkc

METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
XLMR = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]}
UNSPLIT = METASPACE | {"split": False}
XLMR_UNSPLIT = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, UNSPLIT]}

_ALPHABET = ["a", "b", "A", "Σ", "İ", "▁", "é", "e", "\u0301", "北", "🐈", " "]
# Few values, so that sums are often equal, or equal but for rounding.
_SCORES = [
    0.0,
    -1.0,
    -2.0,
    -0.1,
    -0.2,
    -0.3,
    -0.30000000000000004,
    -1e300,
    1.0,
    -15.985743522644043,
]


def state(component: Any) -> Any:
    """The members of a normalizer or a pre-tokenizer."""
    return json.loads(component.__getstate__())


def definition(
    vocabulary: list[tuple[str, float]],
    *,
    unknown: int = 0,
    byte_fallback: bool = False,
    normalizer: Any = None,
    pre_tokenizer: Any = XLMR,
    added: tuple[tuple[str, bool], ...] = (),
) -> bytes:
    """A `tokenizer.json` of Unigram's kind; `added` holds contents, and whether normalized."""
    tokens = [
        {
            "id": len(vocabulary) + at,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": normalized,
            "special": not normalized,
        }
        for at, (content, normalized) in enumerate(added)
    ]
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": tokens,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": None,
            "decoder": METASPACE,
            "model": {
                "type": "Unigram",
                "unk_id": unknown,
                "vocab": [[piece, score] for piece, score in vocabulary],
                "byte_fallback": byte_fallback,
            },
        }
    ).encode()


def opened(tokenizer: bytes, **changes: Any) -> UnigramEncoder | None:
    """The encoder over arrays, of which some may be changed; None if its design is not known."""
    tensors = pieces_tensors(tokenizer, least=1) | changes
    return open_unigram(tensors, np.frombuffer(tokenizer, np.uint8), 1 << 24)


def proven_ids(encoder: UnigramEncoder, texts: list[str]) -> list[list[int] | None]:
    """The ids of texts without the library's help; None where they are not proven."""
    return [
        None if encoder._cut(text) is None else encoder.texts([text]).ids.tolist() for text in texts
    ]


def library_ids(tokenizer: bytes, texts: list[str]) -> list[list[int] | None]:
    """The ids of texts; None where `tokenizers` itself fails."""
    oracle = Tokenizer.from_buffer(tokenizer)
    oracle.no_truncation()
    oracle.no_padding()
    answers: list[list[int] | None] = []
    for text in texts:
        try:
            answers.append(oracle.encode(text, add_special_tokens=False).ids)
        except BaseException as error:
            if not is_failure(error):
                raise
            answers.append(None)
    return answers


@st.composite
def unigram_designs(draw: st.DrawFn) -> bytes:
    """A small tokenizer of a design that the arrays know."""
    piece = st.lists(st.sampled_from(_ALPHABET), min_size=1, max_size=4).map("".join)
    names = draw(st.lists(piece, max_size=14))  # some twice: the last counts
    names += draw(st.lists(st.sampled_from(["", "<unk>", "a" * 60, "<0x61>"]), max_size=2))
    if draw(st.booleans()):
        names += [f"<0x{byte:02X}>" for byte in range(256)]
    unknown = draw(st.integers(0, len(names)))
    names.insert(unknown, draw(st.sampled_from(["<unk>", "▁", "a"])))  # a blank: trained ones
    scores = draw(st.lists(st.sampled_from(_SCORES), min_size=len(names), max_size=len(names)))
    steps = draw(
        st.sampled_from(
            [
                [],
                [normalizers.NFKC()],
                [normalizers.NFD()],
                [normalizers.Precompiled(nmt_nfkc())],
                [normalizers.Precompiled(clusters())],
                [normalizers.Replace("b", "aa"), normalizers.NFC()],
                [normalizers.NFKC(), normalizers.Lowercase()],
                [normalizers.Lowercase(), normalizers.NFD()],
                [normalizers.Replace(" ", "▁")],
                [normalizers.Replace(" a", " b ")],
                [normalizers.Replace("b", " b "), normalizers.Replace(Regex(r"\s+"), " ")],
                [normalizers.Replace(Regex(r"\s+"), "▁"), normalizers.Strip()],
            ]
        )
    )
    ending = draw(st.sampled_from([[], [" "], ["▁"]]))
    for content in ending:
        steps = [
            *steps,
            normalizers.Strip(left=draw(st.booleans()), right=True),
            normalizers.Replace(Regex(" {2,}"), content),
        ]
    tokens = [("<m>", False), ("<n>", True), ("é", True), ("a b", False), ("北", False)]
    return definition(
        list(zip(names, scores, strict=True)),
        unknown=unknown,
        byte_fallback=draw(st.booleans()),
        normalizer=state(normalizers.Sequence(steps)) if steps else None,
        pre_tokenizer=draw(st.sampled_from([METASPACE, XLMR, UNSPLIT, XLMR_UNSPLIT])),
        added=tuple(draw(st.lists(st.sampled_from(tokens), max_size=2, unique=True))),
    )
