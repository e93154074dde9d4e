"""Run the server: one process, or several that share the address and the mapped files."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
from typing import TYPE_CHECKING

from ..errors import MissingPackageError, ServeError
from .process import application, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .settings import ServerSettings


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
