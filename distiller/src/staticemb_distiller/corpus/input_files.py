"""The input files of a recipe: their lines, and their digests and versions for the metadata."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from staticemb_runtime.errors import InputError, StaticEmbError
from staticemb_runtime.loading import find_installed
from staticemb_runtime.records import (
    COMPRESSION_SUFFIXES,
    SUFFIXES,
    form_of,
    open_input,
    text_lines,
)

from ..errors import TextSourceError
from ..path_checks import exists, is_folder
from .digests import file_sha256, listing_sha256
from .hub import hub_version

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from .source_spec import PlaceSpec

# A very long line must not fill the memory.
LONGEST_LINE = 1 << 24  # bytes


def check_readable(paths: Sequence[str]) -> None:
    """Check that files can be opened, before hours of work.

    Raises:
        TextSourceError: A file cannot be opened.
    """
    for path in paths:
        try:
            with Path(path).open("rb"):
                pass
        except (OSError, ValueError) as error:  # ValueError: the name is invalid
            msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
            raise TextSourceError(msg) from error


def model_files(model: str | os.PathLike[str]) -> Iterator[Path]:
    """Find the local files of a model.

    Args:
        model: A file, a folder, or the name of an installed model. Other names have no files.

    Yields:
        The file, or all files in the folder except static embedding files: libraries do not read
        these as a part of a model, and users write outputs there.
    """
    path = Path(model)
    if is_folder(path):
        yield from (p for p in path.rglob("*") if p.is_file() and p.suffix != ".staticemb")
    elif exists(path):
        yield path
    elif isinstance(model, str):
        with suppress(StaticEmbError):
            if (installed := find_installed(model)) is not None:
                yield Path(installed)


def read_lines(paths: Sequence[str]) -> Iterator[str]:
    """Read the lines of text files, without blank lines.

    Args:
        paths: UTF-8 files with a suffix of plain text (`.txt`, `.md` or none), which may be
            compressed (`.gz`, `.zst`).

    Raises:
        TextSourceError: A file's suffix is not one of plain text, the file cannot be read, or it is
            not UTF-8; the message then names the line.
    """
    for path in paths:
        if form_of(path) != "lines":
            plain = ", ".join(
                suffix for suffix, form in SUFFIXES.items() if form == "lines" and suffix
            )
            raise TextSourceError(
                f"{path}: expected a file of one text per line: a name without suffix or with one "
                f"of {plain}, optionally followed by {' or '.join(COMPRESSION_SUFFIXES)}"
            )
        try:
            with open_input(path) as file:
                for _, line in text_lines(file, path, longest=LONGEST_LINE):
                    if text := line.strip():
                        yield text
        except InputError as error:
            raise TextSourceError(str(error)) from None
        except ValueError as error:  # The name is invalid.
            raise TextSourceError(f"{path}: cannot be read: {error}") from None


def digest(place: str, files: Sequence[Path]) -> str:
    """Return the SHA-256 of a file, or of the output of `sha256sum` for a folder's files.

    Args:
        place: The file or the folder.
        files: The file itself, or the files in the folder that are read.

    Raises:
        TextSourceError: A file cannot be read.
    """
    path = Path(place)
    try:
        return listing_sha256(path, files) if path.is_dir() else file_sha256(path)
    except OSError as error:
        msg = f"{error.filename or place}: cannot be read: {error.strerror or error}"
        raise TextSourceError(msg) from error


def versions(sources: Iterable[PlaceSpec]) -> list[str]:
    """Return a line for each data set on the Hub among the sources: its commit and its name.

    Raises:
        TextSourceError: A data set does not exist or cannot be read.
        MissingPackageError: `datasets` is not installed.
    """
    lines = [
        f"{hub_version(name, config=source.config, revision=source.revision)} {source.place}"
        for source in sources
        if (name := source.dataset) is not None
    ]
    return list(dict.fromkeys(lines))
