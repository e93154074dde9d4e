"""A thread that writes one batch while the next one is made: SQLite lets other threads run."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from .hits import Added


class WriteBehind:
    """Runs one write at a time in a thread; at the end of the block none is running.

    Example:
        >>> with WriteBehind() as behind:
        ...     behind.start(lambda: (1, 0, 0), {"a"})
        ...     behind.finish()
        (1, 0, 0)
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._written: Future[Added] | None = None
        self.ids: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True)

    @property
    def is_writing(self) -> bool:
        """Whether a write was started, and not finished by `finish`."""
        return self._written is not None

    def start(self, write: Callable[[], Added], ids: set[str]) -> None:
        """Start a write.

        Args:
            write: writes a batch and returns how many documents were added.
            ids: the ids of its documents.
        """
        assert self._written is None
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="staticemb-index")
        self.ids = ids
        self._written = self._thread.submit(write)

    def finish(self) -> Added | None:
        """Wait for the write; return its result, or None without a write.

        Raises:
            Exception: the write's.
        """
        if self._written is None:
            return None
        written, self._written, self.ids = self._written, None, set()
        return written.result()
