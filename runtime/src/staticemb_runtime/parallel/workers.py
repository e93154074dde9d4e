"""Worker processes that share the work of one `encode` call.

Design, and why:

- A worker is `python -c "…"` that speaks a small protocol over its standard input and output. The
  standard library's multiprocessing would pickle, needs a main module that can be imported again
  (`if __name__ == "__main__"`), and shared memory that AWS Lambda has not; forking a process that
  has threads is unsafe. A pipe needs nothing, and ends by itself: a worker whose parent is gone,
  for whatever reason, reads the end of its input and exits. A fork of the parent may keep the pipe
  open, so a worker also looks once a second whether its parent is still the same.
- A worker opens the model's file by its path, memory-mapped, so that the table is in memory once.
  It refuses one whose identity (a file's digest) is no longer that of the model.
- The calling process works too. It takes slices itself while the others start, which needs a tenth
  of a second or two, so that asking for workers never delays the first result.
- There are never more processes than cores, nor than a call has slices: a process costs memory and
  time to start, and has nothing to do beyond that.
- Slices are handed out as workers become free, and results are yielded in order. Since the vector
  of a text depends on nothing but the text, it does not matter who makes it.
- A worker that reports an error gets its slice done again by the calling process, which raises the
  same error that it would have raised without workers. A worker that dies is a `WorkerError`.
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

from ..encoding.batching import Slice
from ..encoding.embedder import Block
from ..encoding.options import Request
from ..errors import WorkerError
from .protocol import pack_job, receive_block, receive_text, write_all

_AHEAD: Final = 2  # slices that a worker holds: one in work, one waiting in its pipe
_PIPE_BYTES: Final = 1 << 20
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from staticemb_runtime.parallel.worker import main; main(*sys.argv[2:])"
)

Embed = Callable[[Slice, Request], Block]


class Workers:
    """The worker processes of one model, started when they are first needed.

    Args:
        path: the model's file or folder, absolute.
        identity: what `ModelParts.identity` must be.
        mmap: whether they map it, as the calling process does.
    """

    def __init__(self, path: str, identity: str, *, mmap: bool = True) -> None:
        self._model = (path, identity, "mmap" if mmap else "")
        self._lock = threading.Lock()
        self._idle: _Team | None = None

    def map(
        self, count: int, source: Iterator[Slice], request: Request, embed: Embed
    ) -> Generator[tuple[Slice, Block], None, None]:
        """Embed slices in this process and `count` others.

        Args:
            count: how many others at most, from 1 on; fewer are started for fewer slices.
            source: the slices; only this thread reads from it.
            request: how to embed.
            embed: embeds a slice in this process.

        Yields:
            Each slice and its vectors, in order.

        Raises:
            WorkerError: a worker could not be started, or died.
        """
        first = list(islice(source, count + 1))
        if len(first) < 2:
            for some in first:
                yield some, embed(some, request)
            return
        team = self._take(count)
        try:
            team.start(len(first) - 1)
            yield from team.map(chain(first, source), request, embed)
        except BaseException:
            team.close()  # slices may be under way: who cares for their results?
            raise
        self._give_back(team)

    def close(self) -> None:
        """End the worker processes that no call uses."""
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
    """Up to `count` worker processes, each with a thread that talks to it."""

    def __init__(self, model: tuple[str, str, str], count: int) -> None:
        self._model = model
        self._count = count
        self._owner = os.getpid()
        self._change = threading.Condition()
        self._waiting: deque[tuple[Slice, Request]] = deque()
        self._done: dict[int, Block | str] = {}
        self._error: WorkerError | None = None
        self._closed = False
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []

    def start(self, needed: int) -> None:
        """Start processes until there are `needed`, or `count` if that is fewer.

        Raises:
            WorkerError: one could not be started.
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
        """Whether this is for up to `count` processes, all alive and started by this process."""
        return (
            self._owner == os.getpid()
            and self._count == count
            and all(process.poll() is None for process in self._processes)
        )

    def map(
        self, source: Iterator[Slice], request: Request, embed: Embed
    ) -> Generator[tuple[Slice, Block], None, None]:
        """As `Workers.map`."""
        most = (_AHEAD + 2) * (len(self._processes) + 1)
        order: deque[Slice] = deque()  # handed out and not yet yielded
        more = True
        while True:
            while more and len(order) < most:
                some = next(source, None)
                if some is None:
                    more = False
                    break
                order.append(some)
                with self._change:
                    self._waiting.append((some, request))
                    self._change.notify_all()
            if not order:
                return
            first = order[0]
            mine: Slice | None = None
            with self._change:
                while first.start not in self._done and not self._waiting and not self._error:
                    self._change.wait()
                if self._error:
                    raise self._error
                result = self._done.pop(first.start, None)
                if result is None:
                    mine, _ = self._waiting.popleft()
            if mine is not None:
                block = embed(mine, request)
                with self._change:
                    self._done[mine.start] = block
                continue
            order.popleft()
            if isinstance(result, str):
                embed(first, request)  # raises what went wrong, if it goes wrong here too
                raise WorkerError(f"worker process: expected vectors, found an error: {result}")
            assert result is not None
            yield first, result

    def close(self) -> None:
        """End the processes. They hold nothing that would be lost."""
        if self._owner != os.getpid():
            return  # a fork of the process that they belong to
        with self._change:
            self._closed = True
            self._change.notify_all()
        # An interrupt after the lock was taken and before its block began has left it taken.
        with contextlib.suppress(RuntimeError):
            while True:
                self._change.release()
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():  # a garbage collection may run anywhere
                thread.join()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _talk(self, process: subprocess.Popen[bytes]) -> None:
        """Serve one process until the team is closed or the process is gone."""
        try:
            self._hand_out(process)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other thread waits for it
            with self._change:
                if not self._closed:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(1)
                    self._error = WorkerError(
                        f"worker process {process.pid}: expected an answer, found {error}; "
                        f"its exit status is {process.returncode}"
                    )
                self._change.notify_all()

    def _hand_out(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        problem = receive_text(process.stdout)  # empty once the model is open
        held: deque[tuple[Slice, Request]] = deque()
        while True:
            job: tuple[Slice, Request] | None = None
            with self._change:
                while not (self._closed or self._waiting or held):
                    self._change.wait()
                if self._closed:
                    return
                if self._waiting and len(held) < _AHEAD:
                    job = self._waiting.popleft()
            if job is None:
                some, request = held.popleft()
                self._finish(some, receive_block(process.stdout, len(some.texts), request))
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
            held.append(job)

    def _finish(self, some: Slice, result: Block | str) -> None:
        with self._change:
            self._done[some.start] = result
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
        # One process a core is asked for: none of them needs threads.
        env=os.environ | {"TOKENIZERS_PARALLELISM": "false", "OPENBLAS_NUM_THREADS": "1"},
        # An interrupt from the terminal is for this process, which then ends the others.
        start_new_session=os.name == "posix",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    for pipe in (process.stdin, process.stdout):
        _widen(pipe)
    return process


def _widen(pipe: IO[bytes] | None) -> None:
    """Ask for a pipe that holds a slice: the fewer pieces, the less waiting for the other side."""
    if pipe is not None and sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # the system's limit for all pipes of a user
            fcntl.fcntl(pipe.fileno(), 1031, _PIPE_BYTES)  # F_SETPIPE_SZ
