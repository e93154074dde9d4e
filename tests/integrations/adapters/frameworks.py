"""One interface over the adapters, so that the same laws hold for all."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple


class Framework(NamedTuple):
    """How a framework uses its adapter.

    Attributes:
        module: the adapter's module in `staticemb_runtime.integrations`.
        package: the package that the module needs.
        make: makes the adapter of a model, or of a model and a length of vectors.
        documents: vectors of documents.
        query: the vector of a query.
        config: what the framework stores of the adapter.
        load: makes the adapter of what the framework stored.
        documents_async: vectors of documents, as a coroutine, where the framework has that.
        query_async: the vector of a query, as a coroutine.
    """

    module: str
    package: str
    make: Callable[..., Any]
    documents: Callable[[Any, list[str]], list[Any]]
    query: Callable[[Any, str], Any]
    config: Callable[[Any], dict[str, Any]] | None = None
    load: Callable[[dict[str, Any]], Any] | None = None
    documents_async: Callable[[Any, list[str]], Any] | None = None
    query_async: Callable[[Any, str], Any] | None = None


def langchain(*args, **options):
    from staticemb_runtime.integrations.langchain import StaticModelEmbeddings

    return StaticModelEmbeddings(*args, **options)


def llama_index(*args, **options):
    from staticemb_runtime.integrations.llama_index import StaticModelEmbedding

    return StaticModelEmbedding(*args, **options)


def llama_index_load(config):
    from staticemb_runtime.integrations.llama_index import StaticModelEmbedding

    return StaticModelEmbedding.from_dict(config)


class Embedders(NamedTuple):
    """Haystack has one component for queries and one for documents."""

    text: Any
    document: Any


def haystack(*args, **options):
    from staticemb_runtime.integrations import haystack

    return Embedders(
        haystack.StaticModelTextEmbedder(*args, **options),
        haystack.StaticModelDocumentEmbedder(*args, **options),
    )


def haystack_load(config):
    from staticemb_runtime.integrations import haystack

    return Embedders(
        haystack.StaticModelTextEmbedder.from_dict(config["text"]),
        haystack.StaticModelDocumentEmbedder.from_dict(config["document"]),
    )


def haystack_documents(texts):
    from haystack import Document

    return [Document(content=text, id=str(number)) for number, text in enumerate(texts)]


def vectors_of(result):
    return [document.embedding for document in result["documents"]]


async def haystack_in_pipeline(component, **inputs):
    """Haystack awaits components in pipelines."""
    from haystack import Pipeline

    pipeline = Pipeline()
    pipeline.add_component("embedder", type(component).from_dict(component.to_dict()))
    return (await pipeline.run_async({"embedder": inputs}))["embedder"]


async def haystack_documents_async(adapter, texts):
    documents = haystack_documents(texts)
    return vectors_of(await haystack_in_pipeline(adapter.document, documents=documents))


async def haystack_query_async(adapter, text):
    return (await haystack_in_pipeline(adapter.text, text=text))["embedding"]


def chroma(*args, **options):
    from staticemb_runtime.integrations.chroma import StaticModelEmbeddingFunction

    return StaticModelEmbeddingFunction(*args, **options)


def chroma_load(config):
    from chromadb.utils.embedding_functions import config_to_embedding_function

    return config_to_embedding_function({"name": "staticemb", "config": config})


def lancedb(model=None, **options):
    from lancedb.embeddings import get_registry

    import staticemb_runtime.integrations.lancedb  # noqa: F401 - it registers the function

    name = model if model is None else str(model)
    return get_registry().get("staticemb").create(name=name, **options)


def lancedb_load(config):
    from lancedb.embeddings import get_registry

    return get_registry().get("staticemb").create(**config)


FRAMEWORKS = {
    "langchain": Framework(
        "langchain",
        "langchain_core",
        langchain,
        lambda adapter, texts: adapter.embed_documents(texts),
        lambda adapter, text: adapter.embed_query(text),
        documents_async=lambda adapter, texts: adapter.aembed_documents(texts),
        query_async=lambda adapter, text: adapter.aembed_query(text),
    ),
    "llama_index": Framework(
        "llama_index",
        "llama_index.core",
        llama_index,
        lambda adapter, texts: adapter.get_text_embedding_batch(texts),
        lambda adapter, text: adapter.get_query_embedding(text),
        lambda adapter: adapter.to_dict(),
        llama_index_load,
        lambda adapter, texts: adapter.aget_text_embedding_batch(texts),
        lambda adapter, text: adapter.aget_query_embedding(text),
    ),
    "haystack": Framework(
        "haystack",
        "haystack",
        haystack,
        lambda adapter, texts: vectors_of(adapter.document.run(haystack_documents(texts))),
        lambda adapter, text: adapter.text.run(text)["embedding"],
        lambda adapter: {
            "text": adapter.text.to_dict(),
            "document": adapter.document.to_dict(),
        },
        haystack_load,
        haystack_documents_async,
        haystack_query_async,
    ),
    "chroma": Framework(
        "chroma",
        "chromadb",
        chroma,
        lambda adapter, texts: adapter(texts),
        lambda adapter, text: adapter.embed_query([text])[0],
        lambda adapter: adapter.get_config(),
        chroma_load,
    ),
    "lancedb": Framework(
        "lancedb",
        "lancedb",
        lancedb,
        lambda adapter, texts: adapter.compute_source_embeddings_with_retry(texts),
        lambda adapter, text: adapter.compute_query_embeddings_with_retry(text)[0],
        lambda adapter: adapter.safe_model_dump(),
        lancedb_load,
    ),
}
ASYNC = [name for name, framework in FRAMEWORKS.items() if framework.query_async]
STORED = [name for name, framework in FRAMEWORKS.items() if framework.config]
LISTS = ["langchain", "llama_index", "haystack"]


def run(coroutine):
    return asyncio.run(coroutine)
