"""What can be evaluated is opened by its kind, and gives its own package's vectors."""

import gzip
import inspect
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from distiller import evaluation_data as data
from distiller.embedding_server import EmbeddingServer, vectors
from staticemb_distiller.errors import (
    EvaluationError,
    MissingPackageError,
    TeacherNotFoundError,
)
from staticemb_distiller.evaluation import (
    FunctionModel,
    LexicalModel,
    discover,
    evaluate,
    load_model,
)
from staticemb_distiller.evaluation.hybrid import VECTOR_WEIGHT, mixed
from staticemb_distiller.evaluation.metrics import ndcg, top_columns, unit
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.teacher import source
from staticemb_runtime import StaticModel
from staticemb_runtime.search import Index
from staticemb_runtime.search.fusion import SCALED_OVER, fuse

WORDS = ["cat", "dog", "saw", "drill"]
TEXTS = ["cat dog", "saw", "drill cat saw"]


def tokenizer():
    built = Tokenizer(WordLevel({w: i for i, w in enumerate(["[UNK]", *WORDS])}, unk_token="[UNK]"))
    built.pre_tokenizer = Whitespace()
    return built


@pytest.fixture(scope="module")
def table():
    return np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)


@pytest.mark.parametrize(
    ("head", "name"), [("", "words.txt"), ("4 3\n", "words.vec"), ("4 3\n", "words.vec.gz")]
)
def test_word_vectors_in_either_text_format(tmp_path, head, name):
    rows = {"cat": [1, 2, 3], "Saw": [0, -1, 1e-3], "saw": [2, 2, 2], ".": [0, 0, 1]}
    text = head + "".join(f"{w} {' '.join(map(str, row))}\n" for w, row in rows.items())
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    model = load_model(path)
    assert model.prefixes == (3,)
    found = model.encode(["cat saw", "Saw Cat", "nothing known", "", "cat."])
    expected = [[1.5, 2, 2.5], [0.5, 0.5, 1.5005], [0, 0, 0], [0, 0, 0], [0.5, 1, 2]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_word_that_holds_spaces_keeps_its_numbers(tmp_path):
    path = tmp_path / "w.txt"
    path.write_text("cat 1 2 3\n. . . 4 5 6\n", "utf-8")
    np.testing.assert_array_equal(load_model(path).encode(["cat"]), [[1, 2, 3]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat 1 2\ndog 1\n", "line 2: expected a word and 2 numbers"),
        ("cat 1 2\ndog 1 x\n", "line 2"),
        ("cat 1 nan\n", "line 1"),
        ("just text\n", "line 1"),
        ("", "line 1"),
        ("3 2\n", "found the end of the file"),
        ("cat 1\ndog 2\n", "at least 2 numbers"),
    ],
)
def test_malformed_word_vectors_are_named_by_line(tmp_path, text, message):
    path = tmp_path / "w.txt"
    path.write_text(text, "utf-8")
    with pytest.raises(EvaluationError, match=message):
        load_model(path)


def test_the_head_of_a_file_of_word_vectors_and_broken_characters_will_do(tmp_path):
    path = tmp_path / "w.vec"
    path.write_bytes(b"9 2\ncat 1 2\n\xff 3 4\n")
    np.testing.assert_array_equal(load_model(path).encode(["cat"]), [[1, 2]])


def test_what_is_no_model(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.bin").write_bytes(b"")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text("[]", "utf-8")
    for name in ("absent/model", "empty", "model.bin", "broken"):
        with pytest.raises(EvaluationError, match=name):
            load_model(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("org/small-en-v1.5", True),
        ("org/model-1.5B-instruct", True),
        ("small-v1.5", True),
        ("org/gone.staticemb", False),
        ("gone.vec.gz", False),
    ],
)
def test_a_version_in_an_id_of_the_hub_is_no_ending_of_a_file(monkeypatch, name, asked):
    ids = []

    def find(name):
        ids.append(name)
        raise TeacherNotFoundError("not there")

    monkeypatch.setattr(source, "find", find)
    with pytest.raises(EvaluationError, match="no such file or folder"):
        load_model(name)
    assert ids == ([name if "/" in name else f"sentence-transformers/{name}"] if asked else [])


@pytest.mark.parametrize("damping", [None, (1.0, 4)])
def test_a_static_embedding_file(tmp_path, table, damping):
    path = tmp_path / "mine.staticemb"
    definition = tokenizer().to_str().encode()
    settings = Settings(prefixes=(2, 6), damping=damping, max_tokens=9, provenance={"teacher": "t"})
    write(path, Parts(table, definition), settings)
    model = load_model(path)
    runtime = StaticModel.load(path)
    np.testing.assert_allclose(model.encode(TEXTS), runtime.encode(TEXTS))
    cut = unit(model.encode(TEXTS)[:, :2])
    np.testing.assert_allclose(cut, runtime.encode(TEXTS, truncate_dim=2), atol=1e-6)
    assert (model.name, model.prefixes, model.bytes) == ("mine", (2, 6), path.stat().st_size)
    expected = {"max_tokens": 9, "precision": "float32", "teacher": "t", "dimension": 6}
    assert expected.items() <= model.facts.items()
    assert model.facts["pooling"] == ("mean" if damping is None else "damped_mean")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EvaluationError, match=r"mine\.staticemb"):
        load_model(path)


