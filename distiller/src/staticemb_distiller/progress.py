"""How far long work has come: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from tqdm import tqdm  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows each step's progress with its rate and the time left.

    Args:
        stream: Where to; standard error if None.
        quiet: Show no progress.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet

    def note(self, text: str) -> None:
        """Say what is being done, on one line."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Say what the user has to know, even where progress is not shown."""
        self._stream.write(text + "\n")
        self._stream.flush()

    @contextmanager
    def track(self, what: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
        """Follow a step of `total` units.

        Yields:
            A function to call with the number of units done since its last call.
        """
        if self._quiet:
            yield lambda done: None
        elif self._stream.isatty():
            with tqdm(total=total, desc=what, unit=f" {unit}", file=self._stream) as bar:
                yield bar.update
        else:
            yield self._lines(what, total, unit)

    def _lines(self, what: str, total: int, unit: str) -> Callable[[int], object]:
        """The same as lines of text, for a log: one every few seconds, and one at the end."""
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
                        count, total, now - start, ncols=0, prefix=what, unit=f" {unit}"
                    )
                )

        return advance
