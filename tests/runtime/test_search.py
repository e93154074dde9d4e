"""An index finds what it should: brute force, hostile texts, filters, scores, snippets."""

import contextlib
import json
import re
import sqlite3
import threading
import tracemalloc
import unicodedata
from collections.abc import KeysView, Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from growth import check_growth
from staticemb_runtime import StaticModel, errors
from staticemb_runtime.search import (
    Added,
    Index,
    collection,
    fusion,
    hamming,
    ranking,
    snippets,
    writing,
)
from staticemb_runtime.search.collection import metadata_json
from staticemb_runtime.search.filters import condition
from staticemb_runtime.search.lexicon import Lexicon
from staticemb_runtime.search.passages import cut
from staticemb_runtime.search.schema import lexical_sql
from staticemb_runtime.search.stop_words import ENGLISH

TEXTS = [
    "Apples are red, and some are green.",
    "The sea is deep and blue.",
    "A recipe for apple pie with cinnamon.",
    "Ships cross the ocean.",
    "Stock markets fell on Monday.",
    "Tall trees grow in the forest.",
    "The orchard has old trees and sweet fruit.",
    "Rivers flow into the sea.",
]
IDS = list("abcdefgh")
# any text: control characters, quotes, operators, emoji, letters that change their length
ANY_TEXT = st.text(max_size=80) | st.sampled_from(
    [
        '"',
        "a*",
        "NEAR(a b, 2)",
        "a AND NOT",
        "\0a\0",
        "🎉👩‍👩‍👧",
        "İstanbul ﬁne ß",
        "'; DROP TABLE documents; --",
        "col:x",
        "^a",
        "-a",
        "{a} + b",
        "北京大学",
        "हिन्दी शब्द",
        "x" * 5000,
    ]
)


@pytest.fixture(scope="module")
def model():
    return StaticModel()


@pytest.fixture
def index(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as made:
        assert made.add(TEXTS, ids=IDS, metadata=[{"n": n} for n in range(8)]) == Added(8, 0, 0)
        yield made


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# --- what is found ---------------------------------------------------------------------------


def test_both_searches_find_their_document(index):
    assert index.search("apple pie recipe", k=1)[0].id == "c"
    assert {hit.id for hit in index.search("ocean", k=3, method="vector")} >= {"d"}
    assert [hit.id for hit in index.search("ocean", method="lexical")] == ["d"]


@pytest.mark.parametrize("precision", ["float16", "int8", "bits"])
@pytest.mark.parametrize("exact", [True, False])
def test_vectors_equal_brute_force(tmp_path, model, precision, exact, monkeypatch):
    if not exact:
        monkeypatch.setattr("staticemb_runtime.search.vectors.EXACT_BYTES", 0)
        monkeypatch.setattr("staticemb_runtime.search.vectors._RESCORED_SHARE", 1)
    rng = np.random.default_rng(3)
    vectors = unit(rng.normal(size=(700, model.dim)).astype(np.float32))
    with Index.create(tmp_path / "v.db", model, precision=precision, words=None) as made:
        made.add([f"text {n}" for n in range(700)], ids=map(str, range(700)), vectors=vectors)
        stored = {
            "float16": vectors.astype(np.float16).astype(np.float32),
            "int8": np.rint(vectors * 127 / np.abs(vectors).max(axis=1, keepdims=True)),
            "bits": np.where(vectors > 0, 1.0, -1.0),
        }[precision]
        for query in ("a question", "another one", "apples and the sea"):
            cosines = unit(stored) @ model.encode_query(query)
            hits = made.search(query, k=20, method="vector")
            # so many are compared by their stored values where codes come first
            np.testing.assert_allclose(
                [hit.vector_score for hit in hits], np.sort(cosines)[::-1][:20], atol=1e-5
            )
            for hit in hits:
                assert hit.vector_score == pytest.approx(cosines[int(hit.id)], abs=1e-5)


def test_codes_find_nearly_all_near_rows(tmp_path, model, monkeypatch):
    monkeypatch.setattr("staticemb_runtime.search.vectors.EXACT_BYTES", 0)
    rng = np.random.default_rng(4)
    centers = rng.normal(size=(40, model.dim))
    vectors = np.repeat(centers, 150, axis=0) + 2 * rng.normal(size=(6000, model.dim))
    vectors = unit(vectors.astype(np.float32) + 0.3)  # a mean that is not zero, as real tables have
    with Index.create(tmp_path / "v.db", model, words=None) as made:
        made.add(map(str, range(6000)), ids=map(str, range(6000)), vectors=vectors)
        table = made._searcher._table
        made.search("x")
        assert not table.exact
        share = []
        for row in range(0, 6000, 300):
            passages, _ = table.nearest(vectors[row], 10)
            best = np.argsort(-(vectors @ vectors[row]), kind="stable")[:10]
            owners = table.documents[passages] - 1
            share.append(len(np.intersect1d(owners, best)) / 10)
        assert np.mean(share) > 0.95


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=150),
    st.lists(st.floats(-5, 5), min_size=1, max_size=150),
    st.floats(0, 1),
    st.data(),
)
def test_fusion_is_the_weighted_sum_of_scaled_scores(lexical, cosines, weight, data):
    count = min(len(lexical), len(cosines))
    lexical, cosines = np.array(lexical[:count]), np.array(cosines[:count])
    absent = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    lexical[absent] = np.nan
    near = np.ones(count, bool)
    order, scores = fusion.fuse(lexical, cosines, near, weight)

    def scaled(value, values):
        best = sorted(values, reverse=True)[:100]
        if best[0] == best[-1]:
            return float(value >= best[-1])
        return max(0.0, (value - best[-1]) / (best[0] - best[-1]))

    found = lexical[~absent]
    for place, score in zip(order, scores, strict=True):
        by_words = 0.0 if absent[place] else scaled(lexical[place], found)
        expected = weight * scaled(cosines[place], cosines) + (1 - weight) * by_words
        assert score == pytest.approx(expected, abs=1e-9)
    assert (np.diff(scores) <= 0).all()
    assert sorted(order) == list(range(count))


