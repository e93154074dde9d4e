"""The handler of an AWS Lambda function: texts in, vectors out.

Set the function's handler to `staticemb_runtime.aws_lambda.handler`. The model is the file named by
`STATICEMB_MODEL`, or `model.staticemb` in the folder that holds the package, as
`staticemb bundle-lambda` writes it. It is memory-mapped and warmed up while Lambda initializes the
function; a SnapStart snapshot includes it.

A request is a JSON object: the event itself if the function is invoked directly, the body of a POST
if the event comes from a function URL or from API Gateway (payload versions 1.0 and 2.0).

    {"texts": ["a text", "another"], "truncate_dim": 64, "precision": "int8", "encoding": "base64"}

Only `texts` is required; `REQUEST_MEMBERS` lists all members. `encoding` is `json` or `base64`; the
other members are parameters of `StaticModel.encode`. The answer is

    {"model": "sha256:…", "shape": [2, 64], "dtype": "int8", "encoding": "base64",
     "embeddings": "…", "empty": []}

`embeddings` is an array of arrays, or, in base64, the elements row by row, little-endian. `empty`
lists the indices of texts without a known token, whose vectors are zero. An invalid request gets an
error answer. It raises no exception, because Lambda repeats an invocation that raises:

    {"error": {"status": 400, "code": "invalid_request", "message": "…"}}
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..encoding.decimals import nine_digits
from ..encoding.empty_texts import EmptyTexts
from ..encoding.options import find_prompt
from ..errors import FileChangedError, FormatError, InvalidOptionError, StaticEmbError
from ..format import strict_json
from ..loading.installed import FILE_NAME, chosen
from ..model import StaticModel

MAX_TEXTS_VARIABLE: Final = "STATICEMB_MAX_TEXTS"
MAX_TEXTS: Final = 1024
# The prompt is repeated for each text, so the work may exceed the size of the request by far.
MAX_PROMPT_CHARACTERS: Final = 4096
MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024  # Lambda's limit for a synchronous invocation

ENCODINGS: Final = ("json", "base64")
REQUEST_MEMBERS: Final[dict[str, type]] = {
    "texts": list,
    "truncate_dim": int,
    "normalize_embeddings": bool,
    "precision": str,
    "pooling": str,
    "prompt_name": str,
    "prompt": str,
    "encoding": str,
}
_NAMES: Final = {list: "an array", int: "an integer", bool: "true or false", str: "a string"}


class _Refusal(Exception):  # noqa: N818 - it becomes an answer and is never reported
    """The error answer to a request, with a status of 400 or above."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.document = {"error": {"status": status, "code": code, "message": message}}
        self.status = status


def handler(event: object, context: object = None) -> dict[str, Any]:
    """Answer one event with this function's model.

    Args:
        event: the event from Lambda.
        context: not used.

    Returns:
        The answer, wrapped for HTTP if the event came over HTTP.
    """
    return answer(_model(), event, max_texts=_max_texts())


def answer(model: StaticModel, event: object, *, max_texts: int = MAX_TEXTS) -> dict[str, Any]:
    """Answer one event.

    Args:
        model: embeds the texts.
        event: a request, or an HTTP event whose body is a request.
        max_texts: the maximum number of texts in a request.

    Returns:
        The answer as the module describes it; for HTTP inside `{"statusCode": …, "body": …}`.

    Raises:
        FormatError, FileChangedError: the model's file is invalid or was modified, so every request
            would fail.
    """
    if not (isinstance(event, Mapping) and isinstance(event.get("requestContext"), Mapping)):
        try:
            return _check_size(_embed(model, event, max_texts))
        except _Refusal as refusal:
            return refusal.document
    try:
        return _check_size(_http(200, _embed(model, _body(event), max_texts)))
    except _Refusal as refusal:
        return _http(refusal.status, refusal.document)


