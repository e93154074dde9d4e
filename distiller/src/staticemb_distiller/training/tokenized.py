"""Examples on disk: each text is tokenized once, and each example is a row of text numbers.

    sources -> rows -> numbers of texts (columns) + new texts -> their bytes and token ids

Rows are processed in blocks. Memory grows with the data by 12 to 24 bytes for each distinct text
(`Numbering`), and temporarily by about 40 bytes during the selection of held-out examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CacheError, TrainingError
from ..progress import Progress
from ..vocabulary.token_ids import TokenIds
from .columns import Layout
from .dataset import Dataset, Examples, Texts
from .holding_out import sides
from .numbering import Numbering
from .spool import Appended, Spool, saved

if TYPE_CHECKING:
    from .sources import PairSource, Row

_BLOCK_ROWS = 8_192
_BLOCK_CHARACTERS = 1 << 23


def prepare(
    sources: Sequence[PairSource],
    tokenizer_json: bytes,
    unknown_token_id: int | None,
    max_tokens: int | None,
    folder: Path,
    *,
    held_out: float | None = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Dataset, Dataset]:
    """Read sources, tokenize their texts and hold examples out for validation.

    The same sources and seed give the same data sets. The anchor (of labeled texts: the text)
    determines whether an example is held out, so no anchor is in both data sets. Additional data
    do not change the random order by which anchors are held out. A pair whose texts form a
    held-out pair in reverse order is in neither data set.

    Args:
        sources: The sources, at least one.
        tokenizer_json: The bytes of the model's `tokenizer.json`.
        unknown_token_id: The id to drop; None: no id is dropped.
        max_tokens: The number of ids that a text is truncated to; None: no truncation.
        folder: The folder of the data sets' files, created if it is missing. The files must exist
            as long as the data sets are used.
        held_out: The largest number of held-out examples, or, below 1, their share; None: the
            default of `sides`.
        seed: Another seed holds out other examples.
        progress: Receives notes on the examples of each source.

    Returns:
        The training data and the validation data, with the same sources and texts; a source may
        have no validation examples.

    Raises:
        TextSourceError: A source cannot be read, as in `PairSource.read`.
        TrainingError: The examples are unsuitable for training.
        CacheError: The folder cannot be written.
    """
    if not sources:
        raise TrainingError("expected at least one source of examples, found none")
    progress = progress or Progress(quiet=True)
    numbering = Numbering()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Spool(folder, TokenIds(tokenizer_json, unknown_token_id, max_tokens)) as spool:
            examples_of = [
                _read(source, folder / f"source-{number}", numbering, spool, progress)
                for number, source in enumerate(sources)
            ]
        texts = Texts(spool.ids.array(np.int32), spool.offsets.array(np.int64))
        spelled = spool.spelled.array(np.uint8), spool.spelled_offsets.array(np.int64)
        masks_of = sides(
            [examples.columns for examples in examples_of], numbering.digests(), held_out, seed
        )
        parts = [
            [
                _part(examples, masks[side], folder / f"{name}-{number}")
                for number, (examples, masks) in enumerate(zip(examples_of, masks_of, strict=True))
            ]
            for side, name in enumerate(("train", "validation"))
        ]
    except OSError as error:
        raise CacheError(f"{folder}: {error.strerror or error}") from error
    reversed_pairs = sum(int((~(trained | validated)).sum()) for trained, validated in masks_of)
    if reversed_pairs:
        progress.warn(f"{reversed_pairs} examples dropped: held-out pairs in reverse order")
    for examples, (trained, validated) in zip(examples_of, masks_of, strict=True):
        if trained.sum() < 2:
            raise TrainingError(
                f"{examples.name}: expected two examples or more to train on, found "
                f"{trained.sum()} (and {validated.sum()} held out)"
            )
    empty = int((np.diff(texts.offsets) == 0).sum())
    if empty:
        progress.warn(f"{empty} of {len(texts)} texts have no token that the model knows")
    train, validation = (Dataset(texts, part, *spelled) for part in parts)
    return train, validation


def _read(
    source: PairSource, path: Path, numbering: Numbering, spool: Spool, progress: Progress
) -> Examples:
    empty = _Empty()
    layout, rows = source.read(empty)
    progress.note(f"Reading {source.place} ({layout})")
    columns = Appended(path.with_suffix(".columns"))
    targets = Appended(path.with_suffix(".targets"))
    labels = _Labels(source.place)
    try:
        for block in _blocks(rows):
            texts = [text for row in block for text in row.texts]
            numbers, new = numbering.add(texts)
            spool.add([texts[place] for place in new.tolist()])
            columns.add(numbers.tobytes())
            if layout.kind == "scored":
                targets.add(np.array([row.score for row in block], np.float64).tobytes())
            elif layout.kind == "labeled":
                targets.add(labels.numbers(block).tobytes())
    finally:
        columns.close()
        targets.close()
    if empty.count:
        progress.warn(f"{empty.count} examples dropped, the first: {empty.first}")
        if len(columns.array(np.int32, len(layout.texts))) < 2:
            raise TrainingError(empty.first)
    examples = Examples(
        layout.kind,
        columns.array(np.int32, len(layout.texts)),
        None,
        None,
        source.weight,
        source.place,
    )
    _check(examples, layout)
    details = ""
    if layout.kind == "scored":
        raw = targets.array(np.float64)
        low, high = source.score_range or _range(source.place, raw)
        details = f", scores {low:g} to {high:g}"
        scores = ((raw - low) / (high - low)).astype(np.float32)
        examples = replace(examples, scores=saved(path.with_suffix(".scores.npy"), scores))
    elif layout.kind == "labeled":
        labels.check()
        details = f", {len(labels)} labels"
        examples = replace(examples, labels=targets.array(np.int32))
    progress.note(f"{source.place}: {len(examples)} examples{details}")
    return examples


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    block: list[Row] = []
    characters = 0
    for row in rows:
        block.append(row)
        characters += sum(map(len, row.texts))
        if len(block) == _BLOCK_ROWS or characters >= _BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


class _Empty:
    """Counter of examples with an empty text, with the first example's message."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def __call__(self, message: str) -> None:
        self.first = self.first or message
        self.count += 1


