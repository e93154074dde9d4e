"""`staticemb classify`: predict the labels, or numbers, of texts by a head of the model's file."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from ..encoding.empty_texts import ON_EMPTY, EmptyTexts
from ..encoding.foreign_texts import ForeignTexts
from ..encoding.options import check_workers
from ..encoding.progress import InputPosition, Progress
from ..errors import EmptyTextError, InvalidOptionError, MissingPackageError
from ..loading.installed import model_files
from ..model import StaticModel
from ..records.forms import blocks, given_texts, input_form, read_records
from ..records.output_file import refuse_inputs
from ..records.places import placed
from ..records.row_writers import open_rows_writer, row_form
from .parser import CommandParser
from .prediction_columns import COLUMNS, arrow_schema, as_json, column_names
from .process import given_text
from .terminal import announce_waiting
from .texts import add_input, note_empty, note_foreign, refuse_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ..format.heads import Head
    from ..heads.explanation import PredictionExplanation
    from ..records.readers import Record

BLOCK_TEXTS: Final = 8192


def add_parser(commands: argparse._SubParsersAction[CommandParser], model: CommandParser) -> None:
    """Declare the subcommand."""
    classify = commands.add_parser(
        "classify",
        parents=[model],
        help="predict the labels, or numbers, of texts",
        description="Predict the labels of texts, or numbers, by a classifier or regressor in the "
        "model's file: of arguments, or of the lines or rows of a file or of standard input. The "
        "output has the columns of the input, and prediction; with labels also their probability.",
    )
    classify.set_defaults(run=run)
    classify.add_argument(
        "texts",
        type=given_text,
        nargs="*",
        metavar="TEXT",
        help="texts to classify; default: read them from --input",
    )
    add_input(
        classify,
        "the file to read, as for `staticemb encode`. - is standard input, by default with "
        "one text per line [-]",
    )
    classify.add_argument(
        "-o",
        "--output",
        default="-",
        metavar="FILE",
        help="the file to write: .jsonl, .ndjson, .csv or .tsv, also with .gz or .zst after it, or "
        ".parquet. - is standard output; it gets JSON lines, and so does a FIFO or a device "
        "without a suffix [-]",
    )
    classify.add_argument(
        "--head",
        type=given_text,
        metavar="NAME",
        help="the classifier or regressor; default: the only one of the file. `staticemb info` "
        "lists them",
    )
    classify.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help="a label needs a probability above P. With one label a text, others get none; with "
        "several labels, it replaces the thresholds of the head",
    )
    classify.add_argument(
        "--probabilities",
        action="store_true",
        help="give the probability of every label, not only of those predicted",
    )
    classify.add_argument(
        "--explain",
        action="store_true",
        help="show how much each token adds to the logit of the predicted label",
    )
    classify.add_argument(
        "--workers",
        type=lambda text: int(text) if text.isdecimal() else text,
        default=1,
        metavar="N",
        help="threads, at most one a core; auto: one a core [1]",
    )
    classify.add_argument("--json", action="store_true", help="at a terminal: print JSON lines")
    classify.add_argument(
        "--on-empty",
        choices=ON_EMPTY,
        default="warn",
        help="what to do about texts without any token that the model knows. warn: print their "
        "number on standard error, and that of texts in a language that the model does not read; "
        "zero: accept them; raise: end with an error [warn]",
    )
    classify.add_argument("--quiet", action="store_true", help="show no progress bar and no hints")


def run(options: argparse.Namespace) -> int:
    """Classify the texts and write the predictions."""
    from ..heads.labels import predictions  # late: it imports numpy

    row_form(options.output, lines=False)
    position = InputPosition()
    names: list[str] = []  # of the input's columns
    source = _source(options, position, names)
    model = StaticModel.load(options.model)
    head = model.head(options.head)
    _check(options, head)
    workers = check_workers(options.workers)
    at_terminal = options.output == "-" and not options.json and sys.stdout.isatty()
    typed = not options.texts and options.input == "-" and sys.stdin.isatty()
    if typed and not options.quiet:
        announce_waiting()
    show = not options.quiet and options.output != "-" and sys.stderr.isatty()
    empty, first_empty, foreign = EmptyTexts("zero"), "", ForeignTexts()
    given_columns = {"every": options.probabilities, "explained": options.explain}
    without_text = dict.fromkeys(column_names(head, **given_columns))
    size = 1 if typed or at_terminal else BLOCK_TEXTS * workers
    with (
        nullcontext()
        if at_terminal
        else open_rows_writer(
            options.output, lambda: arrow_schema(head, **given_columns)
        ) as writer,
        Progress(None, unit="texts", enabled=show, position=position) as progress,
    ):
        for all_places, given, records in blocks(source, size):
            pairs = [
                (p, text) for p, text in zip(all_places, given, strict=True) if text is not None
            ]
            places, texts = [place for place, _ in pairs], [text for _, text in pairs]
            empty.foreign = ForeignTexts()
            with placed(places.__getitem__):
                scores = _scores(model, head, texts, empty, workers)
            if foreign.merge(empty.foreign):
                foreign.place = places[foreign.first]
            if empty.first is not None and not first_empty:
                first_empty = places[empty.first - empty.start]
                if options.on_empty == "raise":
                    raise EmptyTextError(
                        f"{first_empty}: expected a token that the model knows, found none"
                    )
            rows = predictions(head, scores, options.threshold, every=options.probabilities)
            if options.explain:
                for row, explanation in zip(
                    rows, _explained(model, head, texts, scores), strict=True
                ):
                    row["explanation"] = explanation
            if writer is None:
                _print(head, options, texts, scores, rows)
            else:
                spelled = map(as_json, rows)
                for text, record, place in zip(given, records, all_places, strict=True):
                    row = without_text if text is None else next(spelled)
                    writer.write(record | row, place)
            progress.advance(len(given))
            empty.start += len(texts)
        if writer is not None:
            writer.begin([*names, *without_text])
    if options.on_empty == "warn":
        note_empty(empty, empty.start, first_empty)
        note_foreign(foreign)
    return 0


def _source(
    options: argparse.Namespace, position: InputPosition, names: list[str]
) -> Iterator[tuple[str, str | None, Record]]:
    """Open the texts with their places and records; `names` gets the names of a table's columns."""
    if options.texts:
        refuse_input(options)
        refuse_inputs(options.output, model_files(options.model))
        return given_texts(options.texts)
    form = input_form(options.input, options.input_format)
    refuse_inputs(options.output, [options.input, *model_files(options.model)])
    return read_records(
        options.input,
        form,
        options.column,
        nulls=True,
        opened=position.follow,
        reserved=dict.fromkeys(COLUMNS, "rename or drop it"),
        named=names.extend,
    )


