"""Worker processes that share the work of one `encode` call.

The design and its reasons:

- A worker is `python -c "…"` with a small protocol over standard input and output. The standard
  library's multiprocessing would pickle, and needs a main module that can be imported again
  (`if __name__ == "__main__"`) and shared memory, which AWS Lambda lacks. Forking a process with
  threads is unsafe. A pipe has no such needs, and closes when the parent ends: the worker then
  reads the end of its input and exits. A fork of the parent may keep the pipe open, so a worker
  also checks once a second whether its parent is still alive.
- A worker opens the model's file by its path, memory-mapped, so that the table is in memory once.
  It refuses a file whose identity (its digest) differs from the model's.
- The calling process embeds slices as well. It begins while the workers start, which takes one or
  two tenths of a second, so that workers never delay the first result.
- A call uses at most one process per core and per slice: more processes would cost memory and
  start-up time and have no work.
- A worker gets a new slice when it is free, and results are yielded in order. A text's vector
  depends on the text alone, so any process may compute it.
- If a worker reports an error, the calling process repeats its slice and raises the same error as
  without workers. If a worker dies, the call raises `WorkerError`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from itertools import chain, islice
from typing import IO, Final

from ..encoding.batching import Batch
from ..encoding.embedder import Block
from ..encoding.options import Request
from ..errors import WorkerError
from .protocol import pack_job, receive_block, receive_text, write_all

_AHEAD: Final = 2  # slices that a worker has: one in progress, one in its pipe
_PIPE_BYTES: Final = 1 << 20
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from staticemb_runtime.parallel.worker import main; main(*sys.argv[2:])"
)

Embed = Callable[[Batch, Request], Block]


class Workers:
    """The worker processes of one model, started when first needed.

    Args:
        path: the absolute path of the model's file or folder.
        identity: the expected `ModelParts.identity`.
        mmap: whether workers map the file.
    """

    def __init__(self, path: str, identity: str, *, mmap: bool = True) -> None:
        self._model = (path, identity, "mmap" if mmap else "")
        self._lock = threading.Lock()
        self._idle: _Team | None = None

    def map(
        self, count: int, source: Iterator[Batch], request: Request, embed: Embed
    ) -> Generator[tuple[Batch, Block], None, None]:
        """Embed slices in this process and up to `count` workers.

        Args:
            count: the maximum number of workers, at least 1; fewer slices need fewer workers.
            source: the slices; only this thread reads from it.
            request: the parameters of the call.
            embed: embeds a slice in this process.

        Yields:
            Each slice and its vectors, in order.

        Raises:
            WorkerError: a worker could not be started, or died.
        """
        first = list(islice(source, count + 1))
        if len(first) < 2:
            for batch in first:
                yield batch, embed(batch, request)
            return
        team = self._take(count)
        try:
            team.start(len(first) - 1)
            yield from team.map(chain(first, source), request, embed)
        except BaseException:
            team.close()  # workers may still be embedding slices of this call
            raise
        self._give_back(team)

    def close(self) -> None:
        """End the worker processes that no call is using."""
        with self._lock:
            team, self._idle = self._idle, None
        if team is not None:
            team.close()

    def _take(self, count: int) -> _Team:
        with self._lock:
            team, self._idle = self._idle, None
        if team is not None:
            if team.serves(count):
                return team
            team.close()
        return _Team(self._model, count)

    def _give_back(self, team: _Team) -> None:
        with self._lock:
            if self._idle is None:
                self._idle = team
                return
        team.close()


class _Team:
    """Up to `count` worker processes, each served by a thread."""

    def __init__(self, model: tuple[str, str, str], count: int) -> None:
        self._model = model
        self._count = count
        self._owner = os.getpid()
        self._change = threading.Condition()
        self._waiting: deque[tuple[Batch, Request]] = deque()
        self._done: dict[int, Block | str] = {}
        self._error: WorkerError | None = None
        self._closed = False
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []

    def start(self, needed: int) -> None:
        """Start processes until there are `needed`, but at most `count`.

        Raises:
            WorkerError: a process could not be started.
        """
        while len(self._processes) < min(needed, self._count):
            try:
                process = _start(self._model)
            except OSError as error:
                raise WorkerError(f"worker process: expected it to start, found {error}") from error
            self._processes.append(process)
            thread = threading.Thread(target=self._talk, args=(process,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def serves(self, count: int) -> bool:
        """Return whether the team has size `count` and living processes of this process."""
        return (
            self._owner == os.getpid()
            and self._count == count
            and all(process.poll() is None for process in self._processes)
        )

    def map(
        self, source: Iterator[Batch], request: Request, embed: Embed
    ) -> Generator[tuple[Batch, Block], None, None]:
        """Embed slices, as `Workers.map`."""
        most = (_AHEAD + 2) * (len(self._processes) + 1)
        pending: deque[Batch] = deque()  # read from the source, not yet yielded
        more = True
        while True:
            while more and len(pending) < most:
                batch = next(source, None)
                if batch is None:
                    more = False
                    break
                pending.append(batch)
                with self._change:
                    self._waiting.append((batch, request))
                    self._change.notify_all()
            if not pending:
                return
            first = pending[0]
            own: Batch | None = None  # a slice for this process
            with self._change:
                while first.start not in self._done and not self._waiting and not self._error:
                    self._change.wait()
                if self._error:
                    raise self._error
                result = self._done.pop(first.start, None)
                if result is None:
                    own, _ = self._waiting.popleft()
            if own is not None:
                block = embed(own, request)
                with self._change:
                    self._done[own.start] = block
                continue
            pending.popleft()
            if isinstance(result, str):
                embed(first, request)  # raises the error if it occurs in this process, too
                raise WorkerError(f"worker process: expected vectors, found an error: {result}")
            assert result is not None
            yield first, result

    def close(self) -> None:
        """Kill the processes, which have nothing to save."""
        if self._owner != os.getpid():
            return  # this process is a fork of the owner
        with self._change:
            self._closed = True
            self._change.notify_all()
        # KeyboardInterrupt between acquiring the lock and entering the block leaves it acquired.
        with contextlib.suppress(RuntimeError):
            while True:
                self._change.release()
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():  # the finalizer may run in any thread
                thread.join()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _talk(self, process: subprocess.Popen[bytes]) -> None:
        """Serve one process until the team is closed or the process ends."""
        try:
            self._exchange_messages(process)
        except Exception as error:  # noqa: BLE001 - the thread in `map` waits and reports it
            with self._change:
                if not self._closed:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(1)
                    self._error = WorkerError(
                        f"worker process {process.pid}: expected an answer, found {error}; "
                        f"its exit status is {process.returncode}"
                    )
                self._change.notify_all()

    def _exchange_messages(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        problem = receive_text(process.stdout)  # empty if the worker has opened the model
        sent: deque[tuple[Batch, Request]] = deque()
        while True:
            job: tuple[Batch, Request] | None = None
            with self._change:
                while not (self._closed or self._waiting or sent):
                    self._change.wait()
                if self._closed:
                    return
                if self._waiting and len(sent) < _AHEAD:
                    job = self._waiting.popleft()
            if job is None:
                batch, request = sent.popleft()
                self._finish(batch, receive_block(process.stdout, len(batch.texts), request))
                continue
            if problem:
                self._finish(job[0], problem)
                continue
            try:
                message = pack_job(*job)
            except UnicodeEncodeError as error:
                self._finish(job[0], str(error))
                continue
            write_all(process.stdin, message)
            sent.append(job)

    def _finish(self, batch: Batch, result: Block | str) -> None:
        with self._change:
            self._done[batch.start] = result
            self._change.notify_all()


def _start(model: tuple[str, str, str]) -> subprocess.Popen[bytes]:
    if not sys.executable or getattr(sys, "frozen", False):
        raise WorkerError("worker process: expected a Python interpreter to start, found none")
    arguments = [json.dumps(sys.path), *model, str(os.getpid())]
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and no shell
        [sys.executable, "-c", _START, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        # With one process per core, threads within a process would not help.
        env=os.environ | {"TOKENIZERS_PARALLELISM": "false", "OPENBLAS_NUM_THREADS": "1"},
        # Ctrl-C must interrupt this process alone, which then ends the workers.
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    for pipe in (process.stdin, process.stdout):
        _widen(pipe)
    return process


def _widen(pipe: IO[bytes] | None) -> None:
    """Enlarge a pipe to hold a whole slice: the processes then wait less for each other."""
    if pipe is not None and sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # the system limits the size of all pipes of a user
            fcntl.fcntl(pipe.fileno(), 1031, _PIPE_BYTES)  # F_SETPIPE_SZ
