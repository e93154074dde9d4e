"""Requests to an embedding server, sent again after failures that can pass.

The client is the standard library's. huggingface_hub brings another HTTP library with each of its
major versions, and a single POST to one host needs none of them. http.client follows no redirect,
so that a key goes to the named host alone.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import TeacherError

TIMEOUT = 600.0  # seconds without a byte: a slow server may need minutes for a batch
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds
PATIENCE = 900.0  # the longest wait that a server may ask for, in seconds
_TRANSIENT = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
_QUOTA = "insufficient_quota"  # OpenAI's code of a 429 that no wait ends
_SHOWN = 300  # characters of a server's message
_LARGEST = 1 << 28  # bytes of a response


class RequestRefusedError(TeacherError):
    """A server refused a request, and would refuse it again.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ServerConnection:
    """A server that several threads send requests to.

    Args:
        url: The address of requests.
        key: The key; "": none is sent. It is in no message.
        tries: How often a request is sent.

    Attributes:
        retried: The number of requests that were sent again.
    """

    def __init__(self, url: str, key: str, *, tries: int) -> None:
        parts = urlsplit(url)
        self._scheme, self._host = parts.scheme, parts.hostname or ""
        # Without a port, http.client would take the end of an IPv6 address for it.
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._key = key
        self._tries = tries
        self._context = ssl.create_default_context() if self._scheme == "https" else None
        self._own = threading.local()
        self._lock = threading.Lock()
        self._resume = 0.0  # no request is sent before this moment of time.monotonic
        self.retried = 0

    def post(self, body: Mapping[str, object], stop: threading.Event) -> dict[str, Any]:
        """Send a JSON object, and return the JSON object of the response.

        A request is sent again, after a longer and longer random wait or after the time in
        `Retry-After`, if that is above 0, when the connection breaks, the server is busy or fails,
        or the response is not a JSON object. During the time in `Retry-After` all threads wait.

        Args:
            body: The JSON object.
            stop: If it is set, the request is not sent again.

        Raises:
            RequestRefusedError: The server refused the request.
            TeacherError: The server cannot be reached, or every try failed.
        """
        data = json.dumps(body).encode()
        for number in range(self._tries):
            self._wait(self._resume - time.monotonic(), stop)
            try:
                status, headers, content = self._send(data)
            except ssl.SSLCertVerificationError as error:
                raise TeacherError(f"{self._host}: {error.verify_message}") from None
            except (OSError, http.client.HTTPException) as error:
                self._disconnect()
                reason = f"the connection failed: {error or type(error).__name__}"
                asked = None
            else:
                if status == 200:
                    parsed = _object(content)
                    if parsed is not None:
                        return parsed
                    reason = f"expected a JSON object, found {self.shown(content)}"
                else:
                    reason = f"HTTP {status}: {self.shown(content)}"
                    if status not in _TRANSIENT or _QUOTA.encode() in content:
                        self._refuse(status, reason)
                asked = _retry_after(headers)
            if number + 1 < self._tries:
                self._before_next(number, asked, reason, stop)
        raise TeacherError(f"{self._host}: {self._tries} tries failed; the last: {reason}")

    def _before_next(
        self, number: int, asked: float | None, reason: str, stop: threading.Event
    ) -> None:
        with self._lock:
            self.retried += 1
        if not asked:  # a server that names no time, or a past one
            longest = min(LONGEST_WAIT, FIRST_WAIT * 2**number)
            self._wait(random.uniform(longest / 2, longest), stop)  # noqa: S311 - no secret
            return
        if asked > PATIENCE:
            raise TeacherError(
                f"{self._host}: the server asks to wait for {asked:.0f} s; run the command again "
                f"then; the last answer: {reason}"
            )
        with self._lock:
            self._resume = max(self._resume, time.monotonic() + asked)

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        if stop.wait(max(0.0, seconds)):
            raise TeacherError(f"{self._host}: the requests were given up")

    def _refuse(self, status: int, reason: str) -> NoReturn:
        hint = ""
        if status in (401, 403):
            hint = "; name the environment variable that holds the key: ?key=VARIABLE"
            if self._key:
                hint = "; the server does not accept the key"
        if 300 <= status < 400:
            hint = "; the server redirects, and a key is never sent to another address"
        raise RequestRefusedError(f"{self._host}: {reason}{hint}", status)

    def _send(self, data: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = self._connection()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection.request("POST", self._path, data, headers)
        with connection.getresponse() as response:
            content = response.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                self._disconnect()
                raise TeacherError(
                    f"{self._host}: expected a response of at most {_LARGEST >> 20} MB, found more"
                )
            if not response.isclosed() or response.will_close:
                self._disconnect()
            return response.status, response.headers, content

    def _connection(self) -> http.client.HTTPConnection:
        """Return this thread's connection, which stays open between requests."""
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._connected()
            self._own.connection = connection
        return connection

    def _connected(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        proxy = None if proxy_bypass(self._host) else getproxies().get("https")
        if proxy is None:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT, context=self._context
            )
        place = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        tunnel = http.client.HTTPSConnection(
            place.hostname or "", place.port or 8080, timeout=TIMEOUT, context=self._context
        )
        tunnel.set_tunnel(self._host, self._port, _proxy_headers(place))
        return tunnel

    def _disconnect(self) -> None:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
            self._own.connection = None

    def shown(self, content: bytes) -> str:
        """Return the beginning of a response for a message, on one line, without the key."""
        parsed = _object(content) or {}
        error = parsed.get("error", parsed.get("message", parsed.get("detail")))
        if isinstance(error, dict):
            error = error.get("message")
        text = error if isinstance(error, str) else content[: 4 * _SHOWN].decode(errors="replace")
        if self._key:
            text = text.replace(self._key, "***")
        text = " ".join(text.split())
        return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    """Return the headers with the user and password in a proxy's address, if it has them."""
    if proxy.username is None:
        return {}
    account = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(account.encode()).decode()}"}


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _retry_after(headers: http.client.HTTPMessage) -> float | None:
    """Return the seconds in `Retry-After`, a number or a date (RFC 9110, section 10.2.3)."""
    value = (headers.get("Retry-After") or "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        seconds = (date - datetime.now(timezone.utc)).total_seconds()
    return max(0.0, seconds) if seconds == seconds else None