def _check(options: argparse.Namespace, head: Head) -> None:
    from ..heads.labels import check_threshold

    check_threshold(options.threshold)
    if head.kind == "linear":
        given = {"--threshold": options.threshold is not None, "--probabilities":
                 options.probabilities}  # fmt: skip
        for name, is_given in given.items():
            if is_given:
                raise InvalidOptionError(
                    f"{name}: expected a head that gives labels, found {head.name!r}, which gives "
                    "numbers"
                )


def _scores(
    model: StaticModel, head: Head, texts: list[str], empty: EmptyTexts, workers: int
) -> NDArray[np.float32]:
    predict = model.predict if head.kind == "linear" else model.predict_proba
    return predict(texts, head.name, on_empty=empty, workers=workers)


def _explained(
    model: StaticModel, head: Head, texts: list[str], scores: NDArray[np.float32]
) -> Iterator[PredictionExplanation]:
    """Explain the likeliest label of each text, or the largest number."""
    for text, best in zip(texts, scores.argmax(axis=1).tolist(), strict=True):
        try:
            yield model.explain_prediction(text, head.name, label=head.labels[best])
        except MissingPackageError as error:
            raise MissingPackageError(f"--explain: {error}") from None


def _print(
    head: Head,
    options: argparse.Namespace,
    texts: list[str],
    scores: NDArray[np.float32],
    rows: list[dict[str, Any]],
) -> None:
    from .prediction_layout import prediction_lines

    for text, of_text, row in zip(texts, scores, rows, strict=True):
        lines = prediction_lines(head, text, of_text, row, every=options.probabilities)
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
