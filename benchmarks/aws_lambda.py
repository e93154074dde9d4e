"""Start, first answer, later answers and memory of a Lambda function, with and without an index.

The zip is what `staticemb bundle-lambda` builds for this machine and this Python, with the bundled
model and an index of NFCorpus. AWS's own runtime client, which pip brings, runs it; a local server
stands in for Lambda's Runtime API (tests/end_to_end/lambda_runtime_api.py). The time that Lambda
needs to fetch and unpack the zip is not included.
"""

from __future__ import annotations

import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import harness
import search

from staticemb_runtime.search import Index

sys.path.insert(0, str(harness.ROOT / "tests" / "end_to_end"))
from lambda_runtime_api import Function

REPETITIONS = 9
LATER = 100
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
VARIANTS = {
    "texts": "vectors alone",
    "source": "vectors alone, without byte code",
    "index": "with an index",
}


def main() -> None:
    """Run and save."""
    harness.read_options()
    if not harness.SHARED.is_dir() or platform.machine() not in ARCHITECTURES:
        print("not measured: it needs the collections in ../shared, and a machine like Lambda's")
        return
    collection = search.load("nfcorpus")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Index.create(folder / "docs.db") as index:
            index.add(collection.texts, ids=collection.ids)
        client = _client(folder / "client")
        bundles = {
            "texts": _bundle(folder / "texts"),
            "index": _bundle(folder / "index", "--index", str(folder / "docs.db")),
        }
        shutil.copytree(folder / "texts" / "task", folder / "source" / "task")
        for cache in list((folder / "source").rglob("__pycache__")):
            shutil.rmtree(cache)
        runs: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
        for _ in range(harness.fewer(REPETITIONS, least=2)):
            for variant, found in runs.items():
                queries = collection.queries if variant == "index" else None
                found.append(_run(folder / variant / "task", client, queries))
    rows = {
        VARIANTS[variant]: {
            name: harness.significant(statistics.median(run[name] for run in found))
            for name in found[0]
        }
        for variant, found in runs.items()
    }
    for variant, row in rows.items():
        print(f"  {variant:36} {row}")
    results = {"documents": len(collection.ids), "rows": rows, "bytes": bundles}
    harness.save("aws_lambda", results)


def _client(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--target", str(folder), "awslambdaric"]
    subprocess.run(command, check=True)
    return folder


def _bundle(folder: Path, *options: str) -> dict[str, int]:
    """Build and unpack a zip; return its sizes."""
    folder.mkdir()
    output = folder / "function.zip"
    command = [sys.executable, "-m", "staticemb_runtime", "bundle-lambda", "-o", str(output)]
    command += ["--architecture", ARCHITECTURES[platform.machine()], *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(output) as archive:
        archive.extractall(folder / "task")
        unzipped = sum(member.file_size for member in archive.infolist())
    return {"zipped": output.stat().st_size, "unzipped": unzipped}


def _run(task: Path, client: Path, queries: list[str] | None) -> dict[str, float]:
    """Start a function, ask it, and end it; with queries, ask for ten hits each."""
    if queries is None:
        events: list[Any] = [{"texts": ["a first text"], "encoding": "base64"}] * (1 + LATER)
    else:
        events = [{"query": query, "k": 10} for query in queries[: 1 + LATER]]
    function = Function(task, client)
    try:
        seconds = []
        for event in events:
            answer = function.invoke(event)
            assert "error" not in answer, answer
            seconds.append(function.seconds)
        return {
            "start_seconds": function.init_seconds,
            "first_milliseconds": 1000 * seconds[0],
            "later_milliseconds": 1000 * statistics.median(seconds[1:]),
            "peak_megabytes": function.peak_bytes() / 1e6,
        }
    finally:
        function.close()


if __name__ == "__main__":
    main()
