"""Time from process start to the first vector, its steps, memory, and installed bytes."""

from typing import Any

import drawing

from .throughput import LABELS, PACKAGES


def section(content: dict[str, Any]) -> str:
    """Return three tables: the processes, the steps of our start, and the installed packages."""
    results = content["results"]
    steps = results.get("steps_milliseconds")
    blocks = [
        _processes(results["rows"]),
        *([_steps(steps)] if steps else []),
        _installed(results["installed_bytes"]),
        f"{drawing.not_measured(content)} {drawing.machine(content, *PACKAGES)}".strip(),
    ]
    return "\n\n".join(blocks)


def _processes(rows: dict[str, Any]) -> str:
    body = []
    for name, row in rows.items():
        model = row.get("model_bytes")
        body.append(
            [
                LABELS.get(name, name),
                f"{row['seconds'] * 1e3:,.0f}",
                f"{row['times_import_numpy']['median']:.2f}",
                f"{row['peak_megabytes']:.1f}",
                f"{model / 1e6:.1f}" if model else "",
            ]
        )
    header = ["process start to first vector", "ms", "× `import numpy`", "peak memory, MB"]
    return drawing.table([*header, "model, MB"], body)


def _steps(steps: dict[str, dict[str, float]]) -> str:
    body = [
        [step, *(f"{one[step]:.1f}" for one in steps.values())]
        for step in next(iter(steps.values()))
    ]
    return drawing.table(["where ours goes, ms", *steps], body)


def _installed(installed: dict[str, dict[str, int]]) -> str:
    lines = ["| installed by pip | MB | packages |", "| --- | ---: | --- |"]
    for name, sizes in installed.items():
        total = sum(sizes.values()) / 1e6
        largest = sorted(sizes, key=lambda package: -sizes[package])
        shown = ", ".join(f"{package} {sizes[package] / 1e6:.1f}" for package in largest[:4])
        more = f", and {len(sizes) - 4} more" if len(sizes) > 4 else ""
        lines.append(f"| {name} | {total:,.1f} | {shown}{more} |")
    return "\n".join(lines)
