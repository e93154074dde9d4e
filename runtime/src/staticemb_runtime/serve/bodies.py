"""Read the body of a request: bytes counted as they arrive, then JSON of a limited depth."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from ..format import strict_json
from .refusals import Refusal

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from .limits import Limits


class Disconnected(Exception):  # noqa: N818 - it ends the work on a request
    """The client has closed the connection before it had sent the request."""


class BodyReader:
    """Reads bodies; counts the bytes of all bodies that are in memory.

    Args:
        limits: the limits.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pending = 0

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Return the body of a request; `release` it afterwards.

        Raises:
            Refusal: it is too large, not JSON by its header, or arrives too slowly.
            Disconnected: the client has gone.
        """
        content_type, length = b"", None
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"content-length":
                length = int(value)  # the server has checked that it is a number
            elif name == b"content-encoding" and value.lower() != b"identity":
                raise Refusal("media_type", "content-encoding: expected none")
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            raise Refusal("media_type", "content-type: expected application/json")
        if length is not None:
            self._check(length)
        is_late = False
        task = asyncio.current_task()
        assert task is not None

        def stop() -> None:
            nonlocal is_late
            is_late = True
            task.cancel()

        # A timer alone: `asyncio.wait_for` would make a task for each request.
        seconds = self._limits.seconds
        clock = asyncio.get_running_loop().call_later(seconds, stop)
        try:
            return await self._whole(receive)
        except asyncio.CancelledError:
            if not is_late:
                raise
            if sys.version_info >= (3, 11):
                task.uncancel()
            raise Refusal("slow", f"body: expected within {seconds:g} seconds") from None
        finally:
            clock.cancel()

    def release(self, size: int) -> None:
        """Count the bytes of a body no more."""
        self._pending -= size

    async def _whole(self, receive: Receive) -> bytes:
        body = bytearray()
        complete = False
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                part = message.get("body", b"")
                self._check(len(body) + len(part), len(part))
                body += part
                self._pending += len(part)
                if not message.get("more_body"):
                    complete = True
                    return bytes(body)
        finally:
            if not complete:
                self._pending -= len(body)

    def _check(self, size: int, more: int | None = None) -> None:
        if size > self._limits.body_bytes:
            raise Refusal(
                "too_large",
                f"body: expected at most {self._limits.body_bytes} bytes",
                code="body_too_large",
            )
        if self._pending + (size if more is None else more) > self._limits.pending_bytes:
            raise Refusal("busy", "the server is reading as many requests as it has memory for")


def parse(body: bytes, depth: int) -> dict[str, Any]:
    """Parse a body that must be a JSON object.

    Args:
        body: the bytes.
        depth: how deep arrays and objects may nest.

    Raises:
        Refusal: it is something else.
    """
    try:
        text = body.decode()
        # Counting is faster than scanning, and enough for nearly all requests.
        if body.count(b"[") + body.count(b"{") > depth and strict_json.depth(text, depth) > depth:
            raise Refusal("not_json", f"body: expected at most {depth} nested arrays and objects")
        value = strict_json.loads(text)
    except UnicodeDecodeError as error:
        reason = f"byte {error.start}: {error.reason}"
        raise Refusal("not_json", f"body: expected UTF-8, found {reason}") from None
    except (ValueError, RecursionError) as error:
        raise Refusal("not_json", f"body: expected JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refusal("invalid", "body: expected a JSON object")
    return value
