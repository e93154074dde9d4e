"""Quality of our models and the peers': a table, and a chart of bars with intervals."""

from __future__ import annotations

from typing import Any

import drawing
import references
from columns import COLUMNS

Results = dict[str, Any]

CHARTED = (
    ("STS-B", "STS Benchmark, Spearman × 100"),
    ("words", "Word similarity, mean of seven sets"),
    ("NFCorpus", "Retrieval: NFCorpus, NDCG@10 × 100"),
)


def section(content: Results) -> str:
    """Return a table with the scores at each dimension and the time to make each model."""
    results = content["results"]
    scores, models = results["scores"], results["models"]
    rate = results["teacher_texts_per_processor_second"]
    seconds = {name: _seconds(models[name], rate) for name in scores if name != "teacher"}
    timed = any(seconds.values())
    head = [*COLUMNS, "processor s"] if timed else COLUMNS
    lines = ["| dimensions | " + " | ".join(head) + " |", "|---|" + "---:|" * len(head)]
    for name, dims in scores.items():
        for dim in sorted(map(int, dims), reverse=True):
            cells = [_cell(dims[str(dim)].get(column)) for column in COLUMNS]
            whole = dim == max(map(int, dims))
            label = f"**{name}**, {dim}" if whole and name.startswith("ours") else f"{name}, {dim}"
            if timed:
                cells.append(seconds.get(name, "") if whole else "")
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    for name, cells in references.rows():
        lines.append(f"| {name} | " + " | ".join([*cells, *([""] if timed else [])]) + " |")
    return "\n".join(lines) + "\n\n" + _note(content, timed=timed)


def _cell(cell: dict[str, Any] | None) -> str:
    """Format a score, with a mark if it is not clearly better than the baseline's."""
    if cell is None:
        return ""
    over = cell.get("over_baseline")
    if over is None:
        return f"{cell['value']:.1f}"
    mark = "" if over["low"] > 0 else "↓" if over["high"] < 0 else "≈"
    return f"{cell['value']:.1f}{mark}"


def _seconds(facts: dict[str, Any], rate: float) -> str:
    """Format the processor seconds of making a model and of the teacher's pass over its texts."""
    own = facts.get("processor_seconds", 0)
    if own and "fit_texts" in facts:
        return f"{own:,.0f} + {facts['fit_texts'] / rate:,.0f}"
    return f"{own:,.0f}" if own >= 1 else ""


def _note(content: Results, *, timed: bool) -> str:
    results, machine = content["results"], content["environment"]
    rate = results["teacher_texts_per_processor_second"]
    versions = machine["versions"]
    peers = ", ".join(
        f"{name} {versions[name]}" for name in ("model2vec", "wordllama") if versions.get(name)
    )
    making = (
        "Processor seconds of all cores together: of making the model, and of the "
        f"teacher's pass over the texts it was fitted to, at {rate:,.0f} sentences a second. "
    )
    return (
        "Spearman × 100 (STS-B test, SICK, words: mean of seven word-similarity sets), NDCG@10 × "
        "100 (NFCorpus, Cranfield), accuracy of a logistic probe. ≈ marks what "
        f"{results['baseline']} at the same dimensions equals within the 95 % interval of a paired "
        f"bootstrap ({results['resamples']:,} resamples), ↓ what is worse; all else is better "
        f"outside it. {making if timed else ''}"
        f"{machine['processor']}, {machine['cores']} cores, {peers}; {drawing.commits(content)}, "
        f"{machine['date']}. Intervals and commands: `benchmarks/results/quality.json`."
    )


def pictures(content: Results) -> dict[str, str]:
    """Draw bars with 95 % intervals for each model at its largest dimension."""
    scores = content["results"]["scores"]
    groups, intervals = [], {}
    for column, title in CHARTED:
        cells = {name: dims[max(dims, key=int)].get(column) for name, dims in scores.items()}
        rows = []
        for name, cell in cells.items():
            if cell:
                rows.append((name, cell["value"], f"{cell['value']:.1f}", _color(name)))
                intervals[title, name] = cell["low"], cell["high"]
        groups.append((title, rows))
    label = "Quality of static models made from one teacher"
    return {"quality.svg": drawing.bars(label, groups, intervals)}


def _color(name: str) -> str:
    if name.startswith("ours"):
        return drawing.OURS
    return drawing.TEACHER if name == "teacher" else drawing.PEER
