"""Open a file to write, so that nothing is lost whatever its name leads to.

A regular file appears whole or not at all: it is written under a temporary name in the same folder
and then renamed. Its mode and owner stay, a new one has those that the umask gives. Symbolic links
are followed. A device, a FIFO, or a descriptor (`/dev/stdout`, `/dev/fd/63`) is written through.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from ..errors import OutputError

_MOST_LINKS: Final = 40
# Of a file's name in its temporary name: 255 bytes are the most that a name may have.
_NAME_CHARACTERS: Final = 55


@contextmanager
def output_file(path: str | os.PathLike[str], *, seek: bool = False) -> Iterator[IO[bytes]]:
    """Open a file to write.

    If the block raises anything, `SystemExit` and `KeyboardInterrupt` included, a regular file
    stays as it was and the temporary file is removed.

    Args:
        path: the file; `-` for standard output.
        seek: whether the block reads or seeks in what it has written. What is written through is
            then copied when the block ends.

    Yields:
        The file, opened in binary mode.

    Raises:
        OutputError: it cannot be opened, or cannot be finished.

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
            with tempfile.TemporaryFile() as whole:
                yield whole
                whole.seek(0)
                with reported(name):
                    shutil.copyfileobj(whole, stream, 1 << 20)
        with reported(name):
            stream.flush()
    finally:
        if name != "-":
            with suppress(OSError):
                stream.close()


@contextmanager
def reported(path: str) -> Iterator[None]:
    """Turn the system's errors of writing into one line that names the file.

    Raises:
        OutputError: an `OSError` other than `BrokenPipeError`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(
            f"{output_name(path)}: cannot be written: {error.strerror or error}"
        ) from None


def output_name(path: str) -> str:
    """What messages call an output: `standard output` for `-`, else its path."""
    return "standard output" if path == "-" else path


def is_stream(path: str) -> bool:
    """Whether a name leads to what is written through: anything there but a regular file."""
    if path == "-" or _descriptor(path) is not None:
        return True
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def same_file(one: str, other: str) -> bool:
    """Whether two names lead to one regular file or FIFO, by links of any kind.

    Args:
        one: a file that may be absent; `-` for standard input.
        other: a file that may be absent; `-` for standard output.
    """
    try:
        first = os.stat(0 if one == "-" else one)
        second = os.stat(1 if other == "-" else other)
    except (OSError, ValueError):
        return False
    kind = stat.S_IFMT(first.st_mode)
    return kind in (stat.S_IFREG, stat.S_IFIFO) and os.path.samestat(first, second)


def refuse_inputs(output: str, inputs: Iterable[str]) -> None:
    """Refuse to write over what is read.

    Args:
        output: the file to write; `-` for standard output.
        inputs: the files to read; `-` for standard input.

    Raises:
        OutputError: the output is one of them.
    """
    for read in inputs:
        if same_file(read, output):
            source = "standard input" if read == "-" else read
            raise OutputError(
                f"{output_name(output)}: expected another file than the input {source}, found the "
                "same one"
            )


def _stream(path: str) -> IO[bytes] | None:
    """What a name leads to, opened, where it is written through; None for a regular file.

    Raises:
        OSError: it is a folder, or cannot be opened.
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
    # Without O_CREAT: a node that is removed meanwhile does not come back as a regular file.
    return os.fdopen(os.open(path, os.O_WRONLY), "wb")


def _descriptor(path: str) -> int | None:
    """The descriptor of this process that a name such as `/dev/stdout` leads to."""
    own = ("/dev/fd", f"/proc/{os.getpid()}/fd")
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder)
        if folder in own and name.isdecimal():
            return int(name)
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            return None
        path = os.path.join(folder, os.readlink(path))
    return None


@contextmanager
def _replacement(path: str) -> Iterator[IO[bytes]]:
    """A temporary file that takes the place of a regular file when the block ends well."""
    with reported(path):
        target = Path(os.path.realpath(path))
        held = target.stat() if target.exists() else None
        if held is not None and not os.access(target, os.W_OK):
            raise PermissionError(None, "it is write-protected", path)
    short = target.name[:_NAME_CHARACTERS]
    temporary = target.with_name(f".{short}.{secrets.token_hex(8)}.tmp")
    try:
        with reported(path):
            file = open(temporary, "x+b", opener=_private if held else None)  # noqa: SIM115
        try:
            if held is not None:
                _take_over(file.fileno(), held)
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


def _private(path: str, flags: int) -> int:
    """Open for the owner alone, until the file has the mode of the one it replaces."""
    return os.open(path, flags, 0o600)


def _take_over(descriptor: int, held: os.stat_result) -> None:
    """Give a file the owner and the mode of another."""
    if os.name == "nt":
        return
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (held.st_uid, held.st_gid):
        with suppress(OSError):
            os.fchown(descriptor, held.st_uid, held.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(held.st_mode))
