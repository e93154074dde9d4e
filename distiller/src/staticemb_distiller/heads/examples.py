"""The examples of a head: texts on disk, targets and digests in memory, read in one pass."""

from __future__ import annotations

import contextlib
import hashlib
import os
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..arguments import check_type
from ..corpus.surrogates import without_surrogates
from ..errors import TrainingError
from .notes import counted
from .sources import LabeledRow, LabeledSource
from .targets import HeadTask, TargetReader, Targets
from .text_store import TextStore

DataSource: TypeAlias = "str | os.PathLike[str]"
Data: TypeAlias = "DataSource | Sequence[DataSource] | tuple[Sequence[str], Sequence[object]]"
"""A source, several sources, or a pair of texts and their labels."""

_NAMED = 3  # texts and labels named in a message


@dataclass(frozen=True, eq=False)
class LabeledTexts:
    """N texts with their targets.

    Attributes:
        place: The name of the sources, for messages.
        texts: The texts.
        targets: The targets.
        weights: (N,) float32, how many times each example counts; None: once.
        digests: (N,) uint64, of the normalized texts; equal texts have equal digests.
        notes: What the user should know about the sources.
    """

    place: str
    texts: TextStore
    targets: Targets
    weights: NDArray[np.float32] | None
    digests: NDArray[np.uint64]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def read_examples(
    data: Data,
    path: Path,
    *,
    task: HeadTask | None,
    separator: str | None,
    known: Targets | None = None,
) -> LabeledTexts:
    """Read examples.

    Args:
        data: The sources, or texts and labels.
        path: A file for the texts, which is overwritten.
        task: As for `TargetReader`.
        separator: As for `TargetReader`.
        known: The targets of the training examples, for examples held out.

    Raises:
        TextSourceError: A source cannot be read.
        TrainingError: A target is invalid, or no text with a target is left.
    """
    place, parts = _opened(data)
    reader: TargetReader | None = None
    texts = TextStore(path)
    with contextlib.ExitStack() as stack:
        stack.callback(texts.close)
        digests, weights = array("Q"), array("f")
        empty: list[str] = []
        missing: list[str] = []
        for rows, names, weight in parts:
            for where, text, value in rows:
                if not text:
                    empty.append(where)
                    continue
                if reader is None:
                    labels = None if known is None else known.labels
                    reader = TargetReader(task, separator, names, labels)
                if not reader.add(where, value):
                    missing.append(where)
                    continue
                texts.add(text)
                digests.append(digest(text))
                weights.append(weight)
        if reader is None or not digests:
            raise TrainingError(
                f"{place}: expected texts with labels, found {_lacking(empty, missing) or 'none'}"
            )
        texts.finish()
        stack.pop_all()
    return LabeledTexts(
        place,
        texts,
        reader.finish(),
        None if set(weights) == {1.0} else np.array(weights, np.float32),
        np.array(digests, np.uint64),
        tuple(_notes(place, empty, missing, reader)),
    )


def places(data: Data) -> list[str]:
    """Return the places of sources, such as files; none for texts in memory."""
    if isinstance(data, tuple) and len(data) == 2 and not _is_path(data[0]):
        return []
    sources: list[object] = [data] if _is_path(data) else list(data)  # type: ignore[arg-type]
    return [LabeledSource.parse(_spec(source)).place for source in sources]


def digest(text: str) -> int:
    """Return a 64-bit digest of a text; the digest ignores case, width and white space.

    >>> digest("Where is  my card?") == digest("where is my card?")
    True
    """
    normal = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return int.from_bytes(hashlib.blake2b(normal.encode(), digest_size=8).digest(), "little")


def _opened(data: Data) -> tuple[str, list[tuple[Iterator[LabeledRow], tuple[str, ...], float]]]:
    """Return the data's name, and for each source its rows, its columns' names and its weight."""
    parts: list[tuple[Iterator[LabeledRow], tuple[str, ...], float]] = []
    if isinstance(data, tuple) and len(data) == 2 and not _is_path(data[0]):
        return "data", [(_pairs(*data), ("value",), 1.0)]
    sources: list[object] = [data] if _is_path(data) else list(data)  # type: ignore[arg-type]
    if not sources:
        raise TrainingError("data: expected a source of texts with labels, found none")
    parsed = [LabeledSource.parse(_spec(source)) for source in sources]
    for source in parsed:
        rows = source.rows()
        first = next(rows, None)
        if first is None:
            raise TrainingError(f"{source.place}: expected texts with labels, found no rows")
        names = source.label or ("value",)
        parts.append((chain([first], rows), names, source.weight))
    return ", ".join(source.place for source in parsed), parts


def _is_path(value: object) -> TypeGuard[DataSource]:
    return isinstance(value, (str, os.PathLike))


def _spec(source: object) -> str:
    check_type("data", source, (str, os.PathLike), "a path, or texts and labels")
    return os.fspath(source)  # type: ignore[call-overload, no-any-return]


def _pairs(
    texts: Any,  # noqa: ANN401 - any sequences
    labels: Any,  # noqa: ANN401
) -> Iterator[LabeledRow]:
    if len(texts) != len(labels):
        raise TrainingError(
            f"data: expected a label for each of {len(texts):,} texts, found {len(labels):,}"
        )
    for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
        check_type(f"texts[{number}]", text, (str,), "a string")
        assert isinstance(text, str)
        yield LabeledRow(f"row {number}", without_surrogates(text).strip(), label)


def _lacking(empty: Sequence[str], missing: Sequence[str]) -> str:
    parts = [
        f"{len(rows):,} {lack} (the first: {rows[0]})"
        for rows, lack in ((empty, "without text"), (missing, "without label"))
        if rows
    ]
    return " and ".join(parts)


def _notes(
    place: str, empty: Sequence[str], missing: Sequence[str], reader: TargetReader
) -> Iterator[str]:
    if lacking := _lacking(empty, missing):
        yield f"{place}: left out {lacking}"
    if reader.unseen:
        count = sum(reader.unseen.values())
        names = ", ".join(f"{label!a:.40}" for label in sorted(reader.unseen)[:_NAMED])
        more = ", …" if len(reader.unseen) > _NAMED else ""
        held_out = counted(count, "held-out text has", "held-out texts have")
        labels = counted(len(reader.unseen), "label", "labels")
        # Of several labels a text, the others are measured.
        result = "are left out" if reader.task == "multilabel" else "count as wrong"
        yield (
            f"{place}: {held_out} {labels} that no training text has; they {result}: {names}{more}"
        )
