"""Files with the part `head`, and their cases (SPEC 6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.files import Tensor, tensor
from generator.head import LABELS, MEMBERS, K, Part, Q, head, made, names
from generator.refused_heads import LEVEL, refused_files
from generator.valid import Valid, file, octets, run

TOKENS = [1, 2, 0, 5]


def classify(name: str, head: str, tokens: list[int] = TOKENS, **request: str) -> dict[str, Any]:
    """Return the members of a case of a classifier."""
    return {"name": name, "tokens": tokens, "request": {"head": head, **request}}


def every(name: str) -> list[dict[str, Any]]:
    """Return the cases of one head: scores and logits, and a text without tokens."""
    case = name.lower().replace("-", "_")
    return [
        classify(f"{case}_scores", name),
        classify(f"{case}_logits", name, output="logits"),
        classify(f"{case}_one_token", name, [3]),
        classify(f"{case}_no_tokens", name, []),
    ]


def heads_files() -> Iterator[Valid]:
    """Yield every file with the part."""
    softmax, sigmoid = MEMBERS, MEMBERS | {"kind": "sigmoid"}
    linear = MEMBERS | {"kind": "linear"}
    yield Valid(
        "head",
        "A linear classifier with the members and the tensors that it needs.",
        made(file("head", prefixes="2 6"), {"topic": (head("topic"), softmax)}),
        [run("some_tokens", TOKENS), *every("topic")],
    )
    heads: dict[str, tuple[Part, dict[str, Any] | str]] = {
        "A_-9": (head("a"), sigmoid),
        "stars": (head("stars", ("stars",)), linear),
        "topic": (head("topic"), softmax),
        "yes": (head("yes", ("yes",)), sigmoid),
    }
    yield Valid(
        "head_several",
        "Heads of every kind in one file; labels of one output.",
        made(file("several"), heads),
        [case for name in heads for case in every(name)],
    )
    yield Valid(
        "head_hidden",
        "A hidden layer, some of whose outputs are below zero.",
        made(
            file("hidden"),
            {
                "topic": (head("hidden", hidden=Q), softmax),
                "stars": (head("hidden stars", ("stars", "mood"), hidden=1), linear),
            },
        ),
        [*every("topic"), *every("stars")],
    )
    yield Valid(
        "head_i8",
        "8-bit weights, of either layer, of an 8-bit table.",
        made(
            file("head i8", "I8"),
            {
                "both": (head("both", hidden=Q, dtypes="I8 I8"), softmax),
                "first": (head("first", hidden=Q, dtypes="F32 I8"), sigmoid),
                "last": (head("last", hidden=Q, dtypes="I8 F32"), linear),
                "one": (head("one", dtypes="I8 F32"), softmax),
            },
        ),
        [*every("both"), *every("first"), *every("last"), *every("one")],
    )
    yield Valid(
        "head_prefix",
        "Heads that read a prefix of the vectors.",
        made(
            file("head prefix", prefixes="2 6"),
            {
                "two": (head("two", columns=2), softmax),
                "one": (head("one", columns=1, hidden=Q), sigmoid),
            },
        ),
        [*every("two"), *every("one")],
    )
    yield Valid(
        "head_not_normalized",
        "Heads that read vectors with and without unit length, whatever the file says.",
        made(
            file("head lengths", normalize="false"),
            {
                "unit": (head("unit"), sigmoid),
                "raw": (head("raw"), linear | {"normalize": "false"}),
            },
        ),
        [*every("unit"), *every("raw")],
    )
    yield Valid(
        "head_damped",
        "Heads of a file with damped pooling: of the file's, by its name, and of the plain mean.",
        made(
            file("head damped", damping="1 4"),
            {
                "absent": (head("pooling"), softmax),
                "damped": (head("pooling"), softmax | {"pooling": "damped_mean"}),
                "mean": (head("pooling"), softmax | {"pooling": "mean"}),
            },
        ),
        [*every("absent"), *every("damped"), *every("mean")],
    )
    yield Valid(
        "head_temperature",
        "Temperatures, the least and the largest among them.",
        made(
            file("head temperature"),
            {
                "warm": (head("t"), softmax | {"temperature": "2.5"}),
                "cold": (head("t", ("one", "two")), sigmoid | {"temperature": "0.25"}),
                "most": (head("t"), softmax | {"temperature": "1000000"}),
                "least": (head("t", ("one", "two")), softmax | {"temperature": "0.000001"}),
            },
        ),
        [*every("warm"), *every("cold"), *every("most")[:2], *every("least")[1:2]],
    )
    thresholds = {
        "thresholds": tensor("F32", [0.0, 0.5, 1.0]),
        "bias": tensor("F32", [0.25, 0.0, 2.0]),
    }
    yield Valid(
        "head_thresholds",
        "Thresholds, 0 and 1 among them: a probability equal to its threshold is not above it.",
        made(file("head thresholds"), {"tags": (head("tags") | thresholds, sigmoid)}),
        every("tags"),
    )
    yield Valid(
        "head_tie",
        "Equal probabilities: the first of the largest is the answer.",
        made(file("head tie"), {"topic": (_same_rows(), softmax)}),
        [classify("no_tokens", "topic", [])],
    )
    yield Valid(
        "head_prompt",
        "A prompt, which a classifier of token ids ignores; the longest there may be.",
        made(file("head prompt"), {"topic": (head("p"), softmax | {"prompt": "ä" * 8192})}),
        [classify("scores", "topic")],
    )
    yield Valid(
        "head_labels",
        "The longest label, labels that hold a line feed and an escape, and one inside another.",
        made(
            file("head labels"),
            {"topic": (head("labels", ("a", "aa", "b\n\x1b[31m", "c" * 1024)), softmax)},
        ),
        [classify("scores", "topic"), classify("no_tokens", "topic", [])],
    )
    extreme = head("extreme") | {"bias": tensor("F32", [2.0**30, -(2.0**30), 0.0])}
    yield Valid(
        "head_magnitudes",
        "The largest magnitudes.",
        made(file("head extremes"), {"topic": (extreme, softmax), "numbers": (extreme, linear)}),
        [classify("scores", "topic"), classify("numbers", "numbers")],
    )
    yield Valid(
        "head_at_limit",
        "As many hidden outputs as there may be.",
        made(file("limit", dim=1, n_rows=2), {"topic": (_deepest(65_536), linear)}),
        [],
    )
    more = head("more") | {"x-mine.count": octets(b"\6"), "weights.other": tensor("F64", [1.0])}
    yield Valid(
        "head_more",
        "Members and tensors that are not of the part are ignored; keys of several labels are no "
        "heads, and neither is a name that begins with x-.",
        _with_keys(
            made(file("head more"), {"topic": (more, MEMBERS | {"x": "", "ä": "\n"})}),
            {"head": "x", "head.x-mine": "{", "head.topic.weights": "1", "head.a.b": ""},
        ),
        [classify("scores", "topic")],
    )
    yield from refused_files()


def _same_rows() -> Part:
    part = head("tie")
    weights = part["weights"].values()[:6]
    row = {"weights": tensor("F32", weights * K, K, 6), "bias": tensor("F32", [0.5] * K)}
    assert len(LABELS) == K
    return part | row


def _deepest(count: int) -> Part:
    return {
        "weights": Tensor("I8", (1, count), b"\1" * count),
        "scale": tensor("F32", [0.5]),
        "bias": tensor("F32", [0.5]),
        "hidden-weights": Tensor("I8", (count, 1), b"\1" * count),
        "hidden-scale": Tensor("F32", (count,), LEVEL * count),
        "hidden-bias": Tensor("F32", (count,), bytes(4 * count)),
        **names(["a"]),
    }


def _with_keys(made: Any, keys: dict[str, str]) -> Any:  # noqa: ANN401 - a file
    made.metadata |= keys
    return made
