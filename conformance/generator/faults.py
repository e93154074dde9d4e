"""What files with a fault are made with: a right file, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from generator.files import File
from generator.valid import file

Edit = Callable[[dict[str, Any]], None]


@dataclass
class Invalid:
    """A file with a fault.

    Attributes:
        name: the fault.
        code: the code that it is refused with.
        notes: the fault in words.
        raw: the file's bytes.
        deferred: whether only full verification finds it.
        kind: the class of implementation that finds it.
        also: codes as right as `code`, where one fault is two in the letter of the table.
    """

    name: str
    code: str
    notes: str
    raw: bytes
    deferred: bool = False
    kind: str = "reader"
    also: tuple[str, ...] = ()


def base(dtype: str = "I8", index: str = "U16", **settings: str) -> File:
    """A right file with every tensor that its dtype may have: V = 4, R = 3, D = 2."""
    return file(
        "base", dtype, 3, 2, rows=(index, [2, 0, 1, 1]), weights=[1.0, 0.5, 2.0, 0.25], **settings
    )


def changed(change: Callable[[bytes], bytes], made: File | None = None) -> bytes:
    """A file whose bytes are changed before its digest is taken."""
    made = made or base()
    made.raw = change
    return made.build()


def edited(edit: Edit, made: File | None = None) -> bytes:
    """A file whose header is changed as an object."""
    made = made or base()
    made.entries = edit
    return made.build()
