"""The messages between a process and its workers, over unbuffered pipes (see workers.py).

A job is a request and texts. The answer begins with a text. If it is empty, the vectors and the
indices of the empty texts follow; otherwise it describes an error. All numbers are 64-bit; both
processes run on one machine.
"""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..encoding.batching import Batch
from ..encoding.embedder import Block
from ..encoding.options import Request


def pack_job(batch: Batch, request: Request) -> bytes:
    """Pack a job.

    Returns:
        Three counts (bytes of the body, bytes of the request, texts) and the body: the request as
        JSON, the sizes of the texts, the texts.
    """
    texts = [text.encode() for text in batch.texts]
    sizes = np.fromiter(map(len, texts), "<i8", len(texts)).tobytes()
    head = json.dumps(request._asdict()).encode()
    body = b"".join([head, sizes, *texts])
    return np.array([len(body), len(head), len(texts)], "<i8").tobytes() + body


def receive_job(pipe: IO[bytes]) -> tuple[Batch, Request] | None:
    """Receive a job from `pack_job`; return None at the end of the input."""
    counts = np.empty(3, "<i8")
    if not read_all(pipe, counts):
        return None
    size, head, n_texts = counts.tolist()
    body = np.empty(size, np.uint8)
    if size and not read_all(pipe, body):
        return None
    content = body.tobytes()
    begin = head + 8 * n_texts
    ends = begin + np.cumsum(np.frombuffer(content[head:begin], "<i8"))
    texts = []
    for end in ends.tolist():
        texts.append(content[begin:end].decode())
        begin = end
    return Batch(0, texts), Request(**json.loads(content[:head]))


def pack_text(text: str) -> bytes:
    """Pack a text after its size; the empty text means success."""
    content = text.encode("utf-8", "replace")
    return np.array([len(content)], "<i8").tobytes() + content


def receive_text(pipe: IO[bytes]) -> str:
    """Receive a text from `pack_text`.

    Raises:
        ConnectionError: the input ends early.
    """
    size = np.empty(1, "<i8")
    if not read_all(pipe, size):
        raise ConnectionError("the end of its output")
    content = np.empty(int(size[0]), np.uint8)
    if content.size and not read_all(pipe, content):
        raise ConnectionError("the end of its output")
    return content.tobytes().decode()


def write_block(pipe: IO[bytes], block: Block) -> None:
    """Write the answer to a job: an empty text, vectors, number and indices of empty texts."""
    write_all(pipe, pack_text(""))
    write_all(pipe, block.vectors)
    write_all(pipe, np.array([len(block.empty), *block.empty], "<i8"))


def receive_block(pipe: IO[bytes], count: int, request: Request) -> Block | str:
    """Receive the answer to a job: a block from `write_block`, or the description of an error.

    Raises:
        ConnectionError: the input ends early.
    """
    problem = receive_text(pipe)
    if problem:
        return problem
    vectors = _receive_array(pipe, (count, request.width), request.dtype)
    (n_empty,) = _receive_array(pipe, (1,), np.dtype("<i8"))
    return Block(vectors, _receive_array(pipe, (n_empty,), np.dtype("<i8")))


def _receive_array(pipe: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    array = np.empty(shape, dtype)
    if array.size and not read_all(pipe, array):
        raise ConnectionError("the end of its output")
    return array


def read_all(pipe: IO[bytes], into: NDArray[Any]) -> bool:
    """Fill an array from an unbuffered pipe; return False if the pipe ends early."""
    view = memoryview(into.data).cast("B")
    done = 0
    while done < len(view):
        count: int = pipe.readinto(view[done:])  # type: ignore[attr-defined]  # pipes are raw files
        if not count:
            return False
        done += count
    return True


def write_all(pipe: IO[bytes], content: bytes | NDArray[Any]) -> None:
    """Write everything to an unbuffered pipe."""
    view = memoryview(content.data if isinstance(content, np.ndarray) else content).cast("B")
    while len(view):
        view = view[pipe.write(view) :]
