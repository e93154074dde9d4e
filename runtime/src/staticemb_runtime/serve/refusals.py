"""The error answers, in the forms that clients of each API expect.

OpenAI's API answers an invalid request with 400 and `{"error": {"message", "type", "param",
"code"}}`; the others with 422 and `{"error", "error_type"}`, as Text Embeddings Inference does.
"""

from __future__ import annotations

import json
from typing import Final, Literal

Dialect = Literal["openai", "tei"]
Kind = Literal[
    "framing",
    "not_json",
    "invalid",
    "unauthorized",
    "forbidden",
    "not_found",
    "method",
    "slow",
    "too_large",
    "media_type",
    "busy",
    "internal",
    "unavailable",
]

_STATUS: Final[dict[Kind, int]] = {
    "framing": 400,
    "not_json": 400,
    "invalid": 422,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method": 405,
    "slow": 408,
    "too_large": 413,
    "media_type": 415,
    "busy": 429,
    "internal": 500,
    "unavailable": 503,
}
# The types and codes of OpenAI; any other kind is an invalid request without a code.
_OPENAI: Final[dict[Kind, tuple[str, str | None]]] = {
    "unauthorized": ("invalid_request_error", "invalid_api_key"),
    "busy": ("rate_limit_error", "rate_limit_exceeded"),
    "internal": ("server_error", None),
    "unavailable": ("server_error", None),
}
_TEI: Final[dict[Kind, str]] = {
    "busy": "Overloaded",
    "internal": "Backend",
    "unavailable": "Backend",
}


class Refusal(Exception):  # noqa: N818 - it becomes an answer and is never reported
    """The error answer to a request.

    Args:
        kind: the reason.
        message: one line for the client, without paths.
        param: the member of the request that is at fault.
        code: the code for clients of OpenAI, if the kind has several.
    """

    def __init__(
        self, kind: Kind, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.code = code

    def status(self, dialect: Dialect) -> int:
        """Return the status."""
        if dialect == "openai" and self.kind == "invalid":
            return 400
        return _STATUS[self.kind]

    def body(self, dialect: Dialect) -> bytes:
        """Return the body, JSON in ASCII."""
        if dialect == "openai":
            kind, code = _OPENAI.get(self.kind, ("invalid_request_error", None))
            error: object = {
                "message": self.message,
                "type": kind,
                "param": self.param,
                "code": self.code or code,
            }
            return json.dumps({"error": error}).encode()
        kind = _TEI.get(self.kind, "Validation")
        return json.dumps({"error": self.message, "error_type": kind}).encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that clients act on."""
        if self.kind == "busy":
            return [(b"retry-after", b"1")]
        if self.kind == "unauthorized":
            return [(b"www-authenticate", b"Bearer")]
        if self.kind == "framing":  # what follows may be meant as a body or as a request
            return [(b"connection", b"close")]
        return []
