"""Numbers for distinct texts, in order of first appearance, looked up by digests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Numbering:
    """A numbering of texts from 0; equal texts get equal numbers.

    Texts are identified by 64 bits of BLAKE2b. Among ten million texts, the probability of a
    collision is 3e-6. Sorted arrays of growing size take 12 bytes for each distinct text (twice
    that during a merge), a tenth of a dictionary of integers.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[NDArray[np.uint64], NDArray[np.int32]]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Number B texts.

        Returns:
            numbers (B,) int32, and the indices (n,) int64, ascending, of the new texts, which get
            the next n numbers.
        """
        digests = np.fromiter(map(_digest, texts), np.uint64, len(texts))
        unique, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
        numbers = self._find(unique)
        new = np.flatnonzero(numbers < 0)
        new = new[np.argsort(first[new])]
        numbers[new] = np.arange(self._count, self._count + len(new))
        self._count += len(new)
        ascending = np.sort(new)
        self._add_run(unique[ascending], numbers[ascending])
        return numbers[inverse.ravel()], first[new].astype(np.int64)

    def digests(self) -> NDArray[np.uint64]:
        """Return the digest of each text, by number."""
        by_number = np.empty(self._count, np.uint64)
        for digests, numbers in self._runs:
            by_number[numbers] = digests
        return by_number

    def _find(self, digests: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Look up the numbers of digests; -1 for a new digest."""
        result = np.full(len(digests), -1, np.int32)
        for run_digests, numbers in self._runs:
            places = np.minimum(np.searchsorted(run_digests, digests), len(run_digests) - 1)
            hit = run_digests[places] == digests
            result[hit] = numbers[places[hit]]
        return result

    def _add_run(self, digests: NDArray[np.uint64], numbers: NDArray[np.int32]) -> None:
        """Add a sorted run; each run is at least twice as large as the next, so runs are few."""
        if not len(digests):
            return
        while self._runs and len(self._runs[-1][0]) < 2 * len(digests):
            run_digests, run_numbers = self._runs.pop()
            digests = np.concatenate([run_digests, digests])
            order = np.argsort(digests, kind="stable")
            digests, numbers = digests[order], np.concatenate([run_numbers, numbers])[order]
        self._runs.append((digests, numbers))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
