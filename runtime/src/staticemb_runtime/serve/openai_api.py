"""OpenAI's API: `/v1/embeddings` and `/v1/models`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from . import members as check
from .members import invalid, shown
from .refusals import Refusal
from .service import ALWAYS_THREAD, Answer, Embedding, Job, file_time, prompt_of, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .service import Form, Service, TokenDecoder

_FORMS: Final[dict[str, Form]] = {"float": "float", "base64": "base64"}
_INPUT_TYPES: Final = ("query", "document", "passage")


def embeddings(service: Service, decoder: TokenDecoder, members: Mapping[str, Any]) -> Job:
    """Check a request for vectors; unknown members, such as `user`, are ignored.

    Members: `input`, `model`, `dimensions`, `encoding_format`; and `input_type`, which chooses the
    model's prompt for queries or documents, as in other servers with this API.

    Raises:
        Refusal: the request is invalid.
    """
    name = check.string(members, "model")
    model = service.model(name)
    dimensions = check.integer(members, "dimensions", 1, model.metadata.dim)
    form = _FORMS[check.string(members, "encoding_format", tuple(_FORMS)) or "float"]
    input_type = check.string(members, "input_type", _INPUT_TYPES)
    if input_type not in (None, "query") and model._encoder.query_only:
        expected = "expected query, as the documents of this model have vectors of its teacher"
        raise invalid("input_type", f"{expected}, found {input_type}")
    prompt = prompt_of(model, input_type)
    served = name or next(iter(service.models))

    def answer(texts: list[str]) -> Answer:
        vectors, tokens = Embedding(model, texts, form, dimensions, None, prompt).vectors()
        data = ",".join(
            f'{{"object":"embedding","index":{index},"embedding":{row}}}'
            for index, row in enumerate(written(vectors, form))
        )
        body = (
            f'{{"object":"list","data":[{data}],"model":{json.dumps(served)},'
            f'"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}'
        )
        return Answer(body.encode(), len(texts), tokens)

    arrays = _token_arrays(members.get("input"), service)
    if arrays is not None:

        def decoded() -> Answer:
            texts = decoder.texts(arrays)
            check.check_amount("input", texts, service.limits)
            return answer(texts)

        return Job(ALWAYS_THREAD, decoded)
    texts = check.texts(members, "input", service.limits)
    return Job(Embedding(model, texts, form, prompt=prompt).cost, lambda: answer(texts))


def _token_arrays(given: object, service: Service) -> list[list[int]] | None:
    """Return arrays of token ids; None if the input is no such thing.

    Raises:
        Refusal: there are too many, or an element is no id.
    """
    if not isinstance(given, list) or not given or isinstance(given[0], str):
        return None
    arrays: list[Any] = given if isinstance(given[0], list) else [given]
    if len(arrays) > service.limits.texts:
        message = f"input: expected at most {service.limits.texts} texts, found {len(arrays)}"
        raise Refusal("too_large", message, param="input", code="too_many_texts")
    for number, ids in enumerate(arrays):
        if not isinstance(ids, list) or not ids:
            found = "an empty array" if ids == [] else shown(ids)
            raise invalid("input", f"expected arrays of token ids, found {found} at {number}")
        for token in ids:
            if type(token) is not int or not 0 <= token < 1 << 32:
                raise invalid("input", f"expected texts or token ids, found {shown(token)}")
    return arrays


def models(service: Service) -> dict[str, Any]:
    """Return the list of models."""
    return {"object": "list", "data": [model(service, name) for name in service.models]}


def model(service: Service, name: str) -> dict[str, Any]:
    """Return the description of a model.

    Raises:
        Refusal: no model of that name is served.
    """
    created = file_time(service.model(name))
    return {"id": name, "object": "model", "created": created, "owned_by": "staticemb"}
