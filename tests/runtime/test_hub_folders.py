"""Repositories of model2vec and sentence-transformers, opened by id through the real client."""

import json

import numpy as np
import pytest

from hub_client import run
from hub_server import COMMIT, Repository, files_in, serve
from peer_models import nest, save_model2vec, save_sentence_transformers
from staticemb_runtime import StaticModel
from tokenizer_families import family

pytest.importorskip("huggingface_hub")
pytest.importorskip("model2vec")
pytest.importorskip("sentence_transformers")

TEXTS = ["the quick brown fox", "", "zzyzx ☃ unheard-of words", "Äpfel kosten 2 €"]
LOAD = """
import json, sys
from staticemb_runtime import StaticEmbError, StaticModel
answers = []
for case in json.load(sys.stdin):
    texts = case.pop("texts")
    try:
        answers.append(StaticModel.from_pretrained(**case).encode(texts).tolist())
    except StaticEmbError as error:
        answers.append(f"{type(error).__name__}: {error}")
print(json.dumps(answers))
"""
# What a repository may hold beside a model, and what nobody asked for.
NOISE = {
    "README.md": b"# A model",
    "pytorch_model.bin": b"\x80\x04a pickle",
    "modeling.py": b"raise SystemExit",
    "onnx/model.onnx": b"\x00",
}


def case(model, revision=None, **options):
    return {"model": model, "revision": revision, "texts": TEXTS, **options}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each layout."""
    base = tmp_path_factory.mktemp("layouts")
    tokenizer = family("bert_uncased")
    weights = np.random.default_rng(4).random(tokenizer.get_vocab_size()).astype(np.float32)
    save_model2vec(base / "model2vec", tokenizer, normalize=True)
    save_model2vec(base / "clustered", tokenizer, clusters=20, weights=weights)
    save_sentence_transformers(base / "plain", tokenizer)
    save_sentence_transformers(base / "normalized", tokenizer, normalize=True, truncate_dim=8)
    save_sentence_transformers(base / "nested", tokenizer, normalize=True)
    nest(base / "nested")
    (base / "model2vec" / "modules.json").unlink()  # as its first versions wrote it
    return {folder.name: folder for folder in base.iterdir()}


def test_each_layout_opens_online_and_then_offline(folders, tmp_path):
    repositories = {f"org/{name}": files_in(folder) | NOISE for name, folder in folders.items()}
    with serve(repositories) as (endpoint, requests):
        found = run(LOAD, [case(name) for name in repositories], tmp_path, endpoint)
        fetched = {path for method, path in requests if method == "GET" and "/resolve/" in path}
    expected = [StaticModel.load(folder).encode(TEXTS) for folder in folders.values()]
    for ours, theirs in zip(found, expected, strict=True):
        assert not isinstance(ours, str), ours
        assert np.allclose(ours, theirs, atol=1e-6)
    assert not [path for path in fetched for name in NOISE if path.endswith(name)]
    assert all(f"/resolve/{COMMIT}/" in path for path in fetched)

    # The server is gone. A commit asks nobody; a branch is looked up in the cache on request.
    pinned = [case(name, COMMIT) for name in repositories]
    branch = [case(name, local_files_only=True) for name in repositories]
    assert run(LOAD, [*pinned, *branch], tmp_path) == [*found, *found]
    assert (
        run(LOAD, [case("org/plain")], tmp_path, offline=True)
        == found[[*folders].index("plain") : [*folders].index("plain") + 1]
    )


def test_a_pinned_commit_that_is_cached_asks_nothing(folders, tmp_path):
    with serve({"org/nested": files_in(folders["nested"])}) as (endpoint, requests):
        first = run(LOAD, [case("org/nested", COMMIT)], tmp_path, endpoint)
        requests.clear()
        assert run(LOAD, [case("org/nested", COMMIT)], tmp_path, endpoint) == first
        assert requests == []


def test_a_file_that_is_not_the_listed_one_is_refused_and_fetched_again(folders, tmp_path):
    damaged = ("model.safetensors", "tokenizer.json", "config.json")
    files = files_in(folders["clustered"])
    repositories = {
        f"org/{name}": Repository({COMMIT: dict(files)}, damaged=(name,)) for name in damaged
    }
    cases = [case(name) for name in repositories]
    with serve(repositories) as (endpoint, _):
        answers = run(LOAD, cases, tmp_path, endpoint)
        for name, answer in zip(damaged, answers, strict=True):
            assert answer.startswith("DownloadError")
            assert name in answer
            assert "digest" in answer
            assert "\n" not in answer
        for repository in repositories.values():
            repository.damaged = ()
        answers = run(LOAD, cases, tmp_path, endpoint)
    assert not [answer for answer in answers if isinstance(answer, str)]


def test_what_is_no_table_is_refused_before_its_weights_are_fetched(folders, tmp_path):
    transformer = [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}]
    outside = [{"idx": 0, "path": "../..", "type": "sentence_transformers.models.StaticEmbedding"}]
    whole = files_in(folders["plain"])
    without = {name: content for name, content in whole.items() if name != "model.safetensors"}
    repositories = {
        "org/transformer": whole | {"modules.json": json.dumps(transformer).encode()},
        "org/outside": whole | {"modules.json": json.dumps(outside).encode()},
        "org/pickled": without | {"pytorch_model.bin": b"\x80\x04a pickle"},
        "org/tables": {"vectors.txt": b"a 1 2"},
        "org/missing-tokenizer": {n: c for n, c in whole.items() if n != "tokenizer.json"},
    }
    names = list(repositories)
    with serve(repositories) as (endpoint, requests):
        answers = run(LOAD, [case(name) for name in names], tmp_path, endpoint)
        fetched = [path for method, path in requests if method == "GET"]
    expected = {
        "org/transformer": ("UnsupportedModelError", "Transformer"),
        "org/outside": ("InvalidConfigError", "inside the model's folder"),
        "org/pickled": ("UnsupportedModelError", "pickle"),
        "org/tables": ("ModelNotFoundError", "model.staticemb"),
        "org/missing-tokenizer": ("NotAModelError", "tokenizer.json"),
    }
    for name, answer in zip(names, answers, strict=True):
        error, says = expected[name]
        assert answer.startswith(error), answer
        assert says in answer
    assert not [path for path in fetched if path.endswith((".safetensors", ".bin", ".txt"))]


def test_a_cache_that_another_program_filled_in_part_is_not_trusted(folders, tmp_path):
    # model2vec fetches no modules.json: without it a nested table would follow other rules.
    program = """
