"""Time from process start to the first vector, its steps, memory, and installed bytes."""

from typing import Any

import drawing
from labels import PACKAGES, label

OTHER = ", other text"
MANY = ", 1,000 titles"


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
    """Times over that of `import numpy`: with a text, with another one, and with many."""
    body = []
    for name, row in rows.items():
        if not name.endswith((OTHER, MANY)):
            times = [_times(rows.get(name + given)) for given in ("", OTHER, MANY)]
            body.append([label(name), *times, f"{row['peak_megabytes']:,.0f}"])
    header = ["start to vectors, × numpy", "a text", "other text", "1,000 titles", "peak MB"]
    floor = rows["import numpy"]["seconds"] * 1e3
    sizes = ", ".join(
        f"{label(name)} {row['model_bytes'] / 1e6:.1f}"
        for name, row in rows.items()
        if "model_bytes" in row
    )
    note = (
        f"× numpy: the time of a process over that of `import numpy`, which took {floor:.0f} ms. "
        "Other text: it is not plain English; peers read their whole tokenizer for any text. Peak: "
        f"with a text. Models, MB on disk: {sizes}."
    )
    return drawing.table(header, body) + "\n\n" + note


def _times(row: dict[str, Any] | None) -> str:
    return f"{row['times_import_numpy']['median']:.2f}" if row else ""


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