@given(st.integers(1, 200), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_distances_sum_the_sizes_of_differing_elements(dim, rows, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((rows, dim)).astype(np.float32)
    query = rng.standard_normal(dim).astype(np.float32)
    turned, asked = (hamming.rotate(part).reshape(len(part), -1) for part in (vectors, query[None]))
    np.testing.assert_allclose(turned @ asked[0], vectors @ query, rtol=1e-3, atol=1e-3)
    share = np.abs(asked[0]) / np.abs(asked[0]).mean()
    sizes = np.select([share < 0.65, share < 1.3, share < 1.95], [1, 3, 5], 7)
    expected = ((turned > 0) != (asked > 0)) @ sizes
    distance = hamming.distances(hamming.make_codes(vectors), hamming.round_query(query))
    # an element on the border of two sizes may be rounded either way
    assert np.abs(distance - expected).max() <= 2
    for count in (1, rows // 2 + 1, rows):
        best = hamming.nearest(distance, count)
        assert list(best) == sorted(np.argsort(distance, kind="stable")[:count])


def test_distances_without_numpy_2(monkeypatch):
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((100, 256)).astype(np.float32)
    codes, query = hamming.make_codes(vectors), hamming.round_query(vectors[7])
    expected = hamming.distances(codes, query)
    monkeypatch.setattr(hamming, "_COUNT", None)
    monkeypatch.setattr(hamming, "_TABLE", hamming.count_table())
    np.testing.assert_array_equal(hamming.distances(codes, query), expected)


WORDS = st.lists(st.sampled_from([f"w{n}" for n in range(12)]), min_size=1, max_size=9)


@given(st.lists(WORDS, min_size=30, max_size=60), WORDS, st.data())
def test_words_score_as_in_fts5(tmp_path_factory, model, texts, query, data):
    """The scores are those of FTS5's bm25() but for Lucene's idf, also after deletions."""
    path = tmp_path_factory.mktemp("i") / "i.db"
    with Index.create(path, model, stop_words=()) as made:
        made.add([" ".join(words) for words in texts], ids=map(str, range(len(texts))))
        made.search("w0")
        gone = data.draw(st.sets(st.integers(0, len(texts) - 1), max_size=9))
        made.delete(map(str, gone))
        hits = made.search(" ".join(query), k=len(texts), method="lexical")
        kept = [words for n, words in enumerate(texts) if n not in gone]
        holding = {word: sum(word in words for words in kept) for word in query}
        with made._store.reading() as connection:
            for word in {word for word in query if holding[word] * 2 < len(kept)}:
                rows = connection.execute(
                    "SELECT rowid, rank FROM lexical WHERE lexical MATCH ?", (f'"{word}"',)
                ).fetchall()
                n, total = holding[word], len(kept)
                lucene = np.log1p((total - n + 0.5) / (n + 0.5))
                idf = np.log((total - n + 0.5) / (n + 0.5))
                found = made._searcher._lexical._postings.read(connection, word)
                assert list(found.passages) == [row for row, _ in sorted(rows)]
                np.testing.assert_allclose(
                    found.scores, [-rank * lucene / idf for _, rank in sorted(rows)], rtol=1e-4
                )
    assert {hit.id for hit in hits} == {
        str(n) for n, words in enumerate(texts) if n not in gone and set(query) & set(words)
    }
    scores = [hit.lexical_score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


@given(st.lists(WORDS, min_size=1, max_size=20), WORDS.map(lambda words: words * 3))
def test_texts_are_scored_as_documents_are(tmp_path_factory, model, texts, query):
    path = tmp_path_factory.mktemp("i") / "i.db"
    texts, query = [" ".join(words) for words in texts], " ".join(query)
    with Index.create(path, model, stop_words=()) as made:
        made.add(texts, ids=map(str, range(len(texts))))
        hits = made.search(query, k=len(texts), method="lexical")
        expected = np.full(len(texts), np.nan)
        expected[[int(hit.id) for hit in hits]] = [hit.score for hit in hits]
        with made._store.reading() as connection:
            found = ranking.bm25(connection, made._lexicon, query, texts, len(texts))
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        assert len(ranking.rank(made, query, [])) == 0


def test_a_long_query_repeats_words_and_ignores_stop_words(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as made:
        made.add(["red blue green", "red red", "what is of the"], ids=["x", "y", "z"])
        first = made.search("blue", method="lexical")[0].lexical_score
        assert made.search("blue blue", method="lexical")[0].lexical_score == pytest.approx(
            2 * first
        )
        assert made.search("what is the red of it", method="lexical")[-1].id != "z"
        assert made.search("of the", method="lexical")[0].id == "z"  # nothing else to search by


def test_common_words_are_dropped_in_large_collections_alone(tmp_path, model, monkeypatch):
    texts = [f"common word{n} filler" for n in range(300)] + ["common rare"]
    with Index.create(tmp_path / "i.db", model) as made:
        made.add(texts)
        assert len(made.search("common rare", k=400, method="lexical")) == 301
        monkeypatch.setattr("staticemb_runtime.search.lexical.COMMON_LEAST", 100)
        assert len(made.search("common rare", k=400, method="lexical")) == 1
        assert len(made.search("common", k=400, method="lexical")) == 301  # the rarest word stays


@pytest.mark.shared
def test_words_rank_as_well_as_in_bm25s(shared, tmp_path, model):
    """On questions of 50 words, FTS5 needs repeated words and stop words for that."""
    bm25s = pytest.importorskip("bm25s")
    folder = shared / "tune" / "retrieval" / "cisi"
    texts = [row["text"] for row in rows(folder / "corpus.jsonl")]
    judged: dict[str, set[str]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, _ = line.split("\t")
        judged.setdefault(query, set()).add(document)
    queries = [row for row in rows(folder / "queries.jsonl") if row["_id"] in judged]
    ids = [row["_id"] for row in rows(folder / "corpus.jsonl")]

    def precision(rankings):
        found = zip(rankings, queries, strict=True)
        return np.mean([len(set(best) & judged[query["_id"]]) / 10 for best, query in found])

    lexicon = Lexicon("words", ENGLISH)
    asked = [query["text"] for query in queries]
    retriever = bm25s.BM25()
    tokens = [
        bm25s.tokenize(
            part,
            stopwords="en",
            stemmer=lambda words: [lexicon.terms([word])[word] or word for word in words],
            show_progress=False,
        )
        for part in (texts, asked)
    ]
    retriever.index(tokens[0], show_progress=False)
    places, _ = retriever.retrieve(tokens[1], k=10, show_progress=False)
    with Index.create(tmp_path / "i.db", model) as made:
        made.add(texts, ids=ids)
        hits = made.search(asked, method="lexical")
        ours = precision([[hit.id for hit in found] for found in hits])
        both = precision([[hit.id for hit in found] for found in made.search(asked)])
    theirs = precision([[ids[place] for place in row] for row in places])
    assert ours > theirs - 0.01
    assert both > max(ours, theirs) + 0.01


def rows(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_one_hit_a_document_with_its_best_passage(tmp_path, model):
    long = "The sea is deep. " * 20 + "Apples are red. " * 20
    with Index.create(tmp_path / "i.db", model, passage_characters=120) as made:
        made.add([long, "Apples."], ids=["long", "short"])
        assert made.info().passages > 3
        hits = made.search("deep sea")
        assert [hit.id for hit in hits].count("long") == 1
        best = next(hit for hit in hits if hit.id == "long")
        assert "sea" in best.text
        span = best.passage
        assert made.get("long").text[span.start : span.stop] == best.text
        made.check()


def test_trigrams_find_parts_of_texts_without_blanks(tmp_path, model):
    with Index.create(tmp_path / "i.db", model, words="trigrams") as made:
        made.add(["我在北京大学学习", "东京是日本的首都"], ids=["p", "t"])
        hit = made.search("北京大学", method="lexical")[0]
        assert hit.id == "p"
        assert hit.marked() == "我在[北京大学]学习"


@pytest.mark.parametrize(
    ("query", "found", "marked"),
    [
        ("東京", {"capital", "ends", "whole"}, "[東京]は日本の首都です。"),
        ("首都", {"capital", "beijing"}, "東京は日本の[首都]です。"),
        ("北京 東京", {"capital", "ends", "whole", "beijing"}, "[東京]は日本の首都です。"),
        ("猫", {"cat"}, "[猫]が好き。"),
        ("日本の首都", {"capital"}, "東京は[日本の首都]です。"),
        ("大阪", set(), ""),
        ("Ⅻ go", {"latin"}, "Let's [Go]!"),
    ],
)
def test_trigrams_find_words_of_one_and_two_characters(tmp_path, model, query, found, marked):
    texts = {
        "capital": "東京は日本の首都です。",
        "ends": "新幹線で東京",
        "whole": "東京",
        "kyoto": "京都は古い都市です。東の京",
        "beijing": "北京是中国的首都，有着悠久的历史。",
        "cat": "猫が好き。",
        "latin": "Let's Go!",
    }
    with Index.create(tmp_path / "i.db", model, words="trigrams") as made:
        made.add(texts.values(), ids=texts)
        hits = made.search(query, method="lexical")
        assert {hit.id for hit in hits} == found
        if found:
            assert marked in [hit.marked() for hit in hits]
        made.add(["replaced"], ids=["ends"])
        made.delete(["whole"])
        left = {hit.id for hit in made.search(query, method="lexical")}
        assert left == found - {"ends", "whole"}
        made.check()


@given(
    st.lists(st.text("東京都、 a", min_size=1, max_size=8), min_size=1, max_size=20),
    st.lists(st.text("東京都a", min_size=2, max_size=5), min_size=1, max_size=3),
)
def test_trigrams_find_what_a_scan_finds(tmp_path_factory, model, texts, runs):
    path = tmp_path_factory.mktemp("i") / "i.db"
    with Index.create(path, model, words="trigrams", stop_words=()) as made:
        made.add(texts, ids=map(str, range(len(texts))))
        hits = made.search(" ".join(runs), k=len(texts), method="lexical")
    parts = {run[n : n + 3] for run in runs for n in range(max(1, len(run) - 2))}
    assert {hit.id for hit in hits} == {
        str(n) for n, text in enumerate(texts) if any(part in text for part in parts)
    }


@pytest.mark.parametrize("query", ["before", "after", "東京", "都"])
def test_trigrams_find_what_follows_a_zero_byte(tmp_path, model, query):
    with Index.create(tmp_path / "i.db", model, words="trigrams") as made:
        made.add(["before\0after 東京\0都"], ids=["a"])
        assert [hit.id for hit in made.search(query, method="lexical")] == ["a"]
        made.delete(["a"])
        made.check()
        made.add(["another"], ids=["a"])
        assert made.search(query, method="lexical") == []


@pytest.mark.parametrize(
    ("query", "found", "marked"),
    [
        ("น้ำ", {"water", "here"}, "[น้ำ]ดื่มสะอาด"),
        ("ดื่ม", {"water"}, "น้ำ[ดื่ม]สะอาด"),
        ("ที่นี่", {"here"}, "[ที่นี่]มีน้ำ"),
        ("ไทย", {"land"}, "ประเทศ[ไทย]"),
    ],
)
def test_trigrams_find_words_with_marks(tmp_path, model, query, found, marked):
    """Vowels and tones of Thai are marks on letters, and no letters themselves."""
    texts = {"water": "น้ำดื่มสะอาด", "here": "ที่นี่มีน้ำ", "land": "ประเทศไทย"}
    with Index.create(tmp_path / "i.db", model, words="trigrams") as made:
        made.add(texts.values(), ids=texts)
        hits = made.search(query, method="lexical")
        assert {hit.id for hit in hits} == found
        assert marked in [hit.marked() for hit in hits]


@given(st.text("aeé\u0301\u0323\u0315\u20dd -_'1", max_size=30))
def test_words_are_those_of_fts5(text):
    """Also where marks follow their letters, as in texts in Unicode's form NFD."""
    lexicon = Lexicon("words", ())
    connection = sqlite3.connect(":memory:")
    connection.execute(lexical_sql("words"))
    connection.execute("CREATE VIRTUAL TABLE terms USING fts5vocab (lexical, instance)")
    connection.execute("INSERT INTO lexical(rowid, text) VALUES (1, ?)", (text,))
    expected = [term for (term,) in connection.execute("SELECT term FROM terms ORDER BY offset")]
    words = [text[start:stop].lower() for start, stop in lexicon.spans(text)]
    assert [lexicon.terms([word])[word] for word in words] == expected
    assert [term for *_, term in lexicon.occurrences(text, set(expected))] == expected
    lexicon.close()
    connection.close()


def test_either_form_of_unicode_finds_the_other(tmp_path, model):
    text = "Send a résumé to the naïve café."
    forms = {form: unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    with Index.create(tmp_path / "i.db", model) as made:
        made.add([*forms.values(), "Nothing."], ids=[*forms, "other"])
        for form in forms:
            hits = made.search(unicodedata.normalize(form, "résumé"), method="lexical")
            assert {hit.id for hit in hits} == set(forms)
            for hit in hits:
                assert hit.marked().startswith(unicodedata.normalize(hit.id, "Send a [résumé] to"))


def test_hits_carry_both_scores_and_ranks(index):
    hits = index.search("apples in the orchard", k=8)
    lexical = index.search("apples in the orchard", k=8, method="lexical")
    vector = index.search("apples in the orchard", k=8, method="vector")
    by_id = {hit.id: hit for hit in hits}
    for rank, hit in enumerate(lexical, 1):
        assert by_id[hit.id].lexical_rank == rank
        assert by_id[hit.id].lexical_score == pytest.approx(hit.score)
    for rank, hit in enumerate(vector, 1):
        assert by_id[hit.id].vector_rank == rank
        assert by_id[hit.id].vector_score == pytest.approx(hit.score, abs=1e-6)


def test_a_hits_scores_are_those_of_the_passage_that_it_shows(tmp_path, model):
    """Even if the document's best passage by vectors is another one."""
    by_words = "The word banana stands here alone among telephones, computers, shops and firms."
    by_meaning = "Oranges, pears, plums, cherries and peaches are sweet fruits that grow on trees."
    with Index.create(tmp_path / "i.db", model, passage_characters=80) as made:
        made.add([f"{by_words} {by_meaning}", "A stone.", "A tree."], ids=["both", "s", "t"])
        query = "banana, apricot, grape"
        nearest = made.search(query, method="vector")[0]
        assert nearest.text == by_meaning
        hits = {hit.id: hit for hit in made.search(query)}
        hit = hits["both"]
        assert hit.text == by_words
        passages = {passage.text: passage.vector for passage in made.passages()}
        for found in hits.values():
            cosine = passages[found.text] @ model.encode_query(query)
            assert found.vector_score == pytest.approx(float(cosine), abs=1e-5)
        lexical = {found.text: found.score for found in made.search(query, method="lexical")}
        assert lexical.get(hit.text) == hit.lexical_score
        assert hit.vector_rank == 1


def test_several_queries_give_what_each_gives_alone(index):
    queries = ["apple", "deep sea", "", "stock exchange"]
    assert index.search(queries, k=3) == [index.search(query, k=3) for query in queries]


def test_a_scorer_orders_the_candidates(index):
    seen = []

    def scorer(query, texts):
        seen.append((query, list(texts)))
        return [float("ocean" in text) for text in texts]

    hits = index.search("sea", k=3, rerank=scorer, candidates=5, rerank_weight=1.0)
    assert hits[0].id == "d"
    assert hits[0].rerank_score == 1.0
    ((query, texts),) = seen
    assert query == "sea"
    assert len(texts) == 5
    with pytest.raises(errors.InvalidOptionError, match="finite scores"):
        index.search("sea", rerank=lambda query, texts: [1.0])


def test_a_scorer_may_read_the_index_but_not_change_it(index):
    def reads(query, texts):
        return [len(index.get("a").text) + len(index.search(text)) for text in texts]

    assert index.search("sea", rerank=reads)

    def changes(query, texts):
        index.add(["another"])
        return [0.0 for _ in texts]

    with pytest.raises(errors.SearchIndexError, match="cannot change"):
        index.search("sea", rerank=changes)
    assert len(index) == 8


# --- hostile texts ---------------------------------------------------------------------------


@settings(max_examples=60)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=6), queries=st.lists(ANY_TEXT, max_size=4))
@pytest.mark.parametrize("words", ["words", "trigrams"])
def test_any_text_is_stored_and_found(tmp_path_factory, model, words, texts, queries):
    path = tmp_path_factory.mktemp("any") / "i.db"
    with Index.create(path, model, words=words, passage_characters=40) as made:
        ids = [f"{n}\0'\"" for n in range(len(texts))]
        made.add(texts, ids=ids, metadata=[{"text": text} for text in texts])
        assert [document.text for document in made.documents()] == texts
        for query in [*queries, *texts]:
            hits = made.search(query, k=50)
            assert len({hit.id for hit in hits}) == len(hits)
            for hit in hits:
                assert hit.text in made.get(hit.id).text
                assert re.sub(r"\[\0\[|\]\0\]", "", hit.marked("[\0[", "]\0]")) == hit.snippet
        made.add(texts[::-1], ids=ids)
        made.check()
        assert made.delete(ids) == len(texts)
        made.check()
        assert len(made) == 0
        assert made.search(texts[0]) == []


def test_a_query_of_ten_megabytes(index):
    assert index.search("apple " * 1_700_000, k=1)[0].id in ("a", "c")
    assert index.search("\0" * 10_000_000) == []


@given(st.text(max_size=300), st.integers(1, 50))
def test_passages_hold_the_whole_text(text, characters):
    spans = cut(text, characters)
    assert all(stop - start <= characters for start, stop in spans)
    flat = [0, *(place for span in spans for place in span), len(text)]
    assert flat == sorted(flat)
    outside = "".join(text[a:b] for a, b in zip(flat[::2], flat[1::2], strict=True))
    assert not outside.strip()


@pytest.mark.serial
@pytest.mark.parametrize("unit", [".", '."', "\n ", "a. b", "(a.", "。", " ", "x"])
def test_cutting_takes_linear_time(unit):
    check_growth(lambda text: cut(text, 100), lambda n: unit * n, ())


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=8), max_size=4))
def test_marks_lie_in_the_snippet(text, words):
    lexicon = Lexicon("words", ENGLISH)
    terms = lexicon.query_words(" ".join(words))
    shown = snippets.snippet(text, terms, lexicon, 60)
    flat = [0, *(place for mark in shown.marks for place in mark), len(shown.text)]
    assert flat == sorted(flat)
    for start, stop in shown.marks:
        assert lexicon.terms([shown.text[start:stop].lower()]).popitem()[1] in terms
    lexicon.close()


# --- filters ---------------------------------------------------------------------------------

VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.5, "a", "b", "1", ""])
OPERATORS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def kind(value):
    numbers = (int, float)
    return "n" if isinstance(value, numbers) and not isinstance(value, bool) else type(value)


def same(a, b):
    return kind(a) == kind(b) and a == b


@pytest.fixture(scope="module")
def database():
    import sqlite3

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE documents (metadata TEXT)")
    yield connection
    connection.close()


@given(
    st.dictionaries(st.sampled_from(["k", "a b", "ü.x[0]"]), VALUES, max_size=3),
    st.sampled_from(["k", "a b", "ü.x[0]"]),
    VALUES
    | st.lists(VALUES, max_size=3)
    | st.dictionaries(st.sampled_from(["<", "<=", ">", ">=", "!="]), VALUES, max_size=2),
)
@example(metadata={"k": "a"}, key="k", wanted={"<": True})
def test_filters_mean_what_python_means(database, metadata, key, wanted):
    sql, parameters = condition({key: wanted})
    database.execute("DELETE FROM documents")
    database.execute("INSERT INTO documents VALUES (?)", (metadata_json(metadata),))
    (found,) = database.execute(
        f"SELECT count(*) FROM documents WHERE {sql}", parameters
    ).fetchone()
    value = metadata.get(key)
    if isinstance(wanted, dict):
        expected = all(
            not same(value, b)
            if name == "!="
            else kind(value) == kind(b) and kind(b) in ("n", str) and OPERATORS[name](value, b)
            for name, b in wanted.items()
        )
    elif isinstance(wanted, list):
        expected = any(same(value, b) for b in wanted)
    else:
        expected = same(value, wanted)
    assert bool(found) == expected


def test_filters_apply_before_k(index):
    for method in ("hybrid", "lexical", "vector"):
        hits = index.search("the sea", k=8, method=method, filter={"n": {">=": 2, "<": 8}})
        assert {hit.metadata["n"] for hit in hits} <= set(range(2, 8))
        assert "h" in [hit.id for hit in hits]
    assert len(index.search("the sea", k=8, filter={"n": [1, 4]}, method="vector")) == 2
    assert len(index.search("the sea", k=8, filter={"n": list(range(1, 800))})) == 7
    assert index.search("the sea", filter={"n": "1"}) == []
    many = {f"k{key}": None for key in range(1200)}
    lists = {f"k{key}": list(range(500)) for key in range(100)}
    unicode = ({"n": "\ud800"}, {"n": ["\ud800"]}, {"n": {"<": "\ud800"}}, {"\ud800": 1})
    others = ({"n": {"~": 1}}, {'"': 1}, {"n": object()}, "n = 1", {1: 1}, {"n": 1 << 63})
    for wrong in (many, lists, *unicode, *others):
        with pytest.raises(errors.InvalidOptionError, match="filter"):
            index.search("sea", filter=wrong)


# --- adding, replacing, deleting -------------------------------------------------------------


def test_adding_again_changes_nothing_and_replacing_is_by_id(index):
    assert index.add(TEXTS, ids=IDS, metadata=[{"n": n} for n in range(8)]) == Added(0, 0, 8)
    assert index.add(["Bees make honey."], ids=["b"]) == Added(0, 1, 0)
    assert index.search("honey", k=1)[0].id == "b"
    assert "b" not in [hit.id for hit in index.search("deep blue", method="lexical")]
    assert len(index) == 8
    assert index.delete(["b", "nobody"]) == 1
    assert "b" not in index
    assert "\udfff" not in index
    with pytest.raises(KeyError):
        index.get("b")
    index.check()


def test_of_equal_ids_in_a_batch_the_last_stays(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as made:
        assert made.add(["one", "two", "three"], ids=["x", "y", "x"]) == Added(2, 1, 0)
        assert made.get("x").text == "three"
        assert len(made) == 2
        made.check()


def test_of_equal_ids_the_last_stays_when_they_are_added_again(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as made:
        for expected in (Added(1, 1, 0), Added(0, 0, 2), Added(0, 0, 2)):
            assert made.add(["one", "two"], ids=["x", "x"]) == expected
            assert made.get("x").text == "two"
        assert made.add(["two", "three"], ids=["x", "x"]) == Added(0, 2, 0)
        assert made.get("x").text == "three"
        made.check()


def test_documents_without_ids_get_new_ones(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as made:
        made.add(["one"], ids=["2"])
        made.add(iter(["two", "three"]))
        made.delete(["3"])
        made.add(["four"])
        ids = [document.id for document in made.documents()]
        assert len(set(ids)) == len(ids) == len(made)


def test_an_error_leaves_the_batches_before_it(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as made:
        with pytest.raises(errors.InvalidTextError, match="text 5"):
            made.add(["a", "b", "c", "d", "e", "\ud800"], batch_size=2)
        assert len(made) == 4
        with pytest.raises(errors.InvalidOptionError, match="fewer"):
            made.add(["x", "y"], ids=["1"])
        with pytest.raises(errors.InvalidOptionError, match="more"):
            made.add(["x"], ids=["1", "2"])
        with pytest.raises(errors.InvalidOptionError, match="metadata"):
            made.add(["x"], metadata=[{"a": float("nan")}])
        with pytest.raises(TypeError):
            made.add("one string")
        made.check()


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(pd.DataFrame({"text": ["a", "b"], "other": ["c", "d"]}), id="a table"),
        pytest.param({"a", "b"}, id="a set"),
        pytest.param({"a": 1, "b": 2}, id="a mapping"),
        pytest.param({"a": 1, "b": 2}.keys(), id="keys"),
        pytest.param(np.array([["a"], ["b"]]), id="two dimensions"),
        pytest.param(b"ab", id="bytes"),
        pytest.param(3, id="a number"),
    ],
)
def test_what_is_no_sequence_of_texts_is_refused_by_name(index, wrong):
    """The names of a table's columns are no documents, and a set pairs no text with its id."""
    count = index.info().documents
    has_keys = isinstance(wrong, (Mapping, KeysView))  # which are in order, and may be ids
    for name in ("metadata",) if has_keys else ("ids", "metadata", "sources"):
        with pytest.raises(TypeError, match=rf"^{name}: expected"):
            index.add(["a", "b"], **{name: wrong})
    with pytest.raises(TypeError, match=r"^texts: expected"):
        index.add(wrong)
    with pytest.raises(TypeError, match=r"^texts: expected"):
        ranking.rank(index, "a", wrong)
    with pytest.raises(TypeError, match=r"^query: expected"):
        index.search(wrong)
    with pytest.raises(TypeError, match=r"^ids: expected"):
        index.add(["a", "b"], ids="ab")
    with pytest.raises(TypeError, match=r"^texts: expected"):
        ranking.rank(index, "a", "ab")
    assert index.info().documents == count


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "del"]), st.lists(st.integers(0, 400), max_size=300)),
        max_size=6,
    )
)
def test_an_index_equals_a_dictionary(tmp_path_factory, model, steps):
    path = tmp_path_factory.mktemp("steps") / "i.db"
    expected: dict[str, str] = {}
    with Index.create(path, model, passage_characters=30) as made, Index.open(path) as reader:
        for number, (what, ids) in enumerate(steps):
            names = [f"d{n}" for n in ids]
            if what == "add":
                texts = [f"step {number}. document {n}. " * (1 + n % 3) for n in ids]
                made.add(texts, ids=names)
                expected |= dict(zip(names, texts, strict=True))
            else:
                made.delete(names)
                for name in names:
                    expected.pop(name, None)
            assert {d.id: d.text for d in reader.documents()} == expected
            assert len(reader.search("document step", k=1000, method="vector")) == len(expected)
        made.check()


