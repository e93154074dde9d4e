"""A cache of the teacher's vectors on disk: no text is encoded twice, even after a killed run.

    FOLDER/KEY/about.json           describes the teacher
    FOLDER/KEY/NNNNNN-XXXXXXXX.npz  a shard: digests (n,) uint64 of texts, vectors (n, D) float16;
                                    of a server, one response

KEY is a digest of `about.json`. Shards are written atomically under unique names, so several
processes may write to one folder at the same time.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus.digests import text_digest
from ..errors import CacheError
from ..output_file import atomic_file

_SHARD = 8_192
_FIRST = 32  # texts that measure the teacher's speed, if time is limited
_GROWTH = 4  # with limited time, the next texts are at most this multiple of those before
_KEY = re.compile(r"[0-9a-f]{32}")
TEXTS = "texts"
"""The folder of the vectors of texts in a checkpoint."""

EncodeTexts = Callable[[Sequence[str]], NDArray[np.float32]]
EncodeParts = Callable[[Sequence[str]], Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]]


class TeacherCache:
    """Unit vectors of one teacher, by text.

    Args:
        folder: The folder of all teachers.
        about: Everything except the text that determines the vectors: the teacher's name, revision
            and number type, and a prompt.
        dim: The dimension of the vectors.

    Raises:
        CacheError: A shard is damaged, or the folder cannot be written.
    """

    def __init__(self, folder: Path, about: Mapping[str, str], dim: int) -> None:
        described = json.dumps({**about, "dim": str(dim)}, sort_keys=True, ensure_ascii=False)
        key = hashlib.blake2b(described.encode(), digest_size=16).hexdigest()
        self.folder = folder / key
        self._dim = dim
        self._digests = np.empty(0, np.uint64)
        self._places = np.empty((0, 2), np.int64)  # shard and row of each digest
        self._added: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []  # not yet in order
        self._shards: list[Path] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_file(self.folder / "about.json") as temporary:
                temporary.write_text(described + "\n", encoding="utf-8")
            for path in sorted(self.folder.glob("[0-9]*.npz")):
                self._index(path, self._load(path)[0])
        except OSError as error:
            raise CacheError(f"{self.folder}: {error.strerror or error}") from error

    def __len__(self) -> int:
        self._order()
        return len(self._digests)

    def encode(
        self,
        texts: Sequence[str],
        encode: EncodeTexts,
        *,
        seconds: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.float16]:
        """Return the vectors of texts; missing vectors are encoded and stored.

        Args:
            texts: The texts; with a time limit, the most valuable first.
            encode: The teacher, a function from n texts to (n, D).
            seconds: The time limit, kept approximately by the measured speed; None: no limit.
            progress: Called with the number of finished texts and the total.

        Returns:
            (n, D) float16 unit vectors of the first n texts; of all texts without a time limit. A
            vector of zeros stays zeros.

        Raises:
            CacheError: The vectors have another dimension, or cannot be stored.
        """
        digests, missing = self._missing(texts)
        encoded = 0
        for rows in _portions(missing, _SHARD, seconds):
            if progress is not None:
                progress(int(rows[0]), len(texts))
            self._add(digests[rows], _unit(encode([texts[row] for row in rows])))
            encoded += len(rows)
        done = len(texts) if encoded == len(missing) else int(missing[encoded])
        if progress is not None:
            progress(done, len(texts))
        return self._read(digests[:done])

    def encode_parts(
        self,
        texts: Sequence[str],
        encode_parts: EncodeParts,
        *,
        seconds: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.float16]:
        """Return the vectors of texts; each part of the missing vectors is stored as it arrives.

        A run that is killed loses the parts that had not arrived, so that a paid vector is paid
        once.

        Args:
            texts: As for `encode`.
            encode_parts: The teacher, a function from n texts to parts: row numbers and vectors.
            seconds: As for `encode`.
            progress: As for `encode`.

        Returns:
            As for `encode`.

        Raises:
            CacheError: As for `encode`, or a vector is missing.
        """
        digests, missing = self._missing(texts)
        encoded, counted = 0, len(texts) - len(missing)
        if progress is not None:
            progress(counted, len(texts))
        for asked in _portions(missing, len(missing), seconds):
            for rows, vectors in encode_parts([texts[row] for row in asked]):
                self._add(digests[asked[rows]], _unit(vectors))
                counted += len(rows)
                if progress is not None:
                    progress(counted, len(texts))
            encoded += len(asked)
        done = len(texts) if encoded == len(missing) else int(missing[encoded])
        if not self._known(digests[:done]).all():
            raise CacheError(f"{self.folder}: expected a vector of each text, found fewer")
        return self._read(digests[:done])

    def _missing(self, texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the digests of texts, and the rows to encode: the first of equal texts."""
        digests = np.fromiter(map(text_digest, texts), dtype=np.uint64, count=len(texts))
        missing = np.flatnonzero(~self._known(digests))
        _, first = np.unique(digests[missing], return_index=True)
        return digests, missing[np.sort(first)]

    def _known(self, digests: NDArray[np.uint64]) -> NDArray[np.bool_]:
        self._order()
        if not len(self._digests):
            return np.zeros(len(digests), bool)
        at = np.searchsorted(self._digests, digests)
        known: NDArray[np.bool_] = self._digests[np.minimum(at, len(self._digests) - 1)] == digests
        return known

    def _add(self, digests: NDArray[np.uint64], vectors: NDArray[np.float16]) -> None:
        if vectors.shape != (len(digests), self._dim):
            expected = (len(digests), self._dim)
            raise CacheError(f"{self.folder}: expected {expected}, found {vectors.shape}")
        number = int(self._shards[-1].stem.partition("-")[0]) + 1 if self._shards else 0
        path = self.folder / f"{number:06d}-{secrets.token_hex(4)}.npz"
        try:
            with atomic_file(path) as temporary, temporary.open("wb") as file:
                np.savez(file, digests=digests, vectors=vectors)
        except OSError as error:
            raise CacheError(f"{path}: {error.strerror or error}") from error
        self._index(path, digests)

    def _index(self, path: Path, digests: NDArray[np.uint64]) -> None:
        rows = np.arange(len(digests))
        places = np.stack([np.full(len(digests), len(self._shards)), rows], axis=1)
        self._shards.append(path)
        self._added.append((digests, places))

    def _order(self) -> None:
        """Sort the digests of the shards added since the last call: once for many small shards."""
        if not self._added:
            return
        digests, places = zip(*self._added, strict=True)
        self._added = []
        together = np.concatenate([self._digests, *digests])
        self._digests, first = np.unique(together, return_index=True)
        self._places = np.concatenate([self._places, *places])[first]

    def _load(self, path: Path) -> tuple[NDArray[np.uint64], NDArray[np.float16]]:
        try:
            with np.load(path, allow_pickle=False) as shard:
                digests, vectors = shard["digests"], shard["vectors"]
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise CacheError(f"{path}: damaged; delete it") from error
        except OSError as error:
            raise CacheError(f"{path}: {error.strerror or error}") from error
        shapes = (digests.ndim, vectors.shape, digests.dtype, vectors.dtype)
        if shapes != (1, (len(digests), self._dim), np.dtype(np.uint64), np.dtype(np.float16)):
            raise CacheError(f"{path}: damaged; delete it (found {shapes})")
        return digests, vectors

    def _read(self, digests: NDArray[np.uint64]) -> NDArray[np.float16]:
        self._order()
        vectors = np.empty((len(digests), self._dim), np.float16)
        places = self._places[np.searchsorted(self._digests, digests)]
        order = np.argsort(places[:, 0], kind="stable")
        bounds = np.searchsorted(places[order, 0], np.arange(len(self._shards) + 1))
        for number, path in enumerate(self._shards):
            rows = order[bounds[number] : bounds[number + 1]]
            if len(rows):
                vectors[rows] = self._load(path)[1][places[rows, 1]]
        return vectors


