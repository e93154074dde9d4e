"""Create files with a fault: a valid file, and functions that change it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from generator.files import File
from generator.valid import file

Edit = Callable[[dict[str, Any]], None]


@dataclass
class Invalid:
    """A file with a fault, and its expected refusal.

    Attributes:
        name: the name of the fault.
        code: the code of the refusal.
        notes: the fault in words.
        raw: the file's bytes.
        deferred: whether only full verification finds the fault.
        kind: the conformance class that finds the fault.
        also: other codes, equally correct: the specification's table has several for the fault.
    """

    name: str
    code: str
    notes: str
    raw: bytes
    deferred: bool = False
    kind: str = "reader"
    also: tuple[str, ...] = ()


def base(dtype: str = "I8", index: str = "U16", **settings: str) -> File:
    """Create a valid file with every tensor that its dtype allows: V = 4, R = 3, D = 2."""
    return file(
        "base", dtype, 3, 2, rows=(index, [2, 0, 1, 1]), weights=[1.0, 0.5, 2.0, 0.25], **settings
    )


def changed(change: Callable[[bytes], bytes], made: File | None = None) -> bytes:
    """Change a file's bytes, then insert the digest of the changed bytes."""
    made = made or base()
    made.raw = change
    return made.build()


def edited(edit: Edit, made: File | None = None) -> bytes:
    """Change the object of a file's header, then write the file."""
    made = made or base()
    made.entries = edit
    return made.build()
