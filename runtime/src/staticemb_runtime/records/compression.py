"""Compressed files: gzip (`.gz`, standard library) and Zstandard (`.zst`, optional package)."""

from __future__ import annotations

import io
import os
import sys
from typing import IO, Any, Final

from ..errors import OutputError

COMPRESSION_SUFFIXES: Final = (".gz", ".zst")
"""The suffixes of compressed files."""

_CHUNK: Final = 1 << 14  # compressed bytes; their uncompressed bytes are in memory at once


def compression_suffix(path: str) -> str:
    """Return the suffix of a compressed file in lower case; empty for an uncompressed one.

    Example:
        >>> compression_suffix("rows.CSV.GZ"), compression_suffix("rows.csv")
        ('.gz', '')
    """
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - the path is a string
    return suffix if suffix in COMPRESSION_SUFFIXES else ""


def decompressed(file: IO[bytes], suffix: str) -> IO[bytes]:
    """Decompress a file while it is read.

    Args:
        file: the compressed bytes.
        suffix: one of `COMPRESSION_SUFFIXES`; for any other value the result is `file`.

    Returns:
        A file of the uncompressed bytes. Reading it raises `OSError` or `zlib.error` for invalid
        bytes, and `EOFError` if the file is truncated.

    Raises:
        ImportError: the package for `.zst` is missing.
    """
    if suffix == ".gz":
        import gzip  # late: most inputs are not compressed

        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if suffix == ".zst":
        return io.BufferedReader(_ZstdFrames(file, _zstd()), 1 << 17)
    return file


def compressed(file: IO[bytes], path: str) -> IO[bytes]:
    """Compress bytes that are written to a file, if its name says so.

    Closing the result completes the compressed data and leaves `file` open.

    Args:
        file: the file.
        path: its name.

    Returns:
        A file of the uncompressed bytes; `file` itself if the name has another suffix.

    Raises:
        OutputError: the package for `.zst` is missing.
    """
    suffix = compression_suffix(path)
    if suffix == ".gz":
        import gzip

        return gzip.GzipFile("", "wb", fileobj=file, mtime=0)  # type: ignore[return-value]
    if suffix == ".zst":
        try:
            module = _zstd()
        except ImportError:
            raise OutputError(
                f"{path}: writing .zst needs zstandard: pip install 'staticemb-runtime[zstd]'"
            ) from None
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
    """The uncompressed bytes of all frames of a file; a truncated frame is an error.

    The readers of the Zstandard packages treat a truncated frame as the end of the file.
    """

    def __init__(self, file: IO[bytes], module: Any) -> None:  # noqa: ANN401
        self._file = file
        self._module = module
        self._frame: Any = None
        self._unused = b""  # compressed bytes after the current frame
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close this file and the compressed file."""
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Read some bytes; 0 at the end."""
        while not self._ready:
            data = self._unused or self._file.read(_CHUNK)
            if not data:
                if self._frame is not None:
                    raise EOFError("the file ends within a frame")
                return 0
            if self._frame is None:
                decompressor = self._module.ZstdDecompressor()
                has_object = hasattr(decompressor, "decompressobj")
                self._frame = decompressor.decompressobj() if has_object else decompressor
            try:
                self._ready = memoryview(self._frame.decompress(data))
            except self._module.ZstdError as error:
                raise OSError(str(error)) from None
            self._unused = b""
            if self._frame.eof:
                self._unused, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
