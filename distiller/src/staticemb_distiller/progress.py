"""Progress of long work: a bar on a terminal, or else a line every few seconds."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm  # type: ignore[import-untyped]

from staticemb_runtime.cli import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_TICKS = 1.0


class Progress:
    """Progress display of each step, with its rate and the remaining time.

    On a terminal the last line is a bar, or the elapsed time since the last note. A thread updates
    the line until `close`; notes go above it. Errors of writing to the stream are ignored.

    Args:
        stream: The output stream; None: standard error.
        quiet: Whether to show nothing but warnings.
        spell: A function that rewrites each note; commands use it to replace knobs by flags.

    Example:
        >>> with Progress(quiet=True) as progress:
        ...     progress.note("Reading")
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        spell: Callable[[str], str] = str,
    ) -> None:
        self._spell = spell
        self._stream = _Stream(sys.stderr if stream is None else stream)
        self._quiet = quiet
        self._live = not quiet and self._stream.isatty()
        self._bar: Any = None
        self._detail = ""
        self._status = ""
        self._since = 0.0
        self._drawn = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._ticker: threading.Thread | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the display, and leave the cursor at the start of an empty line."""
        self._ended.set()
        with self._lock:
            self._end_step()

    def note(self, text: str) -> None:
        """Write a line about the current step."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Write a line that the user must see, even if `quiet` is set."""
        with self._lock:
            if self._bar is not None:
                self._bar.clear()
            else:
                self._end_step()
            self._stream.write(self._wrapped(printable(self._spell(text))) + "\n")
            self._stream.flush()
            if self._bar is not None:
                self._bar.refresh()
            else:
                self._begin_status("")

    def _wrapped(self, line: str) -> str:
        """Break a line at words on a terminal, which would break it anywhere."""
        columns = shutil.get_terminal_size().columns
        if len(line) <= columns or not self._stream.isatty():
            return line
        return textwrap.fill(line, columns, break_on_hyphens=False)

    def status(self, text: str) -> None:
        """Show a text until the next step; only on a terminal."""
        if self._live:
            with self._lock:
                self._end_step()
                self._begin_status(printable(text))
                if text:
                    self._draw()

    def detail(self, text: str) -> None:
        """Show a text after the rate of the step that `track` shows, such as a second count."""
        with self._lock:
            self._detail = text
            if self._bar is not None:
                self._bar.set_postfix_str(text, refresh=False)

    @contextmanager
    def track(self, step: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
        """Show the progress of a step of `total` units; the previous step ends.

        Yields:
            A function to call with the number of units done since its last call.
        """
        if self._quiet:
            yield lambda done: None
        elif self._live:
            with self._lock:
                self._end_step()
                bar = self._bar = tqdm(
                    total=total,
                    desc=step,
                    unit=f" {unit}",
                    file=self._stream,
                    dynamic_ncols=True,
                )
                self._start_ticker()

            def advance(done: int) -> None:
                with self._lock:
                    if self._bar is bar:
                        bar.update(done)
                        if bar.n >= total:
                            self._end_step()

            try:
                yield advance
            finally:
                with self._lock:
                    if self._bar is bar:
                        self._end_step()
        else:
            yield self._lines(step, total, unit)

    def _lines(self, label: str, total: int, unit: str) -> Callable[[int], object]:
        """Write progress as lines, for a log: every few seconds and at the end."""
        start = last = time.monotonic()
        count = 0

        def advance(done: int) -> None:
            nonlocal count, last
            count += done
            now = time.monotonic()
            if count >= total or now - last >= _SECONDS_BETWEEN_LINES:
                last = now
                self.note(
                    tqdm.format_meter(
                        count,
                        total,
                        now - start,
                        ncols=0,
                        prefix=label,
                        unit=f" {unit}",
                        postfix=self._detail or None,
                    )
                )

        return advance

    def _end_step(self) -> None:
        """Close the bar and keep its line, or erase the status line."""
        self._detail = ""
        if self._bar is not None:
            bar, self._bar = self._bar, None
            bar.close()
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = False

    def _begin_status(self, text: str) -> None:
        if self._live:
            self._status, self._since = text, time.monotonic()
            self._start_ticker()

    def _draw(self) -> None:
        clock = tqdm.format_interval(time.monotonic() - self._since)
        line = f"{self._status} [{clock}]" if self._status else f"  [{clock}]"
        columns = shutil.get_terminal_size().columns
        # Return to the line's start, so that another library's log line replaces the status.
        self._stream.write(f"\r\x1b[K{line[: columns - 1]}\r")
        self._stream.flush()
        self._drawn = True

    def _start_ticker(self) -> None:
        if self._ticker is None and not self._ended.is_set():
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def _tick(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_TICKS):
            with self._lock:
                if self._ended.is_set():
                    return
                if self._bar is not None:
                    self._bar.refresh()
                else:
                    self._draw()


class BlockProgress:
    """Progress of blocks: counts units within a block, and the rest of the block at its end.

    Args:
        advance: The function that `Progress.track` yields.
    """

    def __init__(self, advance: Callable[[int], object]) -> None:
        self._advance = advance
        self._counted = 0

    def within(self, done: int) -> None:
        """Count units within the current block."""
        self._counted += done
        self._advance(done)

    def block(self, done: int) -> None:
        """End a block of `done` units; units that `within` counted are not counted again."""
        done, self._counted = done - self._counted, 0
        if done:
            self._advance(done)


class _Stream:
    """A stream that ignores errors of writing, for example after its terminal is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()
