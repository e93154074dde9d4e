"""Run a command: handle signals and closed streams, and print an error as one line.

The commands of both wheels use this module. Its imports are fast, so that it can set up the process
before `numpy` and `torch` are imported. Only commands install signal handlers; the library does
not.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, TextIO

from ..errors import StaticEmbError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAILED: Final = 2
INTERRUPTED: Final = 130

# Signals often come twice: users press Ctrl-C again, and a supervisor sends SIGTERM after SIGHUP.
# A signal within this time after the first must not interrupt the removal of temporary files.
_CLEANUP_SECONDS: Final = 2.0


class Stopped(SystemExit):
    """SIGTERM or SIGHUP asked the command to stop; `code` is 128 plus the signal's number."""


def run_command(
    program: str, work: Callable[[], int], *, errors: tuple[type[Exception], ...] = ()
) -> int:
    """Run the work of a command; print an error as one line on standard error.

    Ctrl-C, SIGTERM and SIGHUP raise an exception in `work`, so that its `finally` clauses run. The
    previous signal handlers are restored at the end.

    Args:
        program: the command's name, which begins each message.
        work: does the work and returns the exit status.
        errors: exceptions to report in addition to `StaticEmbError`, `OSError` and `MemoryError`.

    Returns:
        The exit status of `work`; 2 after an error; 130, 143 or 129 after Ctrl-C, SIGTERM or
        SIGHUP; 0 if the reader of standard output closed it early.
    """
    expected: tuple[type[Exception], ...] = (StaticEmbError, OSError, MemoryError, *errors)
    _open_closed_streams()
    with _signals(), _any_character():
        try:
            try:
                status = work()
            finally:
                sys.stdout.flush()  # in `finally`, because `--help` raises SystemExit
        except BrokenPipeError:
            status = 0
        except KeyboardInterrupt:
            status = INTERRUPTED
            _report(program, "interrupted")
        except Stopped as stop:
            status = int(stop.code or 0)
            _report(program, f"stopped by {signal.Signals(status - 128).name}")
        except expected as error:
            status = FAILED
            _report(program, f"error: {_describe(error)}")
        finally:
            _flush_or_discard(sys.stdout)
            _flush_or_discard(sys.stderr)
    return status


def printable(text: str) -> str:
    """Escape characters that a terminal would act on: metadata may be untrusted."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_json(value: object) -> None:
    """Print a value as a line of JSON, in UTF-8 whatever the encoding of standard output."""
    line = json.dumps(value, ensure_ascii=False) + "\n"
    # A lone surrogate, which metadata may hold, becomes an escape sequence of JSON.
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace"))
    if sys.stdout.isatty():
        sys.stdout.buffer.flush()  # a person reads each line at once, as `print` would show it


def given_text(argument: str) -> str:
    """Decode a text from the command line as UTF-8 in any locale.

    In the locale C, Python decodes the bytes of non-ASCII characters as surrogates; this function
    decodes them again. File names need no such step: Python encodes them back to the same bytes.
    """
    if argument.isascii():
        return argument
    with contextlib.suppress(UnicodeError):
        return os.fsencode(argument).decode()
    return argument


def _report(program: str, message: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{program}: {printable(message)}\n")
        sys.stderr.flush()


def _describe(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    message = " ".join(str(error).split())
    if isinstance(error, OSError) and error.filename is None and error.strerror:
        try:
            sys.stdout.flush()
        except OSError:
            return f"standard output: cannot be written: {error.strerror}"
        return message if isinstance(error, StaticEmbError) else error.strerror
    return message


def _flush_or_discard(stream: TextIO) -> None:
    """Flush a stream; if that fails, redirect it to the null device.

    Otherwise Python would fail to flush it again at exit, and print an error.
    """
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            _redirect_to_null(stream.fileno(), os.O_WRONLY)


def _open_closed_streams() -> None:
    """Open each standard stream that is closed (`<&-`), so that no other file gets its number.

    Standard input is opened for writing and standard output for reading, so that their use fails
    with "Bad file descriptor". Standard error is discarded.
    """
    if sys.stdin is None:
        _redirect_to_null(0, os.O_WRONLY)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        _redirect_to_null(1, os.O_RDONLY)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        _redirect_to_null(2, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _redirect_to_null(number: int, flags: int) -> None:
    """Redirect a file descriptor to the null device."""
    null = os.open(os.devnull, flags)
    if null != number:
        os.dup2(null, number)
        os.close(null)


@contextlib.contextmanager
def _any_character() -> Iterator[None]:
    """Make the standard streams escape characters that their encoding, such as cp1252, lacks."""
    streams = [s for s in (sys.stdout, sys.stderr) if isinstance(s, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with contextlib.suppress(OSError):
                stream.reconfigure(errors=errors)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Make SIGINT, SIGTERM and SIGHUP raise an exception, unless the process ignores them."""
    first: float | None = None

    def stop(number: int, frame: object) -> None:
        nonlocal first
        now = time.monotonic()
        if first is not None and now - first < _CLEANUP_SECONDS:
            return
        first = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(128 + number)

    before = {}
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    for number in [getattr(signal, name) for name in names if hasattr(signal, name)]:
        # nohup ignores SIGHUP, and a shell without job control ignores SIGINT in the background.
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            with contextlib.suppress(ValueError):  # only the main thread may set handlers
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