class _Labels:
    """A numbering of labels, with the place of each label's first example."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._numbers: dict[str, int] = {}
        self._first: list[str] = []
        self._counts: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.int32]:
        numbers = np.empty(len(rows), np.int32)
        for place, row in enumerate(rows):
            label = row.label or ""
            number = self._numbers.setdefault(label, len(self._numbers))
            if number == len(self._counts):
                self._counts.append(0)
                self._first.append(row.where)
            self._counts[number] += 1
            numbers[place] = number
        return numbers

    def check(self) -> None:
        if len(self) < 2:
            only = next(iter(self._numbers))
            raise TrainingError(f"{self._place}: expected two labels or more, found only {only!r}")
        for label, number in self._numbers.items():
            if self._counts[number] < 2:
                raise TrainingError(
                    f"{self._first[number]}: expected two examples or more of label {label!r}, "
                    "found one"
                )


def _check(examples: Examples, layout: Layout) -> None:
    columns = examples.columns
    if len(columns) < 2:
        raise TrainingError(f"{examples.name}: expected two examples or more, found {len(columns)}")
    if examples.kind in ("pairs", "triplets"):
        for column in range(2):
            if (columns[:, :2] == columns[0, column]).any(axis=1).all():
                raise TrainingError(
                    f"{examples.name}: expected examples of different texts, found the same text "
                    f"of column {layout.texts[column]!r} in all {len(columns)}"
                )


def _range(place: str, scores: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        raise TrainingError(f"{place}: expected scores that differ, found {low:g} alone")
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def _part(examples: Examples, mask: NDArray[np.bool_], path: Path) -> Examples:
    if mask.all():
        return examples

    def cut(array: Any, name: str) -> Any:  # noqa: ANN401 - of any dtype
        return None if array is None else saved(path.with_suffix(f".{name}.npy"), array[mask])

    return replace(
        examples,
        columns=cut(examples.columns, "columns"),
        scores=cut(examples.scores, "scores"),
        labels=cut(examples.labels, "labels"),
    )
