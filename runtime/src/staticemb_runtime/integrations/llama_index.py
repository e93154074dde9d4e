"""LlamaIndex: a static model as `BaseEmbedding`."""

import asyncio
from typing import Any

from .opened_model import ModelSource, OpenedModel, missing_package

try:
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import PrivateAttr
except ImportError as error:
    raise missing_package("llama-index", error) from None


class StaticModelEmbedding(BaseEmbedding):
    """A static model for LlamaIndex.

    `to_dict` holds the model's digest: an ingestion cache never serves vectors of another model.

    Args:
        model_name: an open model, a file, a folder, or an installed model's name; None: the bundled
            model.
        options: `truncate_dim`, the length of vectors; `digest`, which the model must have; and the
            fields of `BaseEmbedding`. `embed_batch_size` is 2048 by default.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.load`.
        SpaceMismatchError: the model's digest is another.
    """

    truncate_dim: int | None
    digest: str
    _opened: OpenedModel = PrivateAttr()

    def __init__(self, model_name: ModelSource = None, **options: Any) -> None:
        opened = OpenedModel.open(model_name, options.get("truncate_dim"), options.get("digest"))
        options = {"embed_batch_size": 2048, **options, **opened.settings}
        super().__init__(model_name=opened.name, **options)
        self._opened = opened

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._opened.queries([query])[0].tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._opened.documents(texts).tolist()
        return vectors

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)
