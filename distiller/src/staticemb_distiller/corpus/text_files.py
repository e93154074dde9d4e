"""Texts of files and folders: plain text, JSON lines, CSV, TSV, Parquet, compressed or not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from staticemb_runtime.records import SUFFIXES

from ..errors import TextSourceError
from ..path_checks import is_file, is_folder
from .records import Record, kind_of, open_text, read_lines, read_records, reading


def read_path(place: str, *, columns: tuple[str, ...] = ()) -> Iterator[str]:
    """Read the texts of a file or of every file in a folder.

    If `place` is a file of plain text, each line is a text. If it is a folder, each paragraph of
    plain text is a text; blank lines separate paragraphs. Hidden files and files of other kinds
    are skipped.

    Args:
        place: A `.txt`, `.md`, `.rst`, `.jsonl`, `.csv`, `.tsv` or `.parquet` file, all but the
            last also with `.gz` or `.zst` after it; or a folder, searched with its subfolders.
        columns: Fields whose texts are joined by a space; empty: the field "text", or the only
            field that holds text.

    Raises:
        TextSourceError: A file cannot be read, or a column is missing or ambiguous.
        MissingPackageError: Parquet needs pyarrow, `.zst` needs zstandard.
    """
    paragraphs = is_folder(place)
    files = files_of(place)
    return (text for file in files for text in _read(file, columns, paragraphs=paragraphs))


def files_of(place: str) -> list[Path]:
    """Find the files whose texts `read_path` reads, in its order.

    Args:
        place: A file or a folder.

    Raises:
        TextSourceError: The file does not exist, or there is no file of a supported kind.
    """
    path = Path(place)
    if is_folder(path):
        files = sorted(p for p in _visible(path) if p.is_file() and kind_of(p) is not None)
        if not files:
            raise TextSourceError(f"{path}: expected files of text, found none")
        return files
    if not is_file(path):
        raise TextSourceError(f"{path}: expected a file or a folder, found neither")
    if kind_of(path) is None:
        raise TextSourceError(
            f"{path}: expected a name without suffix or with one of "
            f"{', '.join(filter(None, SUFFIXES))}, all but the last also with .gz or .zst after it"
        )
    return [path]


def not_read(place: str, read: Collection[Path]) -> str:
    """Describe the files of a folder that are not read because of their kind.

    Args:
        place: The source; only a folder can have such files.
        read: The files that are read.

    Returns:
        A line for the user; empty if all files are read, except hidden files.
    """
    if not is_folder(place):
        return ""
    folder = Path(place)
    files = {path for path in _visible(folder) if path.is_file()}
    skipped = sorted(files.difference(read))
    if not skipped:
        return ""
    files_are = "file is" if len(skipped) == 1 else "files are"
    first = skipped[0].relative_to(folder)
    return f"{place}: {len(skipped)} {files_are} of an unsupported kind, the first: {first}"


def _visible(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def joined(record: Record, columns: tuple[str, ...], place: str) -> str:
    """Join the texts of a record's columns by a space.

    Raises:
        TextSourceError: A column is missing or ambiguous, or is not text.
    """
    if not columns:
        text_columns = [name for name, value in record.items() if isinstance(value, str)]
        if "text" in record:  # also where it is null: no other column takes its place
            columns = ("text",)
        elif len(text_columns) == 1:
            columns = (text_columns[0],)
        else:
            names = ", ".join(record) or "no columns"
            raise TextSourceError(
                f'{place}: expected a column "text" or a single column of text, found {names}'
            )
    for name in columns:
        if name not in record:
            names = ", ".join(record) or "no columns"
            raise TextSourceError(f"{place}: expected a column {name!r}, found {names}")
        if record[name] is not None and not isinstance(record[name], str):
            kind = type(record[name]).__name__
            raise TextSourceError(f"{place}: expected text in column {name!r}, found {kind}")
    return " ".join(str(record[name]) for name in columns if record[name])


def refuse_columns(path: Path, columns: tuple[str, ...]) -> None:
    """Refuse columns of a file of plain text: a table by another name would be read as lines.

    Raises:
        TextSourceError: A column is named.
    """
    if columns:
        raise TextSourceError(f"{path}: expected a column {columns[0]!r}, found plain text by name")


def _read(path: Path, columns: tuple[str, ...], *, paragraphs: bool) -> Iterator[str]:
    if kind_of(path) == "plain":
        if not paragraphs:
            refuse_columns(path, columns)
        yield from _plain(path, paragraphs=paragraphs)
        return
    for location, record in read_records(path, columns):
        if text := joined(record, columns, location):
            yield text


def _plain(path: Path, *, paragraphs: bool) -> Iterator[str]:
    with reading(path), open_text(path) as file:
        if not paragraphs:
            yield from (text for line in read_lines(file, path) if (text := line.strip()))
            return
        wrapped: list[str] = []
        for line in read_lines(file, path):
            if text := line.strip():
                wrapped.append(text)
            elif wrapped:
                yield " ".join(wrapped)
                wrapped = []
        if wrapped:
            yield " ".join(wrapped)
