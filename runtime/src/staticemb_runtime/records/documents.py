"""Read documents from files and folders: texts with ids, whose columns are named or found.

A file of plain text is one document, or one document a line. Each row of the other formats is one.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import InputEncodingError, InputError
from ..format.surrogates import lone_surrogate
from .forms import form_of, input_form, open_rows
from .readers import TEXT_COLUMN, Record, check_unicode, open_input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

TEXT_COLUMNS: Final = (
    TEXT_COLUMN, "body", "content", "contents", "document", "passage", "abstract", "description",
    "message", "sentence", "question", "answer", "summary", "title",
)  # fmt: skip
"""Names of a column of texts; the first one that a file has is used."""

TITLE_COLUMN: Final = "title"
"""The column that is put before the found column of texts, if a file has it."""

ID_COLUMNS: Final = ("_id", "id", "doc_id", "docid", "document_id", "uuid")
"""Names of a column of ids; the first one that a file has is used."""


LONGEST_TEXT: Final = 100_000_000
"""The most bytes of a file of plain text that is one document; it is read into memory."""


class SourceDocument(NamedTuple):
    """A document from a file.

    Attributes:
        place: `FILE`, or `FILE, line N`, or `FILE, row N` for Parquet.
        id: the value of the id column; otherwise the file's name, with `:N` for a line or a row.
        text: the text; the values of several columns are joined by blank lines.
        record: all columns of the row; of plain text the text alone.
    """

    place: str
    id: str
    text: str
    record: Record

    def others(self, columns: Columns) -> Record:
        """Return the columns that hold neither the text nor the id."""
        used = {*columns.text, columns.id}
        return {name: value for name, value in self.record.items() if name not in used}

    def metadata(self, columns: Columns) -> Record:
        """Return the other columns as values that JSON can hold: dates become text, NaN null.

        Raises:
            InputError: JSON cannot hold a value, such as bytes, or a text is not valid Unicode.
        """
        others = self.others(columns)
        return {name: _plain(value, name, self.place) for name, value in others.items()}


class Columns(NamedTuple):
    """The columns of a file that are used.

    Attributes:
        text: the columns of the text.
        id: the column of the id, or None.
    """

    text: tuple[str, ...]
    id: str | None

    def lack_title(self, record: Record) -> bool:
        """Tell whether a row is the first with a title: JSON lines may have other columns each."""
        return TITLE_COLUMN in record and TITLE_COLUMN not in map(str.lower, self.text)


def source_files(
    paths: Iterable[str], skip: Callable[[str, InputError], None] | None = None
) -> list[str]:
    """Return files, and the files in folders that a text can be read from.

    Of a folder, all files with a known suffix are taken, in the order of their paths, those in its
    folders too. Names that begin with a dot are left out, and links to folders are not followed.

    Args:
        paths: files and folders; `-` for standard input.
        skip: called with each folder, or file in one, that cannot be read, and the error; None: it
            is raised.

    Raises:
        InputError: a path does not exist, or a folder holds no such file, or cannot be read.
    """
    files: list[str] = []
    for path in paths:
        if path == "-" or not Path(path).is_dir():
            if path != "-" and not Path(path).exists():
                raise InputError(f"{path}: expected a file or a folder, found neither")
            files.append(str(Path(path)))
            continue
        unreadable: list[str] = []

        def refuse(error: OSError, unreadable: list[str] = unreadable) -> None:
            place = str(Path(error.filename))
            unreadable.append(place)
            fault = InputError(f"{place}: cannot be read: {error.strerror}")
            if skip is None:
                raise fault from None
            skip(place, fault)

        inside = sorted(_walk(path, refuse))
        if not inside and not unreadable:
            raise InputError(f"{path}: expected files of text, found none with a known suffix")
        files += inside
    return files


def _walk(top: str, refuse: Callable[[OSError], None]) -> Iterator[str]:
    for folder, folders, names in os.walk(top, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or not path.suffix or form_of(name) is None:
                continue
            try:
                is_file = stat.S_ISREG(path.stat().st_mode)
            except PermissionError as error:  # in a folder that may be listed, but not entered
                refuse(error)
            except OSError:  # a broken link
                pass
            else:
                if is_file:  # no pipe
                    yield str(path)


def read_documents(
    path: str,
    *,
    form: str | None = None,
    text_columns: Sequence[str] = (),
    id_column: str | None = None,
    by_line: bool = False,
    opened: Callable[[IO[bytes]], None] = lambda file: None,
    chosen: Callable[[Columns], None] = lambda columns: None,
    named: Callable[[Sequence[str]], None] = lambda names: None,
) -> Iterator[SourceDocument]:
    """Read the documents of a file.

    Args:
        path: the file, compressed if its name ends in `.gz` or `.zst`; `-` for standard input.
        form: as in `input_form`.
        text_columns: the columns of the text; empty: found by `find_columns`.
        id_column: the column of the id; None: found by `find_columns`.
        by_line: whether each line of plain text is a document. Those of standard input are.
        opened: called with the opened file, before decompression.
        chosen: called with the columns before the first document, and before a row of JSON lines
            that is the first with a title.
        named: called with the names of a table's columns before the first document.

    Raises:
        InputError: the file cannot be read, a column is missing, or its value is not a text or an
            id. The message names the line or the row.
        InvalidOptionError: as `input_form`.
    """
    form = input_form(path, form)
    source = "standard input" if path == "-" else path
    if not path.isascii() and lone_surrogate(path):  # a name of another encoding
        raise InputError(f"{source}: expected a file name in valid Unicode, found other bytes")
    unit = "row" if form == "parquet" else "line"
    with open_input(path, opened) as file:
        if form == "lines" and not by_line and path != "-":
            chosen(Columns((TEXT_COLUMN,), None))
            text = _whole(file, source)
            yield SourceDocument(source, path, text, {TEXT_COLUMN: text})
            return
        names, rows = open_rows(form, file, source)
        if names:
            named(names)
        columns: Columns | None = None
        for number, record in rows:
            place = f"{source}, {unit} {number}"
            if columns is None:
                columns = find_columns(names or list(record), text_columns, id_column, place)
                chosen(columns)
            elif not (names or text_columns) and columns.lack_title(record):
                columns = columns._replace(text=(TITLE_COLUMN, *columns.text))
                chosen(columns)
            text = _text(record, columns.text, place)
            key = f"{path}:{number}" if columns.id is None else _id(record, columns.id, place)
            yield SourceDocument(place, key, text, record)
        if columns is None and names:
            find_columns(names, text_columns, id_column, source)


def find_columns(
    names: Sequence[str], text_columns: Sequence[str], id_column: str | None, place: str
) -> Columns:
    """Find the columns of the text and the id by their names.

    Without `text_columns`, the text is in the first column of `TEXT_COLUMNS` that exists, in any
    case, and a column `title` is put before it.

    Raises:
        InputError: a named column is missing, or none has a known name.

    Example:
        >>> find_columns(["_id", "title", "Text", "year"], (), None, "a.csv")
        Columns(text=('title', 'Text'), id='_id')
    """
    by_name = {name.lower(): name for name in reversed(names)}
    if text_columns:
        missing = [name for name in text_columns if name not in names]
        if len(missing) == len(text_columns):
            raise InputError(
                f"{place}: expected a column {missing[0]!r}, found {', '.join(names) or 'none'}"
            )
        text = tuple(text_columns)
    else:
        column = next((by_name[name] for name in TEXT_COLUMNS if name in by_name), None)
        if column is None:
            raise InputError(
                f"{place}: expected a column of texts, such as {', '.join(TEXT_COLUMNS[:4])}, "
                f"found {', '.join(names) or 'none'}; name it with --column"
            )
        title = by_name.get(TITLE_COLUMN)
        text = (column,) if title in (None, column) else (title, column)
    if id_column is None:
        id_column = next((by_name[name] for name in ID_COLUMNS if name in by_name), None)
        if id_column in text:
            id_column = None
    elif id_column not in names:
        raise InputError(f"{place}: expected a column {id_column!r}, found {', '.join(names)}")
    return Columns(text, id_column)


def _text(record: Record, columns: tuple[str, ...], place: str) -> str:
    values = [record.get(name) for name in columns]
    texts = [value for value in values if isinstance(value, str)]
    wrong = [value for value in values if value is not None and not isinstance(value, str)]
    if wrong or not texts:
        name = columns[values.index(wrong[0])] if wrong else columns[-1]
        found = type(record[name]).__name__ if name in record else "none"
        raise InputError(
            f"{place}: expected text in {name!r}, found {found} "
            f"(columns: {', '.join(map(str, record))})"
        )
    text = "\n\n".join(filter(None, texts))
    if not text.isascii():
        check_unicode(text, place)
    return text


def _id(record: Record, column: str, place: str) -> str:
    value: Any = record.get(column)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        found = "an empty text" if value == "" else type(value).__name__
        raise InputError(f"{place}: expected an id in {column!r}, found {found}")
    text = str(value)
    if not text.isascii():
        check_unicode(text, place)
    return text


def _plain(value: Any, name: str, place: str) -> Any:  # noqa: ANN401 - any value of a record
    """Return the value of a column as JSON holds it."""
    text = value if isinstance(value, str) else ""
    if not isinstance(value, (str, int)):
        from .values import record_json  # late: it imports modules for dates and decimals

        try:
            text = record_json(value)
        except (TypeError, ValueError, RecursionError):
            raise InputError(
                f"{place}: expected a value that JSON can hold in {name!r}, found "
                f"{type(value).__name__}; drop the column"
            ) from None
        value = json.loads(text)
    for part in (name, text):
        if not part.isascii():
            check_unicode(part, f"{place}, column {name!r}")
    return value


def _whole(file: IO[bytes], source: str) -> str:
    """Read a file of plain text."""
    import zlib

    try:
        content = file.read(LONGEST_TEXT + 1)
        if len(content) > LONGEST_TEXT:
            raise InputError(
                f"{source}: expected a text of at most {LONGEST_TEXT:,} bytes, found more; "
                "with --lines each line is a document"
            )
        if (place := content.find(0)) >= 0:
            raise InputEncodingError(
                f"{source}: expected text, found a zero byte at position {place}, as in UTF-16 or "
                "a binary file"
            )
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputEncodingError(
            f"{source}: expected UTF-8, found byte {error.object[error.start]:#04x} at position "
            f"{error.start}"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{source}: cannot be read: {reason}") from None
