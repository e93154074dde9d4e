"""`staticemb-distiller fit-head`: fit a classifier or regressor, and put it into the file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, get_args

from staticemb_runtime.cli import printable

from ..errors import TrainingError
from ..heads.targets import HeadTask

if TYPE_CHECKING:
    from ..heads.class_weights import ClassWeight


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="a static embedding file, or an installed model's name"
    )
    parser.add_argument(
        "--data",
        required=True,
        nargs="+",
        metavar="SOURCE",
        help="texts with labels: a TSV, CSV, JSON lines or Parquet file, a folder of them, or "
        "hf:ID; ::text=COLUMN,label=COLUMN after it name the columns, several joined by +",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write; it may be MODEL"
    )
    parser.add_argument(
        "--test",
        nargs="+",
        metavar="SOURCE",
        help="held-out texts with labels, to measure on [cross-validation on --data]",
    )
    parser.add_argument(
        "--task",
        choices=get_args(HeadTask),
        metavar="TASK",
        help="classification, multilabel or regression: one label a text, several, or numbers "
        "[multilabel for lists of labels, or else classification]",
    )
    parser.add_argument(
        "--separator", metavar="TEXT", help="what stands between the labels of a text, such as ;"
    )
    parser.add_argument("--name", default="default", help="the head's name in the file [default]")
    parser.add_argument(
        "--class-weight",
        nargs="+",
        metavar="WEIGHT",
        help="LABEL=WEIGHT: how many times the texts of a label count; balanced: rare labels count "
        "as much as others",
    )
    parser.add_argument(
        "--hidden",
        type=int,
        metavar="N",
        help="try a hidden layer of N outputs; it is kept if it predicts held-out texts better",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="try to fit the table with the head; kept if it predicts held-out texts better. "
        "The file then gives other vectors, without the other heads of MODEL",
    )
    parser.add_argument(
        "--strength",
        type=float,
        metavar="C",
        help="the inverse of the regularization [chosen by cross-validation]",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "int8"),
        default="float32",
        help="number type of the head's weights [float32]",
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace a head of this name in MODEL"
    )
    reports = parser.add_argument_group("the report")
    reports.add_argument("--html", metavar="FILE", help="write the report as a page")
    reports.add_argument("--json", metavar="FILE", help="write the report as JSON")
    reports.add_argument(
        "--no-baseline", action="store_true", help="do not measure TF-IDF on the same texts"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the folds [0]")
    parser.add_argument("--quiet", action="store_true", help="show warnings alone")


def run(arguments: argparse.Namespace) -> int:
    """Fit."""
    from ..heads.fit_head import fit_head
    from ..output_file import described
    from ..progress import Progress

    with Progress(quiet=arguments.quiet) as progress:
        report = fit_head(
            arguments.model,
            arguments.data,
            arguments.output,
            test=arguments.test,
            task=arguments.task,
            separator=arguments.separator,
            name=arguments.name,
            class_weight=_class_weight(arguments.class_weight),
            hidden=arguments.hidden,
            tune=arguments.tune,
            strength=arguments.strength,
            precision=arguments.precision,
            replace=arguments.replace,
            with_baseline=not arguments.no_baseline,
            html=arguments.html,
            json=arguments.json,
            seed=arguments.seed,
            progress=progress,
        )
        for line in report.lines():
            progress.note(printable(line))
        progress.note(f"Wrote {described(report.path)}")
    return 0


def _class_weight(given: list[str] | None) -> ClassWeight:
    """Parse the values of `--class-weight`."""
    if given is None:
        return None
    if given == ["balanced"]:
        return "balanced"
    weights = {}
    for pair in given:
        label, equals, weight = pair.rpartition("=")
        try:
            weights[label] = float(weight)
        except ValueError:
            equals = ""
        if not equals:
            raise TrainingError(
                f"--class-weight: expected balanced or LABEL=WEIGHT, found {pair!r}"
            )
    return weights
