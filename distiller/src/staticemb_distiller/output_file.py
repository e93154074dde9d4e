"""Files and folders that appear whole or not at all, whatever their names lead to.

A regular file is written under a temporary name in the same folder and then renamed. Its mode and
owner stay, a new one has those that the umask gives. Symbolic links are followed. A device, a FIFO,
or a descriptor (`-`, `/dev/stdout`, `/dev/fd/63`) is written through once the content is complete.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from .errors import DistillerError, OutputError
from .places import is_there

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STANDARD_OUTPUT: Final = "-"
"""The name of standard output among files; a file of this name is written by its whole path."""

_MOST_LINKS: Final = 40
# Of a file's name in its temporary name: 255 bytes are the most that a name may have.
_NAME_CHARACTERS: Final = 55
_BLOCK: Final = 1 << 20


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a place to write a file, whose content gets to the file's own name at the end.

    If the block raises anything, `SystemExit` and `KeyboardInterrupt` included, a regular file
    stays as it was, nothing is written through, and the temporary file is removed.

    Args:
        path: The file's own name.

    Yields:
        An empty temporary file: in the same folder, links resolved, for a regular file; in the
        system's temporary folder for anything else. The block may replace it.

    Raises:
        OSError: It is a folder, or the file cannot be written.

    Example:
        >>> with appearing(Path("notes.txt")) as temporary:  # doctest: +SKIP
        ...     temporary.write_text("all of it")
    """
    stream = _stream(path)
    if stream is None:
        with _replacement(path) as temporary:
            yield temporary
        return
    try:
        with tempfile.TemporaryDirectory(prefix="staticemb-") as folder:
            temporary = Path(folder) / "content"
            temporary.touch()
            yield temporary
            with temporary.open("rb") as content:
                shutil.copyfileobj(content, stream, _BLOCK)
            stream.flush()
    finally:
        with suppress(OSError):
            stream.close()


@contextmanager
def appearing_folder(path: Path) -> Iterator[Path]:
    """Give a folder to fill, whose entries get to the folder's own name at the end.

    An empty folder that is there already stays the same one, with its mode and owner: it may be a
    mount point. Symbolic links are followed. If the block raises anything, nothing is left.

    Args:
        path: The folder's own name; new, or an empty folder.

    Yields:
        A new temporary folder.

    Raises:
        OSError: The folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    there = target.is_dir()
    temporary = _temporary_name(target / "export" if there else target)
    moved: list[Path] = []
    try:
        temporary.mkdir()
        yield temporary
        if not there:
            temporary.rename(target)
            return
        if any(entry != temporary for entry in target.iterdir()):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))
        for entry in sorted(temporary.iterdir()):
            moved.append(target / entry.name)
            entry.rename(moved[-1])
        moved.clear()
    finally:
        for entry in (temporary, *moved):
            shutil.rmtree(entry, ignore_errors=True)
            with suppress(OSError):
                entry.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what `appearing` left beside a file where the process was killed."""
    start = f".{path.name[:_NAME_CHARACTERS]}."
    with suppress(OSError):
        for left in list(path.parent.iterdir()):
            if left.name.startswith(start) and left.name.endswith(".tmp"):
                left.unlink(missing_ok=True)


