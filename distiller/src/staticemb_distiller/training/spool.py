"""Arrays that grow in files instead of memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..vocabulary.token_ids import TokenIds


class Appended:
    """A file of numbers: appended to, and memory-mapped when complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("wb")

    def add(self, data: bytes) -> None:
        """Append the bytes of numbers."""
        self._file.write(data)

    def close(self) -> None:
        """Close the file for writing."""
        self._file.close()

    def array(self, dtype: type, width: int | None = None) -> Any:  # noqa: ANN401 - by dtype
        """Map all numbers from the file, (n,) or (n, width)."""
        shape = (-1,) if width is None else (-1, width)
        if not self._path.stat().st_size:
            return np.empty(0, dtype).reshape(shape)
        return np.asarray(np.memmap(self._path, dtype, "r")).reshape(shape)


class Spool:
    """The files of the texts: token ids and UTF-8 bytes, each with offsets."""

    def __init__(self, folder: Path, tokenize: TokenIds) -> None:
        self._tokenize = tokenize
        self.ids = Appended(folder / "ids.i32")
        self.offsets = Appended(folder / "ids-offsets.i64")
        self.spelled = Appended(folder / "texts.utf8")
        self.spelled_offsets = Appended(folder / "texts-offsets.i64")
        self._ends = np.zeros(2, np.int64)  # the last text's end in ids and in bytes
        for offsets in (self.offsets, self.spelled_offsets):
            offsets.add(np.zeros(1, np.int64).tobytes())

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: object) -> None:
        for file in (self.ids, self.offsets, self.spelled, self.spelled_offsets):
            file.close()

    def add(self, texts: Sequence[str]) -> None:
        """Tokenize texts and append them."""
        ids, lengths = self._tokenize(texts)
        encoded = [text.encode() for text in texts]
        sizes = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self.ids.add(ids.tobytes())
        self.spelled.add(b"".join(encoded))
        ends = np.cumsum([lengths, sizes], axis=1) + self._ends[:, None]
        self.offsets.add(ends[0].tobytes())
        self.spelled_offsets.add(ends[1].tobytes())
        if len(texts):
            self._ends = ends[:, -1]


def saved(path: Path, array: NDArray[Any]) -> Any:  # noqa: ANN401 - of any dtype
    """Save an array to a file, and return it memory-mapped."""
    if not array.size:
        return array
    np.save(path, array, allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False)
