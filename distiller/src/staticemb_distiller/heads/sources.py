"""Sources of texts with labels or numbers: files, folders and data sets, read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ..corpus.records import Record
from ..corpus.source_spec import named_columns, parse_spec
from ..corpus.surrogates import without_surrogates
from ..corpus.table_source import TableSource, header_knob
from ..errors import TextSourceError, TrainingError
from ..training.columns import is_header, recognized


class LabeledRow(NamedTuple):
    """A row as read from a source.

    Attributes:
        where: File and line, for messages.
        text: The text, stripped; it may be empty.
        label: The value of the label column; a tuple of values for several columns.
    """

    where: str
    text: str
    label: object


@dataclass(frozen=True)
class LabeledSource(TableSource):
    """A source of texts with labels or numbers; each row counts `weight` times in a fit.

    Attributes:
        text: The columns of the text, which are joined by a space; empty: recognized.
        label: The columns of the label; empty: recognized.
    """

    text: tuple[str, ...] = ()
    label: tuple[str, ...] = ()

    @classmethod
    def parse(cls, spec: str) -> LabeledSource:
        """Parse a source in the command line's form: `PLACE[::KEY=VALUE[,KEY=VALUE...]]`.

        Args:
            spec: The keys are text and label, each one or several columns' names joined by `+`, or
                numbers of columns in a table without a header; header, yes or no; weight, limit,
                split, config and revision.

        Raises:
            TextSourceError: A key is unknown, or a value is invalid.

        >>> LabeledSource.parse("tickets.csv::text=subject+body,label=queue").text
        ('subject', 'body')
        """
        common, knobs = parse_spec(spec, {"text", "label", "header"})
        header = header_knob(spec, knobs)
        text, label = (named_columns(knobs.get(role, "")) for role in ("text", "label"))
        return cls(**common, header=header, text=text, label=label)

    def rows(self) -> Iterator[LabeledRow]:
        """Read the rows, after a check of the columns.

        Raises:
            TextSourceError: The source cannot be read, lacks a column, or has a row with fewer or
                more columns.
            TrainingError: The source is empty, or its columns are ambiguous.
        """
        first = next(self._records(()), None)
        if first is None:
            raise TrainingError(f"{self.place}: expected texts with labels, found no rows")
        texts, labels = self._columns(*first)
        return islice(self._rows(texts, labels), self.limit)

    def _columns(self, where: str, record: Record) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the columns of the text and of the label."""
        texts, labels = self.text, self.label
        if not texts and labels:
            others = [n for n, v in record.items() if n not in labels and isinstance(v, str)]
            texts = ("text",) if "text" in others else tuple(others[:1] if len(others) == 1 else ())
            if not texts:
                names = ", ".join(record) or "none"
                raise TrainingError(
                    f'{where}: expected a column "text" or one column of text; name it, such as '
                    f"text=NAME; found the columns {names}"
                )
        if not texts or not labels:
            try:
                layout = recognized(where, record, "labeled")
            except TrainingError as error:
                raise TrainingError(f"{error}; name them, such as text=NAME,label=NAME") from None
            assert layout.target is not None
            texts, labels = texts or layout.texts, labels or (layout.target,)
        if both := set(texts) & set(labels):
            raise TrainingError(
                f"{where}: expected other columns as label than as text, found {min(both)!r} as "
                "both"
            )
        return texts, labels

    def _rows(self, texts: tuple[str, ...], labels: tuple[str, ...]) -> Iterator[LabeledRow]:
        for where, record in self._records((*texts, *labels)):
            for name in (*texts, *labels):
                if name not in record:
                    names = ", ".join(record) or "none"
                    raise TextSourceError(f"{where}: expected a column {name!r}, found {names}")
            text = " ".join(filter(None, (_text(where, name, record[name]) for name in texts)))
            values = tuple(record[name] for name in labels)
            yield LabeledRow(where, text, values[0] if len(values) == 1 else values)

    def _records(self, columns: tuple[str, ...]) -> Iterator[tuple[str, Record]]:
        named = (*self.text, *self.label)
        return self.records(columns, lambda cells: is_header(cells, named), class_names=True)


def _text(where: str, name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        kind = type(value).__name__
        raise TextSourceError(f"{where}: expected text in column {name!r}, found {kind}")
    return without_surrogates(value).strip()
