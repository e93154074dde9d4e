"""`staticemb search`: find documents of an index, once or in a dialog."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

from ..encoding.empty_texts import EmptyTexts
from ..encoding.foreign_texts import ForeignTexts
from ..errors import InvalidOptionError, MissingPackageError, StaticEmbError
from .layout import Span, Styles, fit, fit_name, terminal_width, visible, wrap
from .parser import CommandParser
from .process import given_text, print_json, printable
from .texts import lacks_blanks, note_empty, note_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..model import StaticModel
    from ..search import Explanation, Hit, Index

_METHODS = ("hybrid", "lexical", "vector")
_SNIPPET_LINES = 3
_PAIRS = 6
_INDENT = 4
_NARROW = 60  # columns
_SAMPLE = 1000  # documents whose metadata's names are looked at
_NAMES = 10


def add_parser(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Declare the subcommand."""
    search = commands.add_parser(
        "search",
        help="find documents of an index",
        description="Find the documents that answer a query, by their words and their meaning. "
        "Without a query, read queries: at a terminal one after the other, otherwise the lines of "
        "standard input.",
    )
    search.set_defaults(run=run)
    search.add_argument("index", metavar="INDEX", help="an index that `staticemb index` made")
    search.add_argument("query", nargs="?", type=given_text, metavar="QUERY", help="the query")
    search.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        help="the index's model, if its file has moved; default: the one that the index names or "
        "holds",
    )
    search.add_argument(
        "-k", type=int, default=None, metavar="N", help="the number of hits [10; 5 in a dialog]"
    )
    search.add_argument(
        "--method",
        choices=_METHODS,
        default="hybrid",
        help="by words and vectors together, by words alone (BM25), or by vectors alone [hybrid]",
    )
    search.add_argument(
        "--filter",
        action="append",
        default=[],
        type=given_text,
        metavar="NAME=VALUE",
        help="search documents whose metadata hold this value; may be repeated for other names, "
        "and all must hold. 2024 finds the number and the text",
    )
    search.add_argument(
        "--explain",
        action="store_true",
        help="show which words of the query and the passage make their vectors similar",
    )
    search.add_argument("--json", action="store_true", help="print one JSON object a hit")


def run(options: argparse.Namespace) -> int:
    """Search, and print the hits."""
    from ..search import Index  # late: it imports numpy and sqlite3

    filters = _filters(options.filter)
    with Index.open(options.index, options.model) as index:
        if options.method == "hybrid" and not index.has_full_text():
            note = "no full-text search (FTS5) here: this searches by vectors alone"
            print(f"staticemb: note: {note}", file=sys.stderr)
        is_dialog = options.query is None and sys.stdin.isatty()
        count = options.k if options.k is not None else 5 if is_dialog else 10

        notes = _QueryNotes()

        def answer(query: str) -> None:
            if options.method != "lexical":
                notes.add(index.model, query)
            hits = index.search(query, count, filter=filters or None, method=options.method)
            if options.method != "vector":
                notes.add_words(index, query, hits)
            if not hits and (note := _unknown_names(index, filters)):
                print(f"staticemb: note: --filter: {printable(note)}", file=sys.stderr)
            explained = [_explain(index, query, hit) if options.explain else None for hit in hits]
            if options.json:
                _print_json(query, hits, explained)
            else:
                _print_hits(hits, explained)

        if options.query is not None:
            answer(options.query)
            return 0
        if is_dialog and not options.json:
            _announce(index)
        for query in _typed() if is_dialog else _lines():
            if not options.json and not is_dialog:
                print(Styles().paint(f"? {printable(query)}", "bold"))
            try:
                answer(query)
            except StaticEmbError as error:
                if not is_dialog:
                    raise
                print(f"staticemb: error: {printable(str(error))}", file=sys.stderr)
            sys.stdout.flush()
    return 0


class _QueryNotes:
    """Prints what is wrong with queries: of each kind the first one."""

    def __init__(self) -> None:
        self._queries = 0
        self._noted_blanks = False
        self._empty = EmptyTexts("zero")
        self._empty.foreign = self._foreign = ForeignTexts()

    def add(self, model: StaticModel, query: str) -> None:
        """Check a query."""
        self._queries += 1
        before = self._empty.count, self._foreign.count
        model.encode_query([query], on_empty=self._empty)
        place = f"the query {query!r:.60}"
        if not before[0]:
            note_empty(self._empty, self._queries, place)
        if not before[1]:
            self._foreign.place = place
            note_foreign(self._foreign)

    def add_words(self, index: Index, query: str, hits: list[Hit]) -> None:
        """Check whether an index of words can find the words of a query."""
        if self._noted_blanks or any(hit.lexical_score is not None for hit in hits):
            return
        if lacks_blanks(query) and index.info().words == "words":
            self._noted_blanks = True
            note = "the query has no blanks between words: an index made with --trigrams finds it"
            print(f"staticemb: note: {note} within texts", file=sys.stderr)


def _filters(arguments: Sequence[str]) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for name, wanted in map(_filter, arguments):
        if name in filters:
            raise InvalidOptionError(
                f"--filter: expected each name once, found {name!r} twice; for a range write "
                f"""{name}={{">=": 1, "<": 5}}"""
            )
        filters[name] = wanted
    return filters


