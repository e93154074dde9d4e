"""Fill the README's figures and draw its charts from results/*.json.

python benchmarks/report.py           write
python benchmarks/report.py --check   exit 1 if the README says anything else
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import quality_report
from harness import RESULTS, ROOT

KINDS = {"titles": "short titles", "news": "news paragraphs", "posts": "long posts"}

Results = dict[str, Any]


def load(name: str) -> Results | None:
    """A benchmark's saved content, None where it was not run."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def speed(content: Results) -> str:
    """Texts per second beside the peers."""
    results = content["results"]["one_core"]
    heads = [
        f"{label} ({results[kind]['tokens'] / results[kind]['texts']:.0f} tokens)"
        for kind, label in KINDS.items()
    ]
    lines = ["| one core, table 29,525 × 256 | " + " | ".join(heads) + " |", "|---|---:|---:|---:|"]
    order = [
        "ours int8",
        "ours float32",
        "ours int8, damped",
        "ours float32, damped",
        "ours int8, first pass",
        "ours float32, first pass",
        "ours int8, damped, first pass",
        "ours int8, prefix 128",
        "ours int8, prefix 64",
        "model2vec float32",
        "model2vec int8",
        "sentence-transformers",
    ]
    for name in order:
        cells = []
        for kind in KINDS:
            row = results[kind]["rows"][name]
            times = row["times_model2vec"]
            cells.append(f"{row['texts_per_second']:,} (×{times['median']:.1f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    workers = content["results"].get("workers")
    note = (
        "\nTexts per second; in brackets the ratio to model2vec float32 in the same run, median of "
    )
    note += f"{content['results']['repetitions']} interleaved repetitions. "
    if workers:
        gain = workers["two_workers_times_one"]
        note += f"`workers=2` on {workers['texts']:,} texts: ×{gain['median']:.2f} of one worker"
        note += f" ({gain['low']:.2f} to {gain['high']:.2f}). "
    return "\n".join(lines) + "\n" + note + _machine(content)


def start(content: Results) -> str:
    """Start to first vector, memory, bytes installed."""
    lines = [
        "| process start to first vector | ms | × `import numpy` | peak memory, MB |",
        "|---|---:|---:|---:|",
    ]
    for name, row in content["results"]["rows"].items():
        times = row["times_import_numpy"]
        lines.append(
            f"| {name} | {row['seconds'] * 1e3:.0f} | {times['median']:.2f} "
            f"| {row['peak_megabytes']:.1f} |"
        )
    installed = content["results"]["installed_bytes"]
    lines += ["", "| installed by pip | MB | packages |", "|---|---:|---|"]
    for name, sizes in installed.items():
        total = sum(sizes.values()) / 1e6
        largest = sorted(sizes, key=lambda package: -sizes[package])
        shown = ", ".join(f"{package} {sizes[package] / 1e6:.1f}" for package in largest[:4])
        more = f", and {len(sizes) - 4} more" if len(sizes) > 4 else ""
        lines.append(f"| {name} | {total:,.1f} | {shown}{more} |")
    return "\n".join(lines) + "\n\n" + _machine(content)


def latency(content: Results) -> str:
    """One query."""
    lines = [
        "| one query of eight words, warm | p50, µs | p99, µs |",
        "|---|---:|---:|",
    ]
    for name, row in content["results"]["rows"].items():
        lines.append(f"| {name} | {row['p50_microseconds']:.0f} | {row['p99_microseconds']:.0f} |")
    return "\n".join(lines)


def bound(content: Results) -> str:
    """Pooling against C."""
    results = content["results"]
    lines = [
        "| pooling alone, µs a token (× torch's C++ `embedding_bag`) | "
        + " | ".join(results)
        + " |",
        "|---|" + "---:|" * len(results),
    ]
    for name in next(iter(results.values())):
        cells = [
            f"{row['microseconds_per_token']:.3f} (×{row['times_slower_than_c']['median']:.1f})"
            for row in (rows[name] for rows in results.values())
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def growth(content: Results) -> str:
    """How cost grows, a row for each thing that grows."""
    lines = ["| what grows | measured |", "|---|---|"]
    for title, rows in content["results"].items():
        cells = ", ".join(f"{label}: {value:,}" for label, value in rows.items())
        lines.append(f"| {title.replace('_', ' ')} | {cells} |")
    return "\n".join(lines)


def fit_scaling(content: Results) -> str:
    """Time and memory of a fit by the number of sentences."""
    lines = [
        "| sentences | seconds | CPU seconds | peak MB, before the fit | peak MB |",
        "|---:|---:|---:|---:|---:|",
    ]
    for row in content["results"]["rows"]:
        lines.append(
            f"| {row['sentences']:,} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} "
            f"| {row['peak_mb_before_fit']:,} | {row['peak_mb']:,} |"
        )
    return "\n".join(lines)


SECTIONS: dict[str, Callable[[Results], str]] = {
    "throughput": speed,
    "start": start,
    "latency": latency,
    "bound": bound,
    "growth": growth,
    "quality": quality_report.table,
    "fit_scaling": fit_scaling,
}


def _machine(content: Results) -> str:
    machine = content["environment"]
    versions = machine["versions"]
    peers = ", ".join(
        f"{name} {versions[name]}"
        for name in ("numpy", "tokenizers", "model2vec", "sentence-transformers")
        if versions.get(name)
    )
    return (
        f"{machine['processor']}, Python {machine['python']}, {peers}; "
        f"commit {machine['commit']}, {machine['date']}."
    )


def chart(content: Results) -> str:
    """A bar chart of texts per second on news paragraphs, as SVG for light and dark pages."""
    rows = content["results"]["one_core"]["news"]["rows"]
    bars = [
        ("ours, int8", "ours int8", True),
        ("ours, int8, damped pooling", "ours int8, damped", True),
        ("ours, int8, first pass", "ours int8, first pass", True),
        ("model2vec, float32", "model2vec float32", False),
        ("model2vec, int8", "model2vec int8", False),
        ("StaticEmbedding", "sentence-transformers", False),
    ]
    top = max(rows[name]["texts_per_second"] for _, name, _ in bars)
    width, left, step = 720, 200, 34
    height = step * len(bars) + 46
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        ' aria-label="Texts per second on one core, news paragraphs">',
        "<style>text{font:14px system-ui,sans-serif;fill:#333}.o{fill:#0b6e8a}.p{fill:#9a9a9a}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.o{fill:#4cb5d1}.p{fill:#777}}</style>",
        '<text x="0" y="18" font-weight="600">Texts per second, news paragraphs, one core</text>',
    ]
    for at, (label, name, own) in enumerate(bars):
        y = 34 + at * step
        value = rows[name]["texts_per_second"]
        length = round((width - left - 90) * value / top, 1)
        kind = "o" if own else "p"
        svg.append(f'<text x="{left - 10}" y="{y + 17}" text-anchor="end">{label}</text>')
        svg.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{length}" height="24" rx="3"/>')
        svg.append(f'<text x="{left + length + 8}" y="{y + 17}">{value:,}</text>')
    return "\n".join(svg) + "\n</svg>\n"


CHARTS: dict[str, tuple[str, Callable[[Results], str]]] = {
    "throughput": ("speed.svg", chart),
    "quality": ("quality.svg", quality_report.chart),
}
"""By the benchmark: a file beside its results, and what draws it."""
PAGES = (ROOT / "README.md", Path(__file__).resolve().parent / "quality.md")


def fill(text: str) -> str:
    """Replace what stands between `<!-- figures: NAME -->` and `<!-- end -->`."""
    for name, section in SECTIONS.items():
        content = load(name)
        if content is None:
            continue
        pattern = rf"(<!-- figures: {name} -->\n).*?(\n<!-- end -->)"
        if re.search(pattern, text, flags=re.S):
            body = section(content)
            text = re.sub(pattern, lambda m, body=body: m[1] + body + m[2], text, flags=re.S)
    return text


def written() -> dict[Path, str]:
    """Every file that holds figures, with what it should hold."""
    files = {page: fill(page.read_text(encoding="utf-8")) for page in PAGES}
    for name, (file, draw) in CHARTS.items():
        content = load(name)
        if content is not None:
            files[RESULTS / file] = draw(content)
    return files


def main() -> int:
    """Write, or compare with what is written."""
    stale = {
        path: content
        for path, content in written().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != content
    }
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.name} differs from benchmarks/results: run benchmarks/report.py")
        return 1 if stale else 0
    for path, content in stale.items():
        path.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
