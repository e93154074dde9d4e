"""What every command does around its work: signals, closed streams, one line for an error.

Both wheels' commands use it. It imports nothing that is slow, so that it stands before `numpy` and
`torch` are imported. The library itself installs no signal handler: only a command does.
"""

from __future__ import annotations

import contextlib
import io
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

# A terminal that closes sends SIGHUP and a supervisor SIGTERM after it, and people press Ctrl-C
# twice. What comes this soon after the first must not break off the removal of temporary files.
_CLEANUP_SECONDS: Final = 2.0


class Stopped(SystemExit):
    """SIGTERM or SIGHUP asked the command to stop; `code` is 128 and the signal's number."""


def run_command(
    program: str, work: Callable[[], int], *, errors: tuple[type[Exception], ...] = ()
) -> int:
    """Do the work of a command: what goes wrong is one line on standard error, never a traceback.

    Ctrl-C, SIGTERM and SIGHUP raise an exception in `work`, so that its `finally` clauses run. The
    handlers that were installed before are installed again at the end.

    Args:
        program: the command's name, at the start of each such line.
        work: returns the exit status.
        errors: the exceptions to report beside `StaticEmbError`, `OSError` and `MemoryError`.

    Returns:
        That status; 2 after an error; 130, 143 or 129 after Ctrl-C, SIGTERM or SIGHUP; 0 if the
        reader of standard output closed it early.
    """
    expected: tuple[type[Exception], ...] = (StaticEmbError, OSError, MemoryError, *errors)
    _open_closed_streams()
    with _signals(), _any_character():
        try:
            try:
                status = work()
            finally:
                sys.stdout.flush()  # also after `--help`, which raises SystemExit
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
            _let_go_of(sys.stdout)
            _let_go_of(sys.stderr)
    return status


def printable(text: str) -> str:
    """Replace what a terminal would act on: metadata may come from anyone."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def given_text(argument: str) -> str:
    """A text from the command line, which is UTF-8 whatever the locale is.

    In the locale C, Python takes the bytes of other characters for surrogates; they are put
    together again. File names stay as they are, since the system is asked for them the same way.
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


def _let_go_of(stream: TextIO) -> None:
    """Flush a stream, or lead it nowhere: Python would fail at its exit, and say so, otherwise."""
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            _lead(stream.fileno(), os.O_WRONLY)


def _open_closed_streams() -> None:
    """Open each standard stream that is closed (`<&-`), so that no other file gets its number.

    Reading the input or writing the output then fails with "Bad file descriptor", as the files are
    opened for the opposite. Standard error goes nowhere.
    """
    if sys.stdin is None:
        _lead(0, os.O_WRONLY)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        _lead(1, os.O_RDONLY)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        _lead(2, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _lead(number: int, flags: int) -> None:
    """Make a file descriptor one of the null device."""
    null = os.open(os.devnull, flags)
    if null != number:
        os.dup2(null, number)
        os.close(null)


@contextlib.contextmanager
def _any_character() -> Iterator[None]:
    """Let the standard streams spell what their encoding lacks, say in cp1252."""
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
    """Let SIGINT, SIGTERM and SIGHUP raise an exception; those that are ignored stay ignored."""
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
            with contextlib.suppress(ValueError):  # only the main thread may
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
