"""Examples on disk: every text tokenized once, every example a row of text numbers.

    sources -> rows -> numbers of texts (columns) + new texts -> their bytes and token ids

Rows go through memory in blocks; what grows with the data is 12 to 24 bytes a different text for
the numbering (`Numbering`), and some 40 for a moment when examples are held out.
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
from .spool import Appended, Spool, kept

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

    The same sources and seed give the same data sets. Whether an example is held out hangs on its
    anchor (of labeled texts: the text) alone, so no anchor is in both, and more data move none of
    those that were there to the other side by chance alone. A pair that is a held-out one the other
    way round is in neither.

    Args:
        sources: At least one.
        tokenizer_json: The model's tokenizer.
        unknown_token_id: The id to drop; None: none.
        max_tokens: How many ids of a text to keep; None: all.
        folder: Where the data sets' files go; made if need be. They must stay while the data sets
            are used.
        held_out: How many examples to hold out at most, or, below 1, what share of them; None: as
            many as can tell tables apart (`sides`).
        seed: Another seed, other examples held out.
        progress: Where to say what was taken.

    Returns:
        The data set to train on and the one to validate with: the same sources and texts in both;
        a source may have no examples in the second.

    Raises:
        TextSourceError: A source cannot be read; its sub-classes as in `PairSource.read`.
        TrainingError: The examples are not fit for training; a sub-class for each reason.
        CacheError: The folder cannot be written.
    """
    if not sources:
        raise TrainingError("expected at least one source of examples, found none")
    progress = progress or Progress(quiet=True)
    numbering = Numbering()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with Spool(folder, TokenIds(tokenizer_json, unknown_token_id, max_tokens)) as spool:
            found = [
                _read(source, folder / f"source-{number}", numbering, spool, progress)
                for number, source in enumerate(sources)
            ]
        texts = Texts(spool.ids.array(np.int32), spool.offsets.array(np.int64))
        spelled = spool.spelled.array(np.uint8), spool.spelled_offsets.array(np.int64)
        chosen = sides(
            [examples.columns for examples in found], numbering.digests(), held_out, seed
        )
        parts = [
            [
                _part(examples, masks[side], folder / f"{name}-{number}")
                for number, (examples, masks) in enumerate(zip(found, chosen, strict=True))
            ]
            for side, name in enumerate(("train", "validation"))
        ]
    except OSError as error:
        raise CacheError(f"{folder}: {error.strerror or error}") from error
    turned = sum(int((~(kept_in | kept_out)).sum()) for kept_in, kept_out in chosen)
    if turned:
        progress.note(f"{turned} examples left out: held-out ones the other way round")
    for examples, (kept_in, kept_out) in zip(found, chosen, strict=True):
        if kept_in.sum() < 2:
            raise TrainingError(
                f"{examples.name}: expected two examples or more to train on, found "
                f"{kept_in.sum()} beside {kept_out.sum()} that are held out"
            )
    empty = int((np.diff(texts.offsets) == 0).sum())
    if empty:
        progress.note(f"{empty} of {len(texts)} texts hold no token that the model knows")
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
        progress.note(f"{empty.count} examples left out, the first: {empty.first}")
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
    said = ""
    if layout.kind == "scored":
        raw = targets.array(np.float64)
        low, high = source.score_range or _range(source.place, raw)
        said = f", scores {low:g} to {high:g}"
        scores = ((raw - low) / (high - low)).astype(np.float32)
        examples = replace(examples, scores=kept(path.with_suffix(".scores.npy"), scores))
    elif layout.kind == "labeled":
        labels.check()
        said = f", {len(labels)} labels"
        examples = replace(examples, labels=targets.array(np.int32))
    progress.note(f"{source.place}: {len(examples)} examples{said}")
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
    """Counts examples with an empty text, and remembers what is wrong with the first one."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def __call__(self, message: str) -> None:
        self.first = self.first or message
        self.count += 1


class _Labels:
    """Numbers labels, and remembers where each stood first."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._numbers: dict[str, int] = {}
        self._first: list[str] = []
        self._counts: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def numbers(self, rows: Sequence[Row]) -> NDArray[np.int32]:
        found = np.empty(len(rows), np.int32)
        for place, row in enumerate(rows):
            label = row.label or ""
            number = self._numbers.setdefault(label, len(self._numbers))
            if number == len(self._counts):
                self._counts.append(0)
                self._first.append(row.where)
            self._counts[number] += 1
            found[place] = number
        return found

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
        return None if array is None else kept(path.with_suffix(f".{name}.npy"), array[mask])

    return replace(
        examples,
        columns=cut(examples.columns, "columns"),
        scores=cut(examples.scores, "scores"),
        labels=cut(examples.labels, "labels"),
    )
