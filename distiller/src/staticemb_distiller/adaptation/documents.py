"""Documents of a collection: their whole texts, read as a stream of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..corpus.records import Record, kind_of, open_text, read_lines, read_records, reading
from ..corpus.text_files import files_of, joined
from ..errors import TextSourceError

BLOCK = 8_192


class TextBlock(NamedTuple):
    """Some documents.

    Attributes:
        texts: The whole text of each document, title first, as its vector was made.
        titles: The title of each document, or "".
    """

    texts: list[str]
    titles: list[str]


@dataclass(frozen=True)
class DocumentFile:
    """A file or folder of documents.

    Title and text are joined by a space, and white space at the ends is removed: so evaluations in
    the layout of BEIR join them, and so vectors of their documents are made. An empty document is
    kept, since a vector may stand for it.

    Args:
        place: A file of plain text (a document a line), JSON lines, CSV, TSV or Parquet, or a
            folder of such files.
        text: The column of the text; None: "text", or the only column of text.
        title: The column of the title; None: "title" where a record has it; "": no title.

    Raises:
        TextSourceError: There is no such file, or it is of another kind.
    """

    place: str
    text: str | None = None
    title: str | None = None

    def blocks(self, size: int = BLOCK) -> Iterator[TextBlock]:
        """Read the documents, `size` at a time.

        Raises:
            TextSourceError: A file cannot be read, or lacks a column; the message names those that
                it has.
            MissingPackageError: Parquet needs pyarrow, `.zst` needs zstandard.
        """
        texts: list[str] = []
        titles: list[str] = []
        for title, text in self._documents():
            texts.append(f"{title} {text}".strip())
            titles.append(title)
            if len(texts) == size:
                yield TextBlock(texts, titles)
                texts, titles = [], []
        if texts:
            yield TextBlock(texts, titles)

    def _documents(self) -> Iterator[tuple[str, str]]:
        """Yield titles and texts."""
        needed = tuple(filter(None, (self.title, self.text)))
        for path in files_of(self.place):
            if kind_of(path) == "plain":
                with reading(path), open_text(path) as file:
                    yield from (("", line.strip()) for line in read_lines(file, path))
                continue
            for location, record in read_records(path, needed if self.text else ()):
                yield self._title(record, location), self._text(record, location)

    def _title(self, record: Record, location: str) -> str:
        if self.title == "" or (self.title is None and "title" not in record):
            return ""
        title = record.get("title") if self.title is None else joined(
            record, (self.title,), location
        )
        return title if isinstance(title, str) else ""

    def _text(self, record: Record, location: str) -> str:
        return joined(record, () if self.text is None else (self.text,), location)


def paired_counts(texts: int, vectors: int, place: str, file: str) -> None:
    """Check that there is a vector for each document.

    Raises:
        TextSourceError: The counts differ.
    """
    if texts != vectors:
        raise TextSourceError(
            f"{file}: expected a vector for each of the {texts:,} documents of {place}, found "
            f"{vectors:,} vectors"
        )
