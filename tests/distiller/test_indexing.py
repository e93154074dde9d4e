"""Indexes with a teacher's vectors, adaptation to an index's passages, scorers, and measuring."""

import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from staticemb_distiller.adaptation.adapt import adapt
from staticemb_distiller.adaptation.index_passages import teacher_vectors
from staticemb_distiller.cli.main import main
from staticemb_distiller.errors import CollectionError, EvaluationError, TeacherError
from staticemb_distiller.evaluation import metrics
from staticemb_distiller.evaluation.search_index import DEPTH, evaluate_index, read_judged
from staticemb_distiller.evaluation.search_report import dumps, markdown, summary
from staticemb_distiller.indexing import (
    CrossEncoderScorer,
    IndexDocument,
    TeacherScorer,
    index_with_teacher,
)
from staticemb_distiller.table.space import Space, unit
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import SpaceMismatchError
from staticemb_runtime.search import Index

from .adaptation_data import DIM, Hidden, documents, write_jsonl, write_model

TEXTS = documents(300)
IDS = [f"d{number}" for number in range(len(TEXTS))]


class Probed(Hidden):
    """A teacher that knows the probe texts as well, which hold none of its words."""

    def encode(self, texts, *, kind="document", advance=None):
        vectors = super().encode(texts, kind=kind)
        for row, text in enumerate(texts):
            if not vectors[row].any():
                seed = sum(text.encode()) + len(self.name)
                vectors[row] = unit(np.random.default_rng(seed).standard_normal((1, DIM)))[0]
        return vectors


def stream(texts=TEXTS, metadata=None):
    return lambda: [
        IndexDocument(id_, text, metadata or {"n": number})
        for number, (id_, text) in enumerate(zip(IDS, texts, strict=False))
    ]


@pytest.fixture
def teacher():
    return Probed()


@pytest.fixture
def adapted(tmp_path, teacher):
    """A model for queries alone, whose documents are the teacher's."""
    general = write_model(tmp_path / "general.staticemb")
    adapt(general, TEXTS, tmp_path / "adapted.staticemb", teacher=teacher)
    return tmp_path / "adapted.staticemb"


def encoded(teacher, kind="document"):
    return [text for found, text in teacher.encoded if found == kind and text in TEXTS]


# --- an index with the teacher's vectors ----------------------------------------------------------


def test_the_index_holds_the_teachers_vectors_in_the_models_space(tmp_path, adapted, teacher):
    path = tmp_path / "docs.db"
    assert index_with_teacher(path, stream(), adapted, teacher=teacher).new == len(TEXTS)
    model = StaticModel.load(adapted)
    wanted = model.project(teacher.encode(TEXTS))
    with Index.open(path) as index:
        assert index.info().vectors_from == "teacher"
        passages = list(index.passages())
        assert [passage.id for passage in passages] == IDS
        found = np.stack([passage.vector for passage in passages])
        assert (np.einsum("nd,nd->n", found, wanted) > 0.999).all()
        assert index.get("d7").metadata == {"n": 7}
        index.check()
        wanted_best = np.argmax(wanted @ model.encode_query(TEXTS[5]))
        assert index.search(TEXTS[5], 1, method="vector")[0].id == IDS[wanted_best]


@pytest.mark.parametrize("kind", ["array", "npy", "columns"])
def test_given_vectors_make_the_same_index_as_the_teacher(tmp_path, adapted, teacher, kind):
    vectors = teacher.encode(TEXTS)
    given = vectors
    if kind == "npy":
        np.save(tmp_path / "vectors.npy", vectors)
        given = tmp_path / "vectors.npy"
    elif kind == "columns":
        given = write_jsonl(tmp_path / "vectors.jsonl", TEXTS, embedding=vectors.tolist())
    index_with_teacher(tmp_path / "a.db", stream(), adapted, teacher=teacher)
    index_with_teacher(tmp_path / "b.db", stream(), adapted, vectors=given)
    with Index.open(tmp_path / "a.db") as one, Index.open(tmp_path / "b.db") as other:
        a, b = (np.stack([p.vector for p in index.passages()]) for index in (one, other))
    np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("cached", [False, True])
