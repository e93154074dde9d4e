"""Requests with `classify`: the labels, or numbers, of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..encoding.empty_texts import EmptyTexts
from .requests import checked_texts, refused

if TYPE_CHECKING:
    from .requests import Resources

MEMBERS: Final[dict[str, type]] = {
    "classify": list,
    "head": str,
    "threshold": float,
    "probabilities": bool,
}


def classify(resources: Resources, options: dict[str, Any]) -> dict[str, Any]:
    """Answer a request with the predictions of a head for its texts.

    Args:
        resources: the model, and the maximum number of texts.
        options: the checked members of the request.

    Raises:
        InvalidEvent: the request cannot be answered.
        FormatError, FileChangedError: the model's file is invalid or was modified.
    """
    from ..heads.labels import check_threshold, predictions  # late: most functions embed texts

    model = resources.model
    texts = checked_texts(resources, "classify", options["classify"])
    empty = EmptyTexts("zero", keep=True)
    with refused():
        threshold = check_threshold(options.get("threshold"))
        head = model.head(options.get("head"))
        predict = model.predict if head.kind == "linear" else model.predict_proba
        scores = predict(texts, head.name, on_empty=empty)
    every = options.get("probabilities", False)
    return {
        "model": model.metadata.digest,
        "head": head.name,
        "predictions": predictions(head, scores, threshold, every=every),
        "empty": empty.indices,
    }