def _filter(argument: str) -> tuple[str, Any]:
    name, equals, value = argument.partition("=")
    if not equals or not name:
        raise InvalidOptionError(f"--filter: expected NAME=VALUE, found {argument!r}")
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return name, value
    if isinstance(parsed, (dict, list)):
        return name, parsed
    # A number of too many digits for a filter is a text, such as that of a part.
    is_number = not isinstance(parsed, int) or abs(parsed) < 1 << 63
    return name, [parsed, value] if is_number else value


def _unknown_names(index: Index, filters: Mapping[str, Any]) -> str:
    """Return what to say about filters by names that the metadata lack, or ""."""
    looked_at, known = 0, set[str]()
    for document in itertools.islice(index.documents(), _SAMPLE):
        looked_at += 1
        known |= document.metadata.keys()
    unknown = [name for name in filters if name not in known]
    if not looked_at or not unknown:
        return ""
    names = ", ".join(map(repr, unknown))
    found = ", ".join(sorted(known)[:_NAMES])
    has = f" {names}, but {found}" if found else f", so no {names}"
    note = f"the first {looked_at:,} documents have no metadata{has}"
    by_id = "; Index.get of Python finds a document by its id"
    return note + by_id * bool({"id", "_id"} & set(unknown))


def _typed() -> Iterator[str]:
    """Iterate over queries that are typed; an empty line or the end of the input ends them."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - `input` then edits lines and remembers them
    while True:
        try:
            query = input("search> ").strip()
        except EOFError:
            print()
            return
        if not query:
            return
        yield query


def _lines() -> Iterator[str]:
    from ..records.readers import text_lines

    for _, line in text_lines(sys.stdin.buffer, "standard input"):
        if query := line.strip():
            yield query


def _announce(index: Index) -> None:
    info = index.info()
    print(
        f"staticemb: {info.documents:,} documents; type a query, or an empty line to end",
        file=sys.stderr,
    )


def _explain(index: Index, query: str, hit: Hit) -> Explanation:
    from ..search import explain

    try:
        return explain(index.model, query, hit.text, prompt_names=("query", "document"))
    except MissingPackageError as error:
        raise MissingPackageError(f"--explain: {error}") from None


# --- output --------------------------------------------------------------------------------------


def _print_json(query: str, hits: list[Hit], explained: list[Explanation | None]) -> None:
    for rank, (hit, explanation) in enumerate(zip(hits, explained, strict=True), 1):
        line: dict[str, Any] = {"query": query, "rank": rank} | hit.to_dict()
        if explanation is not None:
            line["explanation"] = {
                "similarity": explanation.similarity,
                "pairs": [pair._asdict() for pair in explanation.pairs(_PAIRS)],
                "query_tokens": [token._asdict() for token in explanation.a],
                "text_tokens": [token._asdict() for token in explanation.b],
            }
        print_json(line)


def _print_hits(hits: list[Hit], explained: list[Explanation | None]) -> None:
    styles, width = Styles(), terminal_width()
    if not hits:
        print("no document found")
    margin = " " * _INDENT
    for rank, (hit, explanation) in enumerate(zip(hits, explained, strict=True), 1):
        print(_heading(styles, width, rank, hit))
        for line in wrap(_marked(hit), width - _INDENT, lines=_SNIPPET_LINES):
            print(margin + styles.line(line))
        if width >= _NARROW:
            print(margin + styles.paint(fit(_scores(hit), width - _INDENT), "dim"))
        if explanation is not None:
            for line in wrap(_pairs(explanation), width - _INDENT, lines=_SNIPPET_LINES):
                print(margin + styles.line(line))


def _heading(styles: Styles, width: int, rank: int, hit: Hit) -> str:
    """Return the line of rank, id, passage and score."""
    score = f"{hit.score:.3f}"
    name = printable(hit.id)
    part = f", passage {hit.passage.number + 1}" if hit.passage.number else ""
    room = width - _INDENT - len(score) - 1
    name = fit_name(name, max(room - len(part), 8)) + part
    first = styles.paint(f"{rank:>2}. ", "dim") + styles.paint(name, "bold")
    return f"{first} {styles.paint(score, 'good')}"


def _marked(hit: Hit) -> list[Span]:
    """Return the snippet, the words of the query marked."""
    spans, done = [], 0
    for start, stop in hit.marks:
        spans += [Span(hit.snippet[done:start]), Span(hit.snippet[start:stop], "mark")]
        done = stop
    spans.append(Span(hit.snippet[done:]))
    return [Span(visible(span.text), span.style) for span in spans]


def _scores(hit: Hit) -> str:
    parts = []
    if hit.lexical_score is not None:
        parts.append(f"words {hit.lexical_score:.2f} (rank {hit.lexical_rank})")
    if hit.vector_score is not None and hit.vector_rank is not None:
        parts.append(f"meaning {hit.vector_score:.3f} (rank {hit.vector_rank})")
    return ", ".join(parts)


def _pairs(explanation: Explanation) -> list[Span]:
    """Return the cosine and its largest parts."""
    spans = [Span(f"this passage {explanation.similarity:.3f} ="), Span(" ")]
    pairs = explanation.pairs(_PAIRS)
    for place, pair in enumerate(pairs):
        style = "good" if pair.share >= 0 else "bad"
        words = pair.a if pair.a == pair.b else f"{pair.a}~{pair.b}"
        sign = "-" if pair.share < 0 else "+" if place else ""
        spans += [Span(f"{sign}{abs(pair.share):.3f}", style), Span(f" {printable(words)} ")]
    rest = explanation.similarity - sum(pair.share for pair in pairs)
    sign = "-" if rest < 0 else "+"
    spans.append(Span(f"{sign}{abs(rest):.3f} others"))
    return spans
