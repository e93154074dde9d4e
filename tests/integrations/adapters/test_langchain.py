"""LangChain's own suite for embeddings, and its vector store."""

import asyncio

import pytest

pytest.importorskip("langchain_tests")

from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from staticemb_runtime.integrations.langchain import StaticModelEmbeddings

from .passages import DOCUMENTS, EXPECTED


class TestUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self):
        return StaticModelEmbeddings

    @property
    def embedding_model_params(self):
        return {"truncate_dim": 64}


@pytest.mark.asyncio  # upstream's suite has coroutines
class TestIntegration(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self):
        return StaticModelEmbeddings


def test_a_vector_store_finds(tmp_path):
    embeddings = StaticModelEmbeddings()
    store = InMemoryVectorStore.from_texts(DOCUMENTS, embeddings)
    store.dump(str(tmp_path / "store.json"))  # JSON: no number of numpy's may be in it
    again = InMemoryVectorStore.load(str(tmp_path / "store.json"), embeddings)
    for query, expected in EXPECTED.items():
        (found,) = again.as_retriever(search_kwargs={"k": 1}).invoke(query)
        assert found.page_content == expected
        (found,) = asyncio.run(again.asimilarity_search(query, k=1))
        assert found.page_content == expected


def test_the_digest_is_the_namespace_of_a_cache():
    assert StaticModelEmbeddings().digest == StaticModelEmbeddings().model.metadata.vectors_digest
