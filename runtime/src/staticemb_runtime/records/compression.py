"""Files packed by gzip (`.gz`, the standard library) or Zstandard (`.zst`, an optional package)."""

from __future__ import annotations

import io
import os
import sys
from typing import IO, Any, Final

PACKINGS: Final = (".gz", ".zst")
"""The suffixes of packed files."""

_CHUNK: Final = 1 << 14  # of packed bytes: what they unpack to is in memory at once


def packing_of(path: str) -> str:
    """The suffix that tells how a file is packed, in lower case; empty where it is not.

    Example:
        >>> packing_of("rows.CSV.GZ"), packing_of("rows.csv")
        ('.gz', '')
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - for names of any kind
    return suffix if suffix in PACKINGS else ""


def unpacked(file: IO[bytes], packing: str) -> IO[bytes]:
    """Read a file that is packed.

    Args:
        file: the packed bytes.
        packing: one of `PACKINGS`; anything else gives the file back.

    Returns:
        A file of the unpacked bytes. While it is read, bytes that are not of this kind raise
        `OSError` or `zlib.error`, and a file that ends too early raises `EOFError`.

    Raises:
        ImportError: `.zst` without a package that reads it.
    """
    if packing == ".gz":
        import gzip  # most inputs are not packed

        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if packing == ".zst":
        return io.BufferedReader(_ZstdFrames(file, _zstd()), 1 << 17)
    return file


def packed(file: IO[bytes], packing: str) -> IO[bytes]:
    """Pack what is written to a file; close the result to finish, which leaves `file` open.

    Raises:
        ImportError: `.zst` without a package that writes it.
    """
    if packing == ".gz":
        import gzip

        return gzip.GzipFile("", "wb", fileobj=file, mtime=0)  # type: ignore[return-value]
    if packing == ".zst":
        module = _zstd()
        if module.__name__ == "zstandard":
            writer: IO[bytes] = module.ZstdCompressor().stream_writer(file, closefd=False)
            return writer
        return module.ZstdFile(file, "wb")  # type: ignore[no-any-return]
    return file


def _zstd() -> Any:  # noqa: ANN401 - one of two modules
    if sys.version_info >= (3, 14):
        import compression.zstd

        return compression.zstd
    import zstandard

    return zstandard


class _ZstdFrames(io.RawIOBase):
    """All frames of a file, one after the other; one that is cut off is an error.

    The packages' own readers take a frame that is cut off for the end of the file.
    """

    def __init__(self, file: IO[bytes], module: Any) -> None:  # noqa: ANN401
        self._file = file
        self._module = module
        self._frame: Any = None
        self._left = b""  # packed
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close the packed file, too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Read some bytes; 0 at the end."""
        while not self._ready:
            data = self._left or self._file.read(_CHUNK)
            if not data:
                if self._frame is not None:
                    raise EOFError("the file ends within a frame")
                return 0
            if self._frame is None:
                decompressor = self._module.ZstdDecompressor()
                known = hasattr(decompressor, "decompressobj")
                self._frame = decompressor.decompressobj() if known else decompressor
            try:
                self._ready = memoryview(self._frame.decompress(data))
            except self._module.ZstdError as error:
                raise OSError(str(error)) from None
            self._left = b""
            if self._frame.eof:
                self._left, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
