"""The tables of search show each contestant's own figures."""

from xml.etree import ElementTree

from .shown import shown_by

# In a process of its own: modules of benchmarks/ have the names of some in tests/.
SHOW = """
import json
import figures.duplicates as duplicates
import figures.search as search, figures.search_scaling as scaling

made = {"processor": "p", "python": "3", "versions": {}, "commit": "c", "date": "d"}
times = lambda first: {"3": first, "8": first + 1}
rows = [
    {"texts": "generated", "documents": 5000, "name": "staticemb", "loss": 0.25,
     "build_seconds": 2.0, "load_seconds": 0.5,
     "peak_mb": 70, "recall": 0.5, "milliseconds": {"hybrid": times(11), "vector": times(13)}},
    {"texts": "generated", "documents": 5000, "name": "bm25s", "build_seconds": 1.0,
     "peak_mb": 80, "milliseconds": {"lexical": times(17)}},
]
results = {"dimension": 256, "words": 40, "rows": rows}
ways = {"bm25s": 31.0, "lexical": 32.0, "vector": 33.0, "hybrid": 34.0}
found = ways | {"documents": 9, "seconds_to_index": 1.0, "hybrid_milliseconds": 2.0,
                "by_vector_weight": {"0.0": 41.0, "1.0": 42.0}}
taught = found | {"teacher": 51.0, "reranked_by_weight": {"0.7": 52.0},
                  "rerank_weight": "0.7",
                  "teacher_documents": {"hybrid": 53.0}}
content = lambda found: {"environment": made, "results": {"collections": {"nfcorpus": found}}}
spans = {"intervals": {"hybrid": [30.0, 44.5], "bm25s": [1.0, 99.0]}}
run = {"seconds": 2.0, "memory": 3e6, "kept": 61, "missed": 0.25, "wrong": 0.5}
repeats = {"threshold": 0.9, "timeout": 7, "collections": [
    {"kind": "posts", "texts": 80, "contestants": {"staticemb": run, "slow": None}}]}
print(json.dumps({
    "duplicates": duplicates.section({"environment": made, "results": repeats}),
    "recall": scaling.further({"results": results})["search_recall"],
    "scaling": scaling.section({"environment": made, "results": results}),
    "search": search.section(content(found)),
    "taught": search.section(content(taught)),
    **search.further(content(found)),
    "picture": search.pictures(content(found))["search.svg"],
    "taught picture": search.pictures(content(taught))["search.svg"],
    "picture with intervals": search.pictures(content(found | spans))["search.svg"],
}))
"""


def test_each_contestant_has_its_own_figures():
    shown = shown_by(SHOW)
    assert "| staticemb | both | 5,000 | 11 | 12 |  | 2,500 | 70 |" in shown["scaling"]
    assert "| staticemb | vectors | 5,000 | 13 | 14 | 0.500 | 2,500 | 70 |" in shown["scaling"]
    assert "| bm25s | words | 5,000 | 17 | 18 |  | 5,000 | 80 |" in shown["scaling"]
    assert "| generated | 5,000 | staticemb | 0.500 | 0.25000 |" in shown["recall"]
    assert (
        "| posts | 80 | staticemb | 2 | 2.5e+04 | 3 | 61 | 25.00 | 50.00 |" in shown["duplicates"]
    )
    assert "| posts | 80 | slow | not ended in 7 |" in shown["duplicates"]
    assert "| BM25 | 32.0 |" in shown["search"]
    assert "teacher" not in shown["search"]
    assert "| the teacher alone | 51.0 |" in shown["taught"]
    assert "| 1.0 | 42.0 |" in shown["search_weights"]


def test_the_picture_has_a_bar_for_each_way_that_was_measured():
    shown = shown_by(SHOW)
    for name, ways in (
        ("picture", {"BM25": 32, "static": 33, "BM25 + static": 34}),
        ("taught picture", {"BM25": 32, "static": 33, "BM25 + static": 34, "transformer": 51}),
    ):
        texts = [e.text.strip() for e in ElementTree.fromstring(shown[name]).iter() if e.text]
        for way, value in ways.items():
            assert texts.count(way) == 1
            assert texts.count(f"{value}.0") == 1
        assert ("transformer" in texts) == ("transformer" in ways)
    # The line of an interval crosses its bar, and no line is drawn for another way.
    lines = [shown[name].count('stroke="#') for name in ("picture", "picture with intervals")]
    assert lines[1] == lines[0] + 1
