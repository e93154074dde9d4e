"""A number for every different text, in order of first appearance, found by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Numbering:
    """Numbers texts from 0 on; equal texts get equal numbers.

    Texts are known by 64 bits of BLAKE2b: among ten million, two are taken for one with a
    probability of 3e-6. Sorted arrays of growing size take 12 bytes a different text (twice that
    while two are merged), a tenth of what a dictionary of integers takes.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[NDArray[np.uint64], NDArray[np.int32]]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Number B texts.

        Returns:
            numbers (B,) int32, and the places (n,) int64, ascending, of the texts that are new:
            they have the next n numbers.
        """
        digests = np.fromiter(map(_digest, texts), np.uint64, len(texts))
        unique, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
        numbers = self._find(unique)
        new = np.flatnonzero(numbers < 0)
        new = new[np.argsort(first[new])]
        numbers[new] = np.arange(self._count, self._count + len(new))
        self._count += len(new)
        fresh = np.sort(new)
        self._keep(unique[fresh], numbers[fresh])
        return numbers[inverse.ravel()], first[new].astype(np.int64)

    def digests(self) -> NDArray[np.uint64]:
        """The digest of each text, by number."""
        found = np.empty(self._count, np.uint64)
        for digests, numbers in self._runs:
            found[numbers] = digests
        return found

    def _find(self, digests: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The numbers of digests; -1: not there."""
        found = np.full(len(digests), -1, np.int32)
        for known, numbers in self._runs:
            places = np.minimum(np.searchsorted(known, digests), len(known) - 1)
            hit = known[places] == digests
            found[hit] = numbers[places[hit]]
        return found

    def _keep(self, digests: NDArray[np.uint64], numbers: NDArray[np.int32]) -> None:
        """Add a sorted run; runs at least double in size towards the first, so they are few."""
        if not len(digests):
            return
        while self._runs and len(self._runs[-1][0]) < 2 * len(digests):
            other, theirs = self._runs.pop()
            digests = np.concatenate([other, digests])
            order = np.argsort(digests, kind="stable")
            digests, numbers = digests[order], np.concatenate([theirs, numbers])[order]
        self._runs.append((digests, numbers))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
