"""Code that commands for collections share: their files, columns and progress."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

from ..encoding.progress import InputPosition
from ..errors import InputError
from ..records.documents import Columns, SourceDocument, read_documents, source_files
from ..records.forms import INPUT_FORMATS, input_form
from .process import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

_Made = TypeVar("_Made")


class SourcePosition(InputPosition):
    """How much of several files has been read.

    Args:
        paths: the files; the position in others, such as pipes, is unknown.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__()
        sizes = list(map(_size, paths))
        self._sizes = [size or 0 for size in sizes]
        self._unknown = None in sizes
        self._begun = 0

    def follow(self, file: IO[bytes]) -> None:
        """Follow the next file from now on."""
        self._begun += 1
        super().follow(file)

    def sizes(self) -> tuple[int, int] | None:
        """Return how many bytes of all files have been read, and of how many; None: unknown."""
        total = sum(self._sizes)
        if self._unknown or not total or not self._begun:
            return None
        inside, before = super().sizes(), sum(self._sizes[: self._begun - 1])
        read = self._sizes[self._begun - 1] if inside is None else inside[0]
        return min(total, before + read), total


def _size(path: str) -> int | None:
    """Return the bytes of a file; None for a pipe, and for one that is there no more."""
    try:
        return Path(path).stat().st_size if Path(path).is_file() else None
    except OSError:
        return None


class Reports(Protocol):
    """Takes the lines that a command writes for its user."""

    def note(self, text: str) -> None:
        """Take a line that `--quiet` leaves out."""
        ...

    def warn(self, text: str) -> None:
        """Take a line that the user must see."""
        ...


class StandardError:
    """Prints the lines of `staticemb` on standard error.

    Args:
        quiet: whether to leave out notes.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def note(self, text: str) -> None:
        """Print a line, unless `quiet` is set."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Print a line."""
        print(f"staticemb: {text}", file=sys.stderr)


def add_sources(parser: argparse._ActionsContainer) -> None:
    """Declare the arguments and options for files of documents."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="FILE",
        help="files or folders: .jsonl, .ndjson, .csv, .tsv or .parquet with a document a row; "
        ".txt, .text, .md or .rst with one document a file. All but .parquet may be compressed: "
        ".gz or .zst after the suffix. - is standard input, with one document a line",
    )
    parser.add_argument(
        "--input-format",
        choices=INPUT_FORMATS,
        help="the format of all files; default: by their names",
    )
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME",
        help="the column that holds the text; several are joined. Default: text, body, content or "
        "another usual name, after the column title",
    )
    parser.add_argument(
        "--lines", action="store_true", help="each line of a file of plain text is a document"
    )


class Sources:
    """The documents of the files of a command line.

    Args:
        options: the values of the options of `add_sources`, and `id_column` if it is declared.
        reports: takes notes about columns, and the errors of files that are left out.
        skip: whether a file or folder that cannot be read is named and left out, from its fault on;
            if not, it is an error.

    Attributes:
        files: the files.
        skipped: the files and folders that could not be read to their end, with the errors.
        begun: how many documents came before the fault, by such a file; only files with some.
        position: how much of the files has been read.
        path: the present file.
        columns: its columns.
        names: the names of all columns of the first file that is a table.
    """

    def __init__(
        self, options: argparse.Namespace, reports: Reports, *, skip: bool = False
    ) -> None:
        self._options = options
        self._reports = reports
        self._skip = skip
        self._noted: set[Columns] = set()
        self.skipped: dict[str, InputError] = {}
        self.begun: dict[str, int] = {}
        self.files = source_files(options.sources, self._leave_out if skip else None)
        for path in self.files:  # before the first file is read
            input_form(path, options.input_format)
        self.position = SourcePosition(self.files)
        self.path = ""
        self.columns = Columns((), None)
        self.names: Sequence[str] = ()

    def __iter__(self) -> Iterator[SourceDocument]:
        """Read the documents; this may be called again."""
        return self.read(lambda document: document)

    def read(self, make: Callable[[SourceDocument], _Made]) -> Iterator[_Made]:
        """Read the documents, and make something of each; this may be called again.

        An `InputError` of `make` counts as one of the file.
        """
        for path in self.files:
            self.path = path
            count = 0
            try:
                for document in self._documents(path):
                    made = make(document)
                    count += 1
                    yield made
            except InputError as error:
                if not self._skip:
                    raise
                self._leave_out(path, error)
                self.begun.pop(path, None)  # of an earlier reading
                if count:
                    self.begun[path] = count

    def _documents(self, path: str) -> Iterator[SourceDocument]:
        return read_documents(
            path,
            form=self._options.input_format,
            text_columns=self._options.column,
            id_column=getattr(self._options, "id_column", None),
            by_line=self._options.lines,
            opened=self.position.follow,
            chosen=lambda columns: self._choose(path, columns),
            named=self._name,
        )

    def _name(self, names: Sequence[str]) -> None:
        self.names = self.names or names

    def _leave_out(self, path: str, error: InputError) -> None:
        if path not in self.skipped:  # once, if files are read twice
            message = " ".join(str(error).split())
            self._reports.warn(f"error: {printable(message)}")
        self.skipped[path] = error

    def _choose(self, path: str, columns: Columns) -> None:
        self.columns = columns
        if columns.text == ("text",) or self._options.column or columns in self._noted:
            return
        self._noted.add(columns)
        of_id = "" if columns.id is None else f", the id from {columns.id}"
        note = f"{path}: the text is from {' and '.join(columns.text)}{of_id}"
        self._reports.note(printable(note))
