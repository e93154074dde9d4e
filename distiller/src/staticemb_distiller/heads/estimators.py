"""Static models as scikit-learn estimators: a transformer, a classifier and a regressor of texts.

They can be cloned, put into pipelines and searched over. X is a sequence of strings.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from staticemb_runtime import StaticModel

from ..progress import Progress
from .examples import digest
from .fitting import fit_frozen
from .linear import Linear, outputs
from .targets import Targets
from .text_store import TextStore

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..file.head import Head, HeadPrecision
    from .class_weights import ClassWeight
    from .features import Pooling

TextInput = Any
"""(N,) strings: a list, an array, or a column of pandas."""


class _TextEstimator(BaseEstimator):  # type: ignore[misc]
    """What the estimators share: the model by its name, and the check of texts."""

    model: str | os.PathLike[str] | None

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's own type
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags

    def _opened(self) -> StaticModel:
        """Open the model; it is kept, but neither cloned nor pickled."""
        opened: StaticModel | None = self.__dict__.get("_open_model")
        if opened is None or self.__dict__.get("_open_name") != self.model:
            opened = StaticModel.load(self.model)
            self._open_model, self._open_name = opened, self.model
        return opened

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        for name in ("_open_model", "_open_name"):
            state.pop(name, None)
        return state


def check_texts(texts: TextInput) -> list[str]:
    """Return texts as a list of strings.

    Raises:
        ValueError: It is a single string, has more than one dimension, or holds anything but
            strings; as scikit-learn raises it.
    """
    if isinstance(texts, (str, bytes)):
        raise ValueError(  # noqa: TRY004 - as scikit-learn
            "X: expected a sequence of strings, found a single string"
        )
    array = np.asarray(texts, dtype=object) if not hasattr(texts, "dtype") else np.asarray(texts)
    if array.ndim != 1:
        raise ValueError(f"X: expected strings in one dimension, found the shape {array.shape}")
    for at, text in enumerate(array.tolist()):
        if not isinstance(text, str):
            raise ValueError(  # noqa: TRY004
                f"X[{at}]: expected a string, found {type(text).__name__} {text!a:.40}"
            )
    return list(map(str, array.tolist()))


class StaticEmbedder(TransformerMixin, _TextEstimator):  # type: ignore[misc]
    """A transformer from texts to the vectors of a static model.

    Args:
        model: A static embedding file, a folder of model2vec or sentence-transformers, or an
            installed model's name; None: the small English model of the runtime.
        truncate_dim: The length of vectors; None: all dimensions.
        normalize: Whether vectors have unit length.
        pooling: "mean" or "damped_mean"; None: as the file says.

    >>> from staticemb_distiller import StaticEmbedder
    >>> StaticEmbedder(truncate_dim=64).fit_transform(["hello", "world"]).shape
    (2, 64)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        truncate_dim: int | None = None,
        normalize: bool = True,
        pooling: Pooling | None = None,
    ) -> None:
        self.model = model
        self.truncate_dim = truncate_dim
        self.normalize = normalize
        self.pooling = pooling

    def fit(self, X: TextInput, y: object = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Open the model; texts are checked, but nothing is learned from them."""
        check_texts(X)
        self.n_features_out_ = self.truncate_dim or self._opened().dim
        return self

    def transform(self, X: TextInput) -> NDArray[np.float32]:  # noqa: N803
        """Return the vectors (N, D) float32 of N texts; a text without a known token has zeros."""
        return self._opened().encode(
            check_texts(X),
            truncate_dim=self.truncate_dim,
            normalize_embeddings=self.normalize,
            pooling=self.pooling,
            on_empty="zero",
        )

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the names of the dimensions."""
        width = self.truncate_dim or self._opened().dim
        return np.array([f"dimension{at}" for at in range(width)], dtype=object)

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags


class _HeadEstimator(_TextEstimator):
    """What classifier and regressor share."""

    strength: float | None
    pooling: Pooling | None
    random_state: int

    def _fit(
        self, texts: list[str], targets: Targets, weights: object, class_weight: ClassWeight
    ) -> None:
        chosen = None
        if weights is not None:
            chosen = check_array(
                weights, dtype=np.float32, ensure_2d=False, input_name="sample_weight"
            )
            check_consistent_length(texts, chosen)
            if chosen.ndim != 1 or (chosen < 0).any():
                raise ValueError("sample_weight: expected a number from 0 for each text")
        with tempfile.TemporaryDirectory(prefix="staticemb-") as temporary:
            store = TextStore(Path(temporary) / "texts")
            try:
                for text in texts:
                    store.add(text)
                store.finish()
                digests = np.fromiter(map(digest, texts), np.uint64, len(texts))
                fitted = fit_frozen(
                    self._opened(),
                    store,
                    targets,
                    digests,
                    Path(temporary),
                    Progress(quiet=True),
                    text_weights=chosen,
                    class_weight=class_weight,
                    strength=self.strength,
                    pooling=self.pooling,
                    seed=self.random_state,
                )
            finally:
                store.close()
        self.pooling_ = fitted.choice.pooling
        self.strength_ = fitted.choice.strength
        self.coef_, self.intercept_ = fitted.layer
        self.temperature_ = fitted.predictions.temperature
        self._head: Head = fitted.head("default", targets, self._opened())

    def _outputs(self, texts: TextInput) -> NDArray[np.float32]:
        """Return the outputs (N, K) of the layer."""
        check_is_fitted(self, "coef_")
        vectors = self._opened().encode(
            check_texts(texts), normalize_embeddings=True, pooling=self.pooling_, on_empty="zero"
        )
        return outputs(Linear(self.coef_, self.intercept_), vectors)

    def save(
        self,
        output: str | os.PathLike[str],
        *,
        name: str = "default",
        precision: HeadPrecision = "float32",
    ) -> None:
        """Write the model with this head to a static embedding file, which the runtime alone reads.

        Args:
            output: The file to write.
            name: The head's name in the file.
            precision: The number format of the head's weights.

        Raises:
            DistillerError: The model is a folder, or the file cannot be written.
        """
        from ..file.added_heads import with_heads
        from .fit_head import model_file

        check_is_fitted(self, "coef_")
        with_heads(
            model_file(self.model or "minilm-en-small"),
            [self._head._replace(name=name)],
            output,
            precision=precision,
            replace=True,
        )


class StaticClassifier(ClassifierMixin, _HeadEstimator):  # type: ignore[misc]
    """A classifier of texts on the frozen vectors of a static model, as `fit_head` fits it.

    Args:
        model: A static embedding file, or an installed model's name; None: the small English model
            of the runtime.
        strength: C, the inverse of the regularization; None: chosen by cross-validation in `fit`.
        pooling: "mean" or "damped_mean"; None: chosen by cross-validation in `fit`.
        class_weight: How many times the texts of a label count: "balanced", or a weight by label.
        random_state: The seed of the folds.

    Attributes:
        classes_: (K,) the labels.
        coef_: (K, D) float32.
        intercept_: (K,) float32.
        temperature_: What decisions are divided by to become probabilities.
        strength_: The chosen C.
        pooling_: The chosen pooling.

    >>> from staticemb_distiller import StaticClassifier
    >>> texts = ["good film", "great film", "bad film", "poor film"]
    >>> StaticClassifier().fit(texts, [1, 1, 0, 0]).predict(["an excellent film"])
    array([1])
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        strength: float | None = None,
        pooling: Pooling | None = None,
        class_weight: Literal["balanced"] | dict[Any, float] | None = None,
        random_state: int = 0,
    ) -> None:
        self.model = model
        self.strength = strength
        self.pooling = pooling
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: TextInput, y: Any, sample_weight: object = None) -> Self:  # noqa: ANN401, N803
        """Fit to N texts and their labels (N,), or a matrix (N, K) of 0 and 1."""
        texts = check_texts(X)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(f"Unknown label type: {kind}; expected labels")
        labels = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
        check_consistent_length(texts, labels)
        several = kind == "multilabel-indicator"
        if several:
            from scipy.sparse import csr_matrix

            self.classes_ = np.arange(labels.shape[1])
            values: Any = csr_matrix(labels.astype(np.uint8))
        else:
            self.classes_, codes = np.unique(column_or_1d(labels, warn=True), return_inverse=True)
            if len(self.classes_) < 2:
                raise ValueError(f"y: expected at least two classes, found 1 class: {labels[0]!r}")
            values = codes.astype(np.int32)
        names = tuple(map(str, self.classes_.tolist()))
        given = self.class_weight
        if isinstance(given, dict):
            given = {str(label): weight for label, weight in given.items()}
        self._several = several
        targets = Targets("sigmoid" if several else "softmax", names, values)
        self._fit(texts, targets, sample_weight, given)
        self.thresholds_ = self._head.thresholds
        return self

    def decision_function(self, X: TextInput) -> NDArray[np.float32]:  # noqa: N803
        """Return logits: (N,) for two classes, or else (N, K)."""
        logits = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if self._binary else logits

    def predict_proba(self, X: TextInput) -> NDArray[np.float32]:  # noqa: N803
        """Return the probabilities (N, K) of the classes."""
        scaled = self._outputs(X) / np.float32(self.temperature_)
        return np.asarray(expit(scaled) if self._several else softmax(scaled, axis=1))

    def predict(self, X: TextInput) -> NDArray[Any]:  # noqa: N803
        """Return the labels (N,), or a matrix (N, K) of 0 and 1 for several labels a text."""
        if self._several:
            chances = self.predict_proba(X)
            return (chances > np.asarray(self.thresholds_, np.float32)).astype(np.int64)
        return np.asarray(self.classes_[self._outputs(X).argmax(axis=1)])

    @property
    def _binary(self) -> bool:
        return not self._several and len(self.classes_) == 2

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class StaticRegressor(RegressorMixin, _HeadEstimator):  # type: ignore[misc]
    """A regressor of texts: ridge regression on the frozen vectors of a static model.

    Args:
        model: As for `StaticClassifier`.
        strength: The inverse of the regularization; None: chosen by cross-validation in `fit`.
        pooling: As for `StaticClassifier`.
        random_state: The seed of the folds.

    Attributes:
        coef_: (T, D) float32, for T numbers a text.
        intercept_: (T,) float32.
        strength_: The chosen strength.
        pooling_: The chosen pooling.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        strength: float | None = None,
        pooling: Pooling | None = None,
        random_state: int = 0,
    ) -> None:
        self.model = model
        self.strength = strength
        self.pooling = pooling
        self.random_state = random_state

    def fit(self, X: TextInput, y: Any, sample_weight: object = None) -> Self:  # noqa: ANN401, N803
        """Fit to N texts and their numbers, (N,) or (N, T)."""
        texts = check_texts(X)
        numbers = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(texts, numbers)
        self._one = numbers.ndim == 1
        values = numbers.reshape(len(numbers), -1)
        names = tuple(
            f"value{at}" if values.shape[1] > 1 else "value" for at in range(values.shape[1])
        )
        self._fit(texts, Targets("linear", names, values), sample_weight, None)
        return self

    def predict(self, X: TextInput) -> NDArray[np.float64]:  # noqa: N803
        """Return the numbers, (N,) or (N, T)."""
        result = self._outputs(X).astype(np.float64)
        return result[:, 0] if self._one else result

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
