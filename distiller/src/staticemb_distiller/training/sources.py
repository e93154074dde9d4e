"""Sources of examples: files, folders and data sets, read row by row.

source -> records -> layout of the columns -> rows of texts and a score or a label
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from ..corpus.labels import label_text
from ..corpus.records import Record
from ..corpus.source_spec import named_columns, parse_spec
from ..corpus.surrogates import without_surrogates
from ..corpus.table_source import TableSource, header_knob
from ..errors import TextSourceError, TrainingError
from .columns import KINDS, ROLES, Kind, Layout, check_columns, is_header, named_layout, recognized

_KNOBS = {*ROLES, "kind", "range", "header"}


class Row(NamedTuple):
    """An example as read from a source.

    Attributes:
        where: File and line, for messages.
        texts: The texts in the order of the kind, stripped, none empty.
        score: A finite number, only for kind scored.
        label: The label, only for kind labeled.
    """

    where: str
    texts: tuple[str, ...]
    score: float | None = None
    label: str | None = None


@dataclass(frozen=True)
class PairSource(TableSource):
    """A source of examples; an epoch takes each example `weight` times.

    Attributes:
        kind: The kind of the examples; None: recognized by the columns.
        roles: Columns by their role: anchor, positive, negative (any number), score, label, text;
            empty: recognized.
        score_range: The scores that correspond to 0 and 1; None: 0 and 1 if all scores are between
            them, otherwise the smallest and the largest score.
    """

    kind: Kind | None = None
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    score_range: tuple[float, float] | None = None

    @classmethod
    def parse(cls, spec: str, *, limit: int | None = None) -> PairSource:
        """Parse a source in the command line's form: `PLACE[::KEY=VALUE[,KEY=VALUE...]]`.

        Args:
            spec: The keys are kind (pairs, triplets, scored, labeled); anchor, positive, negative
                (several joined by `+`), score, label and text, each a column's name, or its number
                in a table without a header; range, such as `0..5`; header, yes or no; weight,
                limit, split, config and revision.
            limit: The limit if the source names none.

        Raises:
            TextSourceError: A key is unknown, or a value is invalid.
            TrainingError: The named columns match no kind of examples.

        >>> PairSource.parse("faq.jsonl::anchor=title,positive=body").roles
        {'anchor': ('title',), 'positive': ('body',)}
        """
        common, knobs = parse_spec(spec, _KNOBS, limit=limit)
        kind = next((kind for kind in KINDS if kind == knobs.get("kind")), None)
        if "kind" in knobs and kind is None:
            raise TextSourceError(
                f"{spec}: kind: expected one of {', '.join(KINDS)}, found {knobs['kind']!r}"
            )
        header = header_knob(spec, knobs)
        roles = {role: named_columns(knobs[role]) for role in ROLES if role in knobs}
        if roles:
            named_layout(spec, roles, kind)
        return cls(
            **common,
            kind=kind,
            roles=roles,
            score_range=_range(spec, knobs["range"]) if "range" in knobs else None,
            header=header,
        )

    def read(self, on_empty: Callable[[str], object] | None = None) -> tuple[Layout, Iterator[Row]]:
        """Determine the layout of the columns, and read the examples one after another.

        Args:
            on_empty: Called with a message for each example with an empty text, which is then
                skipped; None: such an example raises an error.

        Raises:
            TextSourceError: The source cannot be read, is not UTF-8, lacks a column, or has a row
                with fewer or more columns.
            TrainingError: The source is empty, has too few columns, or its layout is ambiguous.
                While reading: a text or a label is empty, or a score is not finite or outside the
                range.
        """
        first = next(self._records(()), None)
        if first is None:
            raise TrainingError(f"{self.place}: expected examples, found none")
        where, record = first
        if self.roles:
            layout = named_layout(self.place, self.roles, self.kind)
        else:
            layout = recognized(where, record, self.kind)
        check_columns(where, record, layout)
        return layout, islice(self._rows(layout, on_empty), self.limit)

    def _rows(self, layout: Layout, on_empty: Callable[[str], object] | None) -> Iterator[Row]:
        for where, record in self._records(layout.columns):
            try:
                yield self._row(where, record, layout)
            except TrainingError as error:
                if on_empty is None:
                    raise
                on_empty(str(error))

    def _records(self, columns: tuple[str, ...]) -> Iterator[tuple[str, Record]]:
        named = [name for names in self.roles.values() for name in names]
        return self.records(columns, lambda cells: is_header(cells, named))

    def _row(self, where: str, record: Record, layout: Layout) -> Row:
        check_columns(where, record, layout)
        texts = tuple([_text(where, name, record[name]) for name in layout.texts])
        if layout.target is None:
            return Row(where, texts)
        value = record[layout.target]
        if layout.kind == "labeled":
            return Row(where, texts, label=_label(where, layout.target, value))
        score = _score(where, layout.target, value)
        if self.score_range is not None and not self.score_range[0] <= score <= self.score_range[1]:
            low, high = self.score_range
            raise TrainingError(f"{where}: expected a score of {low:g} to {high:g}, found {value}")
        return Row(where, texts, score=score)


def _text(where: str, name: str, value: object) -> str:
    if not isinstance(value, str):
        if value is None:
            raise TrainingError(f"{where}: expected text in column {name!r}, found none")
        kind = type(value).__name__
        raise TextSourceError(f"{where}: expected text in column {name!r}, found {kind}")
    text = without_surrogates(value).strip()
    if not text:
        raise TrainingError(f"{where}: expected text in column {name!r}, found none")
    return text


def _score(where: str, name: str, value: object) -> float:
    try:
        score = float(value) if isinstance(value, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        score = math.nan
    if isinstance(value, bool) or not math.isfinite(score):
        raise TrainingError(f"{where}: expected a finite score in column {name!r}, found {value!r}")
    return score


def _label(where: str, name: str, value: object) -> str:
    label = label_text(value)
    if not label or (isinstance(value, float) and not value.is_integer()):
        raise TrainingError(f"{where}: expected a label in column {name!r}, found {value!r}")
    return label


def _range(spec: str, value: str) -> tuple[float, float]:
    low, _, high = value.partition("..")
    try:
        bounds = float(low), float(high)
    except ValueError:
        bounds = (math.nan, math.nan)
    if not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise TextSourceError(f"{spec}: range: expected LOW..HIGH, like 0..5, found {value!r}")
    return bounds
