"""Chroma: collections that remember the function, in memory, on disk and of another model."""

import numpy as np
import pytest

chromadb = pytest.importorskip("chromadb")

from chromadb.config import Settings
from chromadb.utils.embedding_functions import known_embedding_functions

from runtime.test_model import save
from staticemb_runtime.integrations.chroma import StaticModelEmbeddingFunction

from .passages import DOCUMENTS, EXPECTED

IDS = [f"d{number}" for number in range(len(DOCUMENTS))]


@pytest.fixture
def client(tmp_path):
    return chromadb.PersistentClient(str(tmp_path / "db"), Settings(anonymized_telemetry=False))


def test_a_collection_finds_and_is_in_cosine_space(client):
    collection = client.create_collection(
        "passages", embedding_function=StaticModelEmbeddingFunction()
    )
    collection.add(ids=IDS, documents=DOCUMENTS)
    result = collection.query(query_texts=list(EXPECTED), n_results=1)
    assert [found for (found,) in result["documents"]] == list(EXPECTED.values())
    model = StaticModelEmbeddingFunction()._opened.model
    similarity = model.similarity(model.encode_query(list(EXPECTED)), model.encode(DOCUMENTS))
    distances = np.array([distance for (distance,) in result["distances"]])
    np.testing.assert_allclose(1 - distances, similarity.max(axis=1), atol=1e-5)
    assert collection.configuration_json["hnsw"]["space"] == "cosine"


def test_a_collection_opens_with_the_function_that_it_remembers(client, tmp_path):
    path = save(tmp_path / "model.staticemb", prompts={"query": "w1 w2 "})
    function = StaticModelEmbeddingFunction(path, truncate_dim=8)
    client.create_collection("words", embedding_function=function).add(ids=["a"], documents=["w3"])
    again = client.get_collection("words")  # no function is given
    again.add(ids=["b"], documents=["w4"])
    result = again.get(ids=["b"], include=["embeddings"])
    np.testing.assert_allclose(result["embeddings"], function(["w4"]), atol=1e-6)
    assert len(again.query(query_texts=["w3"])["ids"][0]) == 2


def test_a_collection_refuses_a_file_with_other_vectors(client, tmp_path):
    path = save(tmp_path / "model.staticemb")
    function = StaticModelEmbeddingFunction(path)
    client.create_collection("words", embedding_function=function).add(ids=["a"], documents=["w3"])
    save(path, damped=False)
    again = client.get_collection("words")
    for call in (
        lambda: again.query(query_texts=["w3"]),
        lambda: again.add(ids=["b"], documents=["w4"]),
    ):
        with pytest.raises(ValueError, match=r"expected the model whose digest is 'sha256:"):
            call()
    assert again.count() == 1


def test_a_configuration_without_a_digest_is_refused():
    with pytest.raises(ValueError, match="digest"):
        StaticModelEmbeddingFunction.build_from_config({"model_name": "minilm-en-small"})


def test_a_model_may_move_but_not_change(client, tmp_path):
    function = StaticModelEmbeddingFunction(save(tmp_path / "model.staticemb"))
    collection = client.create_collection("words", embedding_function=function)
    moved = StaticModelEmbeddingFunction(save(tmp_path / "moved.staticemb"))
    collection.modify(configuration={"embedding_function": moved})
    stored = client.get_collection("words").configuration_json["embedding_function"]["config"]
    assert stored["model_name"].endswith("moved.staticemb")
    other = StaticModelEmbeddingFunction(save(tmp_path / "other.staticemb", damped=False))
    shorter = StaticModelEmbeddingFunction(tmp_path / "moved.staticemb", truncate_dim=8)
    for wrong, key in ((other, "digest"), (shorter, "truncate_dim")):
        with pytest.raises(ValueError, match=f"{key}: expected .*, found "):
            collection.modify(configuration={"embedding_function": wrong})


def test_the_function_is_registered():
    assert known_embedding_functions["staticemb"] is StaticModelEmbeddingFunction
    function = StaticModelEmbeddingFunction()
    assert not function.is_legacy()
    assert set(function.supported_spaces()) == {"cosine", "l2", "ip"}


def test_texts_without_known_tokens_do_no_harm(client, tmp_path):
    function = StaticModelEmbeddingFunction(save(tmp_path / "model.staticemb"))
    collection = client.create_collection("words", embedding_function=function)
    collection.add(ids=["a", "b", "c"], documents=["w1", "", "☃"])
    result = collection.query(query_texts=["w1", ""], n_results=3)
    assert result["ids"][0][0] == "a"
    assert np.isfinite(result["distances"]).all()