def test_a_model2vec_folder(tmp_path, table):
    model2vec = pytest.importorskip("model2vec")
    peer = model2vec.StaticModel(table, tokenizer())
    peer.save_pretrained(tmp_path / "m2v")
    model = load_model(tmp_path / "m2v")
    np.testing.assert_allclose(model.encode(TEXTS), peer.encode(TEXTS), rtol=1e-6)
    assert (model.name, model.prefixes, model.facts["kind"]) == ("m2v", (6,), "model2vec")
    files = ("model.safetensors", "tokenizer.json")
    assert model.bytes == sum((tmp_path / "m2v" / f).stat().st_size for f in files)
    assert model.facts["max_tokens"] == peer.max_length
    (tmp_path / "m2v/tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(EvaluationError, match="m2v: model2vec cannot open it: "):
        load_model(tmp_path / "m2v")


def test_a_sentence_transformers_folder_with_its_prompts(tmp_path, table):
    package = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    peer = package.SentenceTransformer(
        modules=[StaticEmbedding(tokenizer(), embedding_weights=table)],
        prompts={"query": "saw ", "document": "drill "},
        device="cpu",
    )
    peer.save(str(tmp_path / "st"))
    model = load_model(tmp_path / "st", "given")
    assert (model.name, model.prefixes) == ("given", (6,))
    np.testing.assert_allclose(model.encode(TEXTS), peer.encode(TEXTS), rtol=1e-5)
    np.testing.assert_allclose(model.encode_query(TEXTS), peer.encode_query(TEXTS), rtol=1e-5)
    prompted = [f"drill {text}" for text in TEXTS]
    np.testing.assert_allclose(model.encode_document(TEXTS), peer.encode(prompted), rtol=1e-5)
    json.dumps(dict(model.facts))


DAMAGED = {
    "pooling": ("1_Pooling/config.json", {"pooling_mode": -1}),
    "shape of a layer": ("2_Dense/config.json", {"out_features": "x"}),
    "activation": ("2_Dense/config.json", {"activation_function": -1}),
    "name of a feature": ("2_Dense/config.json", {"module_input_name": "x"}),
    "architecture": ("config.json", {"is_causal": "x"}),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_settings_of_another_type_are_one_line(tmp_path, capfd, damage):
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    from distiller import teachers

    folder = tmp_path / "st"
    teachers.save(folder, teachers.plain("bert", tmp_path / "b"), extra=[modules.Dense(32, 4)])
    capfd.readouterr()
    assert load_model(folder).prefixes == (4,)
    assert capfd.readouterr().err == ""
    file, changes = DAMAGED[damage]
    settings = json.loads((folder / file).read_text("utf-8"))
    (folder / file).write_text(json.dumps(settings | changes), "utf-8")
    with pytest.raises(
        EvaluationError, match="st: sentence-transformers cannot open it: "
    ) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_the_model_that_wordllama_carries():
    pytest.importorskip("wordllama")
    model = load_model("wordllama")
    vectors = model.encode(["a cat sleeps", "a kitten naps", "stocks fell", ""])
    assert vectors.shape == (4, 256)
    assert not vectors[3].any()
    cosines = vectors @ vectors[0] / np.linalg.norm(vectors[0])
    assert cosines[1] > cosines[2]


@pytest.fixture
def search(tmp_path):
    """The second document is the one to find, by two of its words."""
    base = tmp_path / "retrieval/r"
    texts = ["a cat ran by", "the cat sat on the mat", "", "a mat", "a dog ran"]
    data.write_jsonl(
        base / "corpus.jsonl", [{"_id": str(i), "text": text} for i, text in enumerate(texts)]
    )
    queries = ["the cat on that mat", "unheard of"]
    data.write_jsonl(
        base / "queries.jsonl", [{"_id": str(i), "text": text} for i, text in enumerate(queries)]
    )
    data.write(base / "qrels/test.tsv", [("0", "1", 1), ("1", "0", 1)])
    (task,) = discover(tmp_path)
    return task


def test_bm25_ranks_by_words_and_does_retrieval_alone(search, tmp_path):
    pytest.importorskip("bm25s")
    model = load_model("bm25")
    assert isinstance(model, LexicalModel)
    ndcg, recall = model.outcomes(search)
    assert ndcg.output[0] == 1
    assert recall.output.tolist() == [1, 1]
    for task in discover(data.make(tmp_path)):
        assert (model.outcomes(task) == []) == (task.kind != "retrieval")


def test_with_bm25_a_model_is_ranked_together_with_it_too(search, tmp_path):
    pytest.importorskip("bm25s")
    together = "ndcg@10, with BM25"
    models = [FunctionModel("noise", data.noise), "tfidf"]
    results = evaluate(models, tmp_path, prefixes=[4, 8], baseline="bm25")
    found = [s for s in results.scores if s.metric == together]
    assert [(s.model, s.prefix, s.main) for s in found] == [
        ("noise", 8, False),
        ("noise", 4, False),
    ]
    vectors = {part: unit(data.noise(texts)[:, :8]) for part, texts in search.texts.items()}
    words = load_model("bm25").scores(search)(0, 2)
    ranked = mixed(vectors["queries"] @ vectors["documents"].T, words)
    expected = ndcg(top_columns(ranked, 10), search.relevance)
    assert found[0].outcome.output.tolist() == expected.tolist()
    assert not [s for s in evaluate(models, tmp_path).scores if s.metric == together]


def test_a_query_that_is_a_document_does_not_find_itself_with_bm25(tmp_path):
    pytest.importorskip("bm25s")
    base = tmp_path / "retrieval/copies"
    texts = ["cats sleep", "dogs bark loudly", "dogs bark"]
    rows = [{"_id": str(i), "text": text} for i, text in enumerate(texts)]
    data.write_jsonl(base / "corpus.jsonl", rows)
    data.write_jsonl(base / "queries.jsonl", rows[2:])
    data.write(base / "qrels/test.tsv", [("2", "1", 1), ("2", "2", 5)])
    results = evaluate(FunctionModel("noise", data.noise), tmp_path, baseline="bm25")
    ideal = results.value("bm25", "retrieval/copies")
    assert 0 < ideal < 100
    (found,) = (s for s in results.scores if s.metric == "ndcg@10, with BM25")
    assert found.value == ideal


@given(st.integers(1, SCALED_OVER), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_mixed_scores_rank_as_an_index_does(count, seed, weight):
    rng = np.random.default_rng(seed)
    cosines, words = rng.normal(size=(2, 1, count))
    order = np.argsort(-mixed(cosines, words, weight)[0], kind="stable")
    near = np.ones(count, np.bool_)
    assert order.tolist() == fuse(words[0], cosines[0], near, weight).order.tolist()
    default = inspect.signature(Index.search).parameters["vector_weight"].default
    assert default == VECTOR_WEIGHT


def test_tfidf_does_every_task(search, tmp_path):
    model = load_model("tfidf")
    assert model.outcomes(search)[0].output[0] == 1
    scores = {task.kind: model.outcomes(task)[0].value for task in discover(data.make(tmp_path))}
    assert scores["classification"] == 100
    assert scores["pairs"] > 80
    assert scores["wordsim"] == 0


def test_a_package_that_is_not_installed_is_named(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"model_type": "model2vec"}', "utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/modules.json").write_text("[]", "utf-8")
    needed = {
        "bm25": "bm25s",
        "wordllama": "wordllama",
        tmp_path: "model2vec",
        tmp_path / "other": "sentence_transformers",
    }
    for spec, package in needed.items():
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingPackageError, match=f"pip install {package.replace('_', '-')}"):
            load_model(spec)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.ones((2, 3)), r"m: expected 1 vectors, found an array of shape \(2, 3\)"),
        (np.ones(3), "expected 1 vectors"),
        (np.array([[1.0, np.nan]]), "m: expected finite numbers.*'some text'"),
    ],
)
def test_a_model_that_gives_no_vectors_is_named(vectors, message):
    model = FunctionModel("m", lambda texts: vectors)
    for method in (model.encode, model.encode_query, model.encode_document):
        with pytest.raises(EvaluationError, match=message):
            method(["some text"])


