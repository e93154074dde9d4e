"""LangChain: a static model as `Embeddings`."""

from __future__ import annotations

from .opened_model import ModelSource, OpenedModel, missing_package

try:
    from langchain_core.embeddings import Embeddings
except ImportError as error:
    raise missing_package("langchain", error) from None


class StaticModelEmbeddings(Embeddings):
    """A static model for LangChain's vector stores and retrievers.

    Vectors are lists of Python floats. The asynchronous methods compute in a thread.

    Args:
        model: an open model, a file, a folder, or an installed model's name; None: the bundled
            model.
        truncate_dim: the length of vectors; None: the model's default.

    Attributes:
        model: the open model.
        digest: what determines its vectors: the right namespace of a `CacheBackedEmbeddings`.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.load`.
    """

    def __init__(self, model: ModelSource = None, *, truncate_dim: int | None = None) -> None:
        self._opened = OpenedModel.open(model, truncate_dim)
        self.model = self._opened.model
        self.digest = self._opened.digest

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed documents, all in one call."""
        vectors: list[list[float]] = self._opened.documents(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """Embed a query."""
        vector: list[float] = self._opened.queries([text])[0].tolist()
        return vector