def test_an_interrupted_run_goes_on_where_it_stopped(
    tmp_path, adapted, teacher, cached, monkeypatch
):
    monkeypatch.setattr("staticemb_distiller.indexing.teacher_index.BATCH", 50)
    options = {"teacher_cache": tmp_path / "cache"} if cached else {}
    failing = Probed(fails_after=130)
    with pytest.raises(KeyboardInterrupt):
        index_with_teacher(tmp_path / "a.db", stream(), adapted, teacher=failing, **options)
    with Index.open(tmp_path / "a.db") as index:
        done = len(index)
    assert 0 < done < len(TEXTS)
    teacher.encoded.clear()
    added = index_with_teacher(tmp_path / "a.db", stream(), adapted, teacher=teacher, **options)
    assert added == (len(TEXTS) - done, 0, done)
    if cached:  # the probe texts as well
        assert len(teacher.encoded) == len(TEXTS) - done
    assert len(encoded(teacher)) == len(TEXTS) - done
    index_with_teacher(tmp_path / "b.db", stream(), adapted, teacher=Probed())
    with Index.open(tmp_path / "a.db") as one, Index.open(tmp_path / "b.db") as other:
        for left, right in zip(one.passages(), other.passages(), strict=True):
            assert (left.id, left.text) == (right.id, right.text)
            # The cache holds float16, which may change an int8 by one step.
            np.testing.assert_allclose(left.vector, right.vector, atol=0.02)


def test_a_changed_document_is_embedded_again(tmp_path, adapted, teacher):
    path = tmp_path / "docs.db"
    index_with_teacher(path, stream(), adapted, teacher=teacher)
    changed = [*TEXTS[:3], TEXTS[4], *TEXTS[4:]]
    np.save(tmp_path / "v.npy", teacher.encode(changed))
    for options in ({"teacher": teacher}, {"vectors": tmp_path / "v.npy"}):
        added = index_with_teacher(path, stream(changed), adapted, **options)
        assert added.new == 0
        with Index.open(path) as index:
            rows = {passage.id: passage.vector for passage in index.passages()}
        np.testing.assert_allclose(rows["d3"], rows["d4"], atol=1e-6)
    assert added == (0, 0, len(TEXTS))


def test_of_equal_ids_the_last_stays_in_every_run(tmp_path, adapted, teacher):
    path = tmp_path / "docs.db"
    twice = [IndexDocument("x", text, {}) for text in TEXTS[:2]]
    for expected in ((1, 1, 0), (0, 0, 2), (0, 0, 2)):
        assert index_with_teacher(path, lambda: twice, adapted, teacher=teacher) == expected
        with Index.open(path) as index:
            assert index.get("x").text == TEXTS[1]


def test_the_teacher_of_another_model_is_refused_before_the_index_is_made(tmp_path, adapted):
    with pytest.raises(SpaceMismatchError):
        index_with_teacher(tmp_path / "a.db", stream(), adapted, teacher=Other(seed=3))
    assert not (tmp_path / "a.db").exists()


class Other(Probed):
    name = "another"


def test_a_table_of_as_many_dimensions_takes_projected_vectors(tmp_path, teacher):
    model = write_model(tmp_path / "both.staticemb")
    index_with_teacher(tmp_path / "a.db", stream(), model, teacher=teacher)
    wanted = StaticModel.load(model).project(teacher.encode(TEXTS))
    with Index.open(tmp_path / "a.db") as index:
        found = np.stack([passage.vector for passage in index.passages()])
    assert (np.einsum("nd,nd->n", found, wanted) > 0.999).all()


@pytest.mark.parametrize("count", [len(TEXTS) - 1, len(TEXTS) + 1])
@pytest.mark.parametrize("kind", ["array", "columns"])
def test_a_wrong_number_of_vectors_is_refused(tmp_path, adapted, count, kind):
    vectors = np.random.default_rng(0).standard_normal((count, DIM)).astype(np.float32)
    if kind == "columns":
        vectors = write_jsonl(tmp_path / "v.jsonl", ["x"] * count, embedding=vectors.tolist())
    with pytest.raises(CollectionError, match=f"each of {len(TEXTS)} documents, found {count}"):
        index_with_teacher(tmp_path / "a.db", stream(), adapted, vectors=vectors)


