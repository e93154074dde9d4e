"""The scores of the bundled model are saved with their commit, which the card then names."""

import json

import pytest

from distiller import evaluation_data as data

from .shown import run_benchmark, shown_by

SHOW = """
import json
import bundled, columns
content = json.load(open({path!r}, encoding="utf-8"))
tasks = {{"words": columns.Column("wordsim/*")}}
bundled.TASKS, bundled.SHOWN, bundled.LANGUAGES = tasks, ("words",), {{}}
print(json.dumps(bundled.sections(content)))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundled")
    pairs = [(i % 10, f"word {i}", f"term {i * 3 % 7}") for i in range(40)]
    data.write(folder / "eval/wordsim/en-rg-65.tsv", pairs)
    run_benchmark(["bundled_scores.py", "--quick", "--data", str(folder)], folder)
    return folder / "bundled.json"


def test_the_card_names_the_commit_and_the_day(saved):
    content = json.loads(saved.read_text("utf-8"))
    made = content["environment"]
    blocks = shown_by(SHOW.format(path=str(saved)))
    for name in ("bundled scores", "bundled short"):
        assert f"commit {made['commit']}, {made['date']}." in blocks[name]


def test_the_widest_interval_is_named(saved):
    results = json.loads(saved.read_text("utf-8"))["results"]
    widest = max((score["high"] - score["low"]) / 2 for score in results["scores"])
    blocks = shown_by(SHOW.format(path=str(saved)))
    assert f" reach at most {widest:.1f} points to each side. " in blocks["bundled scores"]
