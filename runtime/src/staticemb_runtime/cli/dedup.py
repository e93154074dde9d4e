"""`staticemb dedup`: find and leave out exact and near duplicates."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from ..encoding.batching import SLICE_CHARACTERS
from ..encoding.empty_texts import advice
from ..encoding.progress import Progress
from ..errors import InvalidOptionError
from ..loading.installed import model_files
from ..model import StaticModel
from ..records.batches import batches
from ..records.output_file import refuse_inputs
from ..records.places import placed
from ..records.row_writers import open_rows_writer, row_form
from .layout import Styles, fit, fit_name, terminal_width
from .parser import CommandParser
from .process import print_json, printable
from .sources import Sources, StandardError, add_sources
from .texts import note_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..encoding.empty_texts import EmptyTexts
    from ..records.documents import SourceDocument
    from ..records.row_writers import RowWriter
    from ..search.duplicates import Deduplicator, Duplicate

_BLOCK = 2048  # documents
_SHOWN = 200  # characters of a kept text that are remembered, to show it beside its duplicates


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    dedup = commands.add_parser(
        "dedup",
        parents=[model],
        help="find and leave out duplicate texts",
        description="Find texts that repeat an earlier one: equal up to case and white space, or "
        "with a cosine of at least --threshold. Print the duplicates, or write the other rows with "
        "-o. Texts are read once; memory holds a vector of each text that stays.",
    )
    dedup.set_defaults(run=run)
    add_sources(dedup)
    dedup.add_argument(
        "--threshold",
        type=float,
        default=0.9,
        metavar="COSINE",
        help="the smallest cosine of near duplicates; 1 finds equal texts alone, nearly [0.9]",
    )
    dedup.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="FILE",
        help="compare with the texts of this file or folder, and not with each other; for example "
        "test data with training data. May be repeated",
    )
    dedup.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the rows that are no duplicates: .jsonl, .csv, .tsv, .txt or .parquet. - is "
        "standard output; it gets JSON lines, and so does a FIFO or a device without a suffix",
    )
    dedup.add_argument(
        "--exact",
        action="store_true",
        help="miss no near duplicate; by default, above 32,768 kept texts, about one of a thousand "
        "may be missed, which is faster",
    )
    dedup.add_argument(
        "--truncate-dim", type=int, metavar="D", help="compare the first D dimensions of vectors"
    )
    dedup.add_argument("--json", action="store_true", help="print the duplicates as JSON lines")
    dedup.add_argument("--quiet", action="store_true", help="show no progress bar and no notes")


class _Kept(NamedTuple):
    """A text that others may repeat.

    Attributes:
        place: where it was read.
        text: its first characters.
    """

    place: str
    text: str


class _Repetition(NamedTuple):
    """A duplicate and the text that it repeats."""

    duplicate: Duplicate
    text: _Kept
    kept: _Kept


def run(options: argparse.Namespace) -> int:
    """Find the duplicates, and print them or write the other rows."""
    from ..search.duplicates import Deduplicator  # late: it imports numpy

    sources = Sources(options, StandardError(quiet=options.quiet))
    against = _against(options)
    if against is not None and "-" in sources.files and "-" in against.files:
        raise InvalidOptionError("--against: expected another input than standard input, which is "
                                 "read once, found - twice")  # fmt: skip
    if options.output is not None:
        row_form(options.output)
        if options.json and options.output == "-":
            raise InvalidOptionError(
                "--json: expected no --output -, which prints the rows that stay, found both"
            )
        compared = [] if against is None else against.files
        refuse_inputs(options.output, [*sources.files, *compared, *model_files(options.model)])
    known = Deduplicator(
        StaticModel.load(options.model),
        threshold=options.threshold,
        exact=options.exact,
        truncate_dim=options.truncate_dim,
    )
    # Texts are remembered only if they are shown.
    kept: dict[int, _Kept] | None = None if options.output and not options.json else {}
    if against is not None:
        _read_against(options, against, known, kept)
    counts = _Counts()
    with ExitStack() as stack:
        writer: RowWriter | None = None
        if options.output is not None:
            writer = stack.enter_context(open_rows_writer(options.output))
        show = not options.quiet and sys.stderr.isatty()
        progress = stack.enter_context(
            Progress(None, unit="texts", enabled=show, position=sources.position)
        )
        groups: dict[int, list[_Repetition]] = {}
        first_empty = ""
        for documents in _blocks(sources):
            start = 0 if against is not None else counts.total
            for document, duplicate in _compare(known, documents, counts, against is not None):
                if duplicate is None:
                    if kept is not None and against is None:
                        kept[counts.total] = _short(document)
                    if writer is not None:
                        writer.write(document.record, document.place)
                elif kept is not None:
                    repetition = _Repetition(
                        duplicate, _short(document), kept[duplicate.representative]
                    )
                    if options.json:
                        _print_json(repetition)
                    else:
                        groups.setdefault(duplicate.representative, []).append(repetition)
                counts.add(duplicate)
            if known.empty_texts.first is not None and not first_empty:
                first_empty = documents[known.empty_texts.first - start].place
            foreign = known.foreign_texts
            if foreign.count and not foreign.place:
                foreign.place = documents[foreign.first - start].place
            progress.advance(len(documents))
        if writer is not None:
            writer.begin(sources.names)
    _print_groups(groups)
    if not options.quiet:
        if first_empty:
            _note_empty(known.empty_texts, first_empty, "" if against else "different ")
        note_foreign(known.foreign_texts)
        print(f"staticemb: {counts.describe()}", file=sys.stderr)
    return 0


def _note_empty(empty: EmptyTexts, first: str, counted: str) -> None:
    hint = advice(empty.languages) if empty.count > empty.blank else ""
    are = "1 text has" if empty.count == 1 else f"{empty.count:,} {counted}texts have"
    note = f"{are} no token that the model knows: only equal texts count as their duplicates; "
    print(f"staticemb: {printable(f'{note}the first is {first}{hint}')}", file=sys.stderr)


class _Counts:
    """The numbers of texts and duplicates."""

    def __init__(self) -> None:
        self.total = self.duplicates = self.exact = 0
        self.representatives: set[int] = set()

    def add(self, duplicate: Duplicate | None) -> None:
        """Count a text."""
        self.total += 1
        if duplicate is not None:
            self.duplicates += 1
            self.exact += duplicate.exact
            self.representatives.add(duplicate.representative)

    def describe(self) -> str:
        """Return the numbers as a sentence."""
        groups = len(self.representatives)
        return (
            f"{self.duplicates:,} of {self.total:,} texts are duplicates ({self.exact:,} equal) "
            f"in {groups:,} group{'' if groups == 1 else 's'}; "
            f"{self.total - self.duplicates:,} stay"
        )


def _compare(
    known: Deduplicator, documents: Sequence[SourceDocument], counts: _Counts, is_against: bool
) -> Iterator[tuple[SourceDocument, Duplicate | None]]:
    """Iterate over documents, each with the duplicate that it is, or None."""
    texts = [document.text for document in documents]
    with placed([document.place for document in documents].__getitem__):
        duplicates = known.compare(texts) if is_against else known.add(texts)
    start = 0 if is_against else counts.total
    by_place = {duplicate.number - start: duplicate for duplicate in duplicates}
    for place, document in enumerate(documents):
        yield document, by_place.get(place)


def _against(options: argparse.Namespace) -> Sources | None:
    """Return the texts to compare with, or None if it is each other."""
    if not options.against:
        return None
    values = vars(options) | {"sources": options.against}
    return Sources(argparse.Namespace(**values), StandardError(quiet=True))


def _read_against(
    options: argparse.Namespace,
    sources: Sources,
    known: Deduplicator,
    kept: dict[int, _Kept] | None,
) -> None:
    show = not options.quiet and sys.stderr.isatty()
    with Progress(None, unit="texts to compare with", enabled=show, position=sources.position) as p:
        for documents in _blocks(sources):
            if kept is not None:
                kept |= dict(enumerate(map(_short, documents), len(kept)))
            with placed([document.place for document in documents].__getitem__):
                known.keep([document.text for document in documents])
            p.advance(len(documents))


def _blocks(sources: Sources) -> Iterator[Sequence[SourceDocument]]:
    cut = batches(sources, _BLOCK, SLICE_CHARACTERS, lambda document: len(document.text))
    return (block for block, _ in cut)


def _short(document: SourceDocument) -> _Kept:
    return _Kept(document.place, document.text[:_SHOWN])


def _print_json(repetition: _Repetition) -> None:
    duplicate, text, kept = repetition
    line = {
        "place": text.place,
        "text": text.text,
        "duplicate_of": kept.place,
        "duplicate_of_text": kept.text,
        "similarity": round(duplicate.similarity, 6),
        "exact": duplicate.exact,
    }
    print_json(line)


def _print_groups(groups: dict[int, list[_Repetition]]) -> None:
    """Print each kept text, and under it the texts that repeat it."""
    styles, width = Styles(), terminal_width()
    for number in sorted(groups):
        _print_text(styles, width, "", "bold", groups[number][0].kept)
        for duplicate, text, _ in groups[number]:
            mark = "equal" if duplicate.exact else f"{duplicate.similarity:.3f}"
            _print_text(styles, width, f"  {mark}  ", "", text)


def _print_text(styles: Styles, width: int, mark: str, style: str, kept: _Kept) -> None:
    """Print a text and its place in one line, or the place in the next if the line is narrow."""
    text, place = printable(" ".join(kept.text.split())), printable(kept.place)
    if width >= 2 * len(place) + len(mark) + 12:
        text = fit(text, width - len(mark) - len(place) - 2)
        print(f"{styles.paint(mark, 'good')}{styles.paint(text, style)}  "
              f"{styles.paint(place, 'dim')}")  # fmt: skip
        return
    print(f"{styles.paint(mark, 'good')}{styles.paint(fit(text, width - len(mark)), style)}")
    blanks = " " * len(mark)
    print(f"{blanks}{styles.paint(fit_name(place, width - len(mark)), 'dim')}")
