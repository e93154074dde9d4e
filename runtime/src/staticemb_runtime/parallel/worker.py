"""A worker process: reads jobs on standard input, writes vectors to standard output.

See workers.py.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import IO, NoReturn

from ..encoding.batching import Batch
from ..encoding.embedder import Embedder
from ..encoding.options import Request
from ..loading.path import open_parts
from .protocol import pack_text, receive_job, write_all, write_block

_SECONDS_BETWEEN_CHECKS = 1.0


def main(path: str, identity: str, mmap: str, parent: str) -> None:
    """Serve until the parent process ends.

    Args:
        path: the model's file or folder.
        identity: the expected `ModelParts.identity`.
        mmap: the empty string to read the file into memory.
        parent: the id of the process that sends jobs.
    """
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # printed text must not get between the answers
    threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()
    try:
        _serve(path, identity, bool(mmap), source, answers)
    except OSError:  # the parent has closed the pipe
        _end()


def _serve(path: str, identity: str, mmap: bool, source: IO[bytes], answers: IO[bytes]) -> None:
    try:
        file = open_parts(path, mmap=mmap)
        problem = ""
        if file.identity != identity:
            problem = f"{path}: it is no longer the one that was loaded"
    except Exception as error:  # noqa: BLE001 - the parent reports it to the user
        problem = f"{type(error).__name__}: {error}"
    write_all(answers, pack_text(problem))
    if problem:
        return
    embedder = Embedder(file)
    # A thread reads the next job during the current one. Otherwise both processes could block on
    # full pipes.
    jobs: queue.Queue[tuple[Batch, Request]] = queue.Queue(maxsize=1)
    threading.Thread(target=_read, args=(source, jobs), daemon=True).start()
    while True:
        job = jobs.get()
        try:
            block = embedder.embed(*job)
        except Exception as error:  # noqa: BLE001 - as above
            write_all(answers, pack_text(f"{type(error).__name__}: {error}"))
            continue
        write_block(answers, block)


def _read(source: IO[bytes], jobs: queue.Queue[tuple[Batch, Request]]) -> None:
    """Queue jobs, and end the process with the input: it ends only if the parent has ended."""
    try:
        while (job := receive_job(source)) is not None:
            jobs.put(job)
    finally:
        _end()


def _watch(parent: int) -> None:
    """End the process after the parent ends, even if a fork of the parent keeps the pipes open."""
    if os.name != "posix":
        return
    # The system's parent id may differ from `parent`: a launcher process may stand between the two.
    # If `parent` has ended, the id is usually 1, the id of init.
    parent_id = os.getppid()
    orphaned = parent_id == 1 != parent
    while not orphaned and os.getppid() == parent_id and _is_alive(parent):
        time.sleep(_SECONDS_BETWEEN_CHECKS)
    _end()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # the process exists, but belongs to another user
        return True
    return True


def _end() -> NoReturn:
    os._exit(0)  # sys.exit would end only the calling thread
