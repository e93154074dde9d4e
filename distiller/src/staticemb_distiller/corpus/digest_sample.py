"""A sample of texts that does not depend on their order: those with the smallest digests."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = TypeVar("Value")


class DigestSample(Generic[Value]):
    """A value for each of the smallest distinct digests so far.

    Args:
        most: The most digests to keep; None: all.

    Example:
        >>> sample: DigestSample[str] = DigestSample(2)
        >>> for digest, text in (5, "a"), (3, "b"), (3, "c"), (4, "d"):
        ...     if sample.takes(digest):
        ...         sample.add(digest, text)
        >>> list(sample)
        [(3, 'b'), (4, 'd')]
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._values: dict[int, Value] = {}
        self._largest: list[int] = []  # negated digests, as a heap

    @property
    def _full(self) -> bool:
        return self._most is not None and len(self._largest) >= self._most

    def takes(self, digest: int) -> bool:
        """Tell whether a digest is new, and among the smallest."""
        if digest in self._values or self._most == 0:
            return False
        return not self._full or digest < -self._largest[0]

    def add(self, digest: int, value: Value) -> None:
        """Add a digest that the sample takes; the largest one leaves a full sample."""
        if self._full:
            del self._values[-heapq.heapreplace(self._largest, -digest)]
        else:
            heapq.heappush(self._largest, -digest)
        self._values[digest] = value

    def __iter__(self) -> Iterator[tuple[int, Value]]:
        """Yield the digests, ascending, and their values."""
        return iter(sorted(self._values.items(), key=lambda item: item[0]))
