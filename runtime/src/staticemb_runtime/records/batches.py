"""Batches of records that are in memory together: of fewer records if their texts are long."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Record = TypeVar("_Record")


def batches(
    records: Iterable[_Record], size: int, characters: int, length: Callable[[_Record], int]
) -> Iterator[tuple[list[_Record], bool]]:
    """Cut a stream of records into batches.

    Args:
        records: the records.
        size: the most records of a batch.
        characters: a batch ends once its records have so many.
        length: returns the characters of a record.

    Yields:
        Each batch, and whether it is full: then more records may follow.

    Example:
        >>> list(batches(["a", "bc", "d"], 3, 2, len))
        [(['a', 'bc'], True), (['d'], False)]
    """
    batch: list[_Record] = []
    total = 0
    for record in records:
        batch.append(record)
        total += length(record)
        if len(batch) == size or total >= characters:
            yield batch, True
            batch, total = [], 0
    if batch:
        yield batch, False