import json, sys
from huggingface_hub import hf_hub_download
for name in json.load(sys.stdin):
    hf_hub_download("org/nested", name)
print("null")
"""
    names = [name for name in files_in(folders["nested"]) if name != "modules.json"]
    with serve({"org/nested": files_in(folders["nested"])}) as (endpoint, _):
        run(program, names, tmp_path, endpoint)
    (answer,) = run(LOAD, [case("org/nested", local_files_only=True)], tmp_path)
    assert answer.startswith("DownloadError")


def test_a_head_comes_with_its_table(tmp_path):
    inference = pytest.importorskip("model2vec.inference")
    mlp = pytest.importorskip("model2vec.inference.mlp")
    table = save_model2vec(tmp_path / "table", family("bert_uncased"), normalize=True)
    random = np.random.default_rng(4)
    layer = mlp.Layer(random.normal(size=(3, 24)).astype("f4"), np.zeros(3, "f4"))
    head = mlp.MLPHead([layer], mlp.Activation.SOFTMAX, np.array(["a", "b", "c"]))
    inference.StaticModelPipeline(table, head).save_pretrained(str(tmp_path / "head"))
    load = LOAD.replace(".encode(texts).tolist()", ".classify(texts)")
    with serve({"org/head": files_in(tmp_path / "head")}) as (endpoint, _):
        found = run(load, [case("org/head")], tmp_path, endpoint)
    peer = inference.StaticModelPipeline.from_pretrained(tmp_path / "head")
    assert found == [peer.predict(TEXTS).tolist()]
    assert run(load, [case("org/head", COMMIT)], tmp_path) == found
