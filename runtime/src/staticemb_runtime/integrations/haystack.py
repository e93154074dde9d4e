"""Haystack: a static model as a text embedder and as a document embedder."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from .opened_model import ModelSource, OpenedModel, missing_package

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ImportError as error:
    raise missing_package("haystack", error) from None


@component
class StaticModelTextEmbedder:
    """Embeds a text, such as a query. Arguments as in `StaticModelDocumentEmbedder`."""

    def __init__(self, model: ModelSource = None, truncate_dim: int | None = None) -> None:
        self._opened = OpenedModel.open(model, truncate_dim)

    from_dict: Any = classmethod(default_from_dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the component as a dictionary."""
        _, name, _, truncate_dim = self._opened
        return default_to_dict(self, model=name, truncate_dim=truncate_dim)

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, Any]:
        """Embed a text."""
        return {"embedding": self._opened.queries([text])[0].tolist()}

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, Any]:
        """Embed a text, in a thread."""
        return await asyncio.to_thread(self.run, text)


@component
class StaticModelDocumentEmbedder:
    """Embeds documents; the given ones stay as they are.

    Args:
        model: an open model, a file, a folder, or an installed model's name; None: the bundled
            model.
        truncate_dim: the length of vectors; None: the model's default.
        meta_fields_to_embed: fields of the metadata that are put before a document's content.
        embedding_separator: what separates them.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.load`.
    """

    def __init__(
        self,
        model: ModelSource = None,
        truncate_dim: int | None = None,
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
    ) -> None:
        self._opened = OpenedModel.open(model, truncate_dim)
        self._fields = list(meta_fields_to_embed or [])
        self._separator = embedding_separator

    from_dict: Any = classmethod(default_from_dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the component as a dictionary."""
        _, name, _, truncate_dim = self._opened
        return default_to_dict(
            self,
            model=name,
            truncate_dim=truncate_dim,
            meta_fields_to_embed=self._fields,
            embedding_separator=self._separator,
        )

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Embed documents, all in one call."""
        vectors = self._opened.documents(map(self._text, documents)).tolist()
        pairs = zip(documents, vectors, strict=True)
        return {"documents": [replace(document, embedding=vector) for document, vector in pairs]}

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, Any]:
        """Embed documents, in a thread."""
        return await asyncio.to_thread(self.run, documents)

    def _text(self, document: Document) -> str:
        fields = (document.meta.get(name) for name in self._fields)
        parts = [str(value) for value in fields if value is not None]
        return self._separator.join([*parts, document.content or ""])
