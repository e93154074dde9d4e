"""The linear system of a ridge regression on sparse counts, solved by conjugate gradients.

The matrix is X^T W X + Lambda, with X the (texts x tokens) matrix of counts, W the texts' weights
and Lambda the tokens' penalties. It is never computed: its products are computed over blocks of
texts, on the CPU or on a torch device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix

Float32s: TypeAlias = npt.NDArray[np.float32]
Array: TypeAlias = Any  # a numpy array, or a torch tensor on its device

_ROWS = 131_072  # texts multiplied at a time, which bounds the memory and costs no time


@dataclass(frozen=True)
class Solution:
    """The solution of a block of columns.

    Attributes:
        table: (V, k) float32.
        iterations: The number of iterations.
        residual: The relative residual in the preconditioner's norm.
    """

    table: Float32s
    iterations: int
    residual: float


class System:
    """The matrix X^T W X + Lambda, in the memory of one device.

    Args:
        counts: (N, V) float32, X.
        row_weights: (N,) the diagonal of W.
        penalty: (V,) the diagonal of Lambda.
        diagonal: (V,) the diagonal of the whole matrix, which is the preconditioner.
        device: "cpu", or a torch device.
    """

    def __init__(
        self,
        counts: csr_matrix,
        row_weights: Float32s,
        penalty: Float32s,
        diagonal: Float32s,
        device: str,
    ) -> None:
        self._blocks: list[tuple[Any, Any, Any]] = []
        if device == "cpu":
            self._xp: Any = np
            self._to: Callable[[Any], Any] = np.ascontiguousarray
            self._back: Callable[[Any], Float32s] = np.asarray
        else:
            import torch

            self._xp = torch
            self._to = lambda array: torch.from_numpy(np.ascontiguousarray(array)).to(device)
            self._back = lambda tensor: tensor.cpu().numpy()
        for block, rows in row_blocks(counts):
            weight = self._to(row_weights[rows, None])
            if device == "cpu":
                self._blocks.append((block, _transposed(block), weight))
            else:
                pair = [_sparse_tensor(part, device) for part in (block, block.T.tocsr())]
                self._blocks.append((pair[0], pair[1], weight))
        self._penalty = self._to(penalty[:, None])
        self._inverse = self._to(1 / diagonal[:, None])

    def _times(self, columns: Array) -> Array:
        """Multiply the matrix by (V, k) columns."""
        total = self._penalty * columns
        for block, transposed, weight in self._blocks:
            total += transposed @ (weight * (block @ columns))
        return total

    def _dot(self, left: Array, right: Array) -> Array:
        return self._xp.sum(left * right, 0, dtype=self._xp.float64)

    def solve(
        self, target: Float32s, start: Float32s, iterations: int, tolerance: float
    ) -> Solution:
        """Solve for (V, k) columns, independent systems, by conjugate gradients from `start`."""
        solution, right = self._to(start.copy()), self._to(target)
        residuals = right - self._times(solution)
        preconditioned = self._inverse * residuals
        direction = preconditioned + 0
        energy = self._dot(residuals, preconditioned)
        total_energy = float(self._dot(right, self._inverse * right).sum())
        step, residual = 0, _ratio(float(energy.sum()), total_energy)
        while step < iterations and residual > tolerance:
            product = self._times(direction)
            # A column that is solved exactly has energy 0 and direction 0, so it does not change.
            length = energy / (self._dot(direction, product) + np.finfo(np.float64).tiny)
            length = self._single(length)
            solution += length * direction
            residuals -= length * product
            preconditioned = self._inverse * residuals
            new_energy = self._dot(residuals, preconditioned)
            direction *= self._single(new_energy / (energy + np.finfo(np.float64).tiny))
            direction += preconditioned
            energy, step = new_energy, step + 1
            residual = _ratio(float(energy.sum()), total_energy)
        return Solution(self._back(solution), step, residual)

    def _single(self, scalars: Array) -> Array:
        return scalars.astype(np.float32) if self._xp is np else scalars.float()


def _ratio(energy: float, total: float) -> float:
    return float(np.sqrt(energy / total)) if total > 0 else 0.0


def row_blocks(counts: csr_matrix) -> Sequence[tuple[csr_matrix, slice]]:
    """Cut a matrix into blocks of rows that share its memory, and their places."""
    blocks = []
    for first in range(0, counts.shape[0], _ROWS):
        last = min(first + _ROWS, counts.shape[0])
        low, high = int(counts.indptr[first]), int(counts.indptr[last])
        pointers = (counts.indptr[first : last + 1] - low).astype(np.int32)
        block = csr_matrix((last - first, counts.shape[1]), dtype=np.float32)
        _set_arrays(block, counts.data[low:high], counts.indices[low:high], pointers)
        blocks.append((block, slice(first, last)))
    return blocks


def _transposed(block: csr_matrix) -> csc_matrix:
    """Return the transposed matrix, which shares the memory."""
    transposed = csc_matrix(block.shape[::-1], dtype=np.float32)
    _set_arrays(transposed, block.data, block.indices, block.indptr)
    return transposed


def _set_arrays(
    matrix: csr_matrix | csc_matrix,
    values: Float32s,
    indices: npt.NDArray[np.int32],
    pointers: npt.NDArray[np.int32],
) -> None:
    """Set the arrays of a matrix. Its constructor would copy parts of larger arrays."""
    matrix.data, matrix.indices, matrix.indptr = values, indices, pointers


def text_norms(counts: csr_matrix, table: Float32s) -> Float32s:
    """Compute the lengths (N,) of the texts' vectors: of the rows of X times the (V, D) table."""
    norms = np.empty(counts.shape[0], np.float32)
    for first in range(0, counts.shape[0], _ROWS // 8):
        rows = slice(first, first + _ROWS // 8)
        norms[rows] = np.linalg.norm(counts[rows] @ table, axis=1)
    return norms


def square_sums(counts: csr_matrix, row_weights: Float32s) -> npt.NDArray[np.float64]:
    """Compute the diagonal (V,) of X^T W X, in blocks of rows: no second matrix of X's size.

    Args:
        counts: (N, V) float32, X.
        row_weights: (N,) the diagonal of W.
    """
    sums = np.zeros(counts.shape[1])
    for block, rows in row_blocks(counts):
        each = np.repeat(row_weights[rows], np.diff(block.indptr))
        sums += np.bincount(block.indices, each * block.data**2, minlength=counts.shape[1])
    return sums


def transposed_product(
    counts: csr_matrix,
    targets: npt.NDArray[Any],
    row_weights: Float32s,
    span: slice,
    target_rows: npt.NDArray[np.int64] | None = None,
) -> Float32s:
    """Multiply X^T by the weighted targets' columns, reading the targets in blocks of rows."""
    total = np.zeros((counts.shape[1], span.stop - span.start), np.float32)
    for block, rows in row_blocks(counts):
        chosen = rows if target_rows is None else target_rows[rows]
        block_targets = np.asarray(targets[chosen, span], dtype=np.float32)
        total += _transposed(block) @ (row_weights[rows, None] * block_targets)
    return total


def _sparse_tensor(matrix: csr_matrix, device: str) -> Array:
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse", category=UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32)),
            torch.from_numpy(matrix.indices.astype(np.int32)),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
        ).to(device)
