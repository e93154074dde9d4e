"""Invalid requests to valid files (SPEC 13.3, second table)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

from generator.files import STORED_BYTES
from generator.valid_heads import heads_files
from generator.valid_space import space_files

DIM = "request_dim_out_of_range"
TOKEN = "request_token_out_of_range"
TEXT = "request_text_invalid"

# file, name, code, members of the case; f32 has V = 8 and D = 6, rows_u16 has V = 9 and R = 5.
POOLER: list[tuple[str, str, str, dict[str, Any]]] = [
    ("f32", "dim_zero", DIM, {"tokens": [1], "request": {"dim": 0}}),
    ("f32", "dim_negative", DIM, {"tokens": [1], "request": {"dim": -1}}),
    ("f32", "dim_above", DIM, {"tokens": [1], "request": {"dim": 7}}),
    ("f32", "dim_above_without_tokens", DIM, {"tokens": [], "request": {"dim": 7}}),
    ("f32", "dim_2_to_32", DIM, {"tokens": [1], "request": {"dim": 2**32 + 2}}),
    ("damped", "dim_above_damped", DIM, {"tokens": [1], "request": {"dim": 7}}),
    ("f32", "token_negative", TOKEN, {"tokens": [1, -1], "request": {}}),
    ("f32", "token_v", TOKEN, {"tokens": [1, 8], "request": {}}),
    ("f32", "token_2_to_32", TOKEN, {"tokens": [2**32 + 1], "request": {}}),
    ("f32", "token_2_to_31", TOKEN, {"tokens": [2**31], "request": {}}),
    (
        "f32",
        "token_among_thousands",
        TOKEN,
        {"runs": [[1, 5000], [9, 1], [2, 5000]], "request": {}},
    ),
    ("rows_u16", "token_v_with_rows", TOKEN, {"tokens": [9], "request": {}}),
    ("rows_fewer_than_table", "token_below_r_not_v", TOKEN, {"tokens": [2], "request": {}}),
    ("damped", "token_v_damped", TOKEN, {"tokens": [0, 8], "request": {}}),
    ("i8", "token_v_i8", TOKEN, {"tokens": [8], "request": {}}),
    ("max_tokens", "token_behind_max_tokens", TOKEN, {"tokens": [1, 2, 3, 8], "request": {}}),
]
TEXTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("text_wordpiece", "high_surrogate", TEXT, {"text": "dog \ud800 cat", "request": {}}),
    ("text_wordpiece", "low_surrogate", TEXT, {"text": "dog\udc00", "request": {}}),
    ("text_byte_bpe", "surrogates_reversed", TEXT, {"text": "\udc08\ud83d", "request": {}}),
    ("text_unigram", "surrogate_alone", TEXT, {"text": "\udfff", "request": {}}),
    ("text_word_level", "surrogate_last", TEXT, {"text": "the dog\ud83d", "request": {}}),
    ("text_wordpiece", "dim_above", DIM, {"text": "the dog", "request": {"dim": 6}}),
    ("text_wordpiece", "dim_zero_of_empty", DIM, {"text": "", "request": {"dim": 0}}),
]

MISSING = "request_space_missing"
VECTOR = "request_vector_invalid"


def hexed(*values: float) -> dict[str, Any]:
    """Return the members of a request of a teacher's vector."""
    return {"vector": struct.pack(f"<{len(values)}f", *values).hex(), "request": {}}


PROJECTOR: list[tuple[str, str, str, dict[str, Any]]] = [
    ("space", "vector_nan", VECTOR, hexed(1, math.nan, 0, 0)),
    ("space", "vector_infinite", VECTOR, hexed(1, 0, 0, math.inf)),
    ("space", "vector_negative_infinite", VECTOR, hexed(-math.inf, 0, 0, math.inf)),
    ("space", "vector_nan_among_zeros", VECTOR, hexed(0, 0, math.nan, 0)),
    ("space", "vector_shorter", VECTOR, hexed(1, 2, 3)),
    ("space", "vector_longer", VECTOR, hexed(1, 2, 3, 4, 5)),
    ("space", "vector_of_the_file", VECTOR, hexed(1, 2, 3, 4, 5, 6)),
    ("space", "vector_empty", VECTOR, hexed()),
    ("space", "projected_dim_zero", DIM, hexed(1, 2, 3, 4) | {"request": {"dim": 0}}),
    ("space", "projected_dim_above", DIM, hexed(1, 2, 3, 4) | {"request": {"dim": 7}}),
    ("f32", "no_space", MISSING, hexed(1, 2, 3, 4)),
    ("space_absent", "no_key", MISSING, hexed(1, 2, 3, 4)),
    ("optional_space", "another_part", MISSING, hexed(1, 2, 3, 4)),
    ("space_teacher", "document", "request_query_only",
     {"tokens": [1, 2, 0], "request": {"kind": "document"}}),
    *((valid.name, valid.name.removeprefix("space_"), MISSING, hexed(1, 2, 3, 4))
      for valid in space_files() if valid.refused),
]  # fmt: skip

NO_HEAD = "request_head_missing"


def asked(head: str, *tokens: int) -> dict[str, Any]:
    """Return the members of a request of a head."""
    return {"tokens": [*tokens], "request": {"head": head}}


CLASSIFIER: list[tuple[str, str, str, dict[str, Any]]] = [
    ("f32", "no_head", NO_HEAD, asked("topic", 1)),
    ("head", "another_head", NO_HEAD, asked("tags", 1)),
    ("head", "name_in_another_case", NO_HEAD, asked("Topic", 1)),
    ("head", "name_empty", NO_HEAD, asked("", 1)),
    ("head", "name_of_a_tensor", NO_HEAD, asked("topic.weights", 1)),
    ("head_more", "name_of_an_experiment", NO_HEAD, asked("x-mine", 1)),
    ("head_more", "name_of_two_labels", NO_HEAD, asked("a.b", 1)),
    ("optional_head", "another_definition", NO_HEAD, asked("topic", 1)),
    ("head", "head_token_v", TOKEN, asked("topic", 1, 8)),
    *((valid.name, valid.name.removeprefix("head_"), NO_HEAD, asked("bad", 1))
      for valid in heads_files()
      if valid.refused and len(valid.file.build()) <= STORED_BYTES),
]  # fmt: skip


def requests() -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield the class, the notes and the cases of each case file."""
    for kind, notes, rows in (
        ("pooler", "Requests of token ids.", POOLER),
        ("classifier", "Requests of heads.", CLASSIFIER),
        ("projector", "Requests of a teacher's vectors, and of documents.", PROJECTOR),
        ("text", "Requests of text; a surrogate is spelled as an escape.", TEXTS),
    ):
        cases = [
            {
                "id": f"requests/{kind}/{name}",
                "class": kind,
                "flags": [],
                "file": f"../valid/{file}.staticemb",
                "code": code,
                **asked,
            }
            for file, name, code, asked in rows
        ]
        yield kind, notes, cases
