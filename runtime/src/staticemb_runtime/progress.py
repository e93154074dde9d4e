"""One line on standard error that says how far a long run is."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final

_REFRESH_SECONDS: Final = 0.1


class Progress:
    """A progress line: rewritten in place on a terminal, elsewhere written once, at the end.

    Args:
        total: how many are to come, or None where nobody knows.
        unit: what is counted.
        enabled: False for no output at all.

    Example:
        >>> with Progress(2, unit="texts", enabled=False) as progress:
        ...     progress.advance(2)
    """

    def __init__(self, total: int | None, *, unit: str, enabled: bool = True) -> None:
        self._total = total
        self._unit = unit
        self._enabled = enabled
        self._live = enabled and sys.stderr.isatty()
        self._done = 0
        self._width = 0
        self._start = self._shown = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._enabled:
            self._show("\n")

    def advance(self, count: int) -> None:
        """Say that `count` more are done."""
        self._done += count
        now = time.monotonic()
        if self._live and now - self._shown >= _REFRESH_SECONDS:
            self._shown = now
            self._show("")

    def _show(self, end: str) -> None:
        rate = self._done / max(time.monotonic() - self._start, 1e-9)
        share = ""
        if self._total is not None:
            percent = 100 * self._done // self._total if self._total else 100
            share = f" of {self._total:,} ({percent} %)"
        line = f"{self._done:,}{share} {self._unit}, {rate:,.0f}/s"
        begin = "\r" if self._live else ""
        sys.stderr.write(f"{begin}{line.ljust(self._width)}{end}")
        sys.stderr.flush()
        self._width = len(line)
