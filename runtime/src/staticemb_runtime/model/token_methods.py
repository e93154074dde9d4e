"""The methods of `StaticModel` that show a text's tokens: strings, vectors, weights, parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from ..encoding.batching import slices
from ..encoding.embedder import token_vectors
from ..encoding.options import find_prompt
from ..encoding.text_warnings import TextCounts
from .encoder import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from ..encoding.contributions import Contributions
    from ..encoding.embedder import Token
    from ..encoding.empty_texts import EmptyTexts, OnEmpty
    from ..format.metadata import Metadata, Pooling
    from .encoder import Encoder


class TokenMethods:
    """The methods of `StaticModel` that show a text's tokens."""

    metadata: Metadata
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
        """Return the vectors of each text's tokens, for late interaction or highlighting.

        Args:
            sentences: one text, or an iterable of texts.
            normalize_embeddings: whether each row gets unit length.
            truncate_dim: the length of the rows; None: `dim`.
            on_empty: as in `encode`; an empty text has no rows.

        Returns:
            (tokens, d) float32 for one text, a list of such arrays for an iterable. The rows are in
            the order of the tokens of `tokenize`.

        Raises:
            TypeError, StaticEmbError: as `encode`.
        """
        counts = TextCounts(self._encoder.warnings, on_empty, None)
        vectors = token_vectors(
            self._encoder.embedder,
            sentences,
            prefix=self._encoder.prefix(truncate_dim),
            batch_size=BATCH_SIZE,
            normalize_rows=normalize_embeddings,
            counts=counts,
        )
        counts.warn(len(vectors) if isinstance(vectors, list) else 1)
        return vectors

    @overload
    def tokenize(self, sentences: str) -> list[str]: ...  # type: ignore[overload-overlap]

    @overload
    def tokenize(self, sentences: Iterable[str]) -> list[list[str]]: ...

    def tokenize(self, sentences: str | Iterable[str]) -> list[str] | list[list[str]]:
        """Return each text's tokens as strings, without the unknown tokens that the model drops.

        Returns:
            A list of strings for one text, a list of such lists for an iterable.

        Raises:
            TypeError, StaticEmbError: as `encode`.
        """
        single = isinstance(sentences, str)
        embedder = self._encoder.embedder
        tokens: list[list[str]] = []
        for batch in slices([sentences] if single else sentences, BATCH_SIZE):
            embedder.ids(batch)
            tokens += map(embedder.tokenizer().tokens, batch.texts)
        return tokens[0] if single else tokens

    def explain(self, text: str) -> list[Token]:
        """Return each token of a text with its row, weight and norm.

        Raises:
            TypeError, StaticEmbError: as `encode`.
        """
        (batch,) = slices([text], 1)
        return self._encoder.embedder.explain(batch)

    def contributions(
        self,
        text: str,
        prompt_name: str | None = None,
        prompt: str | None = None,
        *,
        truncate_dim: int | None = None,
        pooling: Pooling | None = None,
    ) -> Contributions:
        """Return how much each token of a text adds to the text's vector of unit length.

        Args:
            text: the text.
            prompt_name: as in `encode`.
            prompt: as in `encode`.
            truncate_dim: as in `encode`.
            pooling: as in `encode`.

        Returns:
            Tokens, their places in the text, and their parts of the vector. The parts are computed
            in float64; their sum is the vector of `encode` up to the rounding of float32.

        Raises:
            TypeError, StaticEmbError: as `encode`.
            MissingPackageError: `tokenizers` is missing; it knows the places.

        Example:
            >>> from staticemb_runtime import StaticModel
            >>> model = StaticModel()
            >>> parts = model.contributions("a red apple")
            >>> parts.pieces, parts.spans
            (['a', 'red', 'apple'], [(0, 1), (2, 5), (6, 11)])
            >>> vector = parts.vectors[parts.tokens].sum(axis=0)
            >>> bool(abs(vector - model.encode("a red apple")).max() < 1e-6)
            True
        """
        from ..encoding.contributions import contributions  # late: few programs need it

        request = self._encoder.request(truncate_dim, True, "float32", pooling)
        chosen_prompt = find_prompt(prompt, prompt_name, self.metadata.prompts)
        return contributions(self._encoder.embedder, text, request, prompt=chosen_prompt)