@pytest.mark.parametrize(
    ("precision", "least"), [("float16", 0.9999), ("int8", 0.999), ("bits", 0.6)]
)
def test_passages_come_with_their_vectors(tmp_path, model, precision, least):
    texts = [f"Apples number {n}. The sea is {n} meters deep." for n in range(600)]
    with Index.create(tmp_path / "i.db", model, precision=precision, passage_characters=30) as made:
        made.add(texts, ids=map(str, range(600)))
        made.delete(map(str, range(0, 600, 7)))
        made.add(texts[:50], ids=map(str, range(50)))  # takes the free places
        found = list(made.passages())
        assert len(found) == made.info().passages
        assert {passage.id for passage in found} == {document.id for document in made.documents()}
        vectors = model.encode_document([passage.text for passage in found])
        cosines = np.einsum("ij,ij->i", vectors, [passage.vector for passage in found])
        assert cosines.min() > least
        for passage in found[::50]:
            start, stop = passage.span.start, passage.span.stop
            assert made.get(passage.id).text[start:stop] == passage.text


def test_vectors_made_elsewhere(tmp_path, model):
    vectors = model.encode_document(TEXTS)
    with Index.create(tmp_path / "a.db", model) as made:
        made.add(TEXTS, ids=IDS)
        expected = made.search("the sea", method="vector")
    for name, given_vectors in (
        ("b.db", vectors),
        ("c.db", list(vectors)),
        ("d.db", model.encode_document),
    ):
        with Index.create(tmp_path / name, model) as made:
            made.add(TEXTS, ids=IDS, vectors=given_vectors)
            assert made.search("the sea", method="vector") == expected
    with Index.create(tmp_path / "e.db", model) as made:
        with pytest.raises(errors.InvalidDimensionError, match="vectors"):
            made.add(TEXTS, vectors=vectors[:, :7])
        with pytest.raises(errors.InvalidDimensionError, match="vectors"):
            made.add(TEXTS[:2], vectors=[vectors[0], vectors[1, :7]])
        with pytest.raises(errors.InvalidOptionError, match="finite"):
            made.add(TEXTS, vectors=np.full_like(vectors, np.nan))
        assert len(made) == 0
        with pytest.raises(errors.InvalidOptionError, match="vectors: expected one for each"):
            made.add(TEXTS[:4], vectors=vectors)


