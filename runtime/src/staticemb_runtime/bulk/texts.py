"""Embed lists of texts of which some are missing: the step that all of this room shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict

import numpy as np

from ..encoding.caller_warnings import warn_caller
from ..encoding.empty_texts import EmptyTexts
from ..encoding.foreign_texts import ForeignTexts
from ..encoding.options import check_workers, find_prompt
from ..errors import EmptyTextError, EmptyTextWarning, LanguageWarning
from ..model.shared import shared_model
from ..records.places import placed

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from ..encoding.empty_texts import OnEmpty
    from ..encoding.vectors import Precision
    from ..format.metadata import Pooling
    from ..model import StaticModel

BATCH_BYTES: Final = 1 << 25
"""How many bytes of texts and vectors are in memory at a time, unless one row has more."""

_STRING_BYTES: Final = 64  # what a string of Python adds to the bytes of its text


class VectorOptions(TypedDict, total=False):
    """Parameters of `StaticModel.encode`."""

    truncate_dim: int | None
    precision: Precision
    normalize_embeddings: bool | None
    pooling: Pooling | None
    prompt_name: str | None
    prompt: str | None
    on_empty: OnEmpty
    workers: int | Literal["auto"]


class Counts(NamedTuple):
    """How many texts were embedded.

    Attributes:
        rows: the number of rows.
        nulls: how many of them have no text.
        empty: how many have a text without any token that the model knows.
        blank: how many of these are empty or blank.
        first_empty: the place of the first of these, or "".
        languages: the languages of the model, as its file names them, if there are such texts.
        checked: of how many texts the language was checked.
        foreign: how many of these are in a language that the model does not read.
        first_foreign: the place of the first of these, or "".
        language: its language or its alphabet, or "".
    """

    rows: int = 0
    nulls: int = 0
    empty: int = 0
    blank: int = 0
    first_empty: str = ""
    languages: str = ""
    checked: int = 0
    foreign: int = 0
    first_foreign: str = ""
    language: str = ""

    def __add__(self, other: object) -> Counts:
        """Add the counts of later texts."""
        assert isinstance(other, Counts)
        return Counts(
            self.rows + other.rows,
            self.nulls + other.nulls,
            self.empty + other.empty,
            self.blank + other.blank,
            self.first_empty or other.first_empty,
            self.languages or other.languages,
            self.checked + other.checked,
            self.foreign + other.foreign,
            self.first_foreign or other.first_foreign,
            self.language or other.language,
        )

    def describe_empty(self) -> str:
        """Return a sentence on the empty texts; "" if there is none."""
        empty = EmptyTexts("zero")
        empty.count, empty.blank, empty.languages = self.empty, self.blank, self.languages
        return empty.describe(self.rows, self.first_empty) if self.empty else ""

    def describe_foreign(self) -> str:
        """Return a sentence on the texts in other languages; "" if there is none."""
        texts = ForeignTexts()
        texts.checked, texts.count, texts.place = self.checked, self.foreign, self.first_foreign
        texts.language, texts.languages = self.language, self.languages
        return texts.describe() if self.foreign else ""


class TextEmbedder:
    """A model and the parameters of its calls.

    Args:
        model: the model, or its path or name as in `StaticModel.load`.
        options: parameters of `StaticModel.encode`.

    Attributes:
        model: the model.
        width: the number of elements of a vector.
        dtype: the type of the elements.
        workers: the number of threads.
        counts: what was embedded so far; whoever begins a new file sets it to `Counts()`.

    Raises:
        StaticEmbError: as `StaticModel.load`, and `StaticModel.encode` for its parameters.
    """

    def __init__(
        self, model: StaticModel | str | os.PathLike[str] | None, **options: Unpack[VectorOptions]
    ) -> None:
        self.model = shared_model(model)
        self._on_empty = EmptyTexts(options.pop("on_empty", "warn")).on_empty
        prompt, name = options.pop("prompt", None), options.pop("prompt_name", None)
        self._prompt = find_prompt(prompt, name, self.model.metadata.prompts)
        self.workers = check_workers(options.pop("workers", 1))
        self._options = options
        self._announced: set[type[Warning]] = set()
        self.counts = Counts()
        no_vectors = self._encode([], EmptyTexts("zero"))
        self.width: int = no_vectors.shape[1]
        self.dtype: np.dtype[Any] = no_vectors.dtype

    @property
    def row_bytes(self) -> int:
        """The bytes that a row takes besides its text."""
        return self.width * self.dtype.itemsize + _STRING_BYTES

    def embed(
        self, texts: Sequence[str | None], place: Callable[[int], str]
    ) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Embed texts, which may be missing.

        Args:
            texts: n texts; None: missing.
            place: names the text of an index from 0 to n - 1 in messages.

        Returns:
            (n, width) the vectors, and (n,) which are of texts; None: all. The vector of a missing
            text is zero.

        Raises:
            EmptyTextError: a text has no known token, and `on_empty` is `raise`.
            InvalidTextError: as `StaticModel.encode`.
        """
        present: NDArray[np.bool_] | None = None
        given = list(texts)
        nulls = given.count(None)
        if nulls:
            present = np.array([text is not None for text in given], np.bool_)
            given = [text or "" for text in given]
        empty = EmptyTexts("zero", keep=True)
        empty.foreign = foreign = ForeignTexts()
        with placed(place):
            vectors = self._encode(given, empty)
        if present is not None:
            empty.indices = [index for index in empty.indices if present[index]]
            if self._prompt:
                vectors[~present] = 0  # the prompt alone has a vector
            else:
                empty.blank -= nulls
        first = place(empty.indices[0]) if empty.indices else ""
        if first and self._on_empty == "raise":
            raise EmptyTextError(f"{first}: expected a token that the model knows, found none")
        self.counts += Counts(
            len(given),
            nulls,
            len(empty.indices),
            empty.blank,
            first,
            empty.languages or foreign.languages,
            foreign.checked,
            foreign.count,
            place(foreign.first) if foreign.count else "",
            foreign.language,
        )
        if self._on_empty == "warn":
            self._warn(self.counts.describe_empty(), EmptyTextWarning)
            self._warn(self.counts.describe_foreign(), LanguageWarning)
        return vectors, present

    def _warn(self, text: str, category: type[Warning]) -> None:
        """Warn once, at the line that called this package."""
        if text and category not in self._announced:
            self._announced.add(category)
            warn_caller(f"{text} (one warning a model)", category)

    def _encode(self, texts: Sequence[str | None], empty: EmptyTexts) -> NDArray[Any]:
        options: dict[str, Any] = {**self._options, "prompt": self._prompt, "on_empty": empty}
        options["workers"] = self.workers
        vectors: NDArray[Any] = self.model.encode(texts, **options)  # type: ignore[arg-type]
        return vectors