def test_arguments_that_contradict_each_other_are_refused(tmp_path, adapted, teacher):
    vectors = np.ones((len(TEXTS), DIM), np.float32)
    for options in ({}, {"teacher": teacher, "vectors": vectors}):
        with pytest.raises(CollectionError, match="expected a teacher or vectors"):
            index_with_teacher(tmp_path / "a.db", stream(), adapted, **options)
    with pytest.raises(CollectionError, match="whole documents"):
        index_with_teacher(
            tmp_path / "a.db", stream(), adapted, vectors=vectors, passage_characters=100
        )
    no_space = write_model(tmp_path / "no.staticemb", space=False)
    with pytest.raises(CollectionError, match="part `space`"):
        index_with_teacher(tmp_path / "a.db", stream(), no_space, teacher=teacher)


def test_the_command_indexes_files(tmp_path, adapted, teacher, capsys):
    source = write_jsonl(tmp_path / "docs.jsonl", TEXTS, _id=IDS, year=list(range(len(TEXTS))))
    np.save(tmp_path / "v.npy", teacher.encode(TEXTS))
    command = ["index", str(source), "--model", str(adapted), "-o", str(tmp_path / "docs.db")]
    assert main([*command, "--vectors", str(tmp_path / "v.npy")]) == 0
    assert "300 new, 0 replaced, 0 unchanged" in capsys.readouterr().err
    with Index.open(tmp_path / "docs.db") as index:
        assert index.get("d9").metadata == {"year": 9}
    assert main([*command, "--vectors", str(tmp_path / "v.npy")]) == 0
    assert "0 new, 0 replaced, 300 unchanged" in capsys.readouterr().err
    assert main(command) == 2
    assert "expected a teacher or vectors" in capsys.readouterr().err
    command[-1] = str(source)
    assert main([*command, "--vectors", str(tmp_path / "v.npy")]) == 2
    assert "the input" in capsys.readouterr().err
    assert source.read_text().count("\n") == len(TEXTS)


@pytest.mark.parametrize("interrupted", [False, True])
def test_an_empty_file_becomes_an_index_and_a_model_is_stored_later(
    tmp_path, adapted, teacher, capsys, interrupted
):
    path = tmp_path / "docs.db"
    path.touch()
    if interrupted:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # what `create` does first
    source = write_jsonl(tmp_path / "docs.jsonl", TEXTS, _id=IDS)
    np.save(tmp_path / "v.npy", teacher.encode(TEXTS))
    command = ["index", str(source), "--model", str(adapted), "-o", str(path)]
    command += ["--vectors", str(tmp_path / "v.npy")]
    assert main(command) == 0
    assert "300 new" in capsys.readouterr().err
    with Index.open(path) as index:
        assert not index.info().model_stored
    assert main([*command, "--store-model"]) == 0
    assert "300 unchanged" in capsys.readouterr().err
    with Index.open(path) as index:
        assert index.info().model_stored
    for option in (["--precision", "bits"], ["--truncate-dim", "8"]):
        assert main([*command, *option]) == 2
        assert f"{option[0]}: {path} exists and was made with" in capsys.readouterr().err


# --- files that change or cannot be read ----------------------------------------------------------