def test_vectors_of_the_teacher_are_projected(tmp_path, model):
    rng = np.random.default_rng(6)
    teacher = rng.normal(size=(8, model.space.dimension)).astype(np.float32)
    with Index.create(tmp_path / "i.db", model, precision="float16") as made:
        made.add(TEXTS, ids=IDS, vectors=teacher)
        expected = model.project(teacher, normalize_embeddings=True)
        np.testing.assert_allclose(
            [passage.vector for passage in made.passages()], expected, atol=2e-3
        )


class QueryOnly(StaticModel):
    """A model whose file says that the teacher embeds the documents."""

    @property
    def space(self):
        return super().space._replace(documents="teacher")


def test_a_query_only_model_needs_the_teachers_vectors(tmp_path):
    model = QueryOnly()
    with Index.create(tmp_path / "i.db", model) as made:
        with pytest.raises(errors.QueryOnlyError, match=model.space.teacher):
            made.add(["one"])
        with pytest.raises(errors.InvalidDimensionError):
            made.add(["one"], vectors=np.ones((1, model.dim)))
        made.add(["one", "two"], vectors=np.eye(model.space.dimension)[:2])
        info = made.info()
        assert (info.vectors_from, info.teacher) == ("teacher", model.space.teacher)
        assert made.search("one")[0].id == "1"
        with pytest.raises(errors.QueryOnlyError):
            made.reindex(QueryOnly())


