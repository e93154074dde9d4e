"""Files on their way into a search index: the code that both wheels' commands `index` share.

A file that cannot be read is named and left out, from its fault on: the documents before it are in
the index when it is met. Documents that are in their files no more are counted, or deleted, and so
are those counted that have the id of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..encoding.empty_texts import advice
from .process import FAILED, printable
from .prune import SeenDocuments
from .sources import Sources
from .texts import lacks_blanks

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ..records.documents import SourceDocument
    from ..search import Added, Index
    from .sources import Reports

SOME_LEFT_OUT: Final = 1
"""The exit status if a file or a part of one could not be read, and all else is indexed."""

_SAMPLE: Final = 200  # texts that are looked at, and characters of each


class FileDocument(NamedTuple):
    """A document of a file.

    Attributes:
        id: its id.
        text: its text.
        metadata: the other columns; dates and other values are what JSON can hold.
        file: the file.
    """

    id: str
    text: str
    metadata: dict[str, Any]
    file: str


class FileIndexing:
    """The documents of a command's files, and the end of the command.

    Args:
        options: the values of `add_sources`, `add_file_options` and `add_index_options`.
        reports: takes notes and errors.
        skip: whether a file that cannot be read is named and left out, from its fault on; if not,
            it is an error.

    Attributes:
        sources: the files.

    Raises:
        InputError: a file or a folder does not exist, or holds no file of text.
        InvalidOptionError: a file's format is unknown.
    """

    def __init__(self, options: argparse.Namespace, reports: Reports, *, skip: bool = True) -> None:
        self.sources = Sources(options, reports, skip=skip)
        self._options = options
        self._reports = reports
        self._seen = SeenDocuments()
        self._sample: list[str] = []

    def documents(self) -> Iterator[FileDocument]:
        """Read the documents; this may be called again."""
        self._seen = SeenDocuments()
        return self.sources.read(self._of_file)

    def _of_file(self, document: SourceDocument) -> FileDocument:
        metadata = document.metadata(self.sources.columns)
        self._seen.add(document.id)
        if len(self._sample) < _SAMPLE:
            self._sample.append(document.text[:_SAMPLE])
        return FileDocument(document.id, document.text, metadata, self.sources.path)

    def finish(self, index: Index, added: Added) -> int:
        """Delete or count the documents that are gone, and report; return the exit status.

        Args:
            index: the index, open for writing, after all documents were added.
            added: how many were.
        """
        sources, reports = self.sources, self._reports
        gone = self._seen.gone(index.sources(), self._options.sources, sources.skipped)
        deleted = index.delete(gone) if self._options.prune else 0
        index.optimize()
        info = index.info()
        counts = f"{added.new:,} new, {added.replaced:,} replaced, {added.unchanged:,} unchanged"
        if deleted:
            counts += f", {deleted:,} deleted"
        documents = _counted(info.documents, "document", "documents")
        passages = "" if info.passages == info.documents else f" in {info.passages:,} passages"
        reports.note(f"{printable(info.path)}: {counts}; {documents}{passages}")
        if repeated := self._seen.repeated():
            have = _counted(repeated, "document has", "documents have")
            reports.note(
                f"note: {have} the id of an earlier one in these files: the last of an id stays; "
                "--id-column names another column"
            )
        if info.words == "words" and lacks_blanks("".join(self._sample)):
            reports.note(
                "note: these texts have no blanks between words: an index made with --trigrams "
                "finds parts of them"
            )
        if index.empty_passages:
            have = _counted(index.empty_passages, "text or passage has", "texts or passages have")
            blank = f" ({index.blank_passages:,} empty or blank)" if index.blank_passages else ""
            languages = index.model.metadata.extra.get("languages", "")
            hint = advice(languages) if index.empty_passages > index.blank_passages else ""
            reports.note(
                f"note: {have} no token that the model knows{blank}; the vector is zero{hint}"
            )
        if index.foreign_passages.count:
            reports.note(f"note: {printable(index.foreign_passages.describe())}")
        if info.words is None:
            reports.note("note: the index has no full-text search (FTS5), but vectors alone")
        if len(gone) > deleted:
            are = _counted(len(gone), "document is", "documents are")
            reports.note(f"note: {are} in these files no more; --prune deletes what is gone")
        if not sources.skipped:
            return 0
        if count := len(sources.skipped) - len(sources.begun):
            were = _counted(count, "file or folder was", "files or folders were")
            reports.warn(f"{were} left out, see above")
        if sources.begun:
            reports.warn(_before_faults(list(sources.begun.values())))
        nothing = set(sources.files) <= sources.skipped.keys() and not sources.begun
        return FAILED if nothing else SOME_LEFT_OUT


def _counted(count: int, singular: str, plural: str) -> str:
    return f"1 {singular}" if count == 1 else f"{count:,} {plural}"


def _before_faults(counts: list[int]) -> str:
    """Say how many documents of files with a fault are indexed."""
    files = _counted(len(counts), "file", "files")
    were = _counted(sum(counts), "document was", "documents were")
    return f"of {files}, {were} indexed, and the rest was left out from the fault on, see above"
