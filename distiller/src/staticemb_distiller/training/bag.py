"""A table trained by sparse updates: a step's cost depends on the batch, not on the vocabulary.

The rows of a batch's tokens are gathered once. Autograd and Adam process only these rows ("lazy"
Adam: the moments of other rows stay unchanged, as in torch's SparseAdam).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BETAS = (0.9, 0.999)
_TINY = 1e-12
_LEAST_SIZE = 1e-3  # of a row, over the root mean square of the table


class Bag:
    """A table of V rows of length D, and its pooling.

    Args:
        rows: (V, D) float32, token weights multiplied in.
        device: The device of the table and of its arithmetic.
        damping: (beta, k) of damped pooling; None: the plain mean. A token's damping is computed
            from the current rows, and is a constant for the gradient.

    Attributes:
        table: (V, D) float32 on the device.
    """

    def __init__(
        self,
        rows: NDArray[np.float32],
        *,
        device: torch.device | str = "cpu",
        damping: tuple[float, int] | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.table = torch.from_numpy(np.array(rows, np.float32)).to(self.device)
        self.damping = damping

    def gather(self, ids: NDArray[np.int32]) -> tuple[Tensor, Tensor, Tensor]:
        """Gather the distinct rows of tokens.

        Args:
            ids: (N,) token ids.

        Returns:
            which (U,) int64, the distinct ids, ascending; rows (U, D), a leaf with a gradient;
            and places (N,) int64, each token's index into both.
        """
        which, places = torch.unique(torch.from_numpy(ids).to(self.device), return_inverse=True)
        which = which.long()
        return which, self.table[which].requires_grad_(), places

    def pool(self, rows: Tensor, places: Tensor, offsets: NDArray[np.int64]) -> Tensor:
        """Pool the gathered rows of texts; differentiable in the rows.

        Args:
            rows: (U, D).
            places: (N,) each token's row.
            offsets: (T + 1,) the bounds of each text's tokens.

        Returns:
            (T, D), not normalized; zeros for a text without tokens.
        """
        starts = torch.from_numpy(np.ascontiguousarray(offsets)).to(self.device)
        means: Tensor = functional.embedding_bag(
            places, rows, starts, mode="mean", include_last_offset=True
        )
        if self.damping is None or self.damping[0] == 0.0:
            return means
        weights = _damping(rows.detach(), means.detach(), places, starts, self.damping)
        damped: Tensor = functional.embedding_bag(
            places,
            rows,
            starts,
            mode="sum",
            per_sample_weights=weights,
            include_last_offset=True,
        )
        return damped

    @torch.no_grad()
    def vectors(self, ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> Tensor:
        """Return (T, D) pooled vectors of texts, without a gradient."""
        _, rows, places = self.gather(ids)
        return self.pool(rows.detach(), places, offsets)


def _damping(
    rows: Tensor, means: Tensor, places: Tensor, starts: Tensor, damping: tuple[float, int]
) -> Tensor:
    """Return (N,) token weights; a text's weights add up to 1 (format specification, section 8)."""
    beta, dims = damping
    row_directions = functional.normalize(rows[:, :dims], dim=1)
    mean_directions = functional.normalize(means[:, :dims], dim=1)
    lengths = starts.diff()
    owners = torch.repeat_interleave(torch.arange(len(lengths), device=rows.device), lengths)
    cosines = (row_directions[places] * mean_directions[owners]).sum(1)
    weights = torch.exp(-beta * cosines)
    total = torch.zeros(len(lengths), device=rows.device).index_add_(0, owners, weights)
    return weights / total[owners]


class RowAdam:
    """Adam for the rows that have a gradient; a row's steps are relative to its initial length.

    A row's length is its token's weight. Rows of frequent tokens are about a hundred times shorter
    than rows of rare tokens, so steps of equal size would swamp them. After Kingma and Ba 2015;
    the pull towards the start is decoupled from the gradient like the weight decay of Loshchilov
    and Hutter 2019. Rows without a gradient stay exactly unchanged.

    Args:
        table: (V, D), changed in place.
        pull: The share of its distance to the start by which a step moves a row back, at the peak
            of the learning rate.
    """

    def __init__(self, table: Tensor, *, pull: float = 0.0) -> None:
        self.table = table
        self.start = table.clone() if pull else table
        self.first = torch.zeros_like(table)
        self.second = torch.zeros_like(table)
        self.steps = 0
        self.pull = pull
        sizes = table.square().mean(1, keepdim=True).sqrt()
        # A row of zeros must be able to learn as well.
        self.sizes = sizes.clamp(min=_LEAST_SIZE * float(table.square().mean().sqrt() or 1.0))

    @torch.no_grad()
    def step(self, which: Tensor, gradient: Tensor, rate: float, share: float = 1.0) -> None:
        """Update the rows that have a gradient.

        Args:
            which: (U,) distinct row numbers.
            gradient: (U, D) the gradient of these rows.
            rate: The learning rate: about an element's step, relative to its row's root mean square
                at the start.
            share: The learning rate relative to its peak; it scales the pull.
        """
        self.steps += 1
        first, second = self.first[which], self.second[which]
        first.lerp_(gradient, 1 - _BETAS[0])
        second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
        self.first[which], self.second[which] = first, second
        scale = 1 - _BETAS[1] ** self.steps
        moved = first.div_((second / scale).sqrt_().add_(_TINY)).mul_(self.sizes[which])
        rows = self.table[which].sub_(moved, alpha=rate / (1 - _BETAS[0] ** self.steps))
        if self.pull:
            rows.lerp_(self.start[which], self.pull * share)
        self.table[which] = rows
