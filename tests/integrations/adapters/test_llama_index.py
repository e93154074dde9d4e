"""LlamaIndex: its vector store, its ingestion pipeline with a cache, its asynchronous batches."""

import asyncio

import numpy as np
import pytest

pytest.importorskip("llama_index.core")

from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.embeddings import resolve_embed_model
from llama_index.core.ingestion import IngestionCache, IngestionPipeline

from runtime.test_model import save
from staticemb_runtime import StaticModel
from staticemb_runtime.integrations.llama_index import StaticModelEmbedding

from .passages import DOCUMENTS, EXPECTED


def test_an_index_finds_and_is_stored(tmp_path):
    embedding = StaticModelEmbedding()
    documents = [Document(text=text) for text in DOCUMENTS]
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding)
    index.storage_context.persist(tmp_path)  # JSON
    storage = StorageContext.from_defaults(persist_dir=tmp_path)
    again = load_index_from_storage(storage, embed_model=embedding)
    for query, expected in EXPECTED.items():
        retriever = again.as_retriever(similarity_top_k=1)
        assert retriever.retrieve(query)[0].text == expected
        assert asyncio.run(retriever.aretrieve(query))[0].text == expected


def test_a_cache_of_an_ingestion_knows_the_model(tmp_path):
    """A new model in the same file must not get the vectors of the former one."""
    path = save(tmp_path / "model.staticemb")
    cache = IngestionCache()

    def vectors():
        pipeline = IngestionPipeline(
            transformations=[StaticModelEmbedding(path)],
            cache=cache,
        )
        return [node.embedding for node in pipeline.run(documents=[Document(text="w1 w2")])]

    first = vectors()
    assert vectors() == first
    save(path, damped=False)
    second = vectors()
    expected = StaticModel(path).encode_document(["w1 w2"])
    np.testing.assert_array_equal(second, expected)
    assert second != first


def test_batches_of_many_texts_keep_their_order():
    embedding = StaticModelEmbedding(embed_batch_size=3)
    texts = [f"text number {number}" for number in range(10)]
    expected = StaticModel().encode_document(texts).tolist()
    assert embedding.get_text_embedding_batch(texts) == expected
    assert asyncio.run(embedding.aget_text_embedding_batch(texts)) == expected
    assert [embedding.get_text_embedding(text) for text in texts] == expected
    assert asyncio.run(embedding.aget_text_embedding(texts[0])) == expected[0]


def test_the_framework_takes_it_as_it_is():
    embedding = StaticModelEmbedding()
    assert resolve_embed_model(embedding) is embedding
    assert embedding.class_name() == embedding.to_dict()["class_name"]
    assert embedding.similarity(*embedding.get_text_embedding_batch(["a cat", "a cat"])) > 0.999
