"""Several processes that answer at one address: started, replaced when one dies, ended together."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from ..errors import ServeError
from .process import application, run
from .settings import SHARED_METRICS

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from multiprocessing.context import SpawnProcess

    from .settings import ServerSettings

# A process that ends sooner than this has a fault that another one would have as well.
_STABLE_SECONDS: Final = 5.0
_MOST_FAILURES: Final = 3
_SPAWN: Final = multiprocessing.get_context("spawn")  # a fork would share SQLite's connections


def run_workers(
    settings: ServerSettings, listener: socket.socket, started: Callable[[], None]
) -> None:
    """Run the processes until an exception, such as one that a signal raises, ends the call.

    Args:
        settings: the settings.
        listener: the listening socket, which all processes share.
        started: is called once the processes have been started.

    Raises:
        ServeError: processes end as soon as they begin.
    """
    failures = 0
    with _shared_metrics():
        workers = [_start(settings, listener) for _ in range(settings.workers)]
        born = {worker.sentinel: time.monotonic() for worker in workers}
        try:
            started()
            while True:
                ended = wait([worker.sentinel for worker in workers])
                for place, worker in enumerate(workers):
                    if worker.sentinel not in ended:
                        continue
                    worker.join()
                    _forget(worker)
                    stable = time.monotonic() - born.pop(worker.sentinel) > _STABLE_SECONDS
                    failures = 0 if stable else failures + 1
                    reason = f"process {worker.pid} ended with status {worker.exitcode}"
                    if failures >= _MOST_FAILURES:
                        raise ServeError(f"serve: {reason}, as others did before it")
                    sys.stderr.write(f"staticemb: {reason}; another takes its place\n")
                    workers[place] = _start(settings, listener)
                    born[workers[place].sentinel] = time.monotonic()
        finally:
            _end(workers, 2 * settings.limits.seconds + 5)


def _start(settings: ServerSettings, listener: socket.socket) -> SpawnProcess:
    worker = _SPAWN.Process(target=_work, args=(settings, listener), daemon=True)
    worker.start()
    return worker


def _work(settings: ServerSettings, listener: socket.socket) -> None:
    """Serve in a new process; uvicorn raises the signal that has ended it once more."""
    with contextlib.suppress(KeyboardInterrupt):
        run(application(settings), settings, listener, lambda: None)


def _forget(worker: SpawnProcess) -> None:
    """Remove the gauges of a process that has ended."""
    from prometheus_client.multiprocess import mark_process_dead  # after the folder is set

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _end(workers: list[SpawnProcess], seconds: float) -> None:
    """End the processes: they answer the requests that have begun."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + seconds
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.exitcode is None:
            worker.kill()
            worker.join()


@contextlib.contextmanager
def _shared_metrics() -> Iterator[None]:
    """Let the processes count together."""
    with tempfile.TemporaryDirectory(prefix="staticemb-serve-") as folder:
        before = os.environ.get(SHARED_METRICS)
        os.environ[SHARED_METRICS] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[SHARED_METRICS]
            else:
                os.environ[SHARED_METRICS] = before