def _embed(model: StaticModel, request: object, max_texts: int) -> dict[str, Any]:
    options = _options(request)
    texts = options.pop("texts")
    encoding = options.pop("encoding", "json")
    if encoding not in ENCODINGS:
        expected = " or ".join(ENCODINGS)
        raise _invalid(f"encoding: expected {expected}, found {encoding!r}")
    if len(texts) > max_texts:
        message = f"texts: expected at most {max_texts}, found {len(texts)}"
        raise _Refusal(413, "too_many_texts", message)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise _invalid(f"texts: expected strings, found {_spell(text)} at {number}")
    try:
        prompt = find_prompt(
            options.pop("prompt", None), options.pop("prompt_name", None), model.metadata.prompts
        )
    except InvalidOptionError as error:
        raise _invalid(str(error)) from None
    n_characters = len(prompt or "")
    if n_characters > MAX_PROMPT_CHARACTERS:
        message = f"prompt: expected at most {MAX_PROMPT_CHARACTERS} characters"
        raise _Refusal(413, "prompt_too_long", f"{message}, found {n_characters}")
    empty = EmptyTexts("zero", keep=True)
    try:
        vectors = model.encode(texts, prompt=prompt, on_empty=empty, **options)
    except (FormatError, FileChangedError):
        raise
    except StaticEmbError as error:
        raise _Refusal(400, getattr(error, "code", "invalid_request"), str(error)) from None
    if encoding == "base64":
        little = vectors.astype(vectors.dtype.newbyteorder("<"), copy=False)
        embeddings: object = base64.b64encode(little.tobytes()).decode("ascii")
    elif vectors.dtype.kind == "f":
        embeddings = nine_digits(vectors).tolist()
    else:
        embeddings = vectors.tolist()
    return {
        "model": model.metadata.digest,
        "shape": list(vectors.shape),
        "dtype": vectors.dtype.name,
        "encoding": encoding,
        "embeddings": embeddings,
        "empty": empty.indices,
    }


def _options(request: object) -> dict[str, Any]:
    """Check a request; return its members that are not null."""
    known = ", ".join(REQUEST_MEMBERS)
    if not isinstance(request, Mapping):
        raise _invalid(f"request: expected an object with texts, found {_spell(request)}")
    for name in request:
        if name not in REQUEST_MEMBERS:
            raise _invalid(f"request: expected members among {known}, found {name!r}")
    options = {name: value for name, value in request.items() if value is not None}
    if "texts" not in options:
        raise _invalid("request: expected an object with texts, found none")
    for name, value in options.items():
        kind = REQUEST_MEMBERS[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _invalid(f"{name}: expected {_NAMES[kind]}, found {_spell(value)}")
    return options


def _body(event: Mapping[str, Any]) -> object:
    """Return the JSON document in an HTTP event's body."""
    context = event["requestContext"]
    http = context.get("http")
    method = http.get("method") if isinstance(http, Mapping) else event.get("httpMethod")
    if method != "POST":
        raise _Refusal(405, "method_not_allowed", f"method: expected POST, found {method}")
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise _invalid(f"body: expected a string, found {_spell(body)}")
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True).decode("utf-8")
        return strict_json.loads(body)
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _Refusal(400, "not_json", f"body: expected UTF-8 in base64: {error}") from None
    except (ValueError, RecursionError) as error:
        raise _Refusal(400, "not_json", f"body: expected JSON: {error}") from None


def _http(status: int, document: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    if status == 405:
        headers["allow"] = "POST"
    return {
        "statusCode": status,
        "headers": headers,
        "body": json.dumps(document, separators=(",", ":")),
        "isBase64Encoded": False,
    }


def _check_size(document: dict[str, Any]) -> dict[str, Any]:
    """Refuse an answer above Lambda's limit: Lambda's own error would be less helpful."""
    size = len(json.dumps(document))
    if size > MAX_RESPONSE_BYTES:
        raise _Refusal(
            413,
            "response_too_large",
            f"response: expected at most {MAX_RESPONSE_BYTES} bytes, found {size}; send fewer "
            "texts, or ask for base64, int8 or a smaller truncate_dim",
        )
    return document


def _invalid(message: str) -> _Refusal:
    return _Refusal(400, "invalid_request", message)


def _spell(value: object) -> str:
    """Describe a value in at most 40 characters."""
    if isinstance(value, Mapping):
        return "an object"
    return _NAMES.get(type(value)) or f"{value!r}"[:40]


@functools.cache
def _model() -> StaticModel:
    bundled = Path(__file__).parents[1].with_name(FILE_NAME)
    model = StaticModel.load(chosen() or (bundled if bundled.exists() else None))
    model.tokenize("warm")  # builds the tokenizer, which encode may postpone
    model.encode(["warm"])
    return model


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
