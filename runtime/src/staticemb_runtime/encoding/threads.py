"""Embed the slices of a call in several threads, with results in order.

Threads gain time because numpy releases the global interpreter lock in its large operations. They
share the model: one table, one word cache. The design and its reasons:

- The calling thread reads the source, embeds slices as the other threads do, and yields all
  results. So N workers are N - 1 threads more, and no result waits for a thread to start.
- A thread takes slices until none waits, and then ends. So no thread outlives its call by more than
  a slice, a stream that nobody reads holds no threads, a program may end at any time, and the model
  has nothing to close. Threads that stay would save a tenth of a millisecond a call; embedding a
  slice takes milliseconds.
- A result or an error is passed on in its turn: the results before an error are yielded first, and
  of several errors the first one is raised, as without threads.
- Threads share a deque, whose operations are atomic, and a plain lock for each slice. If Ctrl-C
  interrupts `threading.Condition` or `threading.Event`, their inner lock may remain acquired; then
  other threads would wait forever.
- Threads are no daemons. Python joins them at its exit, instead of ending them in the middle of
  native code.
"""

from __future__ import annotations

import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from .batching import Batch
    from .embedder import Block

_AHEAD: Final = 4  # slices for each worker that have been read, but not yielded
_JOIN_SECONDS: Final = 10.0
# The calling thread waits no longer at a time: Ctrl-C on Windows does not interrupt a wait, and
# after a fork the thread that is waited for may not exist in this process.
_WAIT_SECONDS: Final = 0.1


def embed_slices(
    embed: Callable[[Batch], Block], source: Iterator[Batch], workers: int
) -> Generator[tuple[Batch, Block], None, None]:
    """Embed slices in the calling thread and up to `workers` - 1 others.

    Args:
        embed: embeds a slice; called from several threads.
        source: the slices; only the calling thread reads them, at most 4 · `workers` ahead.
        workers: the maximum number of threads, including the calling one; fewer slices need fewer,
            and a system that refuses to start threads gets none.

    Yields:
        Each slice and its vectors, in order.

    Raises:
        Exception: what `embed` or the source raises, after the results of the slices before.

    Example:
        >>> import numpy as np
        >>> from .batching import slices
        >>> from .embedder import Block
        >>> def embed(batch):
        ...     lengths = np.array([[len(text)] for text in batch.texts], np.float32)
        ...     return Block(lengths, np.flatnonzero(lengths == 0))
        >>> blocks = embed_slices(embed, slices(["a", "", "bcd"], 2), workers=2)
        >>> [(batch.texts, block.vectors.tolist()) for batch, block in blocks]
        [(['a', ''], [[1.0], [0.0]]), (['bcd'], [[3.0]])]
    """
    waiting: deque[_Task] = deque()  # not begun
    pending: deque[_Task] = deque()  # not yielded
    threads: list[threading.Thread] = []
    failure: Exception | None = None
    more = True
    try:
        while True:
            while more and len(pending) < _AHEAD * workers:
                try:
                    batch = next(source, None)
                except Exception as error:  # noqa: BLE001 - raised below, in its turn
                    failure, batch = error, None
                if batch is None:
                    more = False
                    break
                pending.append(_Task(batch))
                waiting.append(pending[-1])
                _start_thread(threads, workers - 1, waiting, embed)
            if not pending:
                break
            first = pending[0]
            while not first.finished:
                _advance(first, threads, waiting, embed)
            pending.popleft()
            yield first.batch, first.take()
        if failure is not None:
            raise failure
    finally:
        waiting.clear()
        for thread in threads:
            # The garbage collector may close this generator in any thread: in one of these, or in
            # one that holds a lock which these wait for. They end in any case.
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)


class _Task:
    """A slice, and later its vectors or an error."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.finished = False
        self._block: Block | None = None
        self._error: BaseException | None = None
        self._unfinished = threading.Lock()
        self._unfinished.acquire()

    def run(
        self, embed: Callable[[Batch], Block], deferred: type[BaseException] = BaseException
    ) -> None:
        """Embed the slice; an error of the class `deferred` is raised later, by `take`."""
        try:
            self._block = embed(self.batch)
        except deferred as error:
            self._error = error
        self.finished = True
        self._unfinished.release()

    def wait(self) -> None:
        """Wait until another thread has embedded the slice, but at most `_WAIT_SECONDS`."""
        self._unfinished.acquire(timeout=_WAIT_SECONDS)

    def take(self) -> Block:
        """Return the vectors of a finished slice, or raise its error."""
        error, self._error = self._error, None  # its traceback refers to this object
        if error is not None:
            raise error
        assert self._block is not None
        return self._block


def _start_thread(
    threads: list[threading.Thread],
    most: int,
    waiting: deque[_Task],
    embed: Callable[[Batch], Block],
) -> None:
    """Start a thread if more than one slice waits and fewer than `most` threads are at work."""
    threads[:] = [thread for thread in threads if thread.is_alive()]
    if len(waiting) < 2 or len(threads) >= most:
        return
    # In a copy of the caller's context, as numpy's error handling (`np.errstate`) is a part of it.
    run = copy_context().run
    thread = threading.Thread(target=run, args=(_work, waiting, embed), daemon=False)
    try:
        thread.start()
    except RuntimeError:  # no threads on this system, too many, or the interpreter is ending
        return
    threads.append(thread)


def _work(waiting: deque[_Task], embed: Callable[[Batch], Block]) -> None:
    """Embed slices until none waits."""
    while (task := _next_task(waiting)) is not None:
        task.run(embed)


def _advance(
    first: _Task,
    threads: list[threading.Thread],
    waiting: deque[_Task],
    embed: Callable[[Batch], Block],
) -> None:
    """Embed a slice in the calling thread; if none waits, wait for the first result for a while."""
    task = _next_task(waiting)
    if task is not None:
        task.run(embed, Exception)  # Ctrl-C is not deferred
    elif any(thread.is_alive() for thread in threads):
        first.wait()
    elif not first.finished:
        # This process is a fork: the thread that had begun the slice is not in it.
        first.run(embed, Exception)


def _next_task(waiting: deque[_Task]) -> _Task | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None
