"""A worker process: jobs in on standard input, vectors out on standard output (see workers.py)."""

from __future__ import annotations

import os
import queue
import threading
from typing import IO

from .embedder import Embedder
from .inputs import Slice
from .opening import open_parts
from .protocol import pack_text, receive_job, write_all, write_block
from .request import Request

Job = tuple[Slice, Request] | None


def _read(source: IO[bytes], jobs: queue.Queue[Job]) -> None:
    while (job := receive_job(source)) is not None:
        jobs.put(job)
    jobs.put(None)


def main(path: str, identity: str) -> None:
    """Serve until the input ends.

    Args:
        path: the model's file or folder.
        identity: what its `identity` must be.
    """
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever is printed here must not get among the answers
    try:
        file = open_parts(path)
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
    jobs: queue.Queue[Job] = queue.Queue(maxsize=1)
    threading.Thread(target=_read, args=(source, jobs), daemon=True).start()
    while (job := jobs.get()) is not None:
        try:
            block = embedder.embed(*job)
        except Exception as error:  # noqa: BLE001 - as above
            write_all(answers, pack_text(f"{type(error).__name__}: {error}"))
            continue
        write_block(answers, block)
