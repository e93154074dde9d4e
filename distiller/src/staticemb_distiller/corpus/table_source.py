"""Sources of rows with named columns: files and folders of tables, and data sets on the Hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from ..errors import TextSourceError
from .hub import hub_records
from .records import Record, kind_of, read_records
from .source_spec import PlaceSpec
from .text_files import files_of

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = {"yes": True, "no": False}


@dataclass(frozen=True)
class TableSource(PlaceSpec):
    """A source of rows.

    Attributes:
        header: Whether the first row of a CSV or TSV file names its columns; None: recognized.
    """

    _: KW_ONLY
    header: bool | None = None

    @property
    def files(self) -> list[Path]:
        """The source's files; empty for a data set of the Hub.

        Raises:
            TextSourceError: The place holds no files, or only plain text.
        """
        if self.dataset is not None:
            return []
        files = [file for file in files_of(self.place) if kind_of(file) != "plain"]
        if not files:
            raise TextSourceError(
                f"{self.place}: expected JSON lines, CSV, TSV or Parquet by name, found plain text"
            )
        return files

    def records(
        self,
        columns: tuple[str, ...],
        is_header: Callable[[list[str]], bool],
        *,
        class_names: bool = False,
    ) -> Iterator[tuple[str, Record]]:
        """Read the rows.

        Args:
            columns: The needed columns; empty: all.
            is_header: Decides whether the first row of a CSV or TSV file names the columns, unless
                `header` does.
            class_names: As for `hub_records`.

        Yields:
            The row's location for messages, and the row.

        Raises:
            TextSourceError: The source cannot be read, or a row has a wrong number of columns.
            MissingPackageError: An optional package is not installed.
        """
        if self.dataset is not None:
            yield from hub_records(
                self.dataset,
                split=self.split,
                config=self.config,
                revision=self.revision,
                class_names=class_names,
            )
            return
        known = self.header
        named = is_header if known is None else lambda cells: known
        for file in self.files:
            yield from read_records(file, columns, header=named, strict=True)


def header_knob(spec: str, knobs: MutableMapping[str, str]) -> bool | None:
    """Take the key `header` out of a source's keys; None: the source has none.

    Raises:
        TextSourceError: The value is neither yes nor no.

    >>> header_knob("a.tsv::header=no", {"header": "no"})
    False
    """
    value = knobs.pop("header", None)
    if value is not None and value not in _HEADER:
        raise TextSourceError(f"{spec}: header: expected yes or no, found {value!r}")
    return None if value is None else _HEADER[value]
