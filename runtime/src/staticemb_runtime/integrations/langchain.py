"""LangChain: a static model as `Embeddings`."""

from __future__ import annotations

from .opened_model import OpenedModel, Source, lists, needs

with needs("langchain"):
    from langchain_core.embeddings import Embeddings


class StaticModelEmbeddings(Embeddings):
    """A static model for LangChain's vector stores and retrievers.

    Vectors are lists of Python floats. The asynchronous methods compute in a thread.

    Args:
        model: an open model, or a file, a folder or a name to open; None: the bundled model.
        truncate_dim: the length of vectors; None: the model's default.

    Attributes:
        model: the open model.
        digest: what determines its vectors: the right namespace of a `CacheBackedEmbeddings`.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.load`.
    """

    def __init__(self, model: Source = None, *, truncate_dim: int | None = None) -> None:
        self._opened = OpenedModel.open(model, truncate_dim)
        self.model = self._opened.model
        self.digest = self._opened.digest

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents, all in one call."""
        return lists(self._opened.documents(texts))

    def embed_query(self, text: str) -> list[float]:
        """Embed a query."""
        return lists(self._opened.queries([text]))[0]
