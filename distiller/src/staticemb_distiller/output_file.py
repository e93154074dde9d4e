"""Atomic writing of output files and folders.

A regular file is written under a temporary name in the same folder and then renamed. The mode and
owner of a replaced file stay; the umask sets the mode of a new file. Symbolic links are followed.
The content of a device, a FIFO or a descriptor (`-`, `/dev/stdout`, `/dev/fd/63`) is written to it
once the content is complete.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from .errors import DistillerError, OutputError
from .path_checks import exists

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STANDARD_OUTPUT: Final = "-"
"""The path that means standard output; a file of this name needs a longer path, such as `./-`."""

_MOST_LINKS: Final = 40
# A temporary name holds the first characters of the file's name: a name has at most 255 bytes.
_NAME_CHARACTERS: Final = 55
_BLOCK: Final = 1 << 20


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Write a file atomically: yield a temporary file, and move its content to the path at the end.

    If the block raises any exception, `SystemExit` and `KeyboardInterrupt` included, the output
    stays as it was, and the temporary file is removed.

    Args:
        path: The output.

    Yields:
        An empty temporary file. For a regular file it is in the same folder, with links resolved;
        for other outputs it is in the system's temporary folder. The block may replace it.

    Raises:
        OSError: The path is a folder, or the file cannot be written.

    Example:
        >>> with atomic_file(Path("notes.txt")) as temporary:  # doctest: +SKIP
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
def atomic_folder(path: Path) -> Iterator[Path]:
    """Write a folder atomically: yield a temporary folder, and move its entries at the end.

    An existing empty folder keeps its mode and owner: it may be a mount point. Symbolic links are
    followed. If the block raises any exception, all new entries are removed.

    Args:
        path: The output: an empty folder, or a path that does not exist.

    Yields:
        A new temporary folder.

    Raises:
        OSError: The folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    existed = target.is_dir()
    temporary = _temporary_name(target / "export" if existed else target)
    moved: list[Path] = []
    try:
        temporary.mkdir()
        yield temporary
        if not existed:
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
    """Remove the temporary files of `atomic_file` for a path; a killed process leaves them."""
    name = re.escape(path.name[:_NAME_CHARACTERS])
    temporary_name = re.compile(rf"\.{name}\.[0-9a-f]{{16}}\.tmp")
    with suppress(OSError):
        for temporary in list(path.parent.iterdir()):
            if temporary_name.fullmatch(temporary.name):
                temporary.unlink(missing_ok=True)


@contextmanager
def reported(path: Path, kind: type[DistillerError]) -> Iterator[None]:
    """Turn an `OSError` of writing into a one-line error that names the output.

    Args:
        path: The output.
        kind: The class of the error.

    Raises:
        DistillerError: An error of class `kind`, for an `OSError` other than `BrokenPipeError`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise kind(f"{path}: cannot be written: {error.strerror or error}") from error


def check_output(
    path: Path, inputs: Iterable[str | os.PathLike[str]] = (), *, text: bool = False
) -> None:
    """Check before hours of work that an output file can be written.

    Args:
        path: The output file.
        inputs: The input files; absent files are ignored.
        text: Whether the output is text, which a terminal can show.

    Raises:
        OutputError: The path is a folder, its folder does not exist, it is one of the inputs, it is
            write-protected, or it is a terminal and the output is not text.
    """
    try:
        status = _status(path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise OutputError(f"{path}: expected the name of a file to write, found a folder")
    except (OSError, ValueError) as error:
        raise _not_writable(path, error) from error
    descriptor = _descriptor(path)
    if not text and descriptor is not None and os.isatty(descriptor):
        raise OutputError(f"{path}: expected a file or a pipe, found a terminal")
    if status is None or (stat.S_ISREG(status.st_mode) and descriptor is None):
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise OutputError(f"{path}: the folder {folder} does not exist")
        if not _permitted(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: cannot be written: the folder {folder} is write-protected")
    if status is not None and descriptor is None and not _permitted(path, os.W_OK):
        raise OutputError(f"{path}: cannot be written: it is write-protected")
    if status is not None and stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFIFO):
        for name in inputs:
            with suppress(OSError, ValueError):
                if os.path.samestat(Path(name).stat(), status):
                    raise OutputError(
                        f"{path}: expected another file than the input {os.fspath(name)}, found "
                        "the same one"
                    )


def check_distinct(*paths: str | os.PathLike[str] | None) -> None:
    """Check that the regular files among several outputs differ from each other.

    Args:
        paths: The outputs, which may be absent; None is ignored.

    Raises:
        OutputError: Two outputs are the same file, by links of any kind.
    """
    seen: dict[tuple[int, int] | str, str] = {}
    for path in (os.fspath(path) for path in paths if path is not None):
        if is_stream(Path(path)):
            continue
        place = os.path.realpath(path)
        status = Path(place).stat() if exists(place) else None
        key = place if status is None else (status.st_dev, status.st_ino)
        if key in seen:
            raise OutputError(f"{path}: expected another file than {seen[key]}, found the same one")
        seen[key] = path


def check_folders(*paths: str | os.PathLike[str] | None) -> None:
    """Check before hours of work that folders exist or can be made, and are writable.

    Args:
        paths: The folders, which may be absent; None is ignored.

    Raises:
        OutputError: A folder, or its closest existing parent, is a file or is write-protected.
    """
    for path in paths:
        if path is None:
            continue
        if os.fspath(path) == STANDARD_OUTPUT:
            raise OutputError(f"{path}: expected a folder, found the name of standard output")
        try:
            folder = _deepest(Path(os.path.realpath(path)))
        except (OSError, ValueError) as error:
            raise _not_writable(path, error) from error
        if not folder.is_dir():
            raise OutputError(f"{path}: expected a folder, found the file {folder}")
        if not _permitted(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: cannot be written: the folder {folder} is write-protected")


def is_stream(path: Path) -> bool:
    """Return whether a path is an existing output other than a regular file, such as a FIFO."""
    if _descriptor(path) is not None:
        return True
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def working_folder(path: Path) -> Path | None:
    """Return the folder for large temporary files of an output; None: the system's folder."""
    return None if is_stream(path) else Path(os.path.realpath(path)).parent


