"""Haystack: pipelines for documents and queries, as YAML and back."""

import asyncio

import pytest

pytest.importorskip("haystack")

from haystack import Document, Pipeline
from haystack.components.retrievers import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore

from staticemb_runtime import StaticModel
from staticemb_runtime.integrations.haystack import (
    StaticModelDocumentEmbedder,
    StaticModelTextEmbedder,
)

from .passages import DOCUMENTS, EXPECTED

MODULE = "staticemb_runtime.integrations.haystack"


def again(pipeline):
    """A pipeline that was written as YAML and read again."""
    return Pipeline.loads(pipeline.dumps(), allowed_modules=[MODULE])


def test_pipelines_find():
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    indexing = Pipeline()
    indexing.add_component("embedder", StaticModelDocumentEmbedder())
    indexing.add_component("writer", DocumentWriter(store))
    indexing.connect("embedder", "writer")
    indexing.run({"embedder": {"documents": [Document(content=text) for text in DOCUMENTS]}})
    querying = Pipeline()
    querying.add_component("embedder", StaticModelTextEmbedder())
    querying.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=1))
    querying.connect("embedder.embedding", "retriever.query_embedding")
    for query, expected in EXPECTED.items():
        result = querying.run({"embedder": {"text": query}})
        assert result["retriever"]["documents"][0].content == expected
        result = asyncio.run(querying.run_async({"embedder": {"text": query}}))
        assert result["retriever"]["documents"][0].content == expected


def test_pipelines_are_yaml_and_back():
    pipeline = Pipeline()
    pipeline.add_component("text", StaticModelTextEmbedder(truncate_dim=64))
    pipeline.add_component(
        "documents",
        StaticModelDocumentEmbedder(meta_fields_to_embed=["title"], embedding_separator=" | "),
    )
    made = again(pipeline)
    assert made.to_dict() == pipeline.to_dict()
    inputs = {
        "text": {"text": "a cat"},
        "documents": {"documents": [Document(content="naps", meta={"title": "A cat"})]},
    }
    found, expected = made.run(inputs), pipeline.run(inputs)
    assert found["text"] == expected["text"]
    assert found["documents"]["documents"] == expected["documents"]["documents"]


def test_documents_stay_as_they_are_and_their_metadata_counts():
    embedder = StaticModelDocumentEmbedder(meta_fields_to_embed=["title", "year", "missing"])
    documents = [
        Document(
            content="naps on the sofa", meta={"title": "A cat", "year": 2024, "missing": None}
        ),
        Document(content=None, meta={"title": "A dog"}),
        Document(content="nothing else", embedding=[1.0]),
    ]
    before = [document.to_dict() for document in documents]
    result = embedder.run(documents)["documents"]
    assert [document.to_dict() for document in documents] == before
    texts = ["A cat\n2024\nnaps on the sofa", "A dog\n", "nothing else"]
    vectors = StaticModel().encode_document(texts).tolist()
    assert [document.embedding for document in result] == vectors
    assert [document.id for document in result] == [document.id for document in documents]


@pytest.mark.parametrize("wrong", ["a text", ["a text"], [None]])
def test_texts_are_no_documents(wrong):
    with pytest.raises((TypeError, AttributeError)):
        StaticModelDocumentEmbedder().run(wrong)


def test_documents_are_no_text():
    with pytest.raises(TypeError, match="expected a string, found Document"):
        StaticModelTextEmbedder().run(Document(content="a"))
