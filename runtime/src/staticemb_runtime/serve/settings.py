"""The settings of a server."""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple

from .limits import Limits

# prometheus_client reads this variable at its import: several processes share their counters there.
SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"


class ServerSettings(NamedTuple):
    """The settings of a server; each of its processes gets a copy.

    Attributes:
        models: pairs of a name and the model's file, or another argument of `StaticModel.load`.
        indexes: pairs of a name and the index's file.
        host: the address to listen at.
        port: the port; 0: a free one.
        workers: the number of processes.
        limits: the limits of requests.
        keys: API keys.
        hosts: as in `create_app`.
        cors_origins: as in `create_app`.
        log: as in `create_app`.
    """

    models: tuple[tuple[str, str | None], ...]
    indexes: tuple[tuple[str, str], ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    limits: Limits = Limits()
    keys: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    log: bool = False


def is_local(host: str) -> bool:
    """Tell whether only programs on this machine reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
