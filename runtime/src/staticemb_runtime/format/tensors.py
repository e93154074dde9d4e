"""Memory-mapped safetensors files: data are read only when they are used."""

from __future__ import annotations

import errno
import os
import stat
from mmap import ACCESS_READ
from mmap import mmap as _map
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import (
    FileTooShortError,
    HeaderTooLargeError,
    HeaderTruncatedError,
    InvalidTensorEntryError,
    ModelNotFoundError,
    NotAModelError,
    StaticEmbError,
)
from .safetensors_header import (
    DTYPES,
    MAX_HEADER_BYTES,
    TensorEntry,
    check_extent,
    check_layout,
    parse_entry,
    parse_json,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SafetensorsFile:
    """Any safetensors file, with a header checked as strictly as a static embedding file's.

    Args:
        path: the file.
        mmap: False to read the file into memory.

    Attributes:
        tensors: the entry of each tensor, by name.

    Raises:
        ModelNotFoundError: the file does not exist.
        NotAModelError: the path is not a regular file, or cannot be read.
        FormatError: a subclass for each fault.
    """

    def __init__(self, path: str | os.PathLike[str], *, mmap: bool = True) -> None:
        mapped, start = map_file(path, mmap=mmap)
        self.header = mapped[8:start].tobytes()
        self._data = mapped[start:]
        self.tensors: dict[str, TensorEntry] = {}
        for name, value in parse_json(self.header, str(path)).items():
            if name == "__metadata__":
                if not isinstance(value, dict):
                    expected = "an object"
                    raise InvalidTensorEntryError(str(path), name, expected, repr(value))
                continue
            self.tensors[name] = parse_entry(name, value, str(path))
        for entry in self.tensors.values():
            check_extent(entry, len(self._data), str(path))
        check_layout(self.tensors, len(self._data), str(path))

    def view(self, name: str) -> NDArray[Any]:
        """Return a tensor's elements without copying; BF16 elements as two opaque bytes each.

        Raises:
            KeyError: the file has no such tensor.
        """
        return view(self._data, self.tensors[name])


def view(data: NDArray[np.uint8], entry: TensorEntry) -> NDArray[Any]:
    """Return the elements of one tensor without copying.

    Args:
        data: (B,) the bytes after the header.
        entry: a checked entry.
    """
    return data[entry.begin : entry.end].view(DTYPES[entry.dtype]).reshape(entry.shape)


def map_file(path: str | os.PathLike[str], *, mmap: bool = True) -> tuple[NDArray[np.uint8], int]:
    """Map a safetensors file, or read it into memory if `mmap` is False.

    Returns:
        The file's bytes, read-only, and the offset of its data. The header ends within the file.

    Raises:
        ModelNotFoundError: the file does not exist.
        NotAModelError: the path is not a regular file, or cannot be read.
        FileTooShortError, HeaderTooLargeError, HeaderTruncatedError
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO waits for a writer
            kind = "a folder" if os.path.isdir(path) else "a device, pipe or socket"
            raise NotAModelError(f"{path}: expected a file, found {kind}")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < 8:
                found = f"{size} bytes"
                raise FileTooShortError(str(path), "start of the file", "at least 8 bytes", found)
            header_bytes = int.from_bytes(file.read(8), "little")
            data = content(file, mmap=mmap)
            size = len(data)
    except StaticEmbError:
        raise
    except (OSError, ValueError) as error:
        raise path_error(path, error) from None
    if header_bytes > MAX_HEADER_BYTES:
        expected = f"at most {MAX_HEADER_BYTES} (is this a static embedding file?)"
        raise HeaderTooLargeError(str(path), "header length", expected, str(header_bytes))
    if not 2 <= header_bytes <= size - 8:
        expected = f"2 to {size - 8}, the rest of the file"
        raise HeaderTruncatedError(str(path), "header length", expected, str(header_bytes))
    return data, 8 + header_bytes


def content(file: BinaryIO, *, mmap: bool) -> NDArray[np.uint8]:
    """Return the bytes of an open, non-empty file, read-only: mapped, or read into memory."""
    if mmap:
        return np.frombuffer(_map(file.fileno(), 0, access=ACCESS_READ), np.uint8)
    file.seek(0)
    return np.frombuffer(file.read(), np.uint8)


def path_error(path: object, error: OSError | ValueError) -> StaticEmbError:
    """Make this package's error from a system error about a path.

    Args:
        path: the path, or any object given as a path.
        error: the system's error; a ValueError if no path can have this spelling.
    """
    name = str(path)
    if not name or not name.isprintable():
        name = ascii(name)  # empty, or with characters that a terminal cannot show
    if isinstance(error, ValueError):
        return ModelNotFoundError(f"{name}: no such file: the path is invalid: {error}")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        reason = "" if error.errno == errno.ENOENT else f": {error.strerror}"
        return ModelNotFoundError(f"{name}: no such file{reason}")
    return NotAModelError(f"{name}: {error.strerror or error}")
