"""Large published layouts: start and peak memory of each, and what it takes to make one smaller.

The folders are made up at full size (`published_layouts`). Each is opened by the library that wrote
it, by ours as it is, and by ours as the file that `convert` makes of it. Then `convert` runs with
each kind of reduction, once. Peak memory is the resident set, pages of mapped files among it.
"""

from __future__ import annotations

import compileall
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import contestants
import harness
import installed
import programs
import published_layouts
from published_layouts import LAYOUTS

REPETITIONS = 3
TEXTS = 20_000
_CONVERT = "from staticemb_distiller.cli.main import main; assert main({arguments!r}) == 0"
_PEERS = {
    "model2vec": ("model2vec", programs.MODEL2VEC),
    "sentence-transformers": ("sentence_transformers", programs.TRANSFORMERS),
}


def main() -> None:
    """Run and save."""
    harness.read_options()
    harness.one_core()
    compileall.compile_dir(str(installed.RUNTIME), quiet=1)
    share = 0.02 if harness.quick() else 1.0
    with tempfile.TemporaryDirectory() as name:
        rows = {layout: _measure(layout, Path(name), share) for layout in LAYOUTS}
    harness.save("layouts", {"repetitions": REPETITIONS, "layouts": rows})


def _measure(name: str, folder: Path, share: float) -> dict[str, Any]:
    layout = LAYOUTS[name]
    path = published_layouts.make(name, folder, share=share)
    texts = folder / f"{name}.txt"
    lines = published_layouts.texts(path, harness.fewer(TEXTS))
    texts.write_text("\n".join(lines), encoding="utf-8")
    files = {}
    making = {}
    for step, options in {
        "converted": [],
        "converted, int8": ["--dtype", "int8"],
        "converted, cut, int8": ["--dtype", "int8", "--keep-used-in", str(texts)],
    }.items():
        files[step] = folder / f"{name}-{len(files)}.staticemb"
        arguments = ["convert", str(path), "-o", str(files[step]), *options]
        start = time.perf_counter()
        peak = harness.peak_of(_CONVERT.format(arguments=arguments))
        seconds = time.perf_counter() - start
        making[step] = {"seconds": harness.significant(seconds), "peak_bytes": peak}
    package, template = _PEERS[layout.library]
    found, absent = contestants.present({layout.library: lambda: _peer(template, package, path)})
    folders = {"ours, the folder": programs.Program(programs.OURS, path, _bytes(path))}
    started = found | folders | {f"ours, {k}": v for k, v in programs.ours(files).items()}
    return {
        "tokens": layout.tokens,
        "dimension": layout.dim,
        "table_bytes": layout.tokens * layout.dim * 4,
        "start": _starts(started),
        "making": making,
        "not_measured": absent,
    }


def _peer(template: str, package: str, path: Path) -> programs.Program:
    __import__(package)
    return programs.Program(template, path, _bytes(path))


def _bytes(path: Path) -> int:
    return contestants.model_bytes(path)


def _starts(started: dict[str, programs.Program]) -> dict[str, Any]:
    """Seconds and peak bytes up to a first vector, and the bytes on disk, by contestant."""
    codes = {"import numpy": "import numpy"}
    codes |= {name: program.code(programs.OTHER_TEXT) for name, program in started.items()}
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    peaks: dict[str, list[int]] = {name: [] for name in codes}
    for _ in range(harness.fewer(REPETITIONS, least=2)):
        for name, code in codes.items():
            start = time.perf_counter()
            peaks[name].append(harness.peak_of(code))
            seconds[name].append(time.perf_counter() - start)
    rows = {}
    for name, program in started.items():
        rows[name] = {
            "seconds": harness.significant(statistics.median(seconds[name])),
            "times_import_numpy": harness.ratio(seconds[name], seconds["import numpy"]),
            "peak_bytes": int(statistics.median(peaks[name])),
            "model_bytes": program.model_bytes,
        }
        print(
            f"  {name:32} {rows[name]['seconds']:8.3f} s {rows[name]['peak_bytes'] / 1e6:8.1f} MB"
        )
    return rows


if __name__ == "__main__":
    main()
