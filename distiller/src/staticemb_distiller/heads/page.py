"""The report of a head as one HTML page that needs no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..evaluation.drawing import printable
from ..evaluation.templates import PageTable, rendered, row, safe
from ..version import __version__
from . import charts
from .baseline import NAME
from .report import spelled

if TYPE_CHECKING:
    from .report import HeadReport

_MOST_ROWS = 400  # labels in the table


def html(report: HeadReport) -> str:
    """Return the page of a report."""
    scores = report.scores
    drawn = []
    if scores.reliability is not None:
        drawn.append(charts.calibration(scores.reliability))
    if scores.points is not None:
        drawn.append(charts.numbers(scores.points))
    matrix = None
    if scores.confusions is not None and len(report.labels) <= charts.MOST_DRAWN:
        matrix = safe(charts.confusions(scores.confusions, report.labels))
    return rendered(
        __package__,
        "page.html.jinja",
        name=report.name,
        lead=report.summary(),
        choices=report.choices,
        warnings=report.warnings,
        measured=report.method,
        calibrated=scores.reliability is not None,
        matrix_width=charts.matrix_width(len(report.labels)),
        summary=_summary(report),
        drawn=[safe(chart) for chart in drawn],
        matrix=matrix,
        confused=_confused(report) if scores.most_confused else None,
        by_label=_by_label(report),
        left_out=max(0, len(scores.by_label) - _MOST_ROWS),
        method=_method(report),
    )


def _summary(report: HeadReport) -> PageTable:
    names = list(report.scores.main)
    body = [row(["this head", *(spelled(n, report.scores.main[n]) for n in names)])]
    if report.baseline is not None:
        cells = [spelled(n, report.baseline.main[n]) for n in names]
        body.append(row([NAME, *cells], baseline=True))
    return ["", *names], body, 1


def _confused(report: HeadReport) -> PageTable:
    body = [
        row([printable(right), printable(given), f"{count:,}"])
        for right, given, count in report.scores.most_confused
    ]
    return ["label", "taken for", "texts"], body, 2


def _by_label(report: HeadReport) -> PageTable:
    """Return the table of labels, the lowest F1 first."""
    rows = report.scores.by_label
    if report.kind == "linear":
        body = [row([printable(n), f"{r2:.3f}", f"{error:.3g}"]) for n, r2, error in rows]
        return ["number", "R²", "mean absolute error"], body, 1
    ordered = sorted(rows, key=lambda each: (each[1] == 0, each[-1]))[:_MOST_ROWS]
    body = [
        row([printable(name), f"{count:,}", *(f"{100 * value:.1f}" for value in values)])
        for name, count, *values in ordered
    ]
    return ["label", "texts", "precision", "recall", "F1"], body, 1


def _method(report: HeadReport) -> list[str]:
    kind = {
        "softmax": "logistic regression (softmax)",
        "sigmoid": "logistic regression for each label (sigmoid)",
        "linear": "ridge regression",
    }[report.kind]
    lines = [
        f"staticemb-distiller {__version__}; model {report.model}; {kind} on unit vectors, by "
        f"L-BFGS."
        if report.kind != "linear"
        else f"staticemb-distiller {__version__}; model {report.model}; {kind} on unit vectors.",
        "Pooling and strength were chosen by the loss of held-out texts in cross-validation.",
    ]
    if report.kind != "linear":
        lines.append(
            f"Logits are divided by the temperature {report.temperature:.3g}, chosen on held-out "
            "texts so that probabilities agree with how often they are right."
        )
        lines.append(
            "Calibration error: the mean distance of probability and share right, in 10 bins. "
            "Brier score: the mean squared distance of probabilities and labels."
        )
    if report.baseline is not None:
        lines.append(
            f"{NAME}: word counts (sublinear tf, idf) with the same kind of layer and C = 10, on "
            "the same texts."
        )
    return lines
