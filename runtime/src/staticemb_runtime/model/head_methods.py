"""The methods of `StaticModel` that predict: labels, probabilities and numbers of texts."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, cast, overload

import numpy as np

from ..encoding.batching import size_hint
from ..encoding.empty_texts import EmptyTexts
from ..encoding.options import check_count, check_workers
from ..encoding.progress import Progress
from ..errors import InvalidOptionError
from .encode_methods import slice_size
from .encoder import BATCH_SIZE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from numpy.typing import NDArray

    from ..encoding.empty_texts import OnEmpty
    from ..encoding.options import Request
    from ..format.heads import Head
    from ..heads.explanation import PredictionExplanation
    from ..heads.labels import Labels
    from ..heads.scoring import HeadScorer
    from .encoder import After, Encoder

    Workers = int | Literal["auto"]


class HeadMethods:
    """The methods of `StaticModel` that use the classifiers and regressors of its file.

    A head reads vectors of its own length, pooling and prompt: the model's `truncate_dim` has no
    effect. The bits of a text's scores do not depend on the other texts, `batch_size` or `workers`
    with the OpenBLAS of numpy's wheels.
    """

    _encoder: Encoder

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of the file's classifiers and regressors, in ascending order.

        Example:
            >>> from staticemb_runtime import StaticModel
            >>> StaticModel().heads  # the small English model has none
            ()
        """
        return self._encoder.heads.names

    def head(self, name: str | None = None) -> Head:
        """Return a head: its kind, labels, thresholds and layers.

        Args:
            name: one of `heads`; None: the only one.

        Raises:
            MissingHeadError: the file has no head of this name, several heads and `name` is None,
                or a malformed head.
            FileChangedError: the file was modified after it was loaded (see `load`).
        """
        return self._encoder.heads.scorer(name).head

    @overload
    def classify(  # type: ignore[overload-overlap]  # a string is an iterable of strings
        self,
        texts: str,
        head: str | None = ...,
        *,
        threshold: float | None = ...,
        batch_size: int = ...,
        show_progress_bar: bool = ...,
        on_empty: OnEmpty | EmptyTexts = ...,
        workers: Workers = ...,
    ) -> str | list[str] | None: ...

    @overload
    def classify(
        self,
        texts: Iterable[str],
        head: str | None = ...,
        *,
        threshold: float | None = ...,
        batch_size: int = ...,
        show_progress_bar: bool = ...,
        on_empty: OnEmpty | EmptyTexts = ...,
        workers: Workers = ...,
    ) -> Labels: ...

    def classify(
        self,
        texts: str | Iterable[str],
        head: str | None = None,
        *,
        threshold: float | None = None,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool = False,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: Workers = 1,
    ) -> Labels | str | list[str] | None:
        """Return the labels of texts.

        Args:
            texts: one text, or an ordered iterable of texts, as for `encode`.
            head: the name of a head; None: the file's only head.
            threshold: with a `softmax` head, a text whose best probability is not above it has no
                label: None. With a `sigmoid` head, it replaces the thresholds of the head.
            batch_size: as in `encode`.
            show_progress_bar: as in `encode`.
            on_empty: as in `encode`; a text without a known token has the scores of a zero vector.
            workers: as in `encode`.

        Returns:
            A label for each text; with a `sigmoid` head, which gives several labels, a list of
            labels for each text. For one text: its label, or its list.

        Raises:
            TypeError, StaticEmbError: as `encode`.
            MissingHeadError: as `head`.
            InvalidOptionError: the head gives numbers and no labels; another parameter is invalid.

        Example:
            >>> model = StaticModel.load("tickets.staticemb")  # doctest: +SKIP
            >>> model.classify(["the printer is on fire", "I want my money back"])  # doctest: +SKIP
            ['hardware', 'billing']
        """
        from ..heads.labels import check_threshold, labels_of

        scorer, limit = self._classifier(head), check_threshold(threshold)
        labels: list[Any] = []
        function = scorer.for_labels(limit)
        for scores in self._blocks(
            scorer, function, texts, batch_size, show_progress_bar, on_empty, workers
        ):
            labels += labels_of(scorer.head, scores, limit)
        return labels[0] if isinstance(texts, str) else labels

    def classify_stream(
        self,
        texts: Iterable[str],
        head: str | None = None,
        *,
        threshold: float | None = None,
        batch_size: int = BATCH_SIZE,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: Workers = 1,
    ) -> Iterator[Labels]:
        """Label a stream of texts, of any length, in constant memory.

        Args:
            texts: as for `encode_stream`, which reads no further ahead.
            head: as in `classify`.
            threshold: as in `classify`.
            batch_size: how many texts are read, and how many labels returned, at a time.
            on_empty: as in `encode_stream`.
            workers: as in `encode_stream`.

        Returns:
            An iterator over lists of 1 to `batch_size` labels, as of `classify`, in order.

        Raises:
            TypeError, StaticEmbError: as `classify`. Invalid parameters raise at the call, invalid
                texts when the iterator reaches them.
        """
        from ..heads.labels import check_threshold, labels_of

        scorer, limit = self._classifier(head), check_threshold(threshold)
        function = scorer.for_labels(limit)
        blocks = self._stream(scorer, function, texts, batch_size, on_empty, workers)
        return (labels_of(scorer.head, scores, limit) for scores in blocks)

    def predict_proba(
        self,
        texts: str | Iterable[str],
        head: str | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool = False,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: Workers = 1,
    ) -> NDArray[np.float32]:
        """Return the probability of each label for each text.

        Args:
            texts: as in `classify`.
            head: as in `classify`.
            batch_size: as in `encode`.
            show_progress_bar: as in `encode`.
            on_empty: as in `classify`.
            workers: as in `encode`.

        Returns:
            (n, K) float32, or (K,) for one text; columns in the order of `head(name).labels`. With
            a `softmax` head a row sums to 1 up to rounding.

        Raises:
            TypeError, StaticEmbError: as `classify`.
        """
        scorer = self._classifier(head)
        return self._array(
            scorer, scorer.scores, texts, batch_size, show_progress_bar, on_empty, workers
        )

    def predict_proba_stream(
        self,
        texts: Iterable[str],
        head: str | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: Workers = 1,
    ) -> Iterator[NDArray[np.float32]]:
        """Return the probabilities of a stream of texts, in constant memory.

        Args:
            texts: as for `classify_stream`.
            head: as in `classify`.
            batch_size: as in `classify_stream`.
            on_empty: as in `encode_stream`.
            workers: as in `encode_stream`.

        Returns:
            An iterator over arrays (m, K) of 1 to `batch_size` rows, in the order of the texts.

        Raises:
            TypeError, StaticEmbError: as `classify_stream`.
        """
        scorer = self._classifier(head)
        return self._stream(scorer, scorer.scores, texts, batch_size, on_empty, workers)

    def predict(
        self,
        texts: str | Iterable[str],
        head: str | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool = False,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: Workers = 1,
    ) -> NDArray[np.float32]:
        """Return the numbers that a regressor, a `linear` head, predicts for each text.

        Args:
            texts: as in `classify`.
            head: as in `classify`.
            batch_size: as in `encode`.
            show_progress_bar: as in `encode`.
            on_empty: as in `classify`.
            workers: as in `encode`.

        Returns:
            (n, K) float32, or (K,) for one text; columns in the order of `head(name).labels`, the
            names of the targets.

        Raises:
            TypeError, StaticEmbError: as `classify`.
            InvalidOptionError: the head gives labels.
        """
        scorer = self._regressor(head)
        return self._array(
            scorer, scorer.logits, texts, batch_size, show_progress_bar, on_empty, workers
        )

    def predict_stream(
        self,
        texts: Iterable[str],
        head: str | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: Workers = 1,
    ) -> Iterator[NDArray[np.float32]]:
        """Return the numbers of a regressor for a stream of texts, in constant memory.

        Args:
            texts: as for `classify_stream`.
            head: as in `classify`.
            batch_size: as in `classify_stream`.
            on_empty: as in `encode_stream`.
            workers: as in `encode_stream`.

        Returns:
            An iterator over arrays (m, K) of 1 to `batch_size` rows, in the order of the texts.

        Raises:
            TypeError, StaticEmbError: as `predict` and `classify_stream`.
        """
        scorer = self._regressor(head)
        return self._stream(scorer, scorer.logits, texts, batch_size, on_empty, workers)

    def decision_function(
        self,
        texts: str | Iterable[str],
        head: str | None = None,
        *,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool = False,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: Workers = 1,
    ) -> NDArray[np.float32]:
        """Return the logit of each label for each text, before the head's temperature.

        Args:
            texts: as in `classify`.
            head: as in `classify`.
            batch_size: as in `encode`.
            show_progress_bar: as in `encode`.
            on_empty: as in `classify`.
            workers: as in `encode`.

        Returns:
            (n, K) float32, or (K,) for one text; columns in the order of `head(name).labels`.

        Raises:
            TypeError, StaticEmbError: as `classify`.
        """
        scorer = self._encoder.heads.scorer(head)
        return self._array(
            scorer, scorer.logits, texts, batch_size, show_progress_bar, on_empty, workers
        )

    def explain_prediction(
        self, text: str, head: str | None = None, *, label: str | None = None
    ) -> PredictionExplanation:
        """Return how much each token of a text adds to the logit of a label.

        The shares of the tokens and the bias add up to the logit. A token's share contains its
        weight, its damping and the length that the sum of the tokens is divided by, as they are in
        this text. With a hidden layer, whose outputs below zero count nothing, the shares are those
        of the outputs above zero in this text: they add up as well, but another text may have other
        outputs above zero. A share is no forecast of the logit without the token: without it, the
        length changes, and with damping and a hidden layer the other factors.

        Args:
            text: the text.
            head: as in `classify`.
            label: the label, or the target of a `linear` head; None: the one with the largest
                logit.

        Returns:
            The tokens, their places in the text and their shares.

        Raises:
            TypeError, StaticEmbError: as `classify`.
            InvalidOptionError: the head has no such label.
            MissingPackageError: `tokenizers` is missing; it knows the places.
        """
        from ..heads.explanation import explain

        scorer = self._encoder.heads.scorer(head)
        return explain(self._encoder.embedder, scorer, text, self._head_request(scorer.head), label)

    def _classifier(self, name: str | None) -> HeadScorer:
        scorer = self._encoder.heads.scorer(name)
        if scorer.head.kind == "linear":
            raise InvalidOptionError(
                f"head: expected a classifier, found {scorer.head.name!r}, which gives numbers; "
                "predict() returns them"
            )
        return scorer

    def _regressor(self, name: str | None) -> HeadScorer:
        scorer = self._encoder.heads.scorer(name)
        if scorer.head.kind != "linear":
            raise InvalidOptionError(
                f"head: expected a regressor, found {scorer.head.name!r}, which gives labels; "
                "classify() and predict_proba() return them"
            )
        return scorer

    def _head_request(self, head: Head) -> Request:
        return self._encoder.request(head.dimension, head.normalize, "float32", head.pooling)

    def _array(
        self,
        scorer: HeadScorer,
        function: After,
        texts: str | Iterable[str],
        batch_size: int,
        show_progress_bar: bool,
        on_empty: OnEmpty | EmptyTexts,
        workers: Workers,
    ) -> NDArray[np.float32]:
        """Return the results of `function` for the vectors of texts, (n, K) or (K,)."""
        blocks = self._blocks(
            scorer, function, texts, batch_size, show_progress_bar, on_empty, workers
        )
        if isinstance(texts, str):
            row: NDArray[np.float32] = next(blocks)[0]
            return row
        width, done = len(scorer.head.labels), 0
        results = np.empty((size_hint(texts) or 0, width), np.float32)
        for rows in blocks:
            if done + len(rows) > len(results):
                results.resize((done + len(rows)) * 5 // 4, width, refcheck=False)
            results[done : done + len(rows)] = rows
            done += len(rows)
        results.resize(done, width, refcheck=False)
        return results

    def _blocks(
        self,
        scorer: HeadScorer,
        function: After,
        texts: str | Iterable[str],
        batch_size: int,
        show_progress_bar: bool,
        on_empty: OnEmpty | EmptyTexts,
        workers: Workers,
    ) -> Iterator[NDArray[Any]]:
        """Return the results of `function` for the vectors of one or many texts, in blocks."""
        empty, threads = EmptyTexts.of(on_empty), check_workers(workers)
        size = slice_size(batch_size, threads)
        request, prompt = self._head_request(scorer.head), scorer.head.prompt
        if isinstance(texts, str):
            vector = self._encoder.encode_one(texts, request, prompt=prompt, on_empty=empty)
            return iter((function(vector[None]),))
        stream = self._encoder.stream(
            texts,
            request,
            prompt=prompt,
            batch_size=size,
            empty=empty,
            workers=threads,
            after=function,
        )
        blocks = cast("Generator[NDArray[Any], None, None]", stream)
        return _shown(blocks, Progress(size_hint(texts), unit="texts", enabled=show_progress_bar))

    def _stream(
        self,
        scorer: HeadScorer,
        function: After,
        texts: Iterable[str],
        batch_size: int,
        on_empty: OnEmpty | EmptyTexts,
        workers: Workers,
    ) -> Iterator[NDArray[np.float32]]:
        """Return the results of `function` for the vectors of a stream of texts, in batches."""
        if isinstance(texts, str):
            raise TypeError("texts: expected an iterable of strings, found a string")
        return self._encoder.stream(
            texts,
            self._head_request(scorer.head),
            prompt=scorer.head.prompt,
            batch_size=check_count("batch_size", batch_size),
            empty=EmptyTexts.of(on_empty),
            workers=check_workers(workers),
            after=function,
        )


def _shown(
    blocks: Generator[NDArray[Any], None, None], progress: Progress
) -> Generator[NDArray[Any], None, None]:
    """Iterate over blocks, and show how many rows are done."""
    with closing(blocks), progress:
        for rows in blocks:
            progress.advance(len(rows))
            yield rows
