"""Share shards between processes, and survive the end of one."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from contextlib import contextmanager, suppress
from multiprocessing import connection as connections
from typing import TYPE_CHECKING, Any, Final, Protocol

from ..records.output_file import remove_temporary_files
from .worker import Failure, RunSettings, ShardEmbedder, attempt, serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection

    from ..model import StaticModel
    from .shards import Shard
    from .texts import Counts

_ATTEMPTS: Final = 2
_JOIN_SECONDS: Final = 10.0


class Observer(Protocol):
    """Learns how shards go on. All calls come from the thread that runs the shards."""

    def whole(self, shard: Shard, size: int, counts: Counts) -> None:
        """Record a shard whose whole output is about to get its name; an error discards it."""

    def report(self, shard: Shard, rows: int, share: float) -> None:
        """Note that `rows` more rows are done, and a share of the shard from 0 to 1."""

    def lost(self, shard: Shard, reason: str) -> None:
        """Note that a worker ended, and that its shard is begun anew."""

    def end(self, shard: Shard, result: Counts | Failure) -> None:
        """Note that a shard is done, or has failed."""


def run_shards(
    shards: Iterable[Shard],
    settings: RunSettings,
    model: StaticModel,
    workers: int,
    observer: Observer,
) -> None:
    """Embed shards; stop after a fatal failure.

    Args:
        shards: the shards, in the order to begin them.
        settings: what they share.
        model: the open model, used if `workers` is 1.
        workers: the number of processes. With 1, shards are embedded in this process.
        observer: learns how they go on.

    Raises:
        Exception: what the observer raises.
    """
    waiting = deque(shards)
    if workers == 1:
        embedder = ShardEmbedder(settings, model)
        for shard in waiting:
            result = attempt(
                shard,
                lambda shard=shard: embedder.embed(  # type: ignore[misc]
                    shard,
                    lambda rows, share: observer.report(shard, rows, share),
                    lambda size, counts: observer.whole(shard, size, counts),
                ),
            )
            observer.end(shard, result)
            if isinstance(result, Failure) and result.fatal:
                return
        return
    pool = _Pool(waiting, settings, observer)
    try:
        pool.run(min(workers, len(waiting)))
    finally:
        pool.stop()


class _Worker:
    """A process, the shard that it embeds, and how often a worker has begun that."""

    def __init__(self, settings: RunSettings) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection: Connection[Any, Any]
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, settings), daemon=True)
        self.shard: Shard | None = None
        with _interrupts_blocked():
            self.process.start()
        other.close()  # so that the connection ends when the worker does

    def ended(self) -> str:
        """Wait for the end of a lost worker; return how it ended."""
        self.process.join(_JOIN_SECONDS)
        code = self.process.exitcode
        if code is None:
            return "no answer"
        if code < 0:
            name = signal.Signals(-code).name
            return f"{name}, perhaps for lack of memory" if name == "SIGKILL" else name
        return f"status {code}"


class _Pool:
    """Workers and the shards that they have not begun."""

    def __init__(self, waiting: deque[Shard], settings: RunSettings, observer: Observer) -> None:
        self._waiting = waiting
        self._settings = settings
        self._observer = observer
        self._workers: list[_Worker] = []
        self._begun: dict[Shard, int] = {}
        self._fatal = False

    def run(self, count: int) -> None:
        """Embed all shards by `count` workers."""
        for _ in range(count):
            self._begin(_Worker(self._settings))
        while self._workers:
            busy = {worker.connection: worker for worker in self._workers}
            for ready in connections.wait(list(busy)):
                worker = busy[ready]  # type: ignore[index] # not a socket
                try:
                    message = worker.connection.recv()
                except (EOFError, OSError):
                    self._replace(worker)
                else:
                    self._answer(worker, message)

    def stop(self) -> None:
        """End all workers, and remove what they have left."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(_JOIN_SECONDS)
            worker.connection.close()
        remove_temporary_files(
            self._output(worker.shard) for worker in self._workers if worker.shard is not None
        )
        self._workers.clear()

    def _begin(self, worker: _Worker) -> None:
        """Give a worker its next shard, or let it end."""
        if worker not in self._workers:
            self._workers.append(worker)
        worker.shard = self._waiting.popleft() if self._waiting and not self._fatal else None
        if worker.shard is not None:
            self._begun[worker.shard] = self._begun.get(worker.shard, 0) + 1
        with suppress(OSError):  # a worker that has ended is found by its end
            worker.connection.send(worker.shard)
        if worker.shard is None:
            self._workers.remove(worker)
            worker.process.join(_JOIN_SECONDS)
            worker.connection.close()

    def _answer(self, worker: _Worker, message: tuple[Any, ...]) -> None:
        shard = worker.shard
        assert shard is not None
        kind, *values = message
        if kind == "report":
            self._observer.report(shard, *values)
        elif kind == "whole":
            self._observer.whole(shard, *values)
            with suppress(OSError):
                worker.connection.send(True)
        else:
            (result,) = values
            self._observer.end(shard, result)
            self._fatal |= isinstance(result, Failure) and result.fatal
            self._begin(worker)

    def _replace(self, worker: _Worker) -> None:
        """Take another worker in place of one that ended."""
        shard, reason = worker.shard, worker.ended()
        self._workers.remove(worker)
        worker.connection.close()
        if shard is not None:
            remove_temporary_files([self._output(shard)])
            if self._begun[shard] < _ATTEMPTS:
                self._waiting.appendleft(shard)
                self._observer.lost(shard, reason)
            else:
                reason = f"{shard.source}: its worker ended {_ATTEMPTS} times, now by {reason}"
                self._observer.end(shard, Failure(reason, fatal=False))
        if self._waiting and not self._fatal:
            self._begin(_Worker(self._settings))

    def _output(self, shard: Shard) -> str:
        return os.path.join(self._settings.folder, shard.name)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C: a process that is started inherits that, and its parent answers it later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
