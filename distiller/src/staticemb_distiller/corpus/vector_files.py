"""Files of texts and their vectors, read as streams: Parquet, JSON lines, NPY and a text file.

The vectors come from any model. No teacher runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import TextSourceError
from ..path_checks import is_file, is_folder
from .digests import file_sha256, listing_sha256
from .records import kind_of, open_text, read_lines, read_records, reading
from .source_spec import named_columns
from .text_files import joined
from .vector_columns import READERS, Block, check_finite, check_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 8_192  # texts
_FIRST = 256  # texts that show the dimension and whether vectors are normalized
_UNIT = 0.01  # a normalized vector's length differs from 1 by at most this; float16 rounds

StrPath: TypeAlias = "str | os.PathLike[str]"


@dataclass(frozen=True, eq=False)
class VectorFile:
    """Texts and their vectors on disk.

    Attributes:
        path: The path as given.
        files: The files that are read.
        dim: The dimension of the vectors.
        normalized: Whether the first vectors have unit length; zero vectors do not count.
        model: The name of the model that made the vectors, or "".
    """

    path: str
    files: tuple[Path, ...]
    dim: int
    normalized: bool
    _read: Callable[[int], Iterator[Block]] = field(repr=False)
    model: str = ""

    def blocks(self, size: int = _BLOCK) -> Iterator[Block]:
        """Read the rows in order, a block at a time.

        Args:
            size: The most rows of a block.

        Yields:
            n texts and their vectors (n, dim) float32, n from 1 to `size`. A missing text is an
            empty text. Zero vectors and duplicates are yielded as they are.

        Raises:
            TextSourceError: A row has no vector, a vector of another dimension, NaN or an infinity.
        """
        return self._read(size)

    def digest(self) -> str:
        """Return the SHA-256 of the file; of the output of `sha256sum` for several files.

        Raises:
            TextSourceError: A file cannot be read.
        """
        try:
            if is_folder(self.path):
                return listing_sha256(Path(self.path), self.files)
            digests = [file_sha256(file) for file in self.files]
        except OSError as error:
            reason = error.strerror or error
            raise TextSourceError(
                f"{error.filename or self.path}: cannot be read: {reason}"
            ) from error
        return (
            digests[0]
            if len(digests) == 1
            else hashlib.sha256("".join(digests).encode()).hexdigest()
        )


def open_vectors(
    path: StrPath,
    *,
    text: str | None = None,
    vector: str | None = None,
    vectors: StrPath | None = None,
    model: str = "",
) -> VectorFile:
    """Open a file of texts and vectors.

    Args:
        path: A `.parquet` or `.jsonl` file, or a folder of such files of one kind; or a file of
            texts, if `vectors` names their vectors; or an `.npy` file, if `text` names a file of
            texts.
        text: The column of the texts; several are joined by a space: "title+text". None: "text", or
            the only column of text. For an `.npy` file: the file of the texts.
        vector: The column of the vectors. None: "embedding", or the only column of lists of
            numbers.
        vectors: An `.npy` file of shape (N, D), the vectors of the N texts in `path`. In a file of
            plain text, each line is a text, including blank lines.
        model: The name of the model that made the vectors, for the metadata of files.

    Returns:
        The open file. Vectors may be float64, float32, float16 or int8.

    Raises:
        TextSourceError: The file cannot be read, has no row or no such column, or the counts of
            texts and vectors differ.
        MissingPackageError: Parquet needs pyarrow, `.zst` needs zstandard.

    Example:
        >>> open_vectors("index.parquet", text="body", vector="embedding").dim  # doctest: +SKIP
        384
    """
    name = os.fspath(path)
    files: tuple[Path, ...]
    if vectors is None and name.lower().endswith(".npy"):
        if text is None:
            raise TextSourceError(f"{name}: expected a file of texts for these vectors, found none")
        files = (Path(text), Path(name))
        read = _two_files(*files, None)
    elif vectors is not None:
        files = (Path(name), Path(vectors))
        read = _two_files(*files, text)
    else:
        files = _files(Path(name))
        read = _columns(files, named_columns(text or ""), vector)
    return _opened(name, files, read, model)


def open_vector_column(path: StrPath, vector: str | None = None) -> VectorFile:
    """Open a column of vectors alone; arguments and errors as for `open_vectors`.

    Returns:
        The open file, whose texts are empty.
    """
    name = os.fspath(path)
    files = _files(Path(name))
    return _opened(name, files, _columns(files, None, vector), "")


def _opened(
    name: str, files: tuple[Path, ...], read: Callable[[int], Iterator[Block]], model: str
) -> VectorFile:
    """Read the first rows of files, to describe them."""
    first = next(read(_FIRST), None)
    if first is None:
        raise TextSourceError(f"{name}: expected texts and vectors, found no row")
    norms = np.linalg.norm(first[1].astype(np.float64), axis=1)
    normalized = bool((np.abs(norms[norms > 0] - 1) < _UNIT).all() and norms.any())
    dim = first[1].shape[1]
    return VectorFile(name, files, dim, normalized, _same_dimension(read, dim, name), model)


def _files(path: Path) -> tuple[Path, ...]:
    """Return the files to read: `path` itself, or all files of the first kind in a folder."""
    if is_file(path):
        if kind_of(path) in READERS:
            return (path,)
        raise TextSourceError(
            f"{path}: expected a .parquet or .jsonl file with texts and vectors, or vectors in an "
            ".npy file"
        )
    if not is_folder(path):
        raise TextSourceError(f"{path}: expected a file or a folder, found neither")
    for kind in READERS:
        if files := sorted(
            file
            for file in path.iterdir()
            if kind_of(file) == kind and not file.name.startswith(".")
        ):
            return tuple(files)
    raise TextSourceError(f"{path}: expected .parquet or .jsonl files, found none")


def _columns(
    files: Sequence[Path], text: tuple[str, ...] | None, vector: str | None
) -> Callable[[int], Iterator[Block]]:
    def read(size: int) -> Iterator[Block]:
        for file in files:
            kind = kind_of(file)
            assert kind is not None
            yield from READERS[kind](file, text, vector, size)

    return read


def _same_dimension(
    read: Callable[[int], Iterator[Block]], dim: int, name: str
) -> Callable[[int], Iterator[Block]]:
    def checked(size: int) -> Iterator[Block]:
        if size < 1:
            raise ValueError(f"size: expected at least 1, found {size}")
        for texts, vectors in read(size):
            if vectors.shape[1] != dim:  # Within a file, the reader checks it.
                raise TextSourceError(
                    f"{name}: expected vectors of {dim} dimensions in each file, found "
                    f"{vectors.shape[1]}"
                )
            yield texts, vectors

    return checked


def _two_files(texts: Path, vectors: Path, column: str | None) -> Callable[[int], Iterator[Block]]:
    """Read texts from one file, and their vectors from an `.npy` file."""
    array = open_npy(vectors)
    count = sum(1 for _ in _texts(texts, column))
    if count != len(array):
        raise TextSourceError(
            f"{vectors}: expected {count} vectors for the texts in {texts}, found {len(array)}"
        )

    def read(size: int) -> Iterator[Block]:
        lines = _texts(texts, column)
        for start in range(0, len(array), size):
            block = np.asarray(array[start : start + size], np.float32)
            check_finite(block, start, str(vectors))
            yield list(islice(lines, len(block))), block

    return read


def _texts(path: Path, column: str | None) -> Iterator[str]:
    kind = kind_of(path) if is_file(path) else None
    if kind is None:
        raise TextSourceError(f"{path}: expected a file of texts")
    if kind == "plain":
        with reading(path), open_text(path) as file:
            yield from (line.rstrip("\r\n") for line in read_lines(file, path))
        return
    columns = named_columns(column or "")
    for location, record in read_records(path, columns):
        yield joined(record, columns, location)


def open_npy(path: StrPath) -> NDArray[Any]:
    """Open an NPY file of vectors.

    Returns:
        (N, D) floats or int8, memory-mapped: a block is read when it is used.

    Raises:
        TextSourceError: The file cannot be read, or is not an array of this kind.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TextSourceError(f"{path}: cannot be read as NPY: {reason}") from error
    return check_array(array, str(path))


def check_array(array: Any, place: str) -> NDArray[Any]:  # noqa: ANN401 - what a file holds
    """Return an array if it has the shape (N, D), D above 0, and holds floats or int8.

    Raises:
        TextSourceError: It has another shape or type, or it is an archive of arrays.
    """
    if not isinstance(array, np.ndarray) or array.ndim != 2 or not array.shape[1]:
        found = getattr(array, "shape", "several arrays")
        raise TextSourceError(f"{place}: expected an array of shape (N, D), found {found}")
    check_type(array.dtype, place)
    return array
