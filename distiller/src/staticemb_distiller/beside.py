"""Files that appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give a place to write a file, which gets its own name once the block ends well.

    If the block raises, what was written is removed, and what has the name already stays.

    Args:
        path: The file's own name.

    Yields:
        A new name in the same folder.

    Raises:
        OSError: The file cannot be renamed.

    Example:
        >>> with appearing(Path("notes.txt")) as beside:  # doctest: +SKIP
        ...     beside.write_text("all of it")
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield beside
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what `appearing` left beside a file where the process was killed."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(OSError):
            left.unlink()
