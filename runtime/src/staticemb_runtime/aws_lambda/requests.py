"""Requests of the Lambda function: the events that carry them, their members, and error answers."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import FileChangedError, FormatError, StaticEmbError
from ..format import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import StaticModel
    from ..search import Index

INDEX_NAME: Final = "index.db"  # beside the model, in the folder that holds the package
MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024  # Lambda's limit for a synchronous invocation

_NAMES: Final = {
    list: "an array",
    dict: "an object",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a string",
}


@dataclass(frozen=True)
class Resources:
    """What a function answers with.

    Attributes:
        model: the model.
        index: the search index, or None.
        max_texts: the maximum number of texts in a request.
    """

    model: StaticModel
    index: Index | None
    max_texts: int


class InvalidEvent(Exception):  # noqa: N818 - it becomes an answer and is never reported
    """The error answer to a request, with a status of 400 or above."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.document = {"error": {"status": status, "code": code, "message": message}}
        self.status = status


def invalid(message: str) -> InvalidEvent:
    """Return the refusal of a request that is wrong in itself."""
    return InvalidEvent(400, "invalid_request", message)


@contextmanager
def refused() -> Iterator[None]:
    """Turn an error of a request into its answer; faults of the model's file stay errors."""
    try:
        yield
    except (FormatError, FileChangedError):
        raise
    except StaticEmbError as error:
        raise InvalidEvent(400, getattr(error, "code", "invalid_request"), str(error)) from None


def is_http(event: object) -> bool:
    """Tell whether an event comes from a function URL or from API Gateway."""
    return isinstance(event, Mapping) and isinstance(event.get("requestContext"), Mapping)


def body(event: Mapping[str, Any]) -> object:
    """Return the JSON document in an HTTP event's body.

    Raises:
        InvalidEvent: the method is not POST, or the body is no JSON.
    """
    context = event["requestContext"]
    http = context.get("http")
    method = http.get("method") if isinstance(http, Mapping) else event.get("httpMethod")
    if method != "POST":
        raise InvalidEvent(405, "method_not_allowed", f"method: expected POST, found {method}")
    content = event.get("body") or ""
    if not isinstance(content, str):
        raise invalid(f"body: expected a string, found {spell(content)}")
    try:
        if event.get("isBase64Encoded"):
            content = base64.b64decode(content, validate=True).decode("utf-8")
        return strict_json.loads(content)
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidEvent(400, "not_json", f"body: expected UTF-8 in base64: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(400, "not_json", f"body: expected JSON: {error}") from None


def http_answer(status: int, document: dict[str, Any]) -> dict[str, Any]:
    """Wrap an answer for HTTP."""
    headers = {"content-type": "application/json"}
    if status == 405:
        headers["allow"] = "POST"
    return {
        "statusCode": status,
        "headers": headers,
        "body": json.dumps(document, separators=(",", ":")),
        "isBase64Encoded": False,
    }


def check_size(document: dict[str, Any]) -> dict[str, Any]:
    """Refuse an answer above Lambda's limit: Lambda's own error would be less helpful."""
    size = len(json.dumps(document))
    if size > MAX_RESPONSE_BYTES:
        raise InvalidEvent(
            413,
            "response_too_large",
            f"response: expected at most {MAX_RESPONSE_BYTES} bytes, found {size}; ask for fewer "
            "or shorter results, or for vectors in base64, int8 or a smaller truncate_dim",
        )
    return document


def options(request: Mapping[str, Any], members: Mapping[str, type]) -> dict[str, Any]:
    """Check the members of a request; return those that are not null.

    Args:
        request: the request.
        members: the type of each member that it may have.

    Raises:
        InvalidEvent: a member is unknown, or has another type.
    """
    for name in request:
        if name not in members:
            known = ", ".join(members)
            raise invalid(f"request: expected members among {known}, found {name!r:.60}")
    values = {name: value for name, value in request.items() if value is not None}
    for name, value in values.items():
        kind = members[name]
        kinds = (int, float) if kind is float else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            raise invalid(f"{name}: expected {_NAMES[kind]}, found {spell(value)}")
    return values


def checked_texts(resources: Resources, name: str, texts: list[Any]) -> list[str]:
    """Check the texts of a request.

    Raises:
        InvalidEvent: there are too many, or one is not a string.
    """
    if len(texts) > resources.max_texts:
        message = f"{name}: expected at most {resources.max_texts}, found {len(texts)}"
        raise InvalidEvent(413, "too_many_texts", message)
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise invalid(f"{name}: expected strings, found {spell(text)} at {number}")
    return texts


def spell(value: object) -> str:
    """Describe a value in at most 40 characters."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, float):
        return f"{value!r}"[:40]
    return _NAMES.get(type(value)) or f"{value!r}"[:40]
