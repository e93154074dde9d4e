"""From vectors to logits, probabilities and labels (SPEC 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..errors import PartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..format.heads import Head, Layer

# A library of matrix products takes other paths for other shapes, and so rounds in another order.
# All products have one shape: this number of vectors, and a share of the outputs that is small
# enough for one thread. So the scores of a text do not depend on the other texts of its call.
# With 16 vectors, which are faster, OpenBLAS rounds by their places.
_ROWS: Final = 8
# Weights up to this size are copied so that the library reads them along the outputs, which is a
# sixth faster; larger ones are used where they are mapped.
_COPIED_BYTES: Final = 1 << 20
_PRODUCTS: Final = 250_000
_OUTPUTS: Final = 16
_BLOCK_BYTES: Final = 4 << 20


class Dense(NamedTuple):
    """A linear layer in float32.

    Attributes:
        weights: (K, N).
        bias: (K,).
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of(cls, layer: Layer) -> Dense:
        """Return a layer of a file; int8 weights are multiplied by their scale."""
        weights = layer.weights
        if layer.scale is not None:
            weights = weights * layer.scale[:, None]
        if weights.nbytes <= _COPIED_BYTES:
            weights = np.asfortranarray(weights)
        return cls(weights, layer.bias)

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs for vectors, (m, N) to (m, K); m is a multiple of `_ROWS`."""
        n_outputs, width = self.weights.shape
        outputs = np.empty((len(vectors), n_outputs), np.float32)
        rows = vectors.reshape(-1, _ROWS, width)
        step = max(_OUTPUTS, _PRODUCTS // (_ROWS * width) // _OUTPUTS * _OUTPUTS)
        blocks = outputs.reshape(-1, _ROWS, n_outputs)
        for first in range(0, n_outputs, step):
            part = blocks[:, :, first : first + step]
            np.matmul(rows, self.weights[first : first + step].T, out=part)
        outputs += self.bias
        return outputs


class HeadScorer:
    """Computes the scores of a head; safe to use from several threads.

    Args:
        head: the head. Weights of int8 are converted to float32, which takes four times the memory
            that they take in the file; other weights above 1 MB are used where they are mapped.

    Attributes:
        head: the head.
    """

    def __init__(self, head: Head) -> None:
        self.head = head
        self.hidden = None if head.hidden is None else Dense.of(head.hidden)
        self.output = Dense.of(head.output)
        widest = max(len(layer.bias) for layer in (self.hidden, self.output) if layer is not None)
        self._step = max(1, _BLOCK_BYTES // (4 * _ROWS * widest)) * _ROWS

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits of vectors, or the numbers of a `linear` head.

        Args:
            vectors: (n, d) float32, with the length and unit length that the head reads.

        Returns:
            (n, K) float32. A row does not depend on the other rows.

        Raises:
            PartError: a logit exceeds float32; only vectors without unit length can cause this.
        """
        return self._in_blocks(vectors, lambda logits: logits)

    def for_labels(self, threshold: float | None) -> Callable[..., NDArray[np.float32]]:
        """Return the method whose results `labels_of` needs.

        The largest logit has the largest probability, so that one label needs no probabilities.

        Args:
            threshold: as in `labels_of`.
        """
        sufficient = self.head.kind == "softmax" and threshold is None
        return self.logits if sufficient else self.scores

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities, or the numbers of a `linear` head; as `logits`."""
        return self._in_blocks(vectors, self.activated)

    def activated(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn logits into probabilities; the numbers of a `linear` head stay.

        Args:
            logits: (n, K) float32, which may be overwritten.
        """
        head = self.head
        if head.kind == "linear":
            return logits
        if head.temperature != 1:
            logits /= np.float32(head.temperature)
        return softmax(logits) if head.kind == "softmax" else sigmoid(logits)

    def _in_blocks(
        self,
        vectors: NDArray[np.float32],
        function: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        count = len(vectors)
        if 0 < count <= self._step:
            return function(self._block(vectors))
        results = np.empty((count, len(self.head.labels)), np.float32)
        for first in range(0, count, self._step):
            block = vectors[first : first + self._step]
            results[first : first + self._step] = function(self._block(block))
        return results

    def _block(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        count, width = vectors.shape
        if count % _ROWS or not vectors.flags.c_contiguous:
            padded = np.zeros((-(-count // _ROWS) * _ROWS, width), np.float32)
            padded[:count] = vectors
            vectors = padded
        if self.hidden is not None:
            vectors = self.hidden.apply(vectors)
            np.maximum(vectors, 0, out=vectors)
        logits = self.output.apply(vectors)[:count]
        if not self.head.normalize and not np.isfinite(logits).all():
            raise PartError(
                f"head {self.head.name!r}: expected logits that float32 holds, found larger ones"
            )
        return logits


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of each row, in place of the logits.

    Example:
        >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]], np.float32))
        array([[0.5, 0.5],
               [1. , 0. ]], dtype=float32)
    """
    logits -= np.maximum.reduce(logits, axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= np.add.reduce(logits, axis=1, keepdims=True)
    return logits


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logistic function of each element, in place of the logits.

    Example:
        >>> sigmoid(np.array([[0.0, -1000.0, 1000.0]], np.float32))
        array([[0.5, 0. , 1. ]], dtype=float32)
    """
    # Where the exponential overflows, the quotient is 0, which is right.
    with np.errstate(over="ignore"):
        np.exp(-logits, out=logits)
    logits += 1
    np.reciprocal(logits, out=logits)
    return logits
