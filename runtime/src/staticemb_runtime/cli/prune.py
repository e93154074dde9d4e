"""The documents that a run of `staticemb index` has read, and those that it has not.

A stored document is gone if its file lies among the given files and folders, was not left out as
unreadable, and this run did not read the document from any file.
"""

from __future__ import annotations

import functools
import hashlib
import os
from array import array
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class SeenDocuments:
    """The ids of the documents that a run has read: eight bytes each.

    Two ids with the same hash, one in 10**19 pairs, keep a document that is gone.
    """

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, key: str) -> None:
        """Note that the document of an id was read."""
        self._hashes.append(_hash(key))

    def repeated(self) -> int:
        """Return how many documents had the id of an earlier one."""
        hashes = np.frombuffer(self._hashes, np.int64)
        return len(hashes) - len(np.unique(hashes))

    def gone(
        self, stored: Sequence[tuple[str, str]], given: Iterable[str], skipped: Iterable[str]
    ) -> list[str]:
        """Return the ids of stored documents that are gone.

        Args:
            stored: the id and the file of each stored document.
            given: the files and folders of this run.
            skipped: the files and folders that it could not read.

        Example:
            >>> seen = SeenDocuments()
            >>> seen.add("docs/a.md")
            >>> stored = [("docs/a.md", "docs/a.md"), ("docs/b.md", "docs/b.md"), ("7", "x.csv")]
            >>> seen.gone(stored, ["docs"], [])
            ['docs/b.md']
        """
        hashes = np.array([_hash(key) for key, _ in stored], np.int64)
        unseen = np.flatnonzero(~np.isin(hashes, np.frombuffer(self._hashes, np.int64)))
        of_run, unread = _Places(given), _Places(skipped)
        candidates = [stored[place] for place in unseen.tolist()]
        return [key for key, file in candidates if file in of_run and file not in unread]


def _hash(key: str) -> int:
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class _Places:
    """Files, and all files inside of folders; by their names alone."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = {str(Path(path)) for path in paths}
        self._folders = self._paths - {"-"}
        self._holds = functools.cache(self._hold)

    def __contains__(self, file: str) -> bool:
        if file in self._paths or file == "-":
            return file in self._paths
        return self._holds(os.path.dirname(file))  # noqa: PTH120 - a path for each row is slow

    def _hold(self, name: str) -> bool:
        folder = PurePath(name)
        above = {str(path) for path in (folder, *folder.parents)}
        if os.pardir in folder.parts:  # it is outside of the working folder
            above.discard(os.curdir)
        return not above.isdisjoint(self._folders)
