"""Valid files with optional parts and prompts, which readers may ignore (SPEC 5 and 6.1)."""

from __future__ import annotations

from collections.abc import Iterator

from generator.files import ITEM, compact, tensor
from generator.valid import Valid, file, numbers, run, with_optional
from generator.valid_files import ROWS, TEXT, WEIGHTS, spell_loosely

HEADS = {
    "head.topic.weights": tensor("F32", numbers("topic", 12), 2, 6),
    "head.topic.bias": tensor("F32", [0.5, -0.25]),
    "head.x-mine.A_1": tensor("F64", [float("nan")]),
}


def optional_files() -> Iterator[Valid]:
    """Yield files with optional tensors or prompts; the vectors do not depend on them."""
    yield from _namespaces()
    yield from _forms()
    yield from _prompts()


def _namespaces() -> Iterator[Valid]:
    asked = [run("some_tokens", TEXT), run("shorter", TEXT, dim=3)]
    other = Valid(
        "optional_head",
        "Tensors of the namespace head, one of them not finite, and metadata that name them. They "
        "are no head of section 6.4.",
        with_optional(file("f32", prefixes="2 4 6"), HEADS, head="topic x-mine",
                      head_0_topic='{"classes":["a","b"]}'),
        asked,
    )  # fmt: skip
    other.refused = ["head.topic"]
    yield other
    space = {
        "space.projection": tensor("F16", numbers("space", 24), 4, 6),
        "space.offset": tensor("F32", numbers("offset", 4)),
        "space.probes": tensor("F32", numbers("probes", 48), 8, 6),
    }
    other = Valid(
        "optional_space",
        "Tensors of the namespace space beside an 8-bit table with a row map and weights. They are "
        "not the part of section 6.3.",
        with_optional(
            file("rw8", "I8", 5, rows=("I64", ROWS), weights=WEIGHTS), space,
            space='{"teacher":"a/b"}',
        ),
        asked,
    )  # fmt: skip
    other.refused = ["space"]
    yield other
    pieces = {
        "pieces.bytes": tensor("U8", list(b"w0w1w2w3w4w5w6w7")),
        "pieces.ends": tensor("U64", range(2, 18, 2)),
        "pieces.ids": tensor("I32", range(-4, 4)),
    }
    yield Valid(
        "optional_pieces",
        "Tensors of the namespace pieces; damped pooling.",
        with_optional(file("damped", prefixes="2 6", damping="1 4"), pieces, pieces="1"),
        asked,
    )


def _forms() -> Iterator[Valid]:
    asked = [run("some_tokens", [1, 2, 0])]
    every = {
        f"head.every.{dtype.lower()}": tensor(dtype, [1, 0, 2, 3], *shape)
        for dtype, shape in zip(ITEM, [(4,), (2, 2), (1, 4, 1), (2, 1, 2, 1)] * 3, strict=False)
    }
    yield Valid(
        "optional_dtypes",
        "Every dtype, and one to four axes.",
        with_optional(file("tiny", n_rows=3, dim=2), every),
        asked,
    )
    names = {
        f"head.{'a' * 64}": tensor("U8", [1]),
        f"space{('.' + 'b' * 62) * 3}.{'c' * 61}": tensor("U8", [2]),
        "pieces.-._.0.Z": tensor("U8", [3]),
        "head.__proto__": tensor("U8", [4]),
    }
    yield Valid(
        "optional_names",
        "The longest label, the longest name, and labels of a single character.",
        with_optional(file("tiny", n_rows=3, dim=2), names, header="x", head_0_="y", spaces="z"),
        asked,
    )
    other = with_optional(file("tiny", n_rows=3, dim=2), HEADS)
    other.order = ["embeddings", "tokenizer", *sorted(HEADS, reverse=True)]
    other.text = lambda members: spell_loosely(members)
    yield Valid(
        "optional_other_order",
        "Optional tensors laid out and listed in another order than the reference writer's.",
        other,
        asked,
    )
    yield Valid(
        "optional_at_limit",
        "As many optional tensors as there may be.",
        with_optional(
            file("tiny", n_rows=3, dim=2),
            {f"head.h.t{i:04}": tensor("U8", [i % 251]) for i in range(1024)},
        ),
        asked,
    )


def _prompts() -> Iterator[Valid]:
    texts = {
        "classification": "", "document": "title: none | text: ",
        "query": 'say "q\\": \n\t\x1f\x7f',
        "ä b": "\u2028🐈", "Ａ": "a", "🐈": "b",
    }  # fmt: skip
    for name, notes, prompts in (
        ("prompts", "Prompts by name; one is empty, and some need escapes.", texts),
        ("prompts_empty", "No prompt in the list of prompts.", {}),
        ("prompts_at_limit", "As many prompts as there may be, the longest name and text.",
         {f"p{i:03}": "" for i in range(255)} | {"q" * 256: "ä" * 8192}),
    ):  # fmt: skip
        made = file("tiny", n_rows=3, dim=2, prompts=compact(dict(sorted(prompts.items()))))
        yield Valid(name, notes, made, [run("some_tokens", [1, 2, 0])])
