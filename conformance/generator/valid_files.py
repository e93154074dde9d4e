"""Valid files without optional tensors, and their cases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from generator.files import File, tokenizer_bytes, word_tokenizer
from generator.valid import Valid, file, numbers, octets, run

ROWS = [3, 0, 3, 4, 1, 2, 0, 4, 4]
WEIGHTS = [1.0, 0.5, 0.0, 2.25, 0.0078125, 1.5, 0.75, 1.0, 3.0]
SIGNED = [1.0, -0.5, 0.25, -2.0, 1.5, 0.0, 1.0, -1.0, 0.5]
TEXT = [5, 1, 1, 7, 2, 0, 6]
PLAIN = [run("one_token", [3]), run("some_tokens", TEXT), run("no_tokens", [])]
BOTH = [run("some_tokens", TEXT), run("as_mean", TEXT, pooling="mean")]
HUNDREDS = [(7 * i + i * i // 3) % 8 for i in range(300)]


def valid() -> Iterator[Valid]:
    """Yield every file of this module, with cases of the classes `reader` and `pooler`."""
    yield from _tables()
    yield from _stages()
    yield from _damped()
    yield from _numerics()
    yield from _headers()
    yield from _tokenizers()


def _tables() -> Iterator[Valid]:
    yield Valid(
        "f32",
        "A binary32 table with every edge of the prefix length.",
        file("f32", prefixes="2 4 6"),
        [
            *PLAIN,
            run("repeated_token", [2, 2, 2, 5]),
            run("hundreds_of_tokens", HUNDREDS),
            run("thousands_of_tokens", runs=[[1, 2500], [6, 2501], [0, 1], [3, 4099]]),
            *(run(f"prefix_{d}", TEXT, dim=d) for d in range(1, 7)),
            run("prefix_3_not_normalized", TEXT, dim=3, normalize=False),
            run("mean_of_mean", TEXT, pooling="mean"),
        ],
    )
    yield Valid("f16", "A binary16 table.", file("f16", "F16"), PLAIN)
    yield Valid(
        "f16_extremes",
        "Subnormal, smallest and largest numbers of binary16.",
        file(
            "",
            "F16",
            3,
            4,
            table=[
                2**-24,
                -(2**-14),
                65504.0,
                0.0,
                -(2**-23),
                2**-24,
                -65504.0,
                1.0,
                *[2**-24] * 4,
            ],
            normalize="false",
        ),
        [
            run("largest", [0, 1]),
            run("subnormal", [2]),
            run("subnormal_normalized", [2, 2], normalize=True),
        ],
    )
    yield Valid("i8", "An 8-bit table with a scale.", file("i8", "I8"), PLAIN)
    full = [127, -128, 127, -128, -128, 127, 1, -1]
    yield Valid(
        "i8_full_scale",
        "Sums of 8-bit integers at full scale, past what 16 bits hold.",
        file("full", "I8", 2, 4, table=full, scale=[1.0, 1.0, 0.5, 0.25], normalize="false"),
        [
            run("ten_thousand_tokens", runs=[[0, 10_000]]),
            run("ten_thousand_of_two", runs=[[0, 5000], [1, 5000]]),
            *(run(f"{n}_tokens", runs=[[0, n]]) for n in (255, 256, 257, 258, 259, 512)),
            run("normalized", runs=[[0, 10_000]], normalize=True),
        ],
    )
    yield Valid(
        "weights", "Weights, a zero among them.", file("weights", n_rows=9, weights=WEIGHTS), PLAIN
    )
    yield Valid(
        "weights_f16", "Weights of a binary16 table.",
        file("w16", "F16", 9, weights=WEIGHTS), PLAIN,
    )  # fmt: skip
    yield Valid(
        "weights_i8", "Weights of an 8-bit table.", file("w8", "I8", 9, weights=WEIGHTS), PLAIN
    )
    yield Valid(
        "weights_signed",
        "Weights need not be positive. The divisor is the number of tokens all the same.",
        file("signed", n_rows=9, weights=SIGNED, normalize="false"),
        [*PLAIN, run("weights_cancel", [0, 7]), run("weight_zero", [5])],
    )
    for dtype in ("U16", "U32", "I64"):
        yield Valid(
            f"rows_{dtype.lower()}",
            f"A row map of {dtype}: more token ids than rows.",
            file("rows" + dtype, n_rows=5, rows=(dtype, ROWS)),
            [*PLAIN, run("last_token", [8]), run("tokens_that_share_a_row", [3, 7, 8])],
        )
    yield Valid(
        "rows_u16_above_i16",
        "A row map whose 16-bit elements are above 32,767.",
        file(
            "high", "I8", 40_001, 1,
            rows=("U16", [40_000, 32_768, 0]), table=[*[1] * 32_768, 5, *[1] * 7231, -7],
            scale=[0.5], normalize="false",
        ),
        [run("each", [0, 1, 2]), run("last_row", [0]), run("row_32768", [1])],
    )  # fmt: skip
    yield Valid(
        "rows_fewer_than_table",
        "A row map with fewer token ids than the table has rows.",
        file("fewer", n_rows=8, rows=("U16", [7, 2])),
        [run("both", [0, 1])],
    )
    yield Valid(
        "rows_weights",
        "A row map and weights: weights go by token, not by row.",
        file("rw", n_rows=5, rows=("U32", ROWS), weights=WEIGHTS),
        [*PLAIN, run("one_row_two_weights", [0, 2, 3])],
    )
    yield Valid(
        "rows_weights_i8",
        "A row map and weights of an 8-bit table.",
        file("rw8", "I8", 5, rows=("I64", ROWS), weights=WEIGHTS),
        PLAIN,
    )
    yield Valid("dim_one", "D = 1: normalized vectors are 1, -1 or 0.",
                file("d1", n_rows=3, dim=1, table=[2.5, -0.5, 0.0]),
                [run("plus", [0]), run("minus", [1]), run("zero", [2])])  # fmt: skip
    yield Valid("row_one", "R = V = 1.", file("r1", n_rows=1), [run("the_token", [0, 0, 0])])


def _stages() -> Iterator[Valid]:
    yield Valid(
        "not_normalized",
        "Vectors keep their length unless the request overrides it.",
        file("nn", normalize="false", prefixes="3 6"),
        [*PLAIN, run("normalized", TEXT, normalize=True), run("prefix", TEXT, dim=2)],
    )
    yield Valid(
        "unknown_token",
        "Ids equal to unknown_token_id are dropped and do not count.",
        file("unk", unknown_token_id="2", normalize="false"),
        [
            run("among_others", [2, 5, 2, 1]),
            run("only_unknown", [2, 2, 2]),
            run("none", [1, 5]),
            run("only_unknown_prefix", [2], dim=2, normalize=True),
        ],
    )
    yield Valid(
        "unknown_token_zero",
        "Id 0 can be the unknown token.",
        file("unk0", unknown_token_id="0"),
        [run("among_others", [0, 5, 0, 1])],
    )
    yield Valid(
        "max_tokens",
        "All ids after the first 3 are dropped.",
        file("max", max_tokens="3"),
        [run("fewer", [1, 2]), run("as_many", [1, 2, 3]), run("more", [1, 2, 3, 4, 5])],
    )
    yield Valid(
        "max_tokens_one", "Only the first id counts.", file("max1", max_tokens="1"),
        [run("more", [4, 2, 3])],
    )  # fmt: skip
    yield Valid(
        "max_tokens_largest",
        "The largest legal max_tokens.",
        file("max2", max_tokens="2147483647"),
        [run("some_tokens", TEXT)],
    )
    yield Valid(
        "max_tokens_unknown_token",
        "Unknown ids are dropped before the rest is counted.",
        file("maxunk", max_tokens="2", unknown_token_id="7", normalize="false"),
        [run("unknown_first", [7, 7, 1, 7, 2, 3]), run("only_unknown", [7, 7, 7])],
    )
    yield Valid(
        "zero_norm",
        "A vector of length 0 stays zero.",
        file("", n_rows=4, dim=4, prefixes="2 4", table=[0] * 4 + [1, -2, 3, 4] + [-1, 2, -3, -4]
             + [0, 0, 0.5, -1]),
        [
            run("zero_row", [0]),
            run("rows_that_cancel", [1, 2]),
            run("prefix_of_zeros", [3], dim=2),
            run("zero_row_beside_another", [0, 1]),
        ],
    )  # fmt: skip


def _damped() -> Iterator[Valid]:
    yield Valid(
        "damped",
        "Damped pooling over the first 4 of 6 elements.",
        file("damped", damping="1 4", prefixes="2 6"),
        [
            *PLAIN,
            run("as_mean", TEXT, pooling="mean"),
            run("as_mean_not_normalized", TEXT, pooling="mean", normalize=False),
            run("prefix_below_k", TEXT, dim=2),
            run("prefix_above_k", TEXT, dim=5),
            run("prefix_not_normalized", TEXT, dim=2, normalize=False),
            run("repeated_token", [2, 2, 2, 5]),
            run("hundreds_of_tokens", HUNDREDS),
            run("thousands_of_tokens", runs=[[1, 2500], [6, 2501], [0, 1], [3, 4099]]),
        ],
    )
    for name, notes, damping in (
        ("damped_beta_zero", "With β = 0 the damped mean is the plain mean.", "0 4"),
        ("damped_beta_half", "β with a fraction.", "0.5 3"),
        ("damped_beta_tiny", "β with 15 digits of fraction.", "0.000000000000001 3"),
        ("damped_beta_largest", "The largest legal β.", "16 6"),
        ("damped_k_one", "The cosine of one element is 1, -1 or 0.", "1.25 1"),
        ("damped_k_all", "The cosine over the whole vector.", "2 6"),
    ):
        yield Valid(name, notes, file(name, damping=damping, normalize="false"), BOTH)
    yield Valid("damped_f16", "Damping a binary16 table.",
                file("d16", "F16", damping="1 4"), BOTH)  # fmt: skip
    yield Valid(
        "damped_i8",
        "Damping an 8-bit table: the scale takes part in the cosine.",
        file("d8", "I8", damping="1 4", scale=[1.0, 0.0009765625, 0.25, 0.5, 2.0, 0.125]),
        [*BOTH, run("ten_thousand_tokens", runs=[[0, 3000], [1, 3000], [2, 4000]])],
    )
    yield Valid(
        "damped_rows_weights",
        "Damping with a row map and weights: a negative weight turns the cosine's sign.",
        file("drw", n_rows=5, rows=("U16", ROWS), weights=SIGNED, damping="1.5 4"),
        BOTH,
    )
    yield Valid(
        "damped_rows_weights_i8",
        "Damping an 8-bit table with a row map and weights.",
        file("drw8", "I8", 5, rows=("U32", ROWS), weights=SIGNED, damping="1.5 4"),
        BOTH,
    )
    yield Valid(
        "damped_unknown_max_tokens",
        "Dropped ids have no part in the mean that damps the others.",
        file("dum", damping="1 6", max_tokens="3", unknown_token_id="2"),
        [run("mixed", [2, 5, 2, 1, 7, 6, 4]), run("only_unknown", [2, 2])],
    )
    yield Valid(
        "damped_zero_lengths",
        "The cosine is 0 where a row, or the mean, has length 0 in the first k elements.",
        file(
            "", n_rows=4, dim=4, damping="2 2", normalize="false",
            table=[0] * 4 + [1, -2, 3, 4] + [-1, 2, -5, -4] + [0, 0, 0.5, -1],
        ),
        [
            run("zero_row", [0]),
            run("zero_row_beside_another", [0, 1]),
            run("row_zero_in_its_head", [3, 1, 1]),
            run("mean_zero_in_its_head", [1, 2]),
            run("mean_zero_with_prefix", [1, 2, 3], dim=3, normalize=True),
        ],
    )  # fmt: skip


def _numerics() -> Iterator[Valid]:
    tiny = [2.0**-100 * x for x in numbers("tiny", 24)]
    yield Valid(
        "tiny_rows",
        "Squares of elements are below what binary32 holds.",
        file("", n_rows=4, table=tiny),
        [run("all", [0, 1, 2, 3]), run("one", [2])],
    )
    huge = [2.0**100 * x for x in numbers("huge", 24)]
    yield Valid(
        "huge_rows",
        "Squares of elements are above what binary32 holds.",
        file("", n_rows=4, table=huge),
        [run("all", [0, 1, 2, 3]), run("one", [2])],
    )
    for name, rows in (("tiny", tiny), ("huge", huge)):
        yield Valid(
            f"damped_{name}_rows",
            f"Damping where squares of elements leave binary32's range: {name} rows.",
            file("", n_rows=4, table=rows, damping="1 4"),
            [run("all", [0, 1, 2, 3])],
        )
    yield Valid(
        "i8_tiny_scale",
        "Steps whose squares are below what binary32 holds.",
        file("tiny8", "I8", scale=[2.0**-100] * 6),
        [run("some_tokens", TEXT)],
    )
    near = [1 + 2**-20, 2, 4, 8, -1, -2, -4, -8 + 2**-19, 3, -5, 7, 9]
    yield Valid(
        "ill_conditioned",
        "Rows that nearly cancel: errors of summation are enlarged.",
        file("", n_rows=3, dim=4, table=near),
        [run("nearly_cancel", [0, 1]), run("well_conditioned", [0, 2])],
    )
    yield Valid(
        "damped_ill_conditioned",
        "A mean that is small beside the rows: errors of the cosine are enlarged.",
        file("", n_rows=3, dim=4, table=near, damping="4 4", normalize="false"),
        [run("nearly_cancel", [0, 1]), run("well_conditioned", [0, 2])],
    )
    dim = 65_536
    wide = [0.0] * (2 * dim)
    wide[:3], wide[dim - 1], wide[dim], wide[-1] = [1.0, -2.0, 0.5], 3.0, 4.0, -1.0
    yield Valid(
        "dim_at_limit",
        "The largest legal D.",
        file("", "F16", 2, dim, table=wide, prefixes=f"4 {dim}"),
        [run("prefix", [0, 1], dim=4)],
    )


def _headers() -> Iterator[Valid]:
    small = [run("some_tokens", [1, 2, 0])]

    def tiny(**settings: str) -> File:
        return file("tiny", n_rows=3, dim=2, **settings)

    yield Valid(
        "newer_minor_version",
        "Another minor version without unknown features is read; unknown keys are ignored.",
        tiny(format_version="1.27", added_later="whatever 1.27 means by it"),
        small,
    )
    yield Valid(
        "metadata_for_people",
        "Every optional key, keys of one's own, and characters of many kinds.",
        tiny(
            teacher="a/b", teacher_revision="0123abcd", license="Apache-2.0",
            languages="en zh-Hant", recipe='steps = 2\nname = "x"\t\\', creator="made by hand 1",
            description="Füße 猫 🐈‍⬛ \u202e \u0007 \u007f </script>", x__mine="", x__ö="ü",
        ),
        small,
    )  # fmt: skip
    yield Valid("languages_empty", "The empty list is the empty string.",
                tiny(languages=""), small)  # fmt: skip
    loose = tiny(description="two words")
    loose.order = ["tokenizer", "embeddings"]
    loose.tensors["tokenizer"] = octets(word_tokenizer(3).ljust(256))
    loose.text = lambda members: spell_loosely(members)
    yield Valid(
        "header_other_spelling",
        "White space in the JSON, escapes in strings, members and tensors in another order.",
        loose,
        small,
    )
    for spaces in (0, 8, 4096):
        padded = tiny()
        padded.header = lambda header, spaces=spaces: _pad(header, spaces)
        yield Valid(f"header_padding_{spaces}", "Another amount of padding than the reference "
                    "writer's.", padded, small)  # fmt: skip
    limit = tiny()
    limit.header = lambda header: header.ljust(1_048_576)
    yield Valid("header_at_limit", "The longest legal header.", limit, small)


def _tokenizers() -> Iterator[Valid]:
    """Yield files whose tokenizer's model has no `type`, as in files of 2019 and 2020."""
    vocabulary = {f"w{i}": i for i in range(8)}
    models: dict[str, dict[str, Any]] = {
        "wordpiece": {
            "unk_token": "w0",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
        "bpe": {"unk_token": None, "vocab": vocabulary, "merges": []},
        "unigram": {"unk_id": 0, "vocab": [[word, -float(i)] for word, i in vocabulary.items()]},
        "word_level": {"unk_token": "w0", "vocab": vocabulary},
    }
    for name, model in models.items():
        made = file(name)
        made.tensors["tokenizer"] = octets(tokenizer_bytes(model))
        yield Valid(f"tokenizer_untyped_{name}", f"The members tell the type, {name}.", made,
                    [run("two_tokens", [1, 2])])  # fmt: skip


def spell_loosely(members: dict[str, Any]) -> str:
    """Format a header with white space, escapes, and members in reverse order."""
    turned = {name: dict(reversed(value.items())) for name, value in reversed(members.items())}
    spelled = json.dumps(turned, indent=1).replace("\n", "\r\n").replace(":", " :\t")
    spelled = spelled.replace("sha256 :\t", "sha256:")
    return spelled.replace('"embeddings"', '"\\u0065mbeddings"').replace(
        '"two words"', '"t\\u0077o\\u0020words"'
    )


def _pad(header: bytes, spaces: int) -> bytes:
    """Pad a header to a multiple of 8 bytes, then add spaces."""
    bare = header.rstrip(b" ")
    return bare + b" " * (-len(bare) % 8 + spaces)
