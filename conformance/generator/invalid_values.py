"""Files with a fault in the tensors' values, the tokenizer or a digest (SPEC 6, 7 and 10)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from generator.faults import Invalid, base
from generator.files import (
    Tensor,
    compact,
    tensor,
    tokenizer_bytes,
    vectors_digest,
    word_tokenizer,
)
from generator.valid import octets


def values() -> Iterator[Invalid]:
    """Yield files with a wrong value in a small tensor or the table."""

    def set_to(name: str, values: list[float], dtype: str = "I8", index: str = "U16") -> bytes:
        made = base(dtype, index)
        old = made.tensors[name]
        made.tensors[name] = tensor(old.dtype, values, *old.shape)
        return made.build()

    for index in ("U16", "U32", "I64"):
        for name, row in (
            ("r", 3),
            ("largest", {"U16": 2**16, "U32": 2**32, "I64": 2**63}[index] - 1),
        ):
            yield Invalid(
                f"rows_{index.lower()}_{name}",
                "row_out_of_range",
                f"A row of {row} where R is 3.",
                set_to("rows", [2, 0, row, 1], index=index),
            )
    for name, row in (("minus_one", -1), ("smallest", -(2**63)), ("2_to_32", 2**32)):
        yield Invalid(f"rows_i64_{name}", "row_out_of_range", f"A row of {row}.",
                      set_to("rows", [2, 0, row, 1], index="I64"))  # fmt: skip
    inf = float("inf")
    for kind, value in (("nan", float("nan")), ("infinity", inf), ("minus_infinity", -inf)):
        for dtype in ("F32", "F16"):
            yield Invalid(
                f"embeddings_{dtype.lower()}_{kind}",
                "value_not_finite",
                f"The last element of a table of {dtype}.",
                set_to("embeddings", [1.0, 2.0, 3.0, 4.0, 5.0, value], dtype),
                deferred=True,
            )
        yield Invalid(f"weights_{kind}", "value_not_finite", "The last element of weights.",
                      set_to("weights", [1.0, 1.0, 1.0, value]))  # fmt: skip
        yield Invalid(
            f"scale_{kind}",
            "value_not_finite",
            "The last element of scale.",
            set_to("scale", [1.0, value]),
            also=("scale_not_positive",) if value < 0 else (),
        )
    for name, value in (("zero", 0.0), ("minus_zero", -0.0), ("negative", -0.5)):
        yield Invalid(f"scale_{name}", "scale_not_positive", "The last element of scale.",
                      set_to("scale", [1.0, value]))  # fmt: skip


def deferred() -> Iterator[Invalid]:
    """Yield files with a fault in the tokenizer or a digest, which only full verification finds."""

    def tokenizer(data: bytes) -> bytes:
        made = base()
        made.tensors["tokenizer"] = octets(data)
        return made.build()

    def model(model: dict[str, Any], **members: object) -> bytes:
        members.setdefault("pre_tokenizer", {"type": "WhitespaceSplit"})
        return tokenizer(tokenizer_bytes(model, **members))

    right = word_tokenizer(4)
    words = json.loads(right)["model"]
    unigram = {"type": "Unigram", "unk_id": 0, "vocab": [["a", 0.0]] * 4}
    faults: list[tuple[str, str, str, bytes]] = [
        ("latin_1", "tokenizer_not_utf8", "A byte that UTF-8 never holds.",
         tokenizer(right.replace(b"w1", b"w\xe9"))),
        ("utf16", "tokenizer_not_utf8", "UTF-16 with its byte order mark.",
         tokenizer(right.decode().encode("utf-16"))),
        ("not_json", "tokenizer_not_json", "Text that is no JSON.", tokenizer(b"w0 w1 w2 w3\n")),
        ("cut", "tokenizer_not_json", "The JSON ends too early.", tokenizer(right[:-1])),
        ("nan", "tokenizer_not_json", "NaN, which JSON does not have.",
         tokenizer(right.replace(b'"truncation":null', b'"truncation":NaN'))),
        ("byte_order_mark", "tokenizer_not_json", "A byte order mark.",
         tokenizer(b"\xef\xbb\xbf" + right)),
        ("array", "tokenizer_not_json", "An array.", tokenizer(b"[" + right + b"]")),
        ("depth_100000", "tokenizer_not_json", "So deep that a parser which recurses runs out of "
         "stack.", tokenizer(b"[" * 100_000 + b"]" * 100_000)),
        ("empty_object", "tokenizer_invalid", "No model.", tokenizer(b"{}")),
        ("model_null", "tokenizer_invalid", "The model is null.",
         tokenizer(b'{"added_tokens":[],"model":null}')),
        ("model_unknown", "tokenizer_invalid", "A model of another kind.",
         model(words | {"type": "Morse"})),
        ("model_type_null", "tokenizer_invalid", "A type of null, which is not a missing one.",
         model(words | {"type": None})),
        ("model_type_untold", "tokenizer_invalid", "No type, and nothing that tells it.",
         model({"vocab": words["vocab"]})),
        ("unk_token_absent", "tokenizer_invalid", "An unknown token that the vocabulary lacks.",
         model(words | {"unk_token": "[UNK]"})),
        ("unk_token_untyped", "tokenizer_invalid", "The same without a type.",
         model({"vocab": words["vocab"], "unk_token": "[UNK]"})),
        ("unk_id_null", "tokenizer_invalid", "Unigram without an unknown token.",
         model(unigram | {"unk_id": None})),
        ("unk_id_beyond", "tokenizer_invalid", "Unigram with an unknown token beyond its pieces.",
         model(unigram | {"unk_id": 4})),
        ("vocab_missing", "tokenizer_invalid", "No vocabulary.",
         model({"type": "WordLevel", "unk_token": "w0"})),
        ("vocab_array", "tokenizer_invalid", "An array where WordLevel has an object.",
         model(words | {"vocab": ["w0"]})),
        ("vocab_object", "tokenizer_invalid", "An object where Unigram has an array.",
         model(unigram | {"vocab": {"a": 0}})),
        ("id_string", "tokenizer_invalid", "An id that is a string.",
         model(words | {"vocab": {"w0": 0, "w1": "1"}})),
        ("id_fraction", "tokenizer_invalid", "An id that is not whole.",
         model(words | {"vocab": {"w0": 0, "w1": 1.5}})),
        ("id_fraction_zero", "tokenizer_invalid", "An id of 1.0.",
         tokenizer(right.replace(b'"w1":1', b'"w1":1.0'))),
        ("id_exponent", "tokenizer_invalid", "An id of 1e0.",
         tokenizer(right.replace(b'"w1":1', b'"w1":1e0'))),
        ("id_minus_zero", "tokenizer_invalid", "An id of -0.",
         tokenizer(right.replace(b'"w0":0', b'"w0":-0'))),
        ("added_object", "tokenizer_invalid", "Added tokens in an object.",
         model(words, added_tokens={})),
        ("added_false", "tokenizer_invalid", "Added tokens of false.",
         model(words, added_tokens=False)),
        ("id_v", "token_id_out_of_range", "An id of V.",
         model(words | {"vocab": {"w0": 0, "w1": 4}})),
        ("id_2_to_32", "token_id_out_of_range", "An id that 32 bits would turn into 0.",
         model(words | {"vocab": {"w0": 0, "w1": 2**32}})),
        ("id_negative", "token_id_out_of_range", "An id of -1.",
         model(words | {"vocab": {"w0": 0, "w1": -1}})),
        ("id_added", "token_id_out_of_range", "An added token's id of V.",
         model(words, added_tokens=[{"id": 4, "content": "x", "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False, "special": True}])),
        ("unigram_long", "token_id_out_of_range", "More pieces of Unigram than V.",
         model(unigram | {"vocab": [["a", 0.0], *([p, -1.0] for p in "bcde")]})),
    ]  # fmt: skip
    for name, code, notes, raw in faults:
        # Opening does not check the unknown token. A text that needs it is refused later, with
        # another code.
        also = ("request_text_invalid",) if name.startswith("unk_") else ()
        yield Invalid(f"tokenizer_{name}", code, notes, raw, deferred=True, also=also)
    split = {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}
    for name, notes, raw in (
        ("normalizer", "A normalizer of an unknown type.",
         model(words, normalizer={"type": "Morse"})),
        ("pattern", "A pattern with an open parenthesis.", model(words, pre_tokenizer=split)),
        ("merges", "BPE without merges.", model(words | {"type": "BPE"})),
        ("version", "A version that the library does not have.", model(words, version="2.0")),
    ):  # fmt: skip
        yield Invalid(f"tokenizer_unbuildable_{name}", "tokenizer_invalid", notes, raw,
                      deferred=True, kind="text")  # fmt: skip
    signed = base(description="here").build()
    flips = {
        "digest_of_other_metadata": signed.replace(b'"here"', b'"hear"'),
        "digest_of_other_data": signed.replace(b'"w3":3', b'"w4":3'),
    }
    for name, raw in flips.items():
        assert raw != signed
        also = ("vectors_digest_mismatch",) if name.endswith("data") else ()
        yield Invalid(name, "digest_mismatch", "A byte was changed after the digest was taken.",
                      raw, deferred=True, also=also)  # fmt: skip
    yield from _vectors_digests()
    yield Invalid("digest_of_zeros", "digest_mismatch", "The digits were never filled in.",
                  signed.replace(_digits(signed), b"0" * 64), deferred=True)  # fmt: skip
    yield Invalid(
        "digest_spelled_with_escape",
        "digest_mismatch",
        "The digits are spelled with a JSON escape.",
        _escaped_digest(),
        deferred=True,
    )
    yield Invalid("digest_twice", "digest_mismatch", "The digits occur twice in the header.",
                  _twice(), deferred=True)  # fmt: skip


def _vectors_digests() -> Iterator[Invalid]:
    """Yield files with a wrong `vectors_digest` and a correct `digest`."""

    def digest_of(metadata: dict[str, str], tensors: dict[str, Tensor]) -> bytes:
        made = base(description="here")
        right = vectors_digest(made.metadata, made.tensors)
        made.metadata["vectors_digest"] = vectors_digest(metadata, tensors)
        assert made.metadata["vectors_digest"] != right
        return made.build()

    code = "vectors_digest_mismatch"
    made = base(description="here")
    values, tensors = made.metadata, made.tensors
    turned = [*tensors["embeddings"].values()][::-1]
    weights = tensor("F32", [2.0, *tensors["weights"].values()[1:]])
    faults: list[tuple[str, str, dict[str, str], dict[str, Tensor]]] = [
        ("table", "Of another table.", values,
         tensors | {"embeddings": tensor("I8", turned, 3, 2)}),
        ("shape", "Of the same bytes in another shape.", values,
         tensors | {"embeddings": Tensor("I8", (2, 3), tensors["embeddings"].data)}),
        ("dtype", "Of the same bytes with another dtype.", values,
         tensors | {"embeddings": Tensor("U8", (3, 2), tensors["embeddings"].data)}),
        ("weights", "Of other weights.", values, tensors | {"weights": weights}),
        ("no_weights", "The weights have no part in it.", values,
         {name: each for name, each in tensors.items() if name != "weights"}),
        ("tokenizer", "Of the tokenizer without a space at its end.", values,
         tensors | {"tokenizer": octets(tensors["tokenizer"].data + b" ")}),
        ("normalize", "Of another setting.", values | {"normalize": "false"}, tensors),
        ("max_tokens", "Of a setting that the file lacks.", values | {"max_tokens": "3"}, tensors),
    ]  # fmt: skip
    for name, notes, other, others in faults:
        yield Invalid(f"vectors_digest_of_other_{name}", code, notes, digest_of(other, others),
                      deferred=True)  # fmt: skip
    made.metadata["vectors_digest"] = "sha256:" + "1" * 64
    yield Invalid("vectors_digest_of_ones", code, "The digits were never filled in.",
                  made.build(), deferred=True)  # fmt: skip


def _digits(raw: bytes) -> bytes:
    """Return the 64 digits of the first digest in a file."""
    at = raw.index(b"sha256:") + 7
    return raw[at : at + 64]


def _escaped_digest() -> bytes:
    made = base()
    made.metadata["digest"] = "sha256:" + "a" * 64
    made.text = lambda members: compact(members).replace("sha256:a", "sha256:\\u0061")
    return made.build()


def _twice() -> bytes:
    # The digest covers the file with zeros in both places, so the repetition is the only fault.
    made = base()
    made.metadata["description"] = "0" * 64
    raw = made.build()
    blank = raw.replace(_digits(raw), b"0" * 64)
    assert blank.count(b"0" * 64) == 2
    return blank.replace(b"0" * 64, hashlib.sha256(blank).hexdigest().encode())
