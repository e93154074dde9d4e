"""A hidden layer before the linear layer, by scikit-learn's perceptron: no torch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingError
from .linear import Linear, outputs

if TYPE_CHECKING:
    from .targets import Targets

MOST_HIDDEN = 65_536
_EPOCHS = 200
_PATIENCE = 5
_BATCH = 256
_RATE = 3e-3


class Perceptron(NamedTuple):
    """Two layers; the first ends with max(0, x)."""

    hidden: Linear
    output: Linear

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs (N, K) of vectors (N, D)."""
        return outputs(self.output, np.maximum(outputs(self.hidden, vectors), 0))

    def around(self, mean: NDArray[np.float32]) -> Perceptron:
        """Return the layers for vectors before their mean (D,) was subtracted."""
        return Perceptron(self.hidden.around(mean), self.output)


def fit_hidden(vectors: NDArray[np.float32], targets: Targets, width: int, seed: int) -> Perceptron:
    """Fit two layers by Adam, with early stopping on a tenth of the texts.

    Args:
        vectors: (N, D) centered vectors.
        targets: N targets.
        width: The outputs of the hidden layer.
        seed: The seed of the first weights and of the tenth.

    Raises:
        TrainingError: There are too few texts for early stopping, or a label has no text.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind: Any = MLPRegressor if targets.kind == "linear" else MLPClassifier
    # Inputs of unit variance, for which the first weights and the rate are made.
    scale = np.float32(1 / max(float(np.sqrt((vectors**2).mean())), 1e-12))
    network = kind(
        hidden_layer_sizes=(width,),
        batch_size=min(_BATCH, max(1, int(0.8 * len(vectors)))),
        learning_rate_init=_RATE,
        max_iter=_EPOCHS,
        early_stopping=True,
        n_iter_no_change=_PATIENCE,
        random_state=seed,
    )
    if targets.kind == "softmax" and not targets.counts().all():
        raise TrainingError("hidden: expected more texts of each label: one is only held out")
    wanted = targets.dense(slice(None))
    mean, spread = 0.0, 1.0
    if targets.kind == "linear":
        mean, spread = wanted.mean(axis=0), np.maximum(wanted.std(axis=0), 1e-12)
        wanted = (wanted - mean) / spread
        wanted = wanted.ravel() if wanted.shape[1] == 1 else wanted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            network.fit(vectors * scale, wanted)
        except ValueError as error:
            raise TrainingError(f"hidden: expected more texts of each label: {error}") from None
    (first, last), (first_bias, last_bias) = network.coefs_, network.intercepts_
    weights, bias = last.T, last_bias
    if targets.kind == "softmax" and len(bias) == 1:  # one logit for two labels
        weights = np.concatenate([-weights / 2, weights / 2])
        bias = np.concatenate([-bias / 2, bias / 2])
    if targets.kind == "linear":
        weights, bias = weights * np.reshape(spread, (-1, 1)), bias * spread + mean
    return Perceptron(
        Linear((first.T * scale).astype(np.float32), first_bias.astype(np.float32)),
        Linear(weights.astype(np.float32), np.asarray(bias, np.float32)),
    )
