"""The methods of `StaticModel` that show a text's tokens: spellings, vectors, shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from ..encoding.batching import slices
from ..encoding.embedder import token_vectors
from ..encoding.empty_texts import EmptyTexts
from .encoder import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from ..encoding.embedder import Token
    from ..encoding.empty_texts import OnEmpty
    from .encoder import Encoder


class TokenMethods:
    """The methods of `StaticModel` that show a text's tokens."""

    _encoder: Encoder

    @overload
    def encode_tokens(  # type: ignore[overload-overlap]  # a string is an iterable of strings
        self,
        sentences: str,
        *,
        normalize_embeddings: bool = ...,
        truncate_dim: int | None = ...,
        on_empty: OnEmpty | EmptyTexts = ...,
    ) -> NDArray[np.float32]: ...

    @overload
    def encode_tokens(
        self,
        sentences: Iterable[str],
        *,
        normalize_embeddings: bool = ...,
        truncate_dim: int | None = ...,
        on_empty: OnEmpty | EmptyTexts = ...,
    ) -> list[NDArray[np.float32]]: ...

    def encode_tokens(
        self,
        sentences: str | Iterable[str],
        *,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        on_empty: OnEmpty | EmptyTexts = "warn",
    ) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """The vectors of each text's tokens, for late interaction or highlighting.

        Args:
            sentences: one text, or an iterable of texts.
            normalize_embeddings: whether each row gets unit length.
            truncate_dim: the length of the rows; None: what the model was loaded with.
            on_empty: as in `encode`; such a text has no rows.

        Returns:
            For each text (tokens, d) float32, whose rows stand as `tokenize` gives the tokens; a
            list of such arrays for an iterable, one array for one text.

        Raises:
            TypeError, StaticEmbError: as `encode` does.
        """
        empty = EmptyTexts.of(on_empty)
        found = token_vectors(
            self._encoder.embedder,
            sentences,
            prefix=self._encoder.prefix(truncate_dim),
            batch_size=BATCH_SIZE,
            normalize_rows=normalize_embeddings,
            empty=empty,
        )
        if empty.count:
            self._encoder.warn(empty, len(found) if isinstance(found, list) else 1)
        return found

    @overload
    def tokenize(self, sentences: str) -> list[str]: ...  # type: ignore[overload-overlap]

    @overload
    def tokenize(self, sentences: Iterable[str]) -> list[list[str]]: ...

    def tokenize(self, sentences: str | Iterable[str]) -> list[str] | list[list[str]]:
        """The spelling of each text's tokens, without those that the model drops.

        Returns:
            A list of strings for one text, a list of such lists for an iterable.

        Raises:
            TypeError, StaticEmbError: as `encode` does.
        """
        single = isinstance(sentences, str)
        embedder = self._encoder.embedder
        found: list[list[str]] = []
        for some in slices([sentences] if single else sentences, BATCH_SIZE):
            embedder.ids(some)
            found += map(embedder.tokenizer().tokens, some.texts)
        return found[0] if single else found

    def explain(self, text: str) -> list[Token]:
        """What each token of a text brings to its vector.

        Raises:
            TypeError, StaticEmbError: as `encode` does.
        """
        (some,) = slices([text], 1)
        return self._encoder.embedder.explain(some)
