"""Answer requests in one process."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from typing import TYPE_CHECKING

from .settings import is_local

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from .settings import ServerSettings


def application(settings: ServerSettings) -> ASGIApp:
    """Open the models and indexes, and make the application of a process.

    Raises:
        StaticEmbError: a file cannot be opened.
    """
    from ..model import StaticModel
    from ..search import Index
    from .application import create_app

    models = {name: StaticModel.load(path) for name, path in settings.models}
    indexes = {name: Index.open(path) for name, path in settings.indexes}
    guarded = is_local(settings.host) and not settings.keys
    return create_app(
        models,
        indexes,
        limits=settings.limits,
        keys=settings.keys,
        hosts=settings.hosts if guarded or settings.hosts else None,
        cors_origins=settings.cors_origins,
        log=settings.log,
    )


def run(
    app: ASGIApp, settings: ServerSettings, listener: socket.socket, started: Callable[[], None]
) -> None:
    """Run uvicorn in this process, until a signal ends it.

    Args:
        app: the application.
        settings: the settings.
        listener: a listening socket.
        started: is called before the first request.
    """
    import uvicorn

    from .protocol import PatientProtocol

    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    seconds = max(1, round(settings.limits.seconds))
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.limits.connections,
        timeout_keep_alive=seconds,
        timeout_graceful_shutdown=2 * seconds,
    )
    server = uvicorn.Server(config)
    parent = multiprocessing.parent_process()
    if parent is not None:  # without its parent nobody could stop this process

        def watch() -> None:
            parent.join()
            server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
    started()
    server.run(sockets=[listener])
