"""What a recipe names to be read: files' lines, and for the record what was in them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from staticemb_runtime.errors import InputError, StaticEmbError
from staticemb_runtime.loading import find_installed
from staticemb_runtime.records import PACKINGS, SUFFIXES, form_of, open_input, text_lines

from ..errors import TextSourceError
from ..places import is_folder, is_there
from .digests import file_sha256, listing_sha256
from .hub import hub_version

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from .source_spec import PlaceSpec

# A line without end must not fill the memory.
LONGEST_LINE = 1 << 24  # bytes


def check_readable(paths: Sequence[str]) -> None:
    """Make sure that files can be opened before hours of work depend on them.

    Raises:
        TextSourceError: One cannot.
    """
    for path in paths:
        try:
            with Path(path).open("rb"):
                pass
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
            raise TextSourceError(msg) from error


def model_files(model: str | os.PathLike[str]) -> Iterator[Path]:
    """The files on this machine that a model's name stands for.

    Args:
        model: A file, a folder, or the name of an installed model. Anything else has none.

    Yields:
        The file, or all files in the folder but static embedding files: no library reads these as
        a part of its model, and people put them there.
    """
    path = Path(model)
    if is_folder(path):
        yield from (p for p in path.rglob("*") if p.is_file() and p.suffix != ".staticemb")
    elif is_there(path):
        yield path
    elif isinstance(model, str):
        with suppress(StaticEmbError):
            if (installed := find_installed(model)) is not None:
                yield Path(installed)


def read_lines(paths: Sequence[str]) -> Iterator[str]:
    """Read the lines of text files, one after another, without blank ones.

    Args:
        paths: Files in UTF-8, by name plain text (`.txt`, `.md` or no suffix), also packed (`.gz`,
            `.zst`).

    Raises:
        TextSourceError: A file is not plain text by its name, cannot be read, or is not UTF-8. The
            message names the line.
    """
    for path in paths:
        if form_of(path) != "lines":
            plain = ", ".join(
                suffix for suffix, form in SUFFIXES.items() if form == "lines" and suffix
            )
            raise TextSourceError(
                f"{path}: expected a text a line, by a name without suffix or one that ends in "
                f"{plain}, also with {' or '.join(PACKINGS)} after it"
            )
        try:
            with open_input(path) as file:
                for _, line in text_lines(file, path, longest=LONGEST_LINE):
                    if text := line.strip():
                        yield text
        except InputError as error:
            raise TextSourceError(str(error)) from None
        except ValueError as error:  # a name that no file can have
            raise TextSourceError(f"{path}: cannot be read: {error}") from None


def digest(place: str, files: Sequence[Path]) -> str:
    """The SHA-256 of a file, or of the listing of a folder's files as `sha256sum` writes it.

    Args:
        place: The file or the folder.
        files: The file itself, or the files in the folder that are read.

    Raises:
        TextSourceError: One of them cannot be read.
    """
    path = Path(place)
    try:
        return listing_sha256(path, files) if path.is_dir() else file_sha256(path)
    except OSError as error:
        msg = f"{error.filename or place}: cannot be read: {error.strerror or error}"
        raise TextSourceError(msg) from error


def versions(sources: Iterable[PlaceSpec]) -> list[str]:
    """A line for each data set on the Hub among some sources: the commit read, and its name.

    Raises:
        TextSourceError: There is no such data set.
        MissingPackageError: `datasets` is not installed.
    """
    lines = [
        f"{hub_version(name, config=source.config, revision=source.revision)} {source.place}"
        for source in sources
        if (name := source.dataset) is not None
    ]
    return list(dict.fromkeys(lines))
