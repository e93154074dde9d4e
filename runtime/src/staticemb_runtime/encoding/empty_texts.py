"""Texts that have no token of the model, and what a call does about them.

Such a text is empty, blank, or written with words that the tokenizer does not know, such as
Japanese for an English model. Its vector is zero: it is similar to nothing.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Final, Literal, get_args

from ..errors import EmptyTextError, EmptyTextWarning, InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .batching import Slice

OnEmpty = Literal["warn", "zero", "raise"]

ON_EMPTY: Final[tuple[str, ...]] = get_args(OnEmpty)
_PACKAGE: Final = __name__.partition(".")[0]


class EmptyTexts:
    """The empty texts of a call, or of several calls, counted.

    Args:
        on_empty: `raise` makes the first one an error; the others only count.
        keep: whether `indices` is filled.

    Attributes:
        start: the number of the first text of the call; a program that calls for a part of its
            texts at a time moves it.
        count: how many there were.
        blank: how many of them hold nothing but white space.
        first: the number of the first one.
        indices: the numbers of all.

    Raises:
        InvalidOptionError: an unknown `on_empty`.
    """

    def __init__(self, on_empty: str, *, keep: bool = False) -> None:
        if not isinstance(on_empty, str) or on_empty not in ON_EMPTY:
            expected = ", ".join(ON_EMPTY)
            raise InvalidOptionError(f"on_empty: expected one of {expected}, found {on_empty!r}")
        self.on_empty = on_empty
        self.start = self.count = self.blank = 0
        self.first: int | None = None
        self.indices: list[int] = []
        self._keep = keep

    @classmethod
    def of(cls, on_empty: str | EmptyTexts) -> EmptyTexts:
        """The counter of a call with this value of its parameter `on_empty`.

        Raises:
            InvalidOptionError: an unknown `on_empty`.
        """
        return on_empty if isinstance(on_empty, EmptyTexts) else cls(on_empty)

    def add(self, some: Slice, indices: Iterable[int]) -> None:
        """Count texts of a slice.

        Raises:
            EmptyTextError: `on_empty` is `raise`.
        """
        for index in indices:
            blank = not some.texts[index] or some.texts[index].isspace()
            number = self.start + some.start + int(index)
            if self.on_empty == "raise":
                found = "an empty or blank text" if blank else "none"
                raise EmptyTextError(
                    f"text {number}: expected a token that the model knows, found {found}"
                )
            self.count += 1
            self.blank += blank
            if self.first is None:
                self.first = number
            if self._keep:
                self.indices.append(number)

    def describe(self, total: int | None, first: str) -> str:
        """A sentence that says how many there are.

        Args:
            total: how many texts there were altogether; None where nobody knows.
            first: what the first one is called.

        Example:
            >>> empty = EmptyTexts("warn")
            >>> empty.count, empty.blank = 3, 1
            >>> empty.describe(10, "text 4")
            '3 of 10 texts have no token that the model knows (1 of them empty or blank): their \
vectors are zero; the first is text 4'
        """
        of = "" if total is None else f" of {total:,}"
        blank = f" ({self.blank:,} of them empty or blank)" if self.blank else ""
        return (
            f"{self.count:,}{of} texts have no token that the model knows{blank}: "
            f"their vectors are zero; the first is {first}"
        )

    def warn(self, total: int | None) -> None:
        """Warn the caller of the package."""
        depth, frame = 1, sys._getframe(0)
        while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
            depth, frame = depth + 1, frame.f_back
        text = self.describe(total, f"text {self.first}")
        hint = "this warning comes once a model; on_empty= says what to do: 'zero' or 'raise'"
        warnings.warn(f"{text} ({hint})", EmptyTextWarning, stacklevel=depth)
