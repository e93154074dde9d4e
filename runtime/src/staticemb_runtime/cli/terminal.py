"""The output of `encode` at a terminal: short vectors, and a prompt for texts."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from .process import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from ..records.readers import Record
    from ..records.writers import Present

_NUMBERS: Final = 8


class ShortVectors:
    """A `Writer` for a terminal: each text with the first numbers of its vector.

    Args:
        hint: whether to name the flag `--full` at the end.
    """

    def __init__(self, *, hint: bool = True) -> None:
        self._hint = hint
        self._count = 0

    def __enter__(self) -> ShortVectors:
        return self

    def write(self, records: Sequence[Record], vectors: NDArray[Any], present: Present) -> None:
        """Print two lines for each record."""
        number = "{:.4f}" if vectors.dtype.kind == "f" else "{}"
        for at, (record, vector) in enumerate(zip(records, vectors, strict=True)):
            if present is not None and not present[at]:
                sys.stdout.write("(no text)\n  no vector\n")
                continue
            text = next((v for v in record.values() if isinstance(v, str)), "")
            numbers = " ".join(number.format(value) for value in vector[:_NUMBERS].tolist())
            more = " …" if len(vector) > _NUMBERS else ""
            width = os.get_terminal_size(sys.stdout.fileno()).columns or 80
            sys.stdout.write(f"{cut(printable(text), width)}\n")
            sys.stdout.write(f"  {numbers}{more} ({len(vector)} numbers)\n")
        sys.stdout.flush()
        self._count += len(records)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None and self._hint and self._count:
            sys.stderr.write("staticemb: --full prints whole vectors, as JSON lines\n")


def cut(line: str, width: int) -> str:
    """Cut a line to a width; an ellipsis marks the cut."""
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def announce_waiting() -> None:
    """Print that texts are read from the terminal, and how to end the input."""
    end = "Ctrl-Z and Enter end" if os.name == "nt" else "Ctrl-D ends"
    sys.stderr.write(f"staticemb: type texts, one a line; {end} the input\n")
    sys.stderr.flush()
