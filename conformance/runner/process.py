"""Run an adapter as a process: send messages, receive answers, report failures."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, Any

PROTOCOL = 1
# In bytes. The longest vector fits into it, and a broken adapter cannot fill the memory.
MAX_LINE = 1 << 24


class AdapterError(Exception):
    """The adapter breaks the protocol; `status` is the verdict on the job."""

    status = "garbage"


class CrashedError(AdapterError):
    """The adapter ended with a nonzero exit status or by a signal."""

    status = "crashed"


class EndedEarlyError(AdapterError):
    """The adapter ended with exit status 0, or closed its output, without an answer."""

    status = "ended_early"


class TimedOutError(AdapterError):
    """The adapter did not answer in time."""

    status = "timed_out"


class GarbageError(AdapterError):
    """The answer is malformed, or belongs to another message."""

    status = "garbage"


class Adapter:
    """A running adapter.

    Args:
        command: the program and its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # `kill` may close the stream during the read
            while line := self._process.stdout.readline(MAX_LINE):
                self._lines.put(line)
        self._lines.put(b"")

    def ask(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Send a message and wait for its answer.

        Raises:
            AdapterError: the adapter gives no usable answer.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # the adapter has ended; the missing answer shows it
            self._process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TimedOutError(f"no answer within {timeout:g} s") from None
        if not line:
            raise self._ended()
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            raise GarbageError(f"no JSON: {_shown(line)}") from None
        if not isinstance(reply, dict):
            raise GarbageError(f"no object: {_shown(line)}")
        return reply

    def stop(self, timeout: float) -> None:
        """Send the stop message and wait for the adapter's end.

        Raises:
            AdapterError: the adapter does not end in time, ends with another status than 0, or
                writes a line that no message asked for.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b'{"op": "stop"}\n')
            self._process.stdin.close()
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimedOutError(f"still running {timeout:g} s after stop") from None
        if status:
            raise CrashedError(f"exit status {status} after stop{self._tail()}")
        if line := self._lines.get(timeout=timeout):
            raise GarbageError(f"said more than it was asked: {_shown(line)}")

    def kill(self) -> None:
        """Kill the adapter's process and close its streams."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _ended(self) -> AdapterError:
        try:
            status = self._process.wait(2)
        except subprocess.TimeoutExpired:
            return EndedEarlyError("closed its output")
        if status < 0:
            return CrashedError(f"ended by signal {-status}{self._tail()}")
        if status:
            return CrashedError(f"exit status {status}{self._tail()}")
        return EndedEarlyError("exit status 0 without an answer")

    def _tail(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1][:200]}" if lines else ""


def _shown(line: bytes) -> str:
    return repr(line[:80])[1:]
