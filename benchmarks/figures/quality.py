"""Quality beside the peers: a table and a picture of bars with intervals."""

from __future__ import annotations

from typing import Any

Results = dict[str, Any]

COLUMNS = ("STS-B", "SICK", "words", "NFCorpus", "Cranfield", "Banking77", "SST-2")
CHARTED = (
    ("STS-B", "STS Benchmark, Spearman × 100"),
    ("words", "Word similarity, mean of seven sets"),
    ("NFCorpus", "Retrieval: NFCorpus, NDCG@10 × 100"),
)
_WIDTH, _LEFT, _STEP = 720, 220, 24


def section(content: Results) -> str:
    """Scores at each dimension, and what the making took."""
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
    return "\n".join(lines) + "\n\n" + _note(content, timed=timed)


def _cell(cell: dict[str, Any] | None) -> str:
    """A score; marked where it is not clearly better than the baseline's."""
    if cell is None:
        return ""
    over = cell.get("over_baseline")
    if over is None:
        return f"{cell['value']:.1f}"
    mark = "" if over["low"] > 0 else "↓" if over["high"] < 0 else "≈"
    return f"{cell['value']:.1f}{mark}"


def _seconds(facts: dict[str, Any], rate: float) -> str:
    """Processor seconds of making a model, and of the teacher's pass over its texts."""
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
        f"{machine['processor']}, {machine['cores']} cores, {peers}; commit {machine['commit']}, "
        f"{machine['date']}. Intervals and commands: `benchmarks/results/quality.json`."
    )


def pictures(content: Results) -> dict[str, str]:
    """Bars with 95 % intervals for each model at its largest dimension."""
    scores = content["results"]["scores"]
    models = [name for name in scores if "documents" not in name]
    height = len(CHARTED) * (_STEP * len(models) + 44)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' aria-label="Quality of static models made from one teacher">',
        "<style>text{font:13px system-ui,sans-serif;fill:#333}.o{fill:#0b6e8a}.p{fill:#9a9a9a}"
        ".t{fill:#c9c9c9}line{stroke:#333}@media(prefers-color-scheme:dark){text{fill:#ddd}"
        ".o{fill:#4cb5d1}.p{fill:#777}.t{fill:#4a4a4a}line{stroke:#ddd}}</style>",
    ]
    y = 0
    for column, title in CHARTED:
        svg.append(f'<text x="0" y="{y + 18}" font-weight="600">{title}</text>')
        cells = {name: scores[name][max(scores[name], key=int)].get(column) for name in models}
        known = {name: cell for name, cell in cells.items() if cell}
        top = max(cell["high"] for cell in known.values())
        for at, (name, cell) in enumerate(known.items()):
            svg += _bar(name, cell, y + 28 + at * _STEP, (_WIDTH - _LEFT - 60) / top)
        y += _STEP * len(models) + 44
    return {"quality.svg": "\n".join(svg) + "\n</svg>\n"}


def _bar(name: str, cell: dict[str, Any], y: int, scale: float) -> list[str]:
    kind = "o" if name.startswith("ours") else "t" if name == "teacher" else "p"
    low, high = (round(_LEFT + scale * cell[end], 1) for end in ("low", "high"))
    return [
        f'<text x="{_LEFT - 10}" y="{y + 14}" text-anchor="end">{name}</text>',
        f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{scale * cell["value"]:.1f}" '
        f'height="{_STEP - 6}" rx="3"/>',
        f'<line x1="{low}" x2="{high}" y1="{y + 9}" y2="{y + 9}"/>',
        f'<text x="{high + 8}" y="{y + 14}">{cell["value"]:.1f}</text>',
    ]
