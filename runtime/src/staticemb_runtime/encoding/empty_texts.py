"""Count, warn about or refuse empty texts: texts without a known token.

Such a text is empty or blank, or the tokenizer knows none of its words, as with Japanese for an
English model. Its vector is zero: its similarity to every text is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, get_args

from ..errors import EmptyTextError, EmptyTextWarning, InvalidOptionError
from ..loading.installed import MODEL_PACKAGES
from .caller_warnings import warn_caller

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .batching import Batch
    from .foreign_texts import ForeignTexts

OnEmpty = Literal["warn", "zero", "raise"]

ON_EMPTY: Final[tuple[str, ...]] = get_args(OnEmpty)


def advice(languages: str) -> str:
    """Return what to do about texts of which a model of these languages knows no word, or ""."""
    if languages != "en":
        return ""
    package = MODEL_PACKAGES["multilingual"]
    return f". The model reads English only; {package} reads other languages"


class EmptyTexts:
    """Counter of the empty texts of one or several calls.

    Args:
        on_empty: `raise` raises an error at the first empty text; `warn` and `zero` count.
        keep: whether to fill `indices`.

    Attributes:
        start: the index of the first text of the current call; a program that embeds its texts in
            several calls sets it.
        count: the number of empty texts.
        blank: how many of them are empty or hold white space only.
        first: the index of the first empty text.
        languages: the languages of the model, as its file names them; "" if it does not.
        foreign: counts the texts in languages that the model does not read; a program that says
            itself how many there are sets it.
        indices: the indices of all empty texts.

    Raises:
        InvalidOptionError: `on_empty` is unknown.
    """

    # Attributes of the class: a query makes a counter, and most queries never count.
    start = 0
    count = 0
    blank = 0
    first: int | None = None
    languages = ""
    foreign: ForeignTexts | None = None

    def __init__(self, on_empty: str, *, keep: bool = False) -> None:
        if not isinstance(on_empty, str) or on_empty not in ON_EMPTY:
            expected = ", ".join(ON_EMPTY)
            raise InvalidOptionError(f"on_empty: expected one of {expected}, found {on_empty!r}")
        self.on_empty = on_empty
        self.indices: list[int] = []
        self._keep = keep

    @classmethod
    def of(cls, on_empty: str | EmptyTexts) -> EmptyTexts:
        """Return the counter for a value of a call's parameter `on_empty`.

        Raises:
            InvalidOptionError: `on_empty` is unknown.
        """
        return on_empty if isinstance(on_empty, EmptyTexts) else cls(on_empty)

    def add(self, batch: Batch, indices: Iterable[int], languages: str) -> None:
        """Count the empty texts of a slice, given by their indices in it.

        Args:
            batch: the slice.
            indices: the indices.
            languages: the languages of the model.

        Raises:
            EmptyTextError: `on_empty` is `raise`.
        """
        self.languages = languages
        for index in indices:
            blank = not batch.texts[index] or batch.texts[index].isspace()
            number = self.start + batch.start + int(index)
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
        """Return a message with the number of empty texts.

        Args:
            total: the number of all texts; None: unknown.
            first: the name of the first empty text.

        Example:
            >>> empty = EmptyTexts("warn")
            >>> empty.count, empty.blank = 3, 1
            >>> empty.describe(10, "text 4")
            '3 of 10 texts have no token that the model knows (1 of them empty or blank): their \
vectors are zero; the first is text 4'
        """
        of = "" if total is None else f" of {total:,}"
        blank = f" ({self.blank:,} of them empty or blank)" if self.blank else ""
        more = advice(self.languages) if self.count > self.blank else ""
        return (
            f"{self.count:,}{of} texts have no token that the model knows{blank}: "
            f"their vectors are zero; the first is {first}{more}"
        )

    def warn(self, total: int | None) -> None:
        """Issue a warning at the line that called this package."""
        text = self.describe(total, f"text {self.first}")
        hint = "one warning per model; on_empty='zero' accepts such texts, 'raise' refuses them"
        warn_caller(f"{text} ({hint})", EmptyTextWarning)
