"""The benchmark of languages, as its command runs it: a model, a teacher on a server, and pages."""

import json

import numpy as np
import pytest

from conftest import ROOT
from distiller import evaluation_data as data
from distiller.embedding_server import EmbeddingServer, vectors

from .shown import run_benchmark, shown_by

CODES = ("en", "de", "es", "fr", "ru", "ja", "zh")
SHOW = """
import json, sys
import figures.languages as figure
content = json.load(open({path!r}, encoding="utf-8"))
print(json.dumps({{"languages": figure.section(content)}} | figure.further(content)))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("languages")

    def texts(code):
        return [(f"{code} first {row}", f"{code} second {row * 7}") for row in range(12)]

    # The teacher is perfect in English, and knows nothing in other languages.
    first, second = (vectors(column) for column in zip(*texts("en"), strict=True))
    gold = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(first, second, strict=True)
    ]
    for code in CODES:
        rows = [(f"{g:.4f}", *pair) for g, pair in zip(gold, texts(code), strict=True)]
        data.write(folder / f"eval/sts/stsb-{code}-test.tsv", rows)
    words = folder / "small.txt"
    names = [*CODES, "first", "second", *map(str, range(78))]
    words.write_text("".join(f"{w} {i % 7} {i % 11} 1\n" for i, w in enumerate(names)), "utf-8")
    server = EmbeddingServer()
    command = ["languages.py", f"mine={words}", "--data", str(folder)]
    command += ["--teacher", server.spec, "--teacher-cache", str(folder / "cache")]
    for _ in range(2):
        run_benchmark(command, folder)
    server.close()
    return folder / "languages.json", server


def test_the_teacher_is_asked_for_each_text_once(saved):
    _, server = saved
    assert len(server.texts) == len(set(server.texts))


def test_every_language_has_its_figure_and_its_share(saved):
    path, _ = saved
    scores = json.loads(path.read_text("utf-8"))["results"]["scores"]
    blocks = shown_by(SHOW.format(path=str(path)))
    lines = blocks["languages"].splitlines()
    for code, name in zip(CODES, ("English", "German"), strict=False):
        ours, whole = (
            scores[model][f"sts/stsb-{code}-test"]["spearman"] for model in ("mine", "teacher")
        )
        assert ours["low"] <= ours["value"] <= ours["high"]
        (line,) = (line for line in lines if line.startswith(f"| {name} |"))
        share = f" ({ours['value'] / whole['value']:.0%})"
        assert f"| {ours['value']:.1f}{share if whole['value'] > 0 else ''} |" in line
        if code == "en":
            assert whole["value"] > 99
            assert share in line
    assert sum("mean" in line for line in lines if line.startswith("|")) == 3
    translations = blocks["languages_translations"]
    assert translations.count("| Japanese |") == 2
    assert "| English |" not in translations


def test_each_block_has_a_place_in_the_pages(saved):
    page = (ROOT / "docs/benchmarks/languages.md").read_text(encoding="utf-8")
    for name in shown_by(SHOW.format(path=str(saved[0]))):
        assert f"<!-- figures: {name} -->" in page
