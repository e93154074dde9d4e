"""The handler of an AWS Lambda function: vectors or labels of texts, or documents for a query.

Set the function's handler to `staticemb_runtime.aws_lambda.handler`. The model is the file named by
`STATICEMB_MODEL`, or `model.staticemb` in the folder that holds the package, as
`staticemb bundle-lambda` writes it. It is memory-mapped and warmed up while Lambda initializes the
function; a SnapStart snapshot includes it. So is a search index: the file named by
`STATICEMB_INDEX`, or `index.db` in the same folder, if there is one.

A request is a JSON object: the event itself if the function is invoked directly, the body of a POST
if the event comes from a function URL or from API Gateway (payload versions 1.0 and 2.0). One of
its members tells its kind: `REQUESTS` lists the kinds.

    {"texts": ["a text", "another"], "truncate_dim": 64, "precision": "int8", "encoding": "base64"}

Only `texts` is required. `encoding` is `json` or `base64`; the other members are parameters of
`StaticModel.encode`. The answer is

    {"model": "sha256:…", "shape": [2, 64], "dtype": "int8", "encoding": "base64",
     "embeddings": "…", "empty": []}

`embeddings` is an array of arrays, or, in base64, the elements row by row, little-endian. `empty`
lists the indices of texts without a known token, whose vectors are zero.

    {"query": "how long does a refund take", "k": 5, "filter": {"year": 2025}}

Only `query` is required. The other members are parameters of `Index.search`. The answer is

    {"model": "sha256:…", "hits": [{"id": "…", "score": 0.93, "text": "…", …}]}

with the attributes of each `Hit`.

    {"classify": ["a text", "another"], "head": "topic", "threshold": 0.5}

Only `classify` is required. `head` names a head of the file with several; `threshold` is that of
`StaticModel.classify`; with `probabilities` true, the answer has those of all labels. It is

    {"model": "sha256:…", "head": "topic", "empty": [],
     "predictions": [{"prediction": "billing", "probability": 0.93}, …]}

A head that gives several labels has a list of them as `prediction`, and `probabilities` by label; a
regressor has a number, or several by name. An invalid request gets an error answer. It raises no
exception, because Lambda repeats an invocation that raises:

    {"error": {"status": 400, "code": "invalid_request", "message": "…"}}
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import InvalidOptionError
from ..loading.installed import FILE_NAME, chosen
from ..model import StaticModel
from . import classifying, embedding, searching
from .requests import (
    INDEX_NAME,
    InvalidEvent,
    Resources,
    body,
    check_size,
    http_answer,
    invalid,
    is_http,
    options,
    spell,
)

if TYPE_CHECKING:
    from ..search import Index

MAX_TEXTS_VARIABLE: Final = "STATICEMB_MAX_TEXTS"
MAX_TEXTS: Final = 1024
INDEX_VARIABLE: Final = "STATICEMB_INDEX"


class RequestKind(NamedTuple):
    """A kind of request.

    Attributes:
        members: the type of each member.
        answer: computes the answer from the members that are there.
    """

    members: Mapping[str, type]
    answer: Callable[[Resources, dict[str, Any]], dict[str, Any]]


REQUESTS: Final = {
    "texts": RequestKind(embedding.MEMBERS, embedding.embed),
    "query": RequestKind(searching.MEMBERS, searching.find),
    "classify": RequestKind(classifying.MEMBERS, classifying.classify),
}
"""The kinds of requests, by the member that only they have."""


def handler(event: object, context: object = None) -> dict[str, Any]:
    """Answer one event with this function's model and index.

    Args:
        event: the event from Lambda.
        context: not used.

    Returns:
        The answer, wrapped for HTTP if the event came over HTTP.
    """
    return answer(_model(), event, max_texts=_max_texts(), index=_index())


def answer(
    model: StaticModel, event: object, *, max_texts: int = MAX_TEXTS, index: Index | None = None
) -> dict[str, Any]:
    """Answer one event.

    Args:
        model: embeds the texts.
        event: a request, or an HTTP event whose body is a request.
        max_texts: the maximum number of texts in a request.
        index: answers queries.

    Returns:
        The answer as the module describes it; for HTTP inside `{"statusCode": …, "body": …}`.

    Raises:
        FormatError, FileChangedError, SearchIndexError: the model's or the index's file is invalid
            or was modified, so every request would fail.
    """
    resources = Resources(model, index, max_texts)
    if not is_http(event):
        try:
            return check_size(_answer(resources, event))
        except InvalidEvent as refusal:
            return refusal.document
    assert isinstance(event, Mapping)
    try:
        return check_size(http_answer(200, _answer(resources, body(event))))
    except InvalidEvent as refusal:
        return http_answer(refusal.status, refusal.document)


def _answer(resources: Resources, request: object) -> dict[str, Any]:
    kinds = " or ".join(REQUESTS)
    if not isinstance(request, Mapping):
        raise invalid(f"request: expected an object with {kinds}, found {spell(request)}")
    named = [name for name in REQUESTS if request.get(name) is not None]
    if len(named) != 1:
        found = " and ".join(named) or ", ".join(map(repr, request))[:60] or "none"
        raise invalid(f"request: expected an object with {kinds}, found {found}")
    kind = REQUESTS[named[0]]
    return kind.answer(resources, options(request, kind.members))


@functools.cache
def _model() -> StaticModel:
    model = StaticModel.load(chosen() or _bundled(FILE_NAME))
    model.tokenize("warm")  # builds the tokenizer, which encode may postpone
    model.encode(["warm"], on_empty="zero")
    return model


@functools.cache
def _index() -> Index | None:
    path = os.environ.get(INDEX_VARIABLE) or _bundled(INDEX_NAME)
    if path is None:
        return None
    from ..search import Index  # late: it imports sqlite3, and most functions have no index

    index = Index.open(path, _model())
    index.search("warm")  # reads the vectors into memory
    return index


def _bundled(name: str) -> str | None:
    """Return a file in the folder that holds the package, or None."""
    path = Path(__file__).parents[1].with_name(name)
    return str(path) if path.exists() else None


@functools.cache
def _max_texts() -> int:
    value = os.environ.get(MAX_TEXTS_VARIABLE) or str(MAX_TEXTS)
    if not value.isascii() or not value.isdigit() or not int(value):
        raise InvalidOptionError(
            f"{MAX_TEXTS_VARIABLE}: expected an integer of at least 1, found {value!r}"
        )
    return int(value)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # Lambda imports this module during initialization
    _max_texts()
    _model()
    _index()
