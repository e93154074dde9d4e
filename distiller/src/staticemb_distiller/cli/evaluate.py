"""`staticemb-distiller evaluate`: measure models, or an index; write reports on request."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TextIO

from ..corpus.input_files import model_files
from ..errors import EvaluationError
from ..evaluation import page, record, report, tasks
from ..evaluation.load import load_model
from ..evaluation.models import Embedder, LexicalModel
from ..evaluation.run import Prefixes, evaluate
from ..evaluation.terminal import in_terminal
from ..output_file import STANDARD_OUTPUT, check_distinct, check_output
from ..path_checks import exists
from ..progress import Progress
from ..teacher.open_teacher import is_server

EPILOG = f"""\
files in the data folder (tab-separated UTF-8 without a header; JSON lines for
retrieval) and the columns of their rows:

{tasks.LAYOUT}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = "Measure models on tasks in plain files, and compare them with baselines."
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="a .staticemb file; an installed model's name; a folder or Hub id of model2vec or "
        "sentence-transformers; openai:URL#MODEL, a server; a text file of word vectors; or tfidf, "
        "tfidf-characters, bm25 or wordllama. NAME=MODEL sets the name in the report",
    )
    selection = parser.add_argument_group("what to measure")
    selection.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="the folder with the tasks' files; default: a small sample in this package, to try "
        "the command on",
    )
    selection.add_argument(
        "--tasks",
        nargs="+",
        metavar="TASK",
        help="the tasks to run, as kinds (sts), names (sts/sick-test, sick-test) or wildcards "
        "('*-en-*'); default: all",
    )
    selection.add_argument(
        "--prefixes",
        default="full",
        metavar="N,N…",
        help="lengths to truncate the vectors to; ladder: the prefixes that each model recommends; "
        "full: whole vectors [full]",
    )
    compare = parser.add_argument_group("comparison")
    compare.add_argument(
        "--baseline",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="models to compare with, or .json reports of earlier runs",
    )
    compare.add_argument(
        "--teacher",
        metavar="MODEL",
        help="a model to compare with, of whose figures the others' shares are given",
    )
    compare.add_argument(
        "--resamples",
        type=int,
        default=1000,
        metavar="N",
        help="number of bootstrap samples of intervals and differences; 0: none [1000]",
    )
    search = parser.add_argument_group(
        "a search index", "BM25 alone, vectors alone and both together, on one's own judgments"
    )
    search.add_argument(
        "--index", metavar="FILE", help="measure this index; MODEL is its model, if it moved"
    )
    search.add_argument("--queries", metavar="FILE", help="JSON lines with _id and text")
    search.add_argument(
        "--qrels", metavar="FILE", help="query id, document id and grade, between tabs"
    )
    search.add_argument(
        "--rerank",
        action="append",
        default=[],
        metavar="SCORER",
        help="also measure a second stage: a teacher (a folder, a Hub id, openai:URL#MODEL), or "
        "cross-encoder:MODEL",
    )
    search.add_argument(
        "--candidates", type=int, default=100, metavar="N", help="documents that it reads [100]"
    )
    selection.add_argument(
        "--no-speed", action="store_true", help="do not measure seconds, texts a second and memory"
    )
    files = parser.add_argument_group("report files")
    files.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    files.add_argument("--markdown", type=Path, metavar="FILE", help="write the report as Markdown")
    files.add_argument(
        "--html", type=Path, metavar="FILE", help="write the report as an HTML page with charts"
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write the requested report files, and print the tables."""
    _check_reports(arguments)
    if arguments.index is not None:
        return _run_index(arguments)
    if not arguments.models:
        raise EvaluationError("evaluate: expected a MODEL or --index, found neither")
    for option in ("queries", "qrels", "rerank"):
        if getattr(arguments, option):
            raise EvaluationError(f"--{option}: expected --index as well, found none")
    earlier = [name for name in arguments.baseline if name.endswith(".json")]
    reports = [(name, record.from_json(name)) for name in earlier]
    prefixes = _prefixes(arguments.prefixes)
    with Progress() as progress:
        progress.status("Opening models")
        opened: dict[str, Embedder | LexicalModel] = {}
        results = evaluate(
            _named(arguments.models, opened),
            arguments.data,
            tasks=arguments.tasks,
            prefixes=prefixes,
            baseline=_named([name for name in arguments.baseline if name not in earlier], opened),
            teacher=None if arguments.teacher is None else _named([arguments.teacher], opened)[0],
            speed=not arguments.no_speed,
            progress=progress.status,
        )
    results.resamples = max(arguments.resamples, 0)
    for name, earlier_results in reports:
        record.add_baseline(results, earlier_results, name)
    compared = []
    if arguments.resamples > 0 and results.baseline:
        with Progress() as progress:
            progress.status("Comparing")
            compared = report.differences(results, resamples=arguments.resamples)
    written: list[tuple[Path | None, Callable[[], str]]] = [
        (arguments.json, lambda: record.dumps(results, compared)),
        (arguments.markdown, lambda: report.markdown(results, compared)),
        (arguments.html, lambda: page.html(results, compared)),
    ]
    for path, content in written:
        if path is not None:
            record.save(path, content())
    report_on_stdout = Path(STANDARD_OUTPUT) in (path for path, _ in written)
    stream = sys.stderr if report_on_stdout else sys.stdout
    stream.write(in_terminal(results, _width(stream)) + "\n")
    for name, facts in results.facts.items():
        if zeros := facts.get("zero_vectors"):
            sys.stderr.write(
                f"{name}: {zeros:,} texts have no token that the model knows: their vectors are "
                "zero\n"
            )
    if results.note:
        sys.stderr.write(f"{results.note} --data FOLDER measures on data of yours.\n")
    return 0


def _run_index(arguments: argparse.Namespace) -> int:
    """Measure an index, write the requested reports, and print a table."""
    from staticemb_runtime.search import Index

    from ..evaluation import search_report
    from ..evaluation.search_index import evaluate_index, read_judged
    from ..indexing import open_scorer

    if arguments.queries is None or arguments.qrels is None:
        raise EvaluationError("--index: expected --queries and --qrels as well")
    if len(arguments.models) > 1 or arguments.html or arguments.data or arguments.baseline:
        raise EvaluationError(
            "--index: expected at most one MODEL, and no --html, --data or --baseline"
        )
    judged = read_judged(arguments.queries, arguments.qrels)
    with Progress() as progress:
        scorers = {scorer.name: scorer for scorer in map(open_scorer, arguments.rerank)}
        with Index.open(arguments.index, *arguments.models) as index:
            results = evaluate_index(
                index,
                judged,
                rerank=scorers,
                candidates=arguments.candidates,
                resamples=arguments.resamples,
                progress=progress.status,
            )
    if arguments.json is not None:
        record.save(arguments.json, search_report.dumps(results))
    if arguments.markdown is not None:
        record.save(arguments.markdown, search_report.markdown(results))
    on_stdout = Path(STANDARD_OUTPUT) in (arguments.json, arguments.markdown)
    stream = sys.stderr if on_stdout else sys.stdout
    stream.write(search_report.summary(results, _width(stream)) + "\n")
    return 0


def _width(stream: TextIO) -> int | None:
    """Return the columns of a terminal; None for another stream."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def _check_reports(arguments: argparse.Namespace) -> None:
    """Check that the report files are writable, are no input files, and differ from each other.

    Raises:
        OutputError: A report file fails a check.
    """
    teachers = [] if arguments.teacher is None else [arguments.teacher]
    specs = (*arguments.models, *arguments.baseline, *teachers)
    models = [_split_name(spec)[0] for spec in specs]
    data = [] if arguments.data is None else [arguments.data]
    files = [
        Path(name)
        for name in (arguments.index, arguments.queries, arguments.qrels)
        if name is not None
    ]
    reports = (arguments.json, arguments.markdown, arguments.html)
    for path in filter(None, reports):
        check_output(
            path, chain.from_iterable(map(model_files, (*models, *data, *files))), text=True
        )
    check_distinct(*reports)


def _split_name(spec: str) -> tuple[str, str | None]:
    """Split `NAME=MODEL` into the model and its name; the name is None if there is no `=`."""
    if is_server(spec):  # its address may have options, ?query_prefix=...
        return spec, None
    name, equals, model = spec.partition("=")
    return (model, name) if equals and not exists(spec) else (spec, None)


def _named(
    specs: Sequence[str], opened: dict[str, Embedder | LexicalModel]
) -> list[Embedder | LexicalModel]:
    """Open each model once, under its name from `NAME=MODEL` if there is one."""
    models = []
    for spec in specs:
        place, name = _split_name(spec)
        if place not in opened:
            opened[place] = load_model(place, name)
        models.append(opened[place])
    return models


def _prefixes(text: str) -> Prefixes:
    if text in ("full", "ladder"):
        return "ladder" if text == "ladder" else "full"
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise EvaluationError(
            f"--prefixes: expected numbers separated by commas, 'ladder' or 'full', found {text!r}"
        ) from None
