"""A worker process: jobs in on standard input, vectors out on standard output (see workers.py)."""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import IO, NoReturn

from ..encoding.batching import Slice
from ..encoding.embedder import Embedder
from ..encoding.options import Request
from ..loading.path import open_parts
from .protocol import pack_text, receive_job, write_all, write_block

_SECONDS_BETWEEN_LOOKS = 1.0


def main(path: str, identity: str, mmap: str, parent: str) -> None:
    """Serve until the parent is gone, which happens without a word.

    Args:
        path: the model's file or folder.
        identity: what its `identity` must be.
        mmap: empty to read it into memory.
        parent: the number of the process that sends jobs.
    """
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever is printed here must not get among the answers
    threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()
    try:
        _serve(path, identity, bool(mmap), source, answers)
    except OSError:  # nobody reads the answers
        _end()


def _serve(path: str, identity: str, mmap: bool, source: IO[bytes], answers: IO[bytes]) -> None:
    try:
        file = open_parts(path, mmap=mmap)
        problem = ""
        if file.identity != identity:
            problem = f"{path}: it is no longer the one that was loaded"
    except Exception as error:  # noqa: BLE001 - the other side says it to the user
        problem = f"{type(error).__name__}: {error}"
    write_all(answers, pack_text(problem))
    if problem:
        return
    embedder = Embedder(file)
    # The next job is read while one is in work, so that neither side ever waits for the other
    # with both pipes full.
    jobs: queue.Queue[tuple[Slice, Request]] = queue.Queue(maxsize=1)
    threading.Thread(target=_read, args=(source, jobs), daemon=True).start()
    while True:
        job = jobs.get()
        try:
            block = embedder.embed(*job)
        except Exception as error:  # noqa: BLE001 - as above
            write_all(answers, pack_text(f"{type(error).__name__}: {error}"))
            continue
        write_block(answers, block)


def _read(source: IO[bytes], jobs: queue.Queue[tuple[Slice, Request]]) -> None:
    """Take jobs; the input ends only if the parent has ended."""
    try:
        while (job := receive_job(source)) is not None:
            jobs.put(job)
    finally:
        _end()


def _watch(parent: int) -> None:
    """End with the parent where a fork of it keeps the pipes open."""
    if os.name != "posix":
        return
    # It is another process than the parent where Python was started through one, or where the
    # parent has ended by now: init has taken this process over then.
    first = os.getppid()
    orphaned = first == 1 != parent
    while not orphaned and os.getppid() == first and _is_alive(parent):
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    _end()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and somebody else's
        return True
    return True


def _end() -> NoReturn:
    os._exit(0)  # from whatever thread, and although the others are at work
