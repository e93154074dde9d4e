"""This project's own API: `/classify` with the heads of the models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ..errors import MissingHeadError
from ..heads.labels import predictions
from . import members as check
from .members import check_known, invalid
from .refusals import Refusal
from .service import ALWAYS_THREAD, Answer, Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..format.heads import Head
    from ..model import StaticModel
    from .service import Service

_MEMBERS: Final = ("texts", "model", "head", "threshold", "probabilities")


def classify(service: Service, members: Mapping[str, Any]) -> Job:
    """Check a request for labels, or for the numbers of a regressor.

    Members: `texts`, `model`, `head` (the only one), `threshold`, `probabilities` (false: that of
    the answer alone).

    Raises:
        Refusal: the request is invalid.
    """
    check_known(members, _MEMBERS)
    name = check.string(members, "model")
    model = service.model(name)
    texts = check.texts(members, "texts", service.limits)
    threshold = check.share(members, "threshold")
    every = check.flag(members, "probabilities") or False
    head = _head(model, check.string(members, "head"))

    def run() -> Answer:
        predict = model.predict if head.kind == "linear" else model.predict_proba
        scores = predict(texts, head.name, on_empty="zero")
        answer = {
            "model": name or next(iter(service.models)),
            "head": head.name,
            "predictions": predictions(head, scores, threshold, every=every),
        }
        return Answer(json.dumps(answer, separators=(",", ":")).encode(), len(texts))

    return Job(ALWAYS_THREAD if len(texts) > 1 else len(texts[0]), run)


def _head(model: StaticModel, name: str | None) -> Head:
    """Return a head by its name; None: the only one.

    Raises:
        Refusal: the model has no head of that name, or it is malformed.
    """
    names = model.heads
    if not names:
        raise Refusal("not_found", "model: expected one with a head, found none", param="model")
    if name is None and len(names) > 1:
        raise invalid("head", f"expected one of {', '.join(names)}, found none")
    if name is not None and name not in names:
        message = f"head: expected one of {', '.join(names)}, found another name"
        raise Refusal("not_found", message, param="head", code="head_not_found")
    try:
        return model.head(name)
    except MissingHeadError:  # its message names the file
        raise Refusal("unavailable", "the head cannot be read") from None
