"""HTTP connections that end when a client is too slow.

The parser is h11: it is strict about requests that two servers could read differently, and limits
the size of a head. uvicorn ends connections that are idle between requests, but waits for ever for
the rest of a request's head, and for a client that does not read its answer.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

# How many looks in a row may find the same state: reading and answering each have their time.
_LOOKS_WAITING: Final = 1
_LOOKS_WORKING: Final = 4


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with a clock.

    It looks at the connection each `timeout_keep_alive` seconds, and cuts it if it finds the same
    state again: the same request's head is still incomplete, or the same answer unread.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, and send the head and the body of an answer without a pause.

        asyncio does so itself only for listening sockets that name their protocol, which
        `socket.create_server` does not. The body then waits 40 ms for the client's acknowledgment.
        """
        super().connection_made(transport)
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
        state = self.cycle, is_waiting
        self._looks = self._looks + 1 if state == self._state else 0
        self._state = state
        if self._looks >= (_LOOKS_WAITING if is_waiting else _LOOKS_WORKING):
            self.transport.abort()
        else:
            self._watch()
