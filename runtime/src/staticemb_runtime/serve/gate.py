"""The outermost layer: host and key of a request, its line in the log, its place in the metrics."""

from __future__ import annotations

import ipaddress
import logging
import sys
import time
from typing import TYPE_CHECKING, Final

from .endpoint import refuse
from .refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .keys import KeyRing
    from .metrics import Metrics
    from .refusals import Dialect

HEALTH: Final = "/health"
_SHOWN: Final = 80  # characters of a path in the log

_LOGGER: Final = logging.getLogger("staticemb.serve")


def dialect_of(path: str) -> Dialect:
    """Return the form of error answers at a path."""
    return "openai" if path.startswith("/v1/") else "tei"


class Gate:
    """Lets requests through to an application.

    Args:
        app: the application.
        direct: the applications of POST requests by their paths, which need no routing.
        keys: the API keys; without any, no key is needed.
        hosts: the names by which browsers and other clients may call the server, apart from
            `localhost` and addresses; None: any. A page of another site that makes its own name
            point to this machine could otherwise read the answers.
        metrics: counts requests.
        log: whether to print a line a request on standard error.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        direct: Mapping[str, ASGIApp],
        keys: KeyRing,
        hosts: Collection[str] | None,
        metrics: Metrics,
        log: bool,
    ) -> None:
        self._app = app
        self._direct = dict(direct)
        self._keys = keys
        self._hosts = None if hosts is None else frozenset(map(str.lower, hosts))
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 499  # the client has gone before the answer, as nginx counts it
        path: str = scope["path"]

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.begin()
        try:
            refusal = self._check(scope, path)
            if refusal is not None:
                await refuse(refusal, dialect_of(path), noting)
            else:
                app = self._direct.get(path) if scope["method"] == "POST" else None
                await (app or self._app)(scope, receive, noting)
        except Exception:
            if status != 499:
                raise
            _LOGGER.exception("%s", _printable(path))
            await refuse(Refusal("internal", "internal error"), dialect_of(path), noting)
        finally:
            seconds = time.perf_counter() - begun
            self._metrics.end(path, status, seconds)
            if self._log:
                _print(scope, status, seconds)

    def _check(self, scope: Scope, path: str) -> Refusal | None:
        """Return why a request may not pass, or None."""
        host = authorization = b""
        has_length = is_chunked = False
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"authorization":
                authorization = value
            elif name == b"content-length":
                has_length = True
            elif name == b"transfer-encoding":
                is_chunked = True
        if has_length and is_chunked:  # RFC 9112, section 6.3
            return Refusal("framing", "content-length: expected none beside transfer-encoding")
        if self._hosts is not None and not _is_allowed(host.decode("latin-1"), self._hosts):
            return Refusal("forbidden", "host: expected localhost, an address or an allowed name")
        # A browser asks with OPTIONS and without a key whether a page of another site may ask.
        if not self._keys or path == HEALTH or scope["method"] == "OPTIONS":
            return None
        if not self._keys.accepts(authorization):
            return Refusal("unauthorized", "authorization: expected Bearer and a valid API key")
        return None


def _is_allowed(host: str, names: Collection[str]) -> bool:
    """Tell whether a header `Host` names this machine by an address or an allowed name."""
    name = host.lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") <= 1:
        name = name.partition(":")[0]
    if name == "localhost" or name.endswith(".localhost") or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _print(scope: Scope, status: int, seconds: float) -> None:
    client = scope["client"][0] if scope.get("client") else "-"
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    method = _printable(scope["method"])
    line = f"{moment} {client} {method} {_printable(scope['path'])} {status} {seconds * 1e3:.2f}ms"
    sys.stderr.write(line + "\n")


def _printable(text: str) -> str:
    """Escape what a terminal would act on, and blanks, so that fields stay apart."""
    return "".join(
        c if c.isprintable() and c != " " else c.encode("unicode_escape").decode()
        for c in text[:_SHOWN]
    )
