"""Start to first vector, memory, bytes installed."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """A table of processes, and one of what pip installs."""
    body = []
    for name, row in content["results"]["rows"].items():
        times = row["times_import_numpy"]["median"]
        peak = f"{row['peak_megabytes']:.1f}"
        body.append([name, f"{row['seconds'] * 1e3:.0f}", f"{times:.2f}", peak])
    header = ["process start to first vector", "ms", "× `import numpy`", "peak memory, MB"]
    installed = ["| installed by pip | MB | packages |", "|---|---:|---|"]
    for name, sizes in content["results"]["installed_bytes"].items():
        total = sum(sizes.values()) / 1e6
        largest = sorted(sizes, key=lambda package: -sizes[package])
        shown = ", ".join(f"{package} {sizes[package] / 1e6:.1f}" for package in largest[:4])
        more = f", and {len(sizes) - 4} more" if len(sizes) > 4 else ""
        installed.append(f"| {name} | {total:,.1f} | {shown}{more} |")
    packages = ("numpy", "tokenizers", "model2vec", "sentence-transformers")
    return "\n".join(
        [drawing.table(header, body), "", *installed, "", drawing.machine(content, *packages)]
    )
