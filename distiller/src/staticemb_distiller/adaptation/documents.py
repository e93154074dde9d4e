"""Documents of a collection: their whole texts, read as a stream of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..arguments import check_type
from ..corpus.records import kind_of, open_text, read_lines, read_records, reading
from ..corpus.source_spec import named_columns
from ..corpus.surrogates import without_surrogates
from ..corpus.text_files import files_of, joined, refuse_columns
from ..path_checks import is_folder

BLOCK = 8_192
_TITLE = "title"


class TextBlock(NamedTuple):
    """Some documents.

    Attributes:
        texts: The whole text of each document.
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
        text: The columns of the text, joined by `+`, such as "title+body"; None: "title" and
            "text" if a record has both, or else "text", or else the only column of text.
        files: The files to read; empty: those of `place`.
    """

    place: str
    text: str | None = None
    files: tuple[Path, ...] = ()

    def blocks(self, size: int = BLOCK) -> Iterator[TextBlock]:
        """Read the documents, `size` at a time.

        Raises:
            TextSourceError: There is no such file, it is of another kind, it cannot be read, or it
                lacks a column; the message then names those that it has.
            MissingPackageError: Parquet needs pyarrow, `.zst` needs zstandard.
        """
        texts: list[str] = []
        titles: list[str] = []
        for title, text in self._documents():
            texts.append(without_surrogates(text).strip())
            titles.append(without_surrogates(title).strip())
            if len(texts) == size:
                yield TextBlock(texts, titles)
                texts, titles = [], []
        if texts:
            yield TextBlock(texts, titles)

    def whole(self) -> Iterator[str]:
        """Read the whole texts alone."""
        return (text for block in self.blocks() for text in block.texts)

    def _documents(self) -> Iterator[tuple[str, str]]:
        """Yield titles and whole texts."""
        columns = named_columns(self.text or "")
        for path in self.files or files_of(self.place):
            if kind_of(path) == "plain":
                if not is_folder(self.place):
                    refuse_columns(path, columns)
                with reading(path), open_text(path) as file:
                    yield from (("", line) for line in read_lines(file, path))
                continue
            for location, record in read_records(path, columns or _without_lists(path)):
                chosen = columns
                if not columns and "text" in record and _TITLE in record:
                    chosen = (_TITLE, "text")
                title = record.get(_TITLE) if _TITLE in chosen else None
                yield title if isinstance(title, str) else "", joined(record, chosen, location)


def _without_lists(path: Path) -> tuple[str, ...]:
    """Return the columns of a Parquet file without vectors: these take long to read as numbers."""
    if kind_of(path) != "parquet":
        return ()
    _, first = next(read_records(path), ("", {}))
    return tuple(name for name, value in first.items() if not isinstance(value, list))


@dataclass(frozen=True)
class DocumentList:
    """Documents in memory.

    Args:
        texts: The whole text of each document.
    """

    texts: Sequence[str]
    place: str = "documents"

    def blocks(self, size: int = BLOCK) -> Iterator[TextBlock]:
        """Return the documents, `size` at a time.

        Raises:
            TypeError: A document is not a string.
        """
        for first in range(0, len(self.texts), size):
            block = list(self.texts[first : first + size])
            for number, text in enumerate(block, first):
                check_type(f"documents[{number}]", text, (str,), "a string")
            yield TextBlock(list(map(without_surrogates, block)), [""] * len(block))

    def whole(self) -> Iterator[str]:
        """Read the whole texts alone."""
        return (text for block in self.blocks() for text in block.texts)
