"""HTTP connections that end when a client is too slow, and send an answer in one piece.

The parser is h11: it is strict about requests that two servers could read differently, and limits
the size of a head. uvicorn ends connections that are idle between requests, but waits for ever for
the rest of a request's head, and for a client that does not read its answer.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

# How many looks in a row may find the same state: reading and answering each have their time.
_LOOKS_WAITING: Final = 1
_LOOKS_WORKING: Final = 3


class _JoiningTransport:
    """A transport that keeps the head of an answer until its body comes, and sends both at once.

    uvicorn writes them one after the other. A system call and a packet cost about as much as the
    work on a small request.

    Args:
        transport: the connection.
        protocol: its protocol.
    """

    def __init__(self, transport: asyncio.Transport, protocol: H11Protocol) -> None:
        self._transport = transport
        self._protocol = protocol
        self._answered: object = None  # the last request whose answer has begun
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send bytes, unless they are the head of an answer."""
        cycle = self._protocol.cycle
        if cycle is not self._answered and cycle is not None and cycle.response_started:
            self._answered = cycle
            self._head = data
            return
        if self._head:
            data = self._head + data
            self._head = b""
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection once all is sent."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the transport's own
        """Return what does not concern writing."""
        return getattr(self._transport, name)


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with a clock.

    It looks at the connection each `timeout_keep_alive` seconds, and cuts it if it finds the same
    state again: the same request's head is still incomplete, or, after some looks more, the same
    answer not given or not read to its end.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, and send each answer at once.

        asyncio does so itself only for listening sockets that name their protocol, which
        `socket.create_server` does not. The end of a long answer then waits 40 ms for the client's
        acknowledgment.
        """
        super().connection_made(_JoiningTransport(transport, self))  # type: ignore[arg-type]
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family != getattr(socket, "AF_UNIX", None):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._state: tuple[object, bool] | None = None
        self._looks = 0
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._clock.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._clock = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        is_waiting = self.cycle is None or self.cycle.response_complete
        is_waiting = is_waiting and not self.transport.get_write_buffer_size()
        state = self.cycle, is_waiting
        self._looks = self._looks + 1 if state == self._state else 0
        self._state = state
        if self._looks >= (_LOOKS_WAITING if is_waiting else _LOOKS_WORKING):
            self.transport.abort()
        else:
            self._watch()
