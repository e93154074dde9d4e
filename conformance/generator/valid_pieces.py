"""Files with the part `pieces`: right, and with faults that cost the part and not the file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from generator.files import Tensor, compact, tensor, tokenizer_bytes
from generator.pieces import DEFINITION, ENDS, SCORES, SLOTS, TEXT, part
from generator.text import text_file
from generator.valid import Valid, file, octets, run, with_optional
from generator.vocabularies import added

Part = dict[str, Tensor]

# Numbers whose spellings test each step of the rule for scores.
SPELLINGS = [
    "0", "-0.0", "-9.222574234008789", "-1.5386019945144653", "-15.985743522644043", "5e-324",
    "18446744073709551615", "18446744073709551616", "-184467440737095516150.25", "1.5E+2",
    "0.00000000000000000000000000001234567890123456789", "-1234567890.12345678901234567890e-3",
    "1e-400", "0e999", "-2.2250738585072014e-308", "1797693134862315e293",
    "0.1", "1e22", "1e23", "-7.0e-310", "12345678901234567890123",
]  # fmt: skip


def unigram(
    pieces: list[str], scores: list[str] | None = None, unknown: int = 0, **members: object
) -> bytes:
    """A Unigram tokenizer; `scores` are spellings."""
    vocabulary = [[piece, f"#{i}#"] for i, piece in enumerate(pieces)]
    model = {"type": "Unigram", "unk_id": unknown, "vocab": vocabulary, "byte_fallback": False}
    metaspace = {
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True
    }  # fmt: skip
    text = tokenizer_bytes(model, pre_tokenizer=metaspace, **members).decode()
    for i in range(len(pieces)):
        text = text.replace(f'"#{i}#"', scores[i] if scores else f"-{1 + i % 7}.{i % 5}", 1)
    return text.encode()


SMALL = ["<unk>", "▁", "a", "b", "ab", "▁a"]


def pieces_files() -> Iterator[Valid]:
    """Every file with the part."""
    made = text_file("unigram", "The part pieces of a Unigram tokenizer.", unknown_token_id="0")
    definition = made.file.tensors["tokenizer"].data
    made.name = "pieces"
    with_optional(made.file, part(definition))
    yield made
    yield _right("scores", "Scores whose spellings test each step of the rule.", unigram(
        [f"p{i}" for i in range(len(SPELLINGS))], SPELLINGS))  # fmt: skip
    yield _right("equal", "Equal pieces, of which the last counts, and an empty piece.", unigram(
        ["<unk>", "a", "", "b", "a", "<unk>", "", "ab"], unknown=5))  # fmt: skip
    yield _right("longest", "A piece of 255 bytes.", unigram([*SMALL, "ä" * 127 + "x"]))
    yield _right("one", "A single piece: the smallest table.", unigram(["<unk>"]))
    yield _right(
        "members", "Added tokens beyond the vocabulary, a normalizer, other languages.",
        unigram(["<unk>", "▁北", "🐈", "é", "e\u0301", '"', "\\", "\n"],
                added_tokens=[added(8, "<mask>")], normalizer={"type": "NFKC"}),
        n_rows=9,
    )  # fmt: skip
    many = [f"{chr(97 + i % 26)}{i:x}" for i in range(120)]
    yield _right("many", "120 pieces: some stand behind their homes.", unigram(["<unk>", *many]))

    def loose(made: Part) -> None:
        members = json.loads(made[DEFINITION].data)
        text = json.dumps(dict(reversed(members.items())), indent=1)
        made[DEFINITION] = octets(text.replace('"unk_id": 0', '"unk_id": 0.0e1').encode() + b"\n")

    yield _right("definition_loosely", "The definition with white space, members in another "
                 "order, another spelling of a number.", unigram(SMALL), loose)  # fmt: skip

    def more(made: Part) -> None:
        made["pieces.x-mine.count"] = tensor("U32", [6])

    yield _right("more_tensors", "A tensor of the namespace that is not of the part.",
                 unigram(SMALL), more)  # fmt: skip
    yield from _faults()


def _right(
    name: str,
    notes: str,
    definition: bytes,
    change: Callable[[Part], object] = lambda made: None,
    *,
    n_rows: int | None = None,
    refused: bool = False,
) -> Valid:
    vocabulary = json.loads(definition)["model"]["vocab"]
    made = file(f"pieces {name}", n_rows=n_rows or len(vocabulary), dim=2)
    made.tensors["tokenizer"] = octets(definition)
    tensors = part(definition)
    change(tensors)
    valid = Valid(f"pieces_{name}", notes, with_optional(made, tensors), [run("a_token", [0])])
    valid.refused = ["pieces"] if refused else []
    return valid


def _faults() -> Iterator[Valid]:
    """Files with a malformed part, or a part that is not that of the tokenizer."""

    def fault(
        name: str, notes: str, change: Callable[[Part], object], definition: bytes | None = None
    ) -> Valid:
        notes = f"{notes} Full verification refuses the part, and not the file."
        return _right(f"refused_{name}", notes, definition or unigram(SMALL), change, refused=True)

    for name in (TEXT, ENDS, SCORES, SLOTS):
        label = name.split(".")[1]
        yield fault(f"without_{label}", f"{name} is missing.", lambda m, name=name: m.pop(name))
    for label, name, dtype in (("text", TEXT, "I8"), ("ends", ENDS, "I32"),
                               ("scores", SCORES, "I64"), ("slots", SLOTS, "I64"),
                               ("definition", DEFINITION, "I8")):  # fmt: skip

        def retyped(made: Part, name: str = name, dtype: str = dtype) -> None:
            made[name] = Tensor(dtype, made[name].shape, made[name].data)

        yield fault(f"dtype_of_{label}", f"{name} is {dtype}.", retyped)

    def axes(made: Part) -> None:
        made[ENDS] = Tensor("U32", (2, 3), made[ENDS].data)

    yield fault("axes", "pieces.ends has two axes.", axes)

    def values(name: str, edit: Callable[[list[Any]], Any]) -> Callable[[Part], None]:
        def change(made: Part) -> None:
            items = made[name].values()
            edit(items)
            made[name] = tensor(made[name].dtype, items)

        return change

    def put(at: int, value: float) -> Callable[[list[Any]], None]:
        return lambda items: items.__setitem__(at, value)

    yield fault("ends_descend", "An end below the one before it.", values(ENDS, put(1, 2)))
    yield fault("ends_beyond", "The last end is behind the text.", values(ENDS, put(-1, 2**32 - 1)))
    yield fault(
        "ends_short", "The last end is before the text's.", values(TEXT, lambda t: t.append(97))
    )
    yield fault("one_less", "One end less than scores.", values(ENDS, lambda ends: ends.pop(0)))
    yield fault("score_nan", "A score is no number.", values(SCORES, put(2, math.nan)))
    yield fault("score_infinite", "A score is infinite.", values(SCORES, put(2, -math.inf)))
    yield fault(
        "score_nearest", "A score is the nearest binary64 value, which the library does not have.",
        values(SCORES, put(2, -9.222574234008789)),
        definition=unigram(SMALL, ["0", "-1", "-9.222574234008789", "-2", "-3", "-4"]),
    )  # fmt: skip
    yield fault("slots_length", "A hash table of a length that is not 2^k + 64.",
                values(SLOTS, lambda items: items.pop()))  # fmt: skip
    yield fault("slots_doubled", "A hash table of twice the length.",
                values(SLOTS, lambda items: items.extend([0] * 16)))  # fmt: skip
    for label, notes, item in (
        ("empty", "A hash table without entries.", 0),
        ("full", "A hash table full of ids that do not exist.", 2**64 - 1),
    ):

        def filled(made: Part, item: int = item) -> None:
            made[SLOTS] = tensor("U64", [item] * made[SLOTS].shape[0])

        yield fault(f"slots_{label}", notes, filled)

    def swapped(items: list[int]) -> None:
        first, second = [i for i, item in enumerate(items) if item][:2]
        low = (items[first] ^ items[second]) & (2**24 - 1)
        items[first] ^= low
        items[second] ^= low

    yield fault("slots_swapped", "Two ids of the hash table are exchanged.", values(SLOTS, swapped))

    def renamed(made: Part) -> None:
        made[TEXT] = octets(made[TEXT].data.replace(b"ab", b"ac"))

    yield fault("text_differs", "A piece is not the tokenizer's.", renamed)

    def other(made: Part) -> None:
        made.update(part(unigram([*SMALL[:-1], "▁b"])))

    yield fault("other_vocabulary", "The part of another tokenizer.", other)

    def fewer(made: Part) -> None:
        made.update(part(unigram(SMALL[:-1])))

    yield fault("fewer", "The part lacks the last piece.", fewer)

    def defined(edit: Callable[[dict[str, Any]], object]) -> Callable[[Part], None]:
        def change(made: Part) -> None:
            members = json.loads(made[DEFINITION].data)
            edit(members)
            made[DEFINITION] = octets(compact(members).encode())

        return change

    yield fault("definition_differs", "The definition has another normalizer.",
                defined(lambda m: m.update(normalizer={"type": "NFKC"})))  # fmt: skip
    yield fault("definition_lacks", "The definition lacks a member.",
                defined(lambda m: m.pop("decoder")))  # fmt: skip
    yield fault("definition_number", "A number of the definition differs.",
                defined(lambda m: m["model"].update(unk_id=1)))  # fmt: skip
    yield fault("definition_boolean", "A number of the definition is a truth value.",
                defined(lambda m: m["model"].update(unk_id=False)))  # fmt: skip
    yield fault("definition_whole", "The definition has the vocabulary.",
                defined(lambda m: m["model"].update(vocab=[["<unk>", 0.0]])))  # fmt: skip
    for label, raw in (("not_json", b"{"), ("not_utf8", b'{"a":"\xff"}'), ("array", b"[]"),
                       ("deep", b"[" * 100_000)):  # fmt: skip
        yield fault(f"definition_{label}", "The definition is not the tokenizer's JSON.",
                    lambda m, raw=raw: m.update({DEFINITION: octets(raw)}))  # fmt: skip

    def words(made: Part) -> None:
        members = json.loads(made[DEFINITION].data)
        members["model"] = {"type": "WordLevel", "vocab": [], "unk_token": "w0"}
        made[DEFINITION] = octets(compact(members).encode())

    made = file("pieces of words", n_rows=6, dim=2)
    tensors = part(unigram(SMALL))
    words(tensors)
    valid = Valid("pieces_refused_words", "A part beside a tokenizer that is no Unigram.",
                  with_optional(made, tensors), [run("a_token", [0])])  # fmt: skip
    valid.refused = ["pieces"]
    yield valid
    yield fault("too_long", "A piece of 256 bytes.", lambda m: None,
                definition=unigram([*SMALL, "ä" * 128]))  # fmt: skip
    yield _right("absent", "Tensors of the part without its definition: the file has no part.",
                 unigram(SMALL), lambda m: m.pop(DEFINITION))  # fmt: skip
