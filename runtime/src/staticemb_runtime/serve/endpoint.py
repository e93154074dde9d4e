"""The path of a POST request: body, checks, work inline or in a thread, answer or refusal."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from ..errors import (
    FileChangedError,
    FormatError,
    InvalidOptionError,
    RequestError,
    SearchIndexError,
)
from .bodies import BodyReader, Disconnected, parse
from .refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from .limits import Limits
    from .metrics import Metrics
    from .refusals import Dialect
    from .service import Answer, Job

    Prepare = Callable[[Mapping[str, Any]], Job]

# Below these a request takes less than the detour over a thread, and delays no other noticeably.
_INLINE_BYTES: Final = 1 << 16
_INLINE_COST: Final = 20_000

_LOGGER: Final = logging.getLogger("staticemb.serve")


class Worker:
    """Does the work of requests: small ones at once, large ones in threads.

    Args:
        limits: the limits.
        threads: the most threads.
    """

    def __init__(self, limits: Limits, threads: int) -> None:
        self.limits = limits
        self.bodies = BodyReader(limits)
        self._pool = ThreadPoolExecutor(threads, "staticemb-serve")
        self._running = 0

    def enter(self) -> None:
        """Count a request.

        Raises:
            Refusal: there are too many.
        """
        if self._running >= self.limits.requests:
            raise Refusal("busy", f"the server works on {self.limits.requests} requests already")
        self._running += 1

    def leave(self) -> None:
        """Count a request no more."""
        self._running -= 1

    async def work(self, body: bytes, prepare: Prepare) -> Answer:
        """Return the answer to a body.

        Raises:
            Refusal: the request is invalid, or takes too long.
        """
        if len(body) > _INLINE_BYTES:
            return await self._in_thread(lambda: self._job(body, prepare).run())
        job = self._job(body, prepare)
        if job.cost > _INLINE_COST:
            return await self._in_thread(job.run)
        return job.run()

    def close(self) -> None:
        """End the threads once their work is done."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _job(self, body: bytes, prepare: Prepare) -> Job:
        return prepare(parse(body, self.limits.depth))

    async def _in_thread(self, run: Callable[[], Answer]) -> Answer:
        future = asyncio.get_running_loop().run_in_executor(self._pool, run)
        try:
            return await asyncio.wait_for(future, self.limits.seconds)
        except asyncio.TimeoutError:
            message = f"the answer took more than {self.limits.seconds:g} seconds"
            raise Refusal("unavailable", message) from None


class Endpoint:
    """An ASGI application that answers the POST requests of one route.

    Args:
        route: the path, for metrics.
        prepare: checks the members of a request.
        dialect: the form of error answers.
        worker: does the work.
        metrics: counts texts.
    """

    def __init__(
        self, route: str, prepare: Prepare, dialect: Dialect, worker: Worker, metrics: Metrics
    ) -> None:
        self._route = route
        self._prepare = prepare
        self._dialect: Dialect = dialect
        self._worker = worker
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body = await self._answer(scope, receive)
        except Refusal as refusal:
            await refuse(refusal, self._dialect, send)
        except Disconnected:
            pass  # nobody reads an answer
        else:
            await respond(send, 200, body)

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        worker = self._worker
        worker.enter()
        size = 0
        try:
            body = await worker.bodies.read(scope, receive)
            size = len(body)
            answer = await worker.work(body, self._prepare)
        except (Refusal, Disconnected):
            raise
        except Exception as error:  # noqa: BLE001 - a stranger must not see a stack trace
            raise _refusal(error) from None
        finally:
            worker.leave()
            worker.bodies.release(size)
        self._metrics.work(self._route, answer.texts, answer.tokens)
        return answer.body


def _refusal(error: Exception) -> Refusal:
    """Turn an error into an answer; messages that may hold paths stay here."""
    if isinstance(error, (RequestError, InvalidOptionError)):
        return Refusal("invalid", " ".join(str(error).split()))
    _LOGGER.error("%s: %s", type(error).__name__, error, exc_info=_trace(error))
    if isinstance(error, (FileChangedError, FormatError)):
        return Refusal("unavailable", "the model's file cannot be read")
    if isinstance(error, SearchIndexError):
        return Refusal("unavailable", "the search index cannot be read")
    return Refusal("internal", "internal error")


def _trace(error: Exception) -> Exception | None:
    """Return an error that needs a stack trace in the log."""
    known = isinstance(error, (FileChangedError, FormatError, SearchIndexError))
    return None if known else error


async def refuse(refusal: Refusal, dialect: Dialect, send: Send) -> None:
    """Send an error answer."""
    await respond(send, refusal.status(dialect), refusal.body(dialect), refusal.headers())


async def respond(
    send: Send,
    status: int,
    body: bytes,
    headers: list[tuple[bytes, bytes]] | None = None,
    content_type: bytes = b"application/json",
) -> None:
    """Send an answer."""
    length = str(len(body)).encode()
    all_headers = [
        (b"content-type", content_type),
        (b"content-length", length),
        *(headers or ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})