@pytest.fixture
def command(tmp_path, adapted, teacher, monkeypatch, capsys):
    """Run `staticemb-distiller index` in a folder of documents, with the teacher."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "staticemb_distiller.indexing.teacher_index.open_teacher", lambda spec: teacher
    )
    (tmp_path / "docs").mkdir()
    write_jsonl(tmp_path / "docs" / "rows.jsonl", TEXTS[:4], _id=IDS[:4])
    (tmp_path / "docs" / "a.txt").write_text(TEXTS[4])

    def call(*arguments, vectors="--teacher=hidden"):
        options = ["--model", str(adapted), "-o", "docs.db", vectors]
        status = main(["index", *arguments, *options])
        output, notes = capsys.readouterr()
        assert output == ""
        return status, notes

    return call


def stored_ids():
    with Index.open("docs.db") as index:
        index.check()
        return {document.id for document in index.documents()}


def test_the_command_leaves_out_files_that_cannot_be_read(tmp_path, command):
    (tmp_path / "docs" / "0.txt").write_bytes(b"caf\xe9")
    (tmp_path / "docs" / "b.jsonl").write_text(
        json.dumps({"_id": "before", "text": TEXTS[5]}) + "\nno json\n"
    )
    status, notes = command("docs")
    assert status == 1
    lines = notes.splitlines()
    for fault in ("0.txt: expected UTF-8", "b.jsonl, line 2: "):
        assert sum(fault in line for line in lines) == 1  # though files are read twice
    assert lines[-2].endswith("1 file or folder was left out, see above")
    assert "of 1 file, 1 document was indexed" in lines[-1]
    a = str(Path("docs", "a.txt"))
    assert stored_ids() == {*IDS[:4], a, "before"}
    assert command(str(Path("docs", "0.txt")))[0] == 2


def test_the_command_prunes_what_is_gone(tmp_path, command):
    command("docs")
    (tmp_path / "docs" / "a.txt").unlink()
    write_jsonl(tmp_path / "docs" / "rows.jsonl", TEXTS[:2], _id=IDS[:2])
    status, notes = command("docs")
    assert status == 0
    assert "3 documents are in these files no more; --prune deletes" in notes
    assert len(stored_ids()) == 5
    status, notes = command("docs", "--prune")
    assert status == 0
    assert "0 new, 0 replaced, 2 unchanged, 3 deleted; 2 documents" in notes
    assert stored_ids() == {*IDS[:2]}


def test_a_file_that_cannot_be_read_is_an_error_beside_given_vectors(tmp_path, command, teacher):
    """Without its documents, vectors would be given to the documents after them."""
    write_jsonl(tmp_path / "docs" / "0.jsonl", TEXTS[5:8])
    with (tmp_path / "docs" / "0.jsonl").open("a") as file:
        file.write("no json\n")
    np.save(tmp_path / "v.npy", teacher.encode(TEXTS[:8]))
    status, notes = command("docs", vectors="--vectors=v.npy")
    assert status == 2
    assert "0.jsonl, line 4" in notes
    assert not (tmp_path / "docs.db").exists()


@pytest.mark.parametrize(
    ("column", "place", "options"),
    [
        ("embedding", "./docs/rows.jsonl", []),
        ("vec", "docs/rows.jsonl", []),
        ("vec", "docs", ["--vector", "vec"]),
    ],
)
def test_a_column_of_vectors_is_no_metadata(tmp_path, command, teacher, column, place, options):
    (tmp_path / "docs" / "a.txt").unlink()
    tags = [["a", "b"], ["c"], ["d"], ["e"]]
    vectors = teacher.encode(TEXTS[:4]).tolist()
    columns = {"_id": IDS[:4], "n": [0, 1, 2, 3], "tags": tags, column: vectors}
    write_jsonl(tmp_path / "docs" / "rows.jsonl", TEXTS[:4], **columns)
    assert command(place, *options, vectors=f"--vectors={place}")[0] == 0
    with Index.open("docs.db") as index:
        expected = [{"n": n, "tags": tags[n]} for n in range(4)]
        assert [document.metadata for document in index.documents()] == expected


def test_standard_input_cannot_be_read_twice(tmp_path, command):
    status, notes = command("-")
    assert status == 2
    assert "expected files, found standard input" in notes
    assert not (tmp_path / "docs.db").exists()


# --- adaptation to an index -----------------------------------------------------------------------


def test_adapting_to_an_index_fits_its_passages_as_stored(tmp_path, teacher):
    general = write_model(tmp_path / "general.staticemb")
    long = [". ".join(TEXTS[first : first + 3]) + "." for first in range(0, 300, 3)]
    with Index.create(tmp_path / "docs.db", general, passage_characters=130) as index:
        index.add(long, ids=IDS[:100])
        passages = [passage.text for passage in index.passages()]
    assert len(passages) > len(long)
    adapt(general, index=tmp_path / "docs.db", output=tmp_path / "a.staticemb", teacher=teacher)
    adapt(general, passages, tmp_path / "b.staticemb", teacher=Probed())
    assert (tmp_path / "a.staticemb").read_bytes() == (tmp_path / "b.staticemb").read_bytes()


def test_adapting_to_an_index_uses_the_teachers_vectors_in_it(tmp_path, adapted, teacher):
    index_with_teacher(
        tmp_path / "docs.db", stream(), adapted, teacher=teacher, precision="float16"
    )
    known = {"regularization": 0.01, "damping_beta": 0.0, "share": 1.0}
    adapt(adapted, index=tmp_path / "docs.db", output=tmp_path / "a.staticemb", **known)
    adapt(adapted, TEXTS, tmp_path / "b.staticemb", vectors=teacher.encode(TEXTS), **known)
    one, other = (StaticModel.load(tmp_path / f"{name}.staticemb") for name in "ab")
    a, b = one.encode_query(TEXTS), other.encode_query(TEXTS)
    # The axes may differ in sign: compare what users see, the similarities.
    np.testing.assert_allclose(a @ a.T, b @ b.T, atol=0.02)
    assert one.space == other.space


def test_an_index_without_the_teachers_vectors_says_what_is_missing(tmp_path, adapted, teacher):
    general = write_model(tmp_path / "general2.staticemb")
    with Index.create(tmp_path / "own.db", general) as index:
        index.add(TEXTS)
    with pytest.raises(CollectionError, match="--teacher or --vectors"):
        adapt(general, index=tmp_path / "own.db", output=tmp_path / "a.staticemb")
    index_with_teacher(tmp_path / "docs.db", stream(), adapted, teacher=teacher)
    with pytest.raises(CollectionError, match="--teacher or --vectors"):  # another model's index
        adapt(general, index=tmp_path / "docs.db", output=tmp_path / "a.staticemb")
    index_with_teacher(
        tmp_path / "short.db", stream(), adapted, teacher=teacher, truncate_dim=DIM // 2
    )
    with pytest.raises(CollectionError, match=f"expected vectors of {DIM} dimensions"):
        adapt(adapted, index=tmp_path / "short.db", output=tmp_path / "a.staticemb")
    with pytest.raises(CollectionError, match="documents or an index, found both"):
        adapt(adapted, TEXTS, tmp_path / "a.staticemb", index=tmp_path / "docs.db")
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + bytes(200))
    for name in ("broken.db", "missing.db"):
        with pytest.raises(CollectionError, match=name):
            adapt(general, index=tmp_path / name, output=tmp_path / "a.staticemb", teacher=teacher)


@pytest.mark.parametrize("offset", [False, True])
def test_teacher_vectors_inverts_the_projection(offset):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((200, DIM)).astype(np.float32)
    vectors[:, 0] += 6 * offset
    vectors = unit(vectors)
    axes = np.linalg.qr(random.standard_normal((DIM, DIM)))[0].astype(np.float32)
    space = Space("t", "", axes, vectors.mean(0) if offset else None)
    rows = space.project(vectors)
    rows[3] = 0
    found = teacher_vectors(space, rows)
    assert not found[3].any()
    np.testing.assert_allclose(np.delete(found, 3, 0), np.delete(vectors, 3, 0), atol=1e-4)


# --- scorers --------------------------------------------------------------------------------------


def test_a_teacher_scores_by_its_cosines(teacher):
    kinds = []

    class Kinds(Probed):
        def encode(self, texts, *, kind=None, advance=None):  # as a Sentence Transformer has it
            kinds.append((kind, len(texts)))
            return 3 * super().encode(texts, kind=kind)

    scores = TeacherScorer(Kinds())(TEXTS[0], TEXTS[:9])
    wanted = unit(teacher.encode(TEXTS[:9])) @ unit(teacher.encode(TEXTS[:1]))[0]
    np.testing.assert_allclose(scores, wanted, atol=1e-5)
    assert kinds == [("query", 1), ("document", 9)]
    assert TeacherScorer(teacher)("w1", []).shape == (0,)


def test_a_scorer_orders_the_hits_of_an_index(tmp_path, adapted, teacher):
    index_with_teacher(tmp_path / "docs.db", stream(), adapted, teacher=teacher)
    with Index.open(tmp_path / "docs.db") as index:
        scorer = TeacherScorer(teacher)
        hits = index.search(TEXTS[3], rerank=scorer, rerank_weight=1.0, candidates=50)
    scores = [hit.rerank_score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    np.testing.assert_allclose(scores, scorer(TEXTS[3], [hit.text for hit in hits]), atol=1e-5)


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory):
    """A folder with a small cross-encoder of random weights, saved by sentence-transformers."""
    transformers = pytest.importorskip("transformers")
    cross = pytest.importorskip("sentence_transformers").CrossEncoder
    folder = tmp_path_factory.mktemp("cross")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "the",
        "cat",
        "sat",
        "dog",
        "apple",
        "pie",
        "red",
    ]
    made = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(words), intermediate_size=16, num_labels=1, initializer_range=0.5, **settings
    )
    transformers.set_seed(0)
    transformers.BertForSequenceClassification(config).save_pretrained(folder / "plain")
    names = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]"}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, **{f"{name}_token": token for name, token in names.items()}
    )
    tokenizer.save_pretrained(folder / "plain")
    cross(str(folder / "plain"), device="cpu").save_pretrained(str(folder / "model"))
    return folder / "model"


def test_a_cross_encoder_scores_as_sentence_transformers_does(tmp_path, cross_encoder):
    from sentence_transformers import CrossEncoder

    texts = ["the cat sat", "a red apple", "apple pie", "the dog"]
    reference = CrossEncoder(str(cross_encoder), device="cpu")
    wanted = reference.predict([("the cat", text) for text in texts])
    assert np.diff(np.sort(wanted)).min() > 1e-4
    for scorer in (CrossEncoderScorer(str(cross_encoder)), CrossEncoderScorer(reference)):
        np.testing.assert_allclose(scorer("the cat", texts), wanted, atol=1e-5)
        assert scorer("the cat", []).shape == (0,)
    with Index.create(tmp_path / "a.db") as index:
        index.add(texts)
        hits = index.search("the cat", rerank=scorer, rerank_weight=1.0)
    assert [hit.text for hit in hits] == [texts[n] for n in np.argsort(-wanted)]


def test_what_is_no_cross_encoder_is_refused(tmp_path, cross_encoder):
    with pytest.raises(TeacherError, match="cross-encoder"):
        CrossEncoderScorer(str(tmp_path))

    class Classes:
        num_labels = 3

    with pytest.raises(TeacherError, match="one score for a pair, found 3"):
        CrossEncoderScorer(Classes())


# --- measuring ------------------------------------------------------------------------------------


@pytest.fixture
def judged(tmp_path, teacher):
    """Queries whose relevant documents are the teacher's nearest five; one is not indexed."""
    random = np.random.default_rng(4)
    queries = [" ".join(TEXTS[n].split()[:6]) for n in random.choice(300, 20, replace=False)]
    best = np.argsort(-(unit(teacher.encode(queries)) @ teacher.encode(TEXTS).T))[:, :5]
    lines = ["query-id\tcorpus-id\tscore"]
    lines += [f"q{q}\t{IDS[d]}\t{5 - r}" for q, row in enumerate(best) for r, d in enumerate(row)]
    lines += ["q0\tgone\t1", "q1\td0\t0"]
    qrels, path = tmp_path / "qrels.tsv", tmp_path / "queries.jsonl"
    qrels.write_text("\n".join(lines) + "\n")
    rows = [json.dumps({"_id": f"q{n}", "text": text}) for n, text in enumerate(queries)]
    path.write_text("\n".join([*rows, json.dumps({"_id": "unjudged", "text": "w1"})]) + "\n")
    return path, qrels


