"""All files with a fault: each has exactly one, and is named after it (SPEC 13.3)."""

from __future__ import annotations

from collections.abc import Iterator

from generator.faults import Invalid
from generator.invalid_header import entries, framing, spelling
from generator.invalid_metadata import misspelled
from generator.invalid_optional import optional
from generator.invalid_tensors import layout, shapes
from generator.invalid_values import deferred, values


def invalid() -> Iterator[Invalid]:
    """Yield every file with a fault."""
    groups = (framing, spelling, entries, misspelled, layout, shapes, optional, values, deferred)
    for group in groups:
        yield from group()
