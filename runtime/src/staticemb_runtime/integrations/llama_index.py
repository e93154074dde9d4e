"""LlamaIndex: a static model as `BaseEmbedding`."""

from typing import Any

from .opened_model import OpenedModel, Source, in_thread, lists, needs

with needs("llama-index"):
    from llama_index.core.base.embeddings.base import BaseEmbedding


class StaticModelEmbedding(BaseEmbedding):
    """A static model for LlamaIndex.

    `to_dict` holds the model's digest: an ingestion cache never serves vectors of another model.

    Args:
        model_name: an open model, or a file, a folder or a name to open; None: the bundled model.
        options: `truncate_dim`, the length of vectors; `digest`, which the model must have; and the
            fields of `BaseEmbedding`. `embed_batch_size` is 2048 by default.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.load`.
        SpaceMismatchError: the model's digest is another.
    """

    truncate_dim: int | None
    digest: str
    _opened: OpenedModel

    def __init__(self, model_name: Source = None, **options: Any) -> None:
        opened = OpenedModel.open(model_name, options.get("truncate_dim"), options.get("digest"))
        options = {"embed_batch_size": 2048, **options, **opened.settings}
        super().__init__(model_name=opened.name, **options)
        self._opened = opened

    def _get_query_embedding(self, query: str) -> list[float]:
        return lists(self._opened.queries([query]))[0]

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return lists(self._opened.documents(texts))

    _aget_query_embedding = in_thread(_get_query_embedding)
    _aget_text_embeddings = in_thread(_get_text_embeddings)