def remove_vectors(folder: Path) -> None:
    """Remove the vectors of all teachers, and the folder if nothing else is in it.

    Args:
        folder: The folder of all teachers, as for `TeacherCache`. Other files in it stay.
    """
    with suppress(OSError):  # missing, or the folder has other files
        for entry in list(folder.iterdir()):
            if _KEY.fullmatch(entry.name):
                shutil.rmtree(entry, ignore_errors=True)
        folder.rmdir()


def _portions(
    missing: NDArray[np.int64], most: int, seconds: float | None
) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of the texts to encode next, until all were or the time is up.

    Args:
        missing: The rows, the most valuable first.
        most: The most rows at a time if time is not limited.
        seconds: The time limit; None: no limit.
    """
    started, start = time.monotonic(), 0
    while start < len(missing):
        size = most
        if seconds is not None:
            size = _affordable(start, time.monotonic() - started, seconds)
        if size < 1:
            return
        yield missing[start : start + size]
        start += size


def _affordable(encoded: int, elapsed: float, seconds: float) -> int:
    """Return how many texts to encode next, at most a shard, by the time left and the speed."""
    if elapsed >= seconds:
        return 0
    if not encoded:
        return min(_FIRST, _SHARD)
    left = int((seconds - elapsed) * encoded / elapsed) if elapsed > 0 else _SHARD
    return min(left, _SHARD, _GROWTH * encoded) if left >= _FIRST else 0


def _unit(vectors: NDArray[Any]) -> NDArray[np.float16]:
    wide = np.asarray(vectors, np.float32)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    unit: NDArray[np.float16] = (wide / np.where(norms > 0, norms, 1)).astype(np.float16)
    return unit
