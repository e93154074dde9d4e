"""Results that hold intervals are shown with them; those saved before are shown without."""

import numpy as np
import pytest

from .shown import shown_by

# In a process of its own: modules of benchmarks/ have the names of some in tests/.
SHOW = """
import json
import numpy as np
import figures.adaptation as adaptation, figures.search as search
import intervals
from adaptation import figures

made = {"processor": "p", "python": "3", "versions": {}, "commit": "c", "date": "d"}
rng = np.random.default_rng(0)
few, many = rng.random(20), rng.random(2000)
alike = {"alone": few, "with BM25": many}

def search_page(name, found):
    ways = {"bm25s": 31.0, "lexical": 32.0, "vector": 33.0, "hybrid": 34.0}
    found = ways | found | {"documents": 9, "seconds_to_index": 1.0, "hybrid_milliseconds": 2.0}
    return search.section({"environment": made, "results": {"collections": {name: found}}})

def adaptation_pages(saved, over):
    def cell():
        found = figures(alike)
        return found if saved else {key: found[key] for key in alike}
    ndcg = {way: cell() | {"seconds": 1} for way in adaptation.WAYS}
    ndcg["adapted"] |= over
    union = {"documents": 5, "ndcg": {"nfcorpus": ndcg, "squad": {"teacher": {"intervals":
             {"alone": [0, 100]}}}}}
    results = {"collections": {"nfcorpus": {"documents": 3, "ndcg": ndcg}},
               "fewer": {"nfcorpus": {"100": cell()}}, "half": {"nfcorpus": cell()},
               "union": [union]}
    content = {"environment": made, "results": results}
    return {"adaptation": adaptation.section(content), **adaptation.further(content)}

low, high = intervals.ends(few)
print(json.dumps({
    "ends": [low, high],
    "standard": float(1.96 * 100 * few.std() / np.sqrt(20)),
    "gain": intervals.gain(many + 0.01, many),
    "search": search_page("nfcorpus", {
        "intervals": {"hybrid": [30.0, 35.0], "vector": [30.0, 33.0]},
        "hybrid_over_lexical": {"value": 2.0, "low": -0.5, "high": 4.25}}),
    "search before": search_page("nfcorpus", {}),
    "pages": adaptation_pages(True, {"over the teacher": {"value": 1, "low": 0.5, "high": 1.5}}),
    "pages before": adaptation_pages(False, {}),
}))
"""


@pytest.fixture(scope="module")
def shown():
    return shown_by(SHOW)


def test_the_interval_of_a_mean_has_its_known_width(shown):
    low, high = shown["ends"]
    assert (high - low) / 2 == pytest.approx(shown["standard"], rel=0.15)
    # Queries that all gain the same gain it for certain, however much they differ.
    assert shown["gain"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_the_pages_name_the_widest_interval_and_the_paired_difference(shown):
    assert "bootstrap samples reach at most 2.5 points to each side. " in shown["search"]
    assert "Together less BM25, query by query: NFCorpus +2.0 (-0.5 to +4.2). " in shown["search"]
    low, high = shown["ends"]
    widest = f"bootstrap samples reach at most {np.round((high - low) / 2, 1)} points to each side."
    for block, text in shown["pages"].items():
        assert widest in text, block
    assert (
        "the teacher, query by query: NFCorpus +1.0 (+0.5 to +1.5). "
        in (shown["pages"]["adaptation"])
    )


def test_results_without_intervals_are_shown_without(shown):
    for text in (shown["search before"], *shown["pages before"].values()):
        assert "bootstrap" not in text
        assert "query by query" not in text
