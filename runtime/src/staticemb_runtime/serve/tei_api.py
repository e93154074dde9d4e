"""The API of Text Embeddings Inference: `/embed` and `/rerank`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encoding.vectors import similarity
from ..search.ranking import rank
from . import members as check
from .members import invalid
from .service import ALWAYS_THREAD, Answer, Embedding, Job, prompt_of, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .service import Service


def embed(service: Service, members: Mapping[str, Any]) -> Job:
    """Check a request for vectors; other members, such as `truncate`, are ignored.

    Members: `inputs`, `model`, `dimensions`, `normalize` (true), `prompt_name`.

    Raises:
        Refusal: the request is invalid.
    """
    model = service.model(check.string(members, "model"))
    normalize = check.flag(members, "normalize")
    request = Embedding(
        model,
        check.texts(members, "inputs", service.limits),
        "float",
        check.integer(members, "dimensions", 1, model.metadata.dim),
        True if normalize is None else normalize,
        prompt_of(model, check.string(members, "prompt_name")),
    )

    def run() -> Answer:
        vectors, tokens = request.vectors()
        body = f"[{','.join(written(vectors, 'float'))}]"
        return Answer(body.encode(), len(request.texts), tokens)

    return Job(request.cost, run)


def rerank(service: Service, members: Mapping[str, Any]) -> Job:
    """Check a request for the order of texts by a query.

    Members: `query`, `texts`, `model`, `return_text`; and `index`. Scores are cosines. If an index
    is named, or exactly one is served and no model is named, they are its hybrid scores.

    Raises:
        Refusal: the request is invalid.
    """
    name, chosen = check.string(members, "model"), check.string(members, "index")
    query = check.required(check.string(members, "query"), "query")
    texts = check.texts(members, "texts", service.limits)
    check.check_characters("texts", [query, *texts], service.limits)
    return_text = check.flag(members, "return_text")
    is_hybrid = chosen is not None or (name is None and len(service.indexes) == 1)
    if chosen is not None and name is not None:
        raise invalid("index", "expected either an index or a model, found both")
    index = service.index(chosen) if is_hybrid else None
    model = service.model(name)

    def run() -> Answer:
        if index is not None:
            return _ranking(rank(index, query, texts), texts, 0, return_text=bool(return_text))
        asked, n = Embedding(model, [query], prompt=prompt_of(model, "query")).vectors()
        given, m = Embedding(model, texts, prompt=prompt_of(model, "document")).vectors()
        scores = similarity(asked, given)[0]
        return _ranking(scores, texts, n + m, return_text=bool(return_text))

    if index is not None:
        return Job(ALWAYS_THREAD, run)
    return Job(Embedding(model, [query, *texts], "base64").cost, run)


def _ranking(
    scores: NDArray[np.floating], texts: list[str], tokens: int, *, return_text: bool
) -> Answer:
    """Return the ranking, best first; of equal scores the earlier text comes first."""
    items: list[dict[str, Any]] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        item: dict[str, Any] = {"index": index, "score": round(float(scores[index]), 7)}
        if return_text:
            item["text"] = texts[index]
        items.append(item)
    return Answer(json.dumps(items, separators=(",", ":")).encode(), len(texts), tokens)