@contextmanager
def reported(path: Path, kind: type[DistillerError]) -> Iterator[None]:
    """Turn the system's errors of writing into one line that names the output.

    Args:
        path: The output.
        kind: The class of the error.

    Raises:
        DistillerError: Of that class, for an `OSError` other than `BrokenPipeError`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise kind(f"{path}: cannot be written: {error.strerror or error}") from error


def check_output(path: Path, inputs: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Refuse a file's name before hours of work that it could not be written under.

    Args:
        path: The file.
        inputs: The files that are read; those that are absent are ignored.

    Raises:
        OutputError: It is a folder, lies in none, is one of the inputs, or may not be written.
    """
    try:
        held = _held(path)
        if held is not None and stat.S_ISDIR(held.st_mode):
            raise OutputError(f"{path}: expected the name of a file to write, found a folder")
    except (OSError, ValueError) as error:
        raise _not_writable(path, error) from error
    if held is None or (stat.S_ISREG(held.st_mode) and _descriptor(path) is None):
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise OutputError(f"{path}: the folder {folder} does not exist")
        if not _permitted(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: cannot be written: the folder {folder} is write-protected")
    if held is not None and _descriptor(path) is None and not _permitted(path, os.W_OK):
        raise OutputError(f"{path}: cannot be written: it is write-protected")
    if held is not None and stat.S_IFMT(held.st_mode) in (stat.S_IFREG, stat.S_IFIFO):
        for name in inputs:
            with suppress(OSError, ValueError):
                if os.path.samestat(Path(name).stat(), held):
                    raise OutputError(
                        f"{path}: expected another file than the input {os.fspath(name)}, found "
                        "the same one"
                    )


def check_folders(*paths: str | os.PathLike[str] | None) -> None:
    """Refuse folders that could not be made, or not be written in, before hours of work.

    Args:
        paths: The folders, which may be absent; None where no folder was asked for.

    Raises:
        OutputError: One, or the folder that it would be made in, is a file or is write-protected.
    """
    for path in paths:
        if path is None:
            continue
        if os.fspath(path) == STANDARD_OUTPUT:
            raise OutputError(f"{path}: expected a folder, found the name of standard output")
        try:
            place = _deepest(Path(os.path.realpath(path)))
        except (OSError, ValueError) as error:
            raise _not_writable(path, error) from error
        if not place.is_dir():
            raise OutputError(f"{path}: expected a folder, found the file {place}")
        if not _permitted(place, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: cannot be written: the folder {place} is write-protected")


def is_stream(path: Path) -> bool:
    """Whether a name leads to what is written through: anything there but a regular file."""
    if _descriptor(path) is not None:
        return True
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def working_folder(path: Path) -> Path | None:
    """Where large temporary files of an output go: its own folder; None: the system's."""
    return None if is_stream(path) else Path(os.path.realpath(path)).parent


def described(path: Path) -> str:
    """An output that was written, with its size where it is a regular file."""
    return f"{path}" if is_stream(path) else f"{path} ({path.stat().st_size / 1e6:.1f} MB)"


def _not_writable(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    return OutputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}")


def _deepest(path: Path) -> Path:
    """The deepest of a folder and those around it that is there.

    Raises:
        OSError: One of those that are not there can have no such name.
    """
    place = path
    while not is_there(place) and place != place.parent:
        place = place.parent
    for part in path.relative_to(place).parts:
        with suppress(FileNotFoundError, NotADirectoryError):
            (place / part).lstat()
    return place


def _held(path: Path) -> os.stat_result | None:
    """What a name leads to; None where nothing is there."""
    descriptor = _descriptor(path)
    try:
        return path.stat() if descriptor is None else os.fstat(descriptor)
    except FileNotFoundError:
        return None


def _permitted(path: Path, mode: int) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, mode, effective_ids=effective)


def _stream(path: Path) -> IO[bytes] | None:
    """What a name leads to, opened, where it is written through; None for a regular file."""
    descriptor = _descriptor(path)
    if descriptor is not None:
        # A copy shares the position and the append mode of the shell's descriptor.
        return os.fdopen(os.dup(descriptor), "wb")
    held = _held(path)
    if held is None or stat.S_ISREG(held.st_mode):
        return None
    if stat.S_ISDIR(held.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # Without O_CREAT: a node that is removed meanwhile does not come back as a regular file.
    return os.fdopen(os.open(path, os.O_WRONLY), "wb")


def _descriptor(path: Path) -> int | None:
    """The descriptor of this process that a name such as `/dev/stdout` leads to."""
    own = ("/dev/fd", f"/proc/{os.getpid()}/fd")
    if str(path) == STANDARD_OUTPUT:
        return 1
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in own and path.name.isdecimal():
            return int(path.name)
        path = Path(folder) / path.name
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


@contextmanager
def _replacement(path: Path) -> Iterator[Path]:
    """A temporary file that takes the place of a regular file when the block ends well."""
    target = Path(os.path.realpath(path))
    held = target.stat() if target.exists() else None
    if held is not None and not _permitted(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected", str(path))
    temporary = _temporary_name(target)
    try:
        # For the owner alone until it has the mode of the one that it replaces.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        os.close(os.open(temporary, flags, 0o666 if held is None else 0o600))
        yield temporary
        if held is not None:
            _take_over(temporary, held)
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _temporary_name(target: Path) -> Path:
    short = target.name[:_NAME_CHARACTERS]
    return target.with_name(f".{short}.{secrets.token_hex(8)}.tmp")


def _take_over(path: Path, held: os.stat_result) -> None:
    """Give a file the owner and the mode of another."""
    if os.name == "nt":
        return
    own = path.stat()
    if (own.st_uid, own.st_gid) != (held.st_uid, held.st_gid):
        with suppress(OSError):
            os.chown(path, held.st_uid, held.st_gid)
    with suppress(OSError):
        path.chmod(stat.S_IMODE(held.st_mode))
