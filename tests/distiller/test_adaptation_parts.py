"""The parts of an adaptation: rankings, pseudo-queries, the spool, documents, the choice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staticemb_distiller.adaptation import agreement
from staticemb_distiller.adaptation.agreement import best_documents, overlaps
from staticemb_distiller.adaptation.choosing import HeldOut, choose
from staticemb_distiller.adaptation.documents import DocumentFile, DocumentList
from staticemb_distiller.adaptation.given_vectors import Rows
from staticemb_distiller.adaptation.pseudo_queries import first_sentence, pseudo_queries
from staticemb_distiller.adaptation.solving import FitInput
from staticemb_distiller.adaptation.spool import DocumentSpool
from staticemb_distiller.adaptation.streams import cut_for
from staticemb_distiller.errors import TextSourceError
from staticemb_distiller.fitting.ridge_fit import count_matrix

from .adaptation_data import DIM, WORDS, Hidden, documents, write_jsonl

# --- rankings -------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 60), st.booleans())
def test_the_best_documents_are_those_of_a_full_sort(seed, count, block, leave_out):
    random = np.random.default_rng(seed)
    queries, rows = random.standard_normal((5, 3)), random.standard_normal((count, 3))
    without = random.integers(-1, count, 5) if leave_out else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agreement, "_SCORES", 5 * block)
        found = best_documents(queries.astype(np.float32), rows.astype(np.float32), without=without)
    scores = queries.astype(np.float32) @ rows.astype(np.float32).T
    if without is not None:
        scores[np.flatnonzero(without >= 0), without[without >= 0]] = -np.inf
    wanted = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(found, wanted)


@given(st.lists(st.permutations(range(12)), min_size=1), st.integers(1, 10))
def test_overlaps_are_shares_of_sets(rankings, best):
    left = np.array(rankings)[:, :best]
    right = np.array(rankings[::-1])[:, :best]
    expected = [len(set(a) & set(b)) / best for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(overlaps(left, right), expected)
    np.testing.assert_array_equal(overlaps(left, left), 1)


# --- pseudo-queries -------------------------------------------------------------------------------

TEXT = st.text(st.sampled_from("ab c.?!\n。"), max_size=300)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=12), st.integers(0, 9))
def test_pseudo_queries_are_short_parts_of_their_documents(pairs, seed):
    texts = [f"{title} {text}".strip() for title, text in pairs]
    titles = [title for title, _ in pairs]
    queries = pseudo_queries(texts, titles, seed=seed)
    assert queries == pseudo_queries(texts, titles, seed=seed)
    for query, text in zip(queries, texts, strict=True):
        assert len(query.split()) <= 30
        assert query in " ".join(text.split())
        assert bool(query) == bool(text.split())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        ("Version 3.5 is out! Get it.", "Version 3.5 is out!"),
        ("これは本です。次の文。", "これは本です。"),
        ("a heading\nand a body", "a heading"),
        ("", ""),
        ("word " * 99, " ".join(["word"] * 30)),
    ],
)
def test_first_sentences(text, sentence):
    assert first_sentence(text) == sentence


# --- documents ------------------------------------------------------------------------------------


def read(source, size=3):
    blocks = list(source.blocks(size))
    assert all(len(block.texts) == len(block.titles) <= size for block in blocks)
    return [pair for block in blocks for pair in zip(block.texts, block.titles, strict=True)]


def test_title_and_text_are_joined_where_both_exist(tmp_path):
    file = write_jsonl(tmp_path / "a.jsonl", ["b", "", "d e"], title=["A", "C", ""])
    assert read(DocumentFile(str(file))) == [("A b", "A"), ("C", "C"), ("d e", "")]
    assert read(DocumentFile(str(file), "text")) == [("b", ""), ("", ""), ("d e", "")]
    assert read(DocumentFile(str(file), "text+title"))[0] == ("b A", "A")


def test_a_null_text_is_an_empty_document_and_not_another_column(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text('{"_id": "a", "text": "w1"}\n{"_id": "b", "text": null}\n')
    assert [block.texts for block in DocumentFile(str(path)).blocks()] == [["w1", ""]]
    path.write_text('{"title": "T", "text": "w1"}\n{"title": "U", "text": null}\n')
    assert read(DocumentFile(str(path))) == [("T w1", "T"), ("U", "U")]
    path.write_text('{"_id": "a", "text": "w1"}\n{"_id": "b", "text": 5}\n')
    with pytest.raises(TextSourceError, match="line 2: expected text in column 'text', found int"):
        list(DocumentFile(str(path)).blocks())


def test_lines_of_a_text_file_are_documents_and_blank_ones_too(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\nthree words here\n")
    assert read(DocumentFile(str(tmp_path / "a.txt"))) == [
        ("one", ""),
        ("", ""),
        ("three words here", ""),
    ]


def test_a_list_of_documents_holds_texts_only():
    assert read(DocumentList(["a", "b", "c", "d"]), 3)[3] == ("d", "")
    with pytest.raises(TypeError, match=r"documents\[1\]: expected a string, found the int 5"):
        read(DocumentList(["a", 5]))


def test_no_such_file(tmp_path):
    with pytest.raises(TextSourceError, match="expected a file or a folder"):
        read(DocumentFile(str(tmp_path / "absent.jsonl")))


# --- vectors --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 7), max_size=9), st.integers(1, 9))
def test_rows_are_taken_in_order_whatever_the_blocks_are(sizes, count):
    whole = np.arange(sum(sizes))[:, None]
    rows = Rows(np.split(whole, np.cumsum(sizes)[:-1]) if sizes else [])
    taken = []
    while (part := rows.take(count)) is not None and len(part):
        taken.append(part)
    assert all(len(part) == count for part in taken[:-1])
    np.testing.assert_array_equal(np.concatenate([*taken, whole[:0]]), whole)
    assert (rows.taken, rows.rest()) == (len(whole), 0)


# --- the spool ------------------------------------------------------------------------------------


PART = st.lists(st.integers(0, 20), max_size=6)


@settings(max_examples=25)
@given(st.lists(st.lists(st.tuples(PART, PART, PART), max_size=5), max_size=4))
def test_the_spool_counts_as_if_all_were_in_memory(tmp_path_factory, blocks):
    collection = [document for block in blocks for document in block]
    vectors = np.random.default_rng(0).standard_normal((len(collection), 4)).astype(np.float16)
    first = 0
    with DocumentSpool(tmp_path_factory.mktemp("spool"), 4) as spool:
        for block in blocks:
            ids, lengths = numbers(block)
            spool.add(ids, lengths, vectors[first : first + len(block)])
            first += len(block)
        found = spool.finish()
    assert len(found) == len(collection)
    np.testing.assert_array_equal(found.vectors, vectors)
    ids, lengths = numbers(collection)
    used = found.used_tokens()
    np.testing.assert_array_equal(used, np.unique(ids))
    np.testing.assert_array_equal(
        found.counts(used).toarray(), count_matrix(ids, lengths, 21).toarray()[:, used]
    )
    chosen = np.arange(0, len(collection), 2)
    ids, lengths = numbers(collection[::2])
    np.testing.assert_array_equal(
        found.counts(used, chosen).toarray(), count_matrix(ids, lengths, 21).toarray()[:, used]
    )
    whole = [document[:1] for document in collection[::2]]
    for part, expected in zip(found.whole_texts(chosen), numbers(whole), strict=True):
        np.testing.assert_array_equal(part, expected)


def numbers(collection):
    """The ids of all parts of documents, and their lengths."""
    parts = [part for document in collection for part in document]
    ids = np.array([i for part in parts for i in part], np.int32)
    return ids, np.array([len(part) for part in parts], np.int64)


# --- the choice -----------------------------------------------------------------------------------


def chosen_by(noise):
    """The λ chosen where the prior is the truth with noise of this length."""
    teacher, texts = Hidden(), documents(600)
    random = np.random.default_rng(3)
    ids = np.array([[int(word[1:]) for word in text.split()] for text in texts], np.int32)
    vectors = teacher.encode(texts)
    noisy = vectors + 0.5 * random.standard_normal(vectors.shape).astype(np.float32) / DIM**0.5
    train, held = np.arange(500), np.arange(500, 600)
    lengths = np.tile([ids.shape[1], 0, 0], len(train))
    counts = count_matrix(ids[train].ravel(), lengths, WORDS)
    prior = teacher.rows + noise * random.standard_normal(teacher.rows.shape).astype(np.float32)
    queries = [" ".join(texts[row].split()[:8]) for row in held]
    wanted = best_documents(teacher.encode(queries), vectors)
    queries_ids = ids[held, :8].ravel()
    held_out = HeldOut(queries_ids, np.full(len(held), 8), vectors, None, wanted, None)
    return choose(FitInput.of(counts, noisy[train], prior), held_out, betas=(0.0,))


def test_a_good_prior_is_kept_and_a_bad_one_is_not():
    good, bad = chosen_by(0.05), chosen_by(5.0)
    assert good.knobs.share < bad.knobs.share
    assert good.after > bad.after
    assert bad.after > bad.before


# --- long texts -----------------------------------------------------------------------------------


def test_texts_are_cut_where_the_teacher_stops_reading():
    from tokenizers import Tokenizer

    from .adaptation_data import tokenizer

    class Short(Hidden):
        max_length = 5
        tokenizer = None

    teacher = Short()
    assert cut_for(teacher) is None
    teacher.tokenizer = Tokenizer.from_str(tokenizer().decode())
    cut = cut_for(teacher)
    assert cut("w1 w2 w3 w4 w5 w6 w7").split() == ["w1", "w2", "w3", "w4", "w5"]
    assert cut("w1 w2 w3 w4 w5") == "w1 w2 w3 w4 w5"
    teacher.about = lambda kind: {"prompt": "w9 w9" if kind == "document" else ""}
    assert cut_for(teacher)("w1 w2 w3 w4 w5").split() == ["w1", "w2", "w3"]  # the prompt counts
    assert cut("") == ""
    teacher.truncation_side = "left"
    cut = cut_for(teacher)
    assert cut("w1 w2 w3 w4 w5 w6 w7").split() == ["w3", "w4", "w5", "w6", "w7"]  # the prompt too
    assert cut("w1 w2 w3 w4 w5") == "w1 w2 w3 w4 w5"
    assert cut("w1 " * 500 + "w2 w3 w4 w5 w6").split() == ["w2", "w3", "w4", "w5", "w6"]
    assert cut("") == ""
