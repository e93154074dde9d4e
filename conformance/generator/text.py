"""Files for the class `text`: small tokenizers, with the ids that `tokenizers` gave for texts."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

from generator.files import Tensor
from generator.valid import Valid, file
from generator.vocabularies import TOKENIZERS

RECORDED = Path(__file__).parent.parent / "recorded" / "text_ids.json"


def text_files() -> Iterator[Valid]:
    """Yield a file for each tokenizer, with a case for each text."""
    yield text_file(
        "wordpiece", "WordPiece; unknown tokens are dropped; damped 8-bit table.",
        dtype="I8", unknown_token_id="1", damping="1 3",
    )  # fmt: skip
    yield text_file(
        "wordpiece_with_settings",
        "A post-processor, truncation and padding in the tokenizer take no part; max_tokens does.",
        max_tokens="12",
    )  # fmt: skip
    yield text_file("byte_bpe", "Byte-level BPE; binary16 table.", dtype="F16")
    yield text_file(
        "unigram", "Unigram; unknown tokens are dropped; weights.",
        weighted=True, unknown_token_id="0", normalize="false",
    )  # fmt: skip
    yield text_file(
        "word_level", "Whole words; unknown ones have a row; a row map.",
        mapped=True, damping="0.5 5",
    )  # fmt: skip


def text_file(
    name: str,
    notes: str,
    *,
    weighted: bool = False,
    mapped: bool = False,
    **settings: str,
) -> Valid:
    """A file with a tokenizer, and a case for each text."""
    recorded = json.loads(RECORDED.read_text(encoding="ascii"))
    definition = TOKENIZERS[name]()
    if hashlib.sha256(definition).hexdigest() != recorded[name]["sha256"]:
        raise SystemExit(f"{RECORDED}: another tokenizer {name} was recorded: run record_text.py")
    members = json.loads(definition)
    vocabulary = members["model"]["vocab"]
    ids = [*(range(len(vocabulary)) if isinstance(vocabulary, list) else vocabulary.values())]
    n_tokens = 1 + max(*ids, *(token["id"] for token in members["added_tokens"]), 0)
    draw = random.Random(name)
    weights = [draw.randrange(1, 512) / 256 for _ in range(n_tokens)] if weighted else None
    n_rows, rows = n_tokens, None
    if mapped:
        n_rows = n_tokens // 2
        rows = ("U16", [draw.randrange(n_rows) for _ in range(n_tokens)])
    made = file(name, n_rows=n_rows, dim=5, prefixes="2 5", rows=rows, weights=weights, **settings)
    made.tensors["tokenizer"] = Tensor("U8", (len(definition),), definition)
    found = recorded[name]["ids"]
    cases = [
        {"name": key, "text": text, "tokens": found[key], "request": {}}
        for key, text in recorded["texts"].items()
    ]
    for key, request in (
        ("prefix", {"dim": 2}),
        ("as_mean", {"pooling": "mean"}),
        ("not_normalized", {"normalize": False}),
        ("normalized", {"normalize": True}),
    ):
        text = recorded["texts"]["sentence"]
        cases.append(
            {
                "name": f"sentence_{key}",
                "text": text,
                "tokens": found["sentence"],
                "request": request,
            }
        )
    return Valid(f"text_{name}", notes, made, cases)