@pytest.mark.shared
def test_known_figures_of_a_known_model_come_out(shared):
    pytest.importorskip("wordllama")
    results = evaluate("wordllama", shared / "eval", tasks=["sts/stsb-en-test", "sts/sick-test"])
    assert results.value("wordllama", "sts/stsb-en-test") == pytest.approx(75.9, abs=0.05)
    assert results.value("wordllama", "sts/sick-test") == pytest.approx(67.2, abs=0.05)


@pytest.fixture
def server():
    running = EmbeddingServer()
    yield running
    running.close()


def test_a_server_with_the_prefixes_of_its_address(server):
    spec = f"{server.spec}?query_prefix=query: &document_prefix=passage: "
    model = load_model(spec)
    assert model.name == "small"
    assert model.prefixes == (6,)
    np.testing.assert_allclose(model.encode_query(["a"]), vectors(["query: a"]), rtol=1e-6)
    np.testing.assert_allclose(model.encode_document(["a"]), vectors(["passage: a"]), rtol=1e-6)
    assert load_model(server.spec, "teacher").name == "teacher"


def test_a_server_that_fails_is_named(server):
    model = load_model(f"{server.spec}?tries=1")
    server.faults = lambda number, body: lambda handler, body: handler.reply({}, 401)
    with pytest.raises(EvaluationError, match=r"127\.0\.0\.1"):
        model.encode(["a"])
    server.close()
    with pytest.raises(EvaluationError, match=r"127\.0\.0\.1"):
        load_model(f"{server.spec}?tries=1")
