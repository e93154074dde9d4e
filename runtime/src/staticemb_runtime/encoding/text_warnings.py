"""Count the empty and the foreign texts of a call, and warn about each kind once per model."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from .empty_texts import EmptyTexts
from .foreign_texts import ForeignTexts

if TYPE_CHECKING:
    from collections.abc import Collection

    from .alphabets import Alphabets
    from .batching import Batch


_READ: Final = 256  # texts in the model's languages, one after the other


class TextWarnings:
    """What a model has warned about; safe to use from several threads.

    Args:
        languages: the languages of the model, as its file names them; "": foreign texts are not
            looked for.
    """

    def __init__(self, languages: str) -> None:
        self.languages = languages
        self._warned_of_empty = self._warned_of_foreign = False
        self._read = 0  # texts since the last one in another language

    def count(
        self, foreign: ForeignTexts, batch: Batch, empty: Collection[int], prompt: str | None
    ) -> None:
        """Count the foreign texts of a slice.

        Common words are looked for until 256 texts that were checked, one after the other, had
        none of another language: the texts of a program are mostly all in one, and for short ones
        the check takes a good part of the time of their vectors.
        """
        by_words = self._read < _READ
        checked, counted = foreign.checked, foreign.count
        foreign.add(batch, empty, self.languages, prompt=prompt, by_words=by_words)
        self._read = self._read + foreign.checked - checked if foreign.count == counted else 0

    def looks(self, on_empty: str | EmptyTexts) -> bool:
        """Tell whether a call looks for foreign texts that no program counts.

        Args:
            on_empty: as in `StaticModel.encode`. It does under `warn`, until the model has warned.
        """
        if self._warned_of_foreign or not self.languages:
            return False
        return (on_empty if isinstance(on_empty, str) else on_empty.on_empty) == "warn"

    def passes(self, text: str, on_empty: str | EmptyTexts) -> bool:
        """Tell whether a text that has tokens, and is not all ASCII, needs no `TextCounts`.

        A query takes ten microseconds; texts in Latin letters pass by a few operations on bytes.
        """
        if not isinstance(on_empty, str) and on_empty.foreign is not None:
            return False
        return (
            not self.looks(on_empty)
            or self._alphabets is None
            or not self._alphabets.is_foreign(text)
        )

    @cached_property
    def _alphabets(self) -> Alphabets | None:
        from .alphabets import alphabets_of  # late: texts in ASCII do without

        return alphabets_of(self.languages)

    def warn(self, empty: EmptyTexts, foreign: ForeignTexts | None, total: int) -> None:
        """Warn about the texts of a call that the program does not count itself."""
        if empty.count and empty.on_empty == "warn" and not self._warned_of_empty:
            self._warned_of_empty = True
            empty.warn(total)
        if foreign is None or foreign is empty.foreign:
            return
        if foreign.count and not self._warned_of_foreign:
            self._warned_of_foreign = True
            foreign.warn()


class TextCounts:
    """The empty and the foreign texts of a call.

    Args:
        warnings: what the model has warned about.
        on_empty: as in `StaticModel.encode`.
        prompt: what is put before each text.

    Raises:
        InvalidOptionError: `on_empty` is unknown.
    """

    def __init__(
        self, warnings: TextWarnings, on_empty: str | EmptyTexts, prompt: str | None
    ) -> None:
        self._warnings = warnings
        self._empty = EmptyTexts.of(on_empty)
        self._foreign = self._empty.foreign
        if self._foreign is None and warnings.looks(self._empty):
            self._foreign = ForeignTexts()
        self._prompt = prompt

    def add(self, batch: Batch, empty: Collection[int]) -> None:
        """Count the texts of a slice.

        Args:
            batch: the slice.
            empty: the indices in it of the texts without a known token.

        Raises:
            EmptyTextError: there is one, and `on_empty` is `raise`.
        """
        languages = self._warnings.languages
        if len(empty):
            self._empty.add(batch, empty, languages)
        if self._foreign is not None:
            self._warnings.count(self._foreign, batch, empty, self._prompt)

    def warn(self, total: int) -> None:
        """Warn at most once per model, if `on_empty` is `warn`; `total` is the number of texts."""
        self._warnings.warn(self._empty, self._foreign, total)