def test_an_index_is_measured_as_trec_eval_does(tmp_path, adapted, teacher, judged):
    pytrec = pytest.importorskip("pytrec_eval")
    index_with_teacher(tmp_path / "docs.db", stream(), adapted, teacher=teacher)
    read = read_judged(*judged)
    qrels: dict[str, dict[str, int]] = {}
    for (query, document), grade in read.grades.items():
        qrels.setdefault(query, {})[document] = grade
    with Index.open(tmp_path / "docs.db") as index:
        results = evaluate_index(index, read, rerank={"teacher": TeacherScorer(teacher)})
        assert [way.name for way in results.ways] == [
            "BM25", "vectors", "together", "together, then teacher",
        ]  # fmt: skip
        for way, options in zip(
            results.ways,
            (
                {"method": "lexical"},
                {"method": "vector"},
                {},
                {"rerank": TeacherScorer(teacher)},
            ),
            strict=True,
        ):
            run = {
                id_: {
                    hit.id: float(DEPTH - rank)
                    for rank, hit in enumerate(index.search(text, DEPTH, **options))
                }
                for id_, text in zip(read.ids, read.texts, strict=True)
            }
            names = {"ndcg_cut_10", "recall_100"}
            found = pytrec.RelevanceEvaluator(qrels, names).evaluate(run)
            for metric, name in (("NDCG@10", "ndcg_cut_10"), ("recall@100", "recall_100")):
                wanted = [found[id_][name] for id_ in read.ids]
                np.testing.assert_allclose(way.outcomes[metric].output, wanted, atol=1e-6)
            drawn = way.interval("NDCG@10", 200)
            assert drawn.low <= drawn.value <= drawn.high
    assert results.missing == 1
    assert results.ways[3].outcomes["NDCG@10"].value > results.ways[0].outcomes["NDCG@10"].value


