"""A progress line on standard error."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from types import TracebackType
from typing import IO, Final

_REFRESH_SECONDS: Final = 0.1
_LOG_SECONDS: Final = 30.0  # between lines of a log


class InputPosition:
    """How much of an input file has been read."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._size = 0

    def follow(self, file: IO[bytes]) -> None:
        """Follow this file from now on. The position in a pipe is unknown."""
        with contextlib.suppress(OSError, ValueError):
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                self._file, self._size = file, status.st_size

    def sizes(self) -> tuple[int, int] | None:
        """Return how many bytes have been read, and of how many; None: unknown."""
        if self._file is None or self._size == 0:
            return None
        try:
            return min(self._file.tell(), self._size), self._size
        except (OSError, ValueError):  # the file is closed at the end
            return None

    def share(self) -> float | None:
        """Return the fraction that has been read, from 0 to 1; None: unknown."""
        sizes = self.sizes()
        return None if sizes is None else sizes[0] / sizes[1]


class Progress:
    """A progress line: rewritten in place on a terminal, otherwise written every 30 seconds.

    Args:
        total: the expected number of items; None: unknown.
        unit: the name of the items.
        enabled: False for no output.
        position: how much of the input has been read, used if `total` is None.

    Example:
        >>> with Progress(2, unit="texts", enabled=False) as progress:
        ...     progress.advance(2)
    """

    def __init__(
        self,
        total: int | None,
        *,
        unit: str,
        enabled: bool = True,
        position: InputPosition | None = None,
    ) -> None:
        self._total = total
        self._unit = unit
        self._enabled = enabled
        self._position = position
        self._live = enabled and sys.stderr.isatty()
        self._done = 0
        self._width = 0
        self._start = time.monotonic()
        self._seconds = _REFRESH_SECONDS if self._live else _LOG_SECONDS
        self._shown = -_REFRESH_SECONDS if self._live else self._start

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._enabled:
            self._show("\n", last=True)

    @property
    def done(self) -> int:
        """The number of items that are done."""
        return self._done

    def advance(self, count: int) -> None:
        """Add `count` items to those that are done."""
        self._done += count
        now = time.monotonic()
        if self._enabled and now - self._shown >= self._seconds:
            self._shown = now
            self._show("" if self._live else "\n")

    def announce(self, line: str) -> None:
        """Write a line of its own above the progress line, which the next step shows again."""
        if self._live:
            line = f"\r{line.ljust(min(self._width, _columns() - 1))}"
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        self._shown = -self._seconds if self._live else self._shown

    def _share(self) -> float | None:
        if self._total is not None:
            return self._done / self._total if self._total else 1.0
        return None if self._position is None else self._position.share()

    def _show(self, end: str, *, last: bool = False) -> None:
        seconds = max(time.monotonic() - self._start, 1e-9)
        share = self._share()
        of = "" if self._total is None else f" of {self._total:,}"
        percent = "" if share is None else f" ({int(100 * share)} %)"
        sizes = None if self._position is None else self._position.sizes()
        read = "" if sizes is None else f", {_bytes(*sizes)}"
        line = f"{self._done:,}{of}{percent} {self._unit}{read}, {self._done / seconds:,.0f}/s"
        if share and not last:
            line += f", {_clock(seconds * (1 - share) / share)} left"
        if self._live:
            # A line of the terminal's full width would make it scroll.
            width = _columns() - 1
            line, self._width = line[:width].ljust(min(self._width, width)), len(line)
            line = f"\r{line}"
        with contextlib.suppress(OSError):  # the work goes on without a progress line
            sys.stderr.write(f"{line}{end}")
            sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _bytes(read: int, total: int) -> str:
    """Return numbers of bytes in the unit of the larger one, as in `1.2 of 8.4 GB`."""
    unit, factor = next(
        (unit, factor)
        for unit, factor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("bytes", 1))
        if total >= factor or factor == 1
    )
    digits = 0 if factor == 1 or total >= 100 * factor else 1
    return f"{read / factor:,.{digits}f} of {total / factor:,.{digits}f} {unit}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