def test_invalid_parameters(index, tmp_path, model):
    for options in (
        {"k": 0},
        {"k": True},
        {"method": "x"},
        {"vector_weight": 2},
        {"candidates": 0},
    ):
        with pytest.raises(errors.InvalidOptionError):
            index.search("x", **options)
    with pytest.raises(TypeError):
        index.search([1])
    with pytest.raises(errors.InvalidTextError):
        index.search("\udfff")
    for options in (
        {"precision": "int4"},
        {"words": "latin"},
        {"passage_characters": 0},
        {"passage_characters": 1 << 63},
        {"stop_words": "the"},
        {"stop_words": [1]},
        {"truncate_dim": 0},
    ):
        with pytest.raises((errors.InvalidOptionError, errors.InvalidDimensionError, TypeError)):
            Index.create(tmp_path / "new.db", model, **options)
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(errors.InvalidDimensionError):
        index.reindex(model, truncate_dim=0)


def test_batches_of_long_documents_are_smaller(tmp_path, model, monkeypatch):
    monkeypatch.setattr(writing, "_BATCH_CHARACTERS", 100)
    texts = [f"{n} " + "x" * (120 if n == 3 else 30) for n in range(9)]
    done = []
    with Index.create(tmp_path / "i.db", model) as made:
        added = made.add(
            texts,
            ids=map(str, range(9)),
            vectors=model.encode_document(texts),
            batch_size=5,
            progress=done.append,
        )
        assert added == Added(9, 0, 0)
        assert done == [4, 8, 9]
        assert [document.text for document in made.documents()] == texts
        made.check()


