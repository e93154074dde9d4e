"""What a request may ask for."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """The limits of a server; a request above one gets an answer that names it.

    Attributes:
        body_bytes: the size of a request's body.
        texts: the number of texts in a request.
        characters: the number of characters of all texts in a request.
        depth: how deep the JSON of a request may nest.
        seconds: how long a client may take to send a request, and the server to answer it.
        requests: how many requests a process works on or reads at a time.
        pending_bytes: the size of all bodies that a process reads or works on at a time.
        connections: how many connections a process keeps open.
    """

    body_bytes: int = 8 << 20
    texts: int = 2048
    characters: int = 4_000_000
    depth: int = 16
    seconds: float = 30.0
    requests: int = 128
    pending_bytes: int = 64 << 20
    connections: int = 1024
