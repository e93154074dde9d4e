"""The handler of an AWS Lambda function: texts in, vectors out.

Set the function's handler to `staticemb_runtime.aws_lambda.handler`. The model is the file that
`STATICEMB_MODEL` names, or `model.staticemb` beside the package, where `staticemb bundle-lambda`
puts it. It is memory-mapped and warmed up while Lambda initializes the function, which is also
what SnapStart takes its snapshot of.

A request is a JSON object: the event itself where the function is invoked directly, the body of a
POST where the event comes from a function URL or from API Gateway (payload versions 1.0 and 2.0).

    {"texts": ["a text", "another"], "truncate_dim": 64, "precision": "int8", "encoding": "base64"}

Only `texts` is required; `REQUEST_MEMBERS` lists the rest, which mean what they mean in
`StaticModel.encode`. The answer is

    {"model": "sha256:…", "shape": [2, 64], "dtype": "int8", "encoding": "base64",
     "embeddings": "…", "empty": []}

where `embeddings` is an array of arrays, or, in base64, the elements row by row, little-endian;
`empty` lists the indices of texts without a token that the model knows, whose vectors are zero.
What is wrong with a request is answered, never raised, because Lambda repeats what raises:

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

import numpy as np
from numpy.typing import NDArray

from ..encoding.empty_texts import EmptyTexts
from ..encoding.options import find_prompt
from ..errors import FileChangedError, FormatError, InvalidOptionError, StaticEmbError
from ..format import strict_json
from ..loading.installed import FILE_NAME, chosen
from ..model import StaticModel

MAX_TEXTS_VARIABLE: Final = "STATICEMB_MAX_TEXTS"
MAX_TEXTS: Final = 1024
# A prompt is read once for each text, so that a long one costs more than the request's own size.
MAX_PROMPT_CHARACTERS: Final = 4096
MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024  # Lambda's limit for an answer that is waited for

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
_POWERS: Final = np.array([float(f"1e{exponent}") for exponent in range(23)])  # exact, all of them
_NAMES: Final = {list: "an array", int: "an integer", bool: "true or false", str: "a string"}


class _Refusal(Exception):  # noqa: N818 - an answer, not an error of this program
    """A request that is answered with a status of 400 and above."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.document = {"error": {"status": status, "code": code, "message": message}}
        self.status = status


def handler(event: object, context: object = None) -> dict[str, Any]:
    """Answer one event with this function's model.

    Args:
        event: what Lambda hands over.
        context: not used.

    Returns:
        The answer, wrapped for HTTP where the event came over HTTP.
    """
    return answer(_model(), event, max_texts=_max_texts())


def answer(model: StaticModel, event: object, *, max_texts: int = MAX_TEXTS) -> dict[str, Any]:
    """Answer one event.

    Args:
        model: embeds the texts.
        event: a request, or the event of an HTTP request whose body is one.
        max_texts: how many texts a request may hold.

    Returns:
        The document of the module's description; for HTTP inside `{"statusCode": …, "body": …}`.

    Raises:
        FormatError, FileChangedError: the model's file turns out to be broken or to have been
            written to, which no other request can mend.
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


def nine_digits(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The same numbers with nine significant digits, which tell every float32 apart.

    A float32 made a float64 is spelled with up to 17 digits; these halve the answer.

    Args:
        values: any shape, finite.

    Returns:
        The same shape; exact instead of short from 1e9 on and below 1e-14.

    Example:
        >>> nine_digits(np.array([0.1, -2.0], np.float32)).tolist()
        [0.100000001, -2.0]
    """
    wide = values.astype(np.float64)
    with np.errstate(divide="ignore"):
        digits = 8 - np.floor(np.log10(np.abs(wide)))
    short = (digits >= 0) & (digits < len(_POWERS))
    scale = _POWERS[np.where(short, digits, 0).astype(np.intp)]
    # An integer over an exact power of ten is the float64 nearest to that decimal.
    return np.where(short, np.rint(wide * scale) / scale, wide)


def _options(request: object) -> dict[str, Any]:
    """The members of a request that say something, each of the right type."""
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
    """The JSON in an HTTP event's body."""
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
    """Refuse what Lambda would replace by an error of its own that says less."""
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
    """What a value is, in a few words; a request's own text is not repeated at length."""
    if isinstance(value, Mapping):
        return "an object"
    return _NAMES.get(type(value)) or f"{value!r}"[:40]


@functools.cache
def _model() -> StaticModel:
    beside = Path(__file__).parents[1].with_name(FILE_NAME)
    model = StaticModel.load(chosen() or (beside if beside.exists() else None))
    model.tokenize("warm")  # imports tokenizers and builds one, which encode might put off
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


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # in Lambda the import is the initialization
    _max_texts()
    _model()
