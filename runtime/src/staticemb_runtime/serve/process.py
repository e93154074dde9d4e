"""Run the server: one process, or several that share the address and the mapped files."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import logging
import multiprocessing
import socket
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import MissingPackageError, ServeError
from .limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

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


def serve(settings: ServerSettings, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT raises an exception, once the requests under way are answered.

    Args:
        settings: the settings.
        started: is called with the URL once the address is taken.

    Raises:
        MissingPackageError: the extra `serve` is not installed.
        ServeError: the address cannot be listened at, or processes end as soon as they begin.
        StaticEmbError: a file cannot be opened.
    """
    for package in ("starlette", "uvicorn", "prometheus_client"):
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(
                f"serve: the package {package} is missing: pip install 'staticemb-runtime[serve]'"
            )
    if settings.workers > 1:
        from .workers import run_workers

        check_files(settings)
        with listening(settings.host, settings.port) as listener:
            run_workers(settings, listener, lambda: started(url(settings.host, listener)))
        return
    app = application(settings)
    with listening(settings.host, settings.port) as listener:
        run(app, settings, listener, lambda: started(url(settings.host, listener)))


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


def check_files(settings: ServerSettings) -> None:
    """Open all files once, so that a fault is one error of the command.

    Raises:
        StaticEmbError: a file cannot be opened.
    """
    from ..model import StaticModel
    from ..search import Index

    for _, path in settings.models:
        StaticModel.load(path).tokenize("warm")
    for _, path in settings.indexes:
        with Index.open(path) as index:
            index.model  # noqa: B018 - opens it


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen at an address.

    Raises:
        ServeError: that is not possible.
    """
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no valid address"
        raise ServeError(f"{host}:{port}: cannot listen: {reason}") from None
    with listener:
        yield listener


def url(host: str, listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"