def described(path: Path) -> str:
    """Return an output's path, and for a regular file its size in MB."""
    return f"{path}" if is_stream(path) else f"{path} ({path.stat().st_size / 1e6:.1f} MB)"


def _not_writable(path: str | os.PathLike[str], error: OSError | ValueError) -> OutputError:
    return OutputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}")


def _deepest(path: Path) -> Path:
    """Return a folder if it exists, else its closest existing parent.

    Raises:
        OSError: The name of a folder that does not exist is invalid.
    """
    folder = path
    while not exists(folder) and folder != folder.parent:
        folder = folder.parent
    for part in path.relative_to(folder).parts:
        with suppress(FileNotFoundError, NotADirectoryError):
            (folder / part).lstat()
    return folder


def _status(path: Path) -> os.stat_result | None:
    """Return the status of an output; None if it does not exist."""
    descriptor = _descriptor(path)
    try:
        return path.stat() if descriptor is None else os.fstat(descriptor)
    except FileNotFoundError:
        return None


def _permitted(path: Path, mode: int) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, mode, effective_ids=effective)


def _stream(path: Path) -> IO[bytes] | None:
    """Open an output other than a regular file; return None for a regular file."""
    descriptor = _descriptor(path)
    if descriptor is not None:
        # A copy shares the position and the append mode of the shell's descriptor.
        return os.fdopen(os.dup(descriptor), "wb")
    status = _status(path)
    if status is None or stat.S_ISREG(status.st_mode):
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # No O_CREAT: if the node is removed meanwhile, no regular file replaces it.
    return os.fdopen(os.open(path, os.O_WRONLY), "wb")


def _descriptor(path: Path) -> int | None:
    """Return the descriptor of this process that a path such as `/dev/stdout` stands for."""
    descriptor_folders = ("/dev/fd", f"/proc/{os.getpid()}/fd")
    if str(path) == STANDARD_OUTPUT:
        return 1
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in descriptor_folders and path.name.isdecimal():
            return int(path.name)
        path = Path(folder) / path.name
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


@contextmanager
def _replacement(path: Path) -> Iterator[Path]:
    """Yield a temporary file, which replaces a regular file if the block raises no exception."""
    target = Path(os.path.realpath(path))
    status = target.stat() if target.exists() else None
    if status is not None and not _permitted(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected", str(path))
    temporary = _temporary_name(target)
    try:
        # Only the owner may read it until it gets the mode of the replaced file.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        os.close(os.open(temporary, flags, 0o666 if status is None else 0o600))
        yield temporary
        if status is not None:
            _take_over(temporary, status)
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _temporary_name(target: Path) -> Path:
    short = target.name[:_NAME_CHARACTERS]
    return target.with_name(f".{short}.{secrets.token_hex(8)}.tmp")


def _take_over(path: Path, status: os.stat_result) -> None:
    """Set a file's owner and mode to those in `status`."""
    if os.name == "nt":
        return
    current = path.stat()
    if (current.st_uid, current.st_gid) != (status.st_uid, status.st_gid):
        with suppress(OSError):
            os.chown(path, status.st_uid, status.st_gid)
    with suppress(OSError):
        path.chmod(stat.S_IMODE(status.st_mode))