def test_reciprocal_rank_is_of_the_first_relevant_document():
    relevance = csr_matrix(np.array([[0, 2, 1], [0, 0, 0], [1, 0, -1]]))
    ranked = np.array([[0, 2, 1], [0, 1, 2], [2, 1, 0]])
    assert metrics.reciprocal_rank(ranked, relevance).tolist() == [1 / 2, 0, 1 / 3]
    assert metrics.reciprocal_rank(ranked, relevance, 2).tolist() == [1 / 2, 0, 0]


def test_a_query_that_is_a_document_does_not_find_itself(tmp_path):
    with Index.create(tmp_path / "a.db") as index:
        index.add(["apple pie", "apple pie with cream"], ids=["q", "d"])
        (tmp_path / "q.jsonl").write_text('{"_id": "q", "text": "apple pie"}\n')
        (tmp_path / "r.tsv").write_text("q\td\t1\n")
        results = evaluate_index(index, read_judged(tmp_path / "q.jsonl", tmp_path / "r.tsv"))
    assert [way.outcomes["MRR@10"].value for way in results.ways] == [100.0] * 3


def test_an_index_without_full_text_is_measured_by_its_vectors(tmp_path, judged):
    with Index.create(tmp_path / "a.db", words=None) as index:
        index.add(["apple"], ids=["d1"])
        results = evaluate_index(index, read_judged(*judged), resamples=0)
    assert "vectors" in [way.name for way in results.ways]
    assert "BM25" not in [way.name for way in results.ways]
    assert "(" not in summary(results).splitlines()[2]
    shown = summary(replace(results, resamples=50), 60).splitlines()
    assert max(map(len, shown)) <= 60
    assert sum(line.count(" to ") for line in shown) == 3 * len(results.ways)


