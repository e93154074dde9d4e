"""Texts out of files and folders: plain text, JSON lines, CSV, TSV, Parquet, compressed or not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from .errors import TextColumnError, TextPackageError, TextSourceError

# A line without end must not fill the memory.
_LONGEST_LINE = 1 << 24
_PLAIN = {".txt", ".md", ".rst", ".text", ""}
_PACKED = {".gz", ".zst"}


def read_path(place: str, *, columns: tuple[str, ...] = ()) -> Iterator[str]:
    """Read the texts of a file or of every file in a folder.

    A file of plain text named by itself holds one text a line. In a folder, in which every file
    is a document, a plain text's paragraphs (between blank lines) are the texts. Hidden files
    and files of other kinds are passed over.

    Args:
        place: A `.txt`, `.md`, `.rst`, `.jsonl`, `.csv`, `.tsv` or `.parquet` file, all but the
            last also with `.gz` or `.zst` after it; or a folder, searched with all below it.
        columns: Named fields, joined by a blank; empty: the one called "text", or the only one
            that holds text.

    Raises:
        TextSourceError: Something cannot be read.
        TextColumnError: There is no such column, or no telling which one is meant.
        TextPackageError: Parquet needs pyarrow, `.zst` needs zstandard.
    """
    paragraphs = Path(place).is_dir()
    found = files_of(place)
    return (text for file in found for text in _read(file, columns, paragraphs=paragraphs))


def files_of(place: str) -> list[Path]:
    """Find the files whose texts `read_path` reads, in its order.

    Args:
        place: A file or a folder.

    Raises:
        TextSourceError: There is no such file, or none of a kind that is read.
    """
    path = Path(place)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and _kind(p) is not None)
        files = [p for p in found if not any(s.startswith(".") for s in p.relative_to(path).parts)]
        if not files:
            raise TextSourceError(f"{path}: expected files of text, found none")
        return files
    if not path.is_file():
        raise TextSourceError(f"{path}: expected a file or a folder, found neither")
    if _kind(path) is None:
        raise TextSourceError(
            f"{path}: expected plain text, JSON lines, CSV, TSV or Parquet by name"
        )
    return [path]


def joined(record: Mapping[str, object], columns: tuple[str, ...], place: str) -> str:
    """Join the texts of a record's columns.

    Raises:
        TextColumnError: There is no such column, or no telling which one is meant.
    """
    if not columns:
        texts = [name for name, value in record.items() if isinstance(value, str)]
        if "text" in texts:
            columns = ("text",)
        elif len(texts) == 1:
            columns = (texts[0],)
        else:
            names = ", ".join(record) or "nothing"
            raise TextColumnError(f"{place}: no telling which column is the text; found {names}")
    for name in columns:
        if name not in record:
            names = ", ".join(record) or "nothing"
            raise TextColumnError(f"{place}: expected a column {name!r}, found {names}")
        if record[name] is not None and not isinstance(record[name], str):
            kind = type(record[name]).__name__
            raise TextColumnError(f"{place}: expected text in column {name!r}, found {kind}")
    return " ".join(str(record[name]) for name in columns if record[name])


def _kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _PLAIN:
        return "plain"
    kinds = {
        ".jsonl": "json",
        ".ndjson": "json",
        ".csv": "csv",
        ".tsv": "tsv",
        ".parquet": "parquet",
    }
    return kinds.get(suffix)


def _read(path: Path, columns: tuple[str, ...], *, paragraphs: bool) -> Iterator[str]:
    kind = _kind(path)
    readers: dict[str, Callable[[], Iterator[str]]] = {
        "plain": lambda: _plain(path, paragraphs=paragraphs),
        "json": lambda: _json_lines(path, columns),
        "csv": lambda: _table(path, columns, ","),
        "tsv": lambda: _table(path, columns, "\t"),
        "parquet": lambda: _parquet(path, columns),
    }
    try:
        yield from readers[str(kind)]()
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x}"
        raise TextSourceError(f"{path}: expected UTF-8, found {found}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TextSourceError(f"{path}: cannot be read: {error}") from error


def _open(path: Path) -> IO[str]:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    if suffix == ".zst":
        try:
            import zstandard
        except ImportError as error:
            raise TextPackageError(f"{path}: to read it, install zstandard") from error
        return io.TextIOWrapper(
            zstandard.open(path, "rb", closefd=True), encoding="utf-8-sig", newline=""
        )
    return path.open(encoding="utf-8-sig", newline="")


def _lines(file: IO[str], path: Path) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise TextSourceError(
                f"{path}: expected lines, found one of over {_LONGEST_LINE} characters"
            )
        yield line


def _plain(path: Path, *, paragraphs: bool) -> Iterator[str]:
    with _open(path) as file:
        if not paragraphs:
            yield from (text for line in _lines(file, path) if (text := line.strip()))
            return
        wrapped: list[str] = []
        for line in _lines(file, path):
            if text := line.strip():
                wrapped.append(text)
            elif wrapped:
                yield " ".join(wrapped)
                wrapped = []
        if wrapped:
            yield " ".join(wrapped)


def _json_lines(path: Path, columns: tuple[str, ...]) -> Iterator[str]:
    with _open(path) as file:
        for number, line in enumerate(_lines(file, path), 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise TextSourceError(f"{where}: expected JSON ({error})") from error
            if isinstance(record, str):
                record = {"text": record}
            if not isinstance(record, dict):
                kind = type(record).__name__
                raise TextSourceError(f"{where}: expected an object, found {kind}")
            if text := joined(record, columns, where):
                yield text


def _table(path: Path, columns: tuple[str, ...], delimiter: str) -> Iterator[str]:
    with _open(path) as file:
        rows = csv.DictReader(_lines(file, path), delimiter=delimiter, restkey="")
        try:
            for row in rows:
                record = {name: value or "" for name, value in row.items() if name}
                if text := joined(record, columns, f"{path}, line {rows.line_num}"):
                    yield text
        except csv.Error as error:
            raise TextSourceError(f"{path}, line {rows.line_num}: {error}") from error


def _parquet(path: Path, columns: tuple[str, ...]) -> Iterator[str]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise TextPackageError(f"{path}: to read it, install pyarrow") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = list(columns) or names
            if missing := [name for name in columns if name not in names]:
                found = ", ".join(names)
                raise TextColumnError(f"{path}: expected a column {missing[0]!r}, found {found}")
            for batch in file.iter_batches(batch_size=4096, columns=wanted):
                records: list[dict[str, Any]] = batch.to_pylist()
                for record in records:
                    if text := joined(record, columns, str(path)):
                        yield text
    except pyarrow.ArrowException as error:
        raise TextSourceError(f"{path}: expected Parquet ({error})") from error
