"""Open an output file safely.

A regular file is replaced completely or not at all: the output is written under a temporary name in
the same folder and then renamed. An existing file keeps its mode and owner; a new file gets its
mode from the umask. Symbolic links are followed. Devices, FIFOs and descriptors (`/dev/stdout`,
`/dev/fd/63`) are streams: they are written to directly.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from ..errors import OutputError, WriteError

_MOST_LINKS: Final = 40
# How much of a file's name its temporary name repeats: a name may have at most 255 bytes.
_NAME_CHARACTERS: Final = 55


@contextmanager
def output_file(path: str | os.PathLike[str], *, seek: bool = False) -> Iterator[IO[bytes]]:
    """Open a file to write.

    If the block raises any exception, including `SystemExit` and `KeyboardInterrupt`, a regular
    file stays unchanged and the temporary file is removed.

    Args:
        path: the file; `-` for standard output.
        seek: whether the block seeks in the file or reads it back. A stream then gets its content
            at the end of the block.

    Yields:
        The file, opened in binary mode.

    Raises:
        OutputError: the file cannot be opened, written or renamed.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with output_file(f"{folder}/numbers.bin") as file:
        ...         _ = file.write(b"1 2 3")
        ...     os.listdir(folder)
        ['numbers.bin']
    """
    name = os.fspath(path)
    with reported(name):
        stream = _stream(name)
    if stream is None:
        with _replacement(name) as file:
            yield file
        return
    try:
        if not seek:
            yield stream
        else:
            with tempfile.TemporaryFile() as buffer:
                yield buffer
                buffer.seek(0)
                with reported(name):
                    shutil.copyfileobj(buffer, stream, 1 << 20)
        with reported(name):
            stream.flush()
    finally:
        if name != "-":
            with suppress(OSError):
                stream.close()


@contextmanager
def reported(path: str) -> Iterator[None]:
    """Turn the system's errors into an error that names the output.

    Raises:
        WriteError: an `OSError` other than `BrokenPipeError`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WriteError(
            f"{output_name(path)}: cannot be written: {error.strerror or error}"
        ) from None


def output_name(path: str) -> str:
    """Return the name of an output in messages: `standard output` for `-`, else its path."""
    return "standard output" if path == "-" else path


def is_stream(path: str) -> bool:
    """Return whether a path is a stream: anything that exists and is not a regular file."""
    if path == "-" or _descriptor(path) is not None:
        return True
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def same_file(source: str, output: str) -> bool:
    """Return whether two paths lead to the same regular file or FIFO, by links of any kind.

    Args:
        source: a file that may be absent; `-` for standard input.
        output: a file that may be absent; `-` for standard output.
    """
    try:
        source_status = os.stat(0 if source == "-" else source)
        output_status = os.stat(1 if output == "-" else output)
    except (OSError, ValueError):
        return False
    kind = stat.S_IFMT(source_status.st_mode)
    return kind in (stat.S_IFREG, stat.S_IFIFO) and os.path.samestat(source_status, output_status)


def refuse_inputs(output: str, inputs: Iterable[str]) -> None:
    """Refuse an output that is also an input.

    Args:
        output: the file to write; `-` for standard output.
        inputs: the files to read; `-` for standard input.

    Raises:
        OutputError: the output is one of the inputs.
    """
    for source in inputs:
        if same_file(source, output):
            name = "standard input" if source == "-" else source
            raise OutputError(
                f"{output_name(output)}: expected another file than the input {name}, found the "
                "same one"
            )


def _stream(path: str) -> IO[bytes] | None:
    """Open a path that is a stream; return None for a regular file or a new one.

    Raises:
        OSError: the path is a folder, or cannot be opened.
    """
    if path == "-":
        return sys.stdout.buffer
    descriptor = _descriptor(path)
    if descriptor is not None:
        # A copy shares the position and the append mode of the shell's descriptor.
        return os.fdopen(os.dup(descriptor), "wb")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(None, "expected the name of a file, found a folder", path)
    # Without O_CREAT, a device that was just removed is not replaced by a regular file.
    return os.fdopen(os.open(path, os.O_WRONLY), "wb")


def _descriptor(path: str) -> int | None:
    """Return the descriptor of this process that a path such as `/dev/stdout` leads to."""
    descriptor_folders = ("/dev/fd", f"/proc/{os.getpid()}/fd")
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        if folder in descriptor_folders and name.isdecimal():
            return int(name)
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


@contextmanager
def _replacement(path: str) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces a regular file if the block succeeds."""
    with reported(path):
        target = Path(os.path.realpath(path))
        old_status = target.stat() if target.exists() else None
        if old_status is not None and not os.access(target, os.W_OK):
            raise PermissionError(None, "it is write-protected", path)
    temporary = target.with_name(f"{_temporary_prefix(target.name)}{secrets.token_hex(8)}.tmp")
    try:
        with reported(path):
            opener = _open_private if old_status else None
            file = open(temporary, "x+b", opener=opener)  # noqa: SIM115
        try:
            if old_status is not None:
                _copy_owner_and_mode(old_status, file.fileno())
            yield file
            with reported(path):
                file.flush()
        finally:
            with suppress(OSError):
                file.close()
        with reported(path):
            temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _temporary_prefix(name: str) -> str:
    return f".{name[:_NAME_CHARACTERS]}."


def remove_temporary_files(paths: Iterable[str]) -> None:
    """Remove the temporary files of outputs whose process was killed.

    The caller makes sure that no other process writes these outputs.
    """
    prefixes: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(os.path.realpath(path))
        prefixes.setdefault(folder, set()).add(_temporary_prefix(name))
    for folder, known in prefixes.items():
        with suppress(OSError):
            for entry in os.listdir(folder):
                ending = re.search(r"[0-9a-f]{16}\.tmp$", entry)
                if ending and entry[: ending.start()] in known:
                    with suppress(OSError):
                        os.remove(os.path.join(folder, entry))


def _open_private(path: str, flags: int) -> int:
    """Open a new file for its owner alone: it gets the old file's mode later."""
    return os.open(path, flags, 0o600)


def _copy_owner_and_mode(old_status: os.stat_result, descriptor: int) -> None:
    """Give an open file the owner and mode of the file that it replaces."""
    if os.name == "nt":
        return
    new_status = os.fstat(descriptor)
    if (new_status.st_uid, new_status.st_gid) != (old_status.st_uid, old_status.st_gid):
        with suppress(OSError):
            os.fchown(descriptor, old_status.st_uid, old_status.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(old_status.st_mode))