def test_the_command_measures_an_index_and_writes_reports(
    tmp_path, adapted, teacher, judged, capsys
):
    index_with_teacher(tmp_path / "docs.db", stream(), adapted, teacher=teacher)
    command = ["evaluate", "--index", str(tmp_path / "docs.db")]
    files = ["--queries", str(judged[0]), "--qrels", str(judged[1])]
    reports = ["--json", str(tmp_path / "r.json"), "--markdown", str(tmp_path / "r.md")]
    assert main([*command, *files, *reports, "--resamples", "50"]) == 0
    table = capsys.readouterr().out
    made = json.loads((tmp_path / "r.json").read_text())
    assert set(made["ways"]) == {"BM25", "vectors", "together"}
    for way in made["ways"].values():
        assert way["NDCG@10"]["low"] <= way["NDCG@10"]["value"] <= way["NDCG@10"]["high"]
        assert f"{way['NDCG@10']['value']:.1f}" in table
        assert f"{way['recall@100']['value']:.1f}" in (tmp_path / "r.md").read_text()
    assert made["missing"] == 1
    assert main(command) == 2
    assert "--queries and --qrels" in capsys.readouterr().err
    assert main([*command, *files, "--json", str(judged[1])]) == 2
    assert "the input" in capsys.readouterr().err
    assert main(["evaluate"]) == 2
    assert "MODEL or --index" in capsys.readouterr().err
    assert main(["evaluate", "x", "--qrels", str(judged[1])]) == 2
    assert "expected --index" in capsys.readouterr().err


def test_malformed_judgments_are_named(tmp_path, judged):
    bad = tmp_path / "bad.tsv"
    for text, found in (
        ("q0\td1\n", "row 1"),
        ("q0\td1\t1\nq0\td1\tx\n", "row 2"),
        ("nobody\td1\t1\n", "nobody"),
    ):
        bad.write_text(text)
        with pytest.raises(EvaluationError, match=found):
            read_judged(judged[0], bad)
    with pytest.raises(EvaluationError, match="expected a file"):
        read_judged(judged[0], tmp_path / "missing.tsv")


def test_the_report_names_what_was_measured(tmp_path, judged):
    with Index.create(tmp_path / "a.db") as index:
        index.add(["w1 w2"], ids=["d1"])
        results = evaluate_index(index, read_judged(*judged), resamples=20)
    text = markdown(results)
    for part in ("1 documents", "20 queries", "SHA-256"):
        assert part in text
    assert json.loads(dumps(results))["queries"] == 20