def test_pages_of_long_documents_are_smaller(tmp_path, model, monkeypatch):
    texts = [f"Number {n}. " + "It is long. " * n for n in range(30)]
    with Index.create(tmp_path / "i.db", model, passage_characters=40) as made:
        made.add(texts)
        expected = [(passage.id, passage.text) for passage in made.passages()]
        monkeypatch.setattr(collection, "_PAGE_CHARACTERS", 200)
        assert [document.text for document in made.documents()] == texts
        assert [(passage.id, passage.text) for passage in made.passages()] == expected


@pytest.mark.serial
def test_checking_a_long_document_takes_linear_time(tmp_path, model):
    with contextlib.ExitStack() as stack:

        def make(length):
            path = tmp_path / f"{length}.db"
            options = {"words": None, "passage_characters": 50, "exist_ok": True}
            made = stack.enter_context(Index.create(path, model, **options))
            made.add(["The sea is deep. " * (8 * length)], ids=["long"])
            return made

        check_growth(lambda made: made.check(), make, ())


def test_the_memory_of_reindexing_does_not_grow_with_the_passages_of_a_document(tmp_path, model):
    text = "The sea is deep. " * 30_000
    with Index.create(tmp_path / "i.db", model, passage_characters=300) as made:
        made.add([text])
        before = [passage.text for passage in made.passages()]
        tracemalloc.start()
        made.reindex(model)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 40 * len(text)
        assert [passage.text for passage in made.passages()] == before
        made.check()


def test_threads_share_an_index(index):
    expected = index.search("apple pie")
    found, faults = [], []

    def work(number):
        try:
            for step in range(20):
                found.append(index.search("apple pie") == expected)
                index.add([f"thread {number} {step}"], ids=[f"t{number}-{step}"])
                index.delete([f"t{number}-{step}"])
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(found) == 80
    assert len(index) == 8
