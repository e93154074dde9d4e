"""An adapter that runs models in the `mteb` package, the standard embedding benchmark (an extra).

>>> import mteb  # doctest: +SKIP
>>> from staticemb_distiller.evaluation.mteb import MtebModel  # doctest: +SKIP
>>> model = MtebModel.load("model.staticemb")  # doctest: +SKIP
>>> mteb.evaluate(model, mteb.get_tasks(tasks=["STSBenchmark"]))  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import EvaluationError, MissingPackageError
from .load import load_model
from .metrics import unit
from .models import Embedder, LexicalModel, VectorArray

if TYPE_CHECKING:
    from mteb.models.model_meta import ModelMeta


class MtebModel:
    """An encoder with the methods that mteb calls.

    Args:
        model: Any `Embedder`.
        prefix: Length to truncate the vectors to; None: whole vectors.

    Raises:
        MissingPackageError: mteb is not installed.
        EvaluationError: the prefix is longer than the model's vectors, or less than 1.
    """

    def __init__(self, model: Embedder, prefix: int | None = None) -> None:
        try:
            from mteb.models.model_meta import ModelMeta
        except ImportError:
            raise MissingPackageError("the adapter for MTEB needs `pip install mteb`") from None
        longest = model.prefixes[-1] if model.prefixes else None
        if prefix is not None and not 1 <= prefix <= (longest or prefix):
            raise EvaluationError(f"prefix: expected a length from 1 to {longest}, found {prefix}")
        self.model = model
        self.prefix = prefix
        name = model.name if prefix is None else f"{model.name}-{prefix}"
        digest = model.facts.get("digest")
        limit = model.facts.get("max_tokens")
        # mteb names models ORGANIZATION/NAME, and keys its results by name and revision.
        self._meta: ModelMeta = ModelMeta.create_empty(
            {
                "name": f"staticemb/{name.replace('/', '__').replace(' ', '_')}",
                "revision": str(digest)[:40] if digest else "unknown",
                "embed_dim": prefix or longest,
                "max_tokens": limit if limit is not None else float("inf"),
                "memory_usage_mb": None if model.bytes is None else model.bytes / 2**20,
                "similarity_fn_name": "cosine",
                "framework": ["NumPy"] if model.facts.get("kind") == "staticemb" else [],
            }
        )

    @classmethod
    def load(cls, spec: str | Path, prefix: int | None = None) -> MtebModel:
        """Open a model by `load_model`.

        Raises:
            EvaluationError: the model cannot be opened, or has no vectors.
        """
        model = load_model(spec)
        if isinstance(model, LexicalModel):
            raise EvaluationError(f"{spec}: expected a model with vectors, found word counts")
        return cls(model, prefix)

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """The description of the model in mteb's results."""
        return self._meta

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        prompt_type: Any = None,  # noqa: ANN401 -- mteb's enumeration
        **_: Any,  # noqa: ANN401 -- task names and batch settings, which change nothing here
    ) -> VectorArray:
        """Return the unit vectors (N, d) float32 of the texts in mteb's batches."""
        texts = [text for batch in inputs for text in batch["text"]]
        role = getattr(prompt_type, "value", prompt_type)
        function = {
            "query": self.model.encode_query,
            "document": self.model.encode_document,
        }.get(str(role), self.model.encode)
        return unit(function(texts)[:, : self.prefix])

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:  # noqa: ANN401
        """Return the cosines of all pairs as a torch tensor (N, M)."""
        import torch

        return torch.from_numpy(_rows(embeddings1) @ _rows(embeddings2).T)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:  # noqa: ANN401
        """Return the cosines row by row as a torch tensor (N,)."""
        import torch

        return torch.from_numpy(
            np.einsum("nd,nd->n", _rows(embeddings1), _rows(embeddings2), dtype=np.float32)
        )


def _rows(embeddings: Any) -> VectorArray:  # noqa: ANN401
    return unit(np.atleast_2d(np.asarray(embeddings, np.float32)))
