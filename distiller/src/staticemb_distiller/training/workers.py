"""Several processes, one table: what they tell each other in a step.

Every process holds a whole copy of the table and a share of each batch. Vectors of texts are
gathered, so that every text meets every other as a negative; gradients of rows are summed, so that
all copies move alike. Started by `torchrun`; a process by itself talks to nobody.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = timedelta(hours=2)  # with the first process, which alone validates and writes


class Workers:
    """The processes of a run.

    Attributes:
        rank: This process' number, from 0.
        world: How many there are.
    """

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank = rank
        self.world = world

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def gather(self, share: Tensor) -> Tensor:
        """The shares of all processes, (b, ...) each, one after another; differentiable.

        The gradient of a share is the sum of what all processes' losses say of it.
        """
        if self.world == 1:
            return share
        gathered: Tensor = _Gather.apply(share, self.rank, self.world)  # type: ignore[no-untyped-call]
        return gathered

    def sum_rows(self, which: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Sum row gradients over all processes, each of which has its own set of rows.

        Args:
            which: (U,) this process' rows, distinct and ascending.
            gradient: (U, D) of these.

        Returns:
            The same for the rows of all processes, equal in each.
        """
        if self.world == 1:
            return which, gradient
        count = torch.tensor([len(which)], device=which.device)
        counts = [torch.zeros_like(count) for _ in range(self.world)]
        distributed.all_gather(counts, count)
        most = int(torch.cat(counts).max())
        padded = [which.new_zeros(most), gradient.new_zeros(most, gradient.shape[1])]
        padded[0][: len(which)], padded[1][: len(which)] = which, gradient
        found: list[list[Tensor]] = []
        for part in padded:
            parts = [torch.empty_like(part) for _ in range(self.world)]
            distributed.all_gather(parts, part)
            found.append([p[: int(c)] for p, c in zip(parts, counts, strict=True)])
        rows = torch.unique(torch.cat(found[0]))
        total = gradient.new_zeros(len(rows), gradient.shape[1])
        for some, their in zip(*found, strict=True):  # one after another: the same sums everywhere
            total[torch.searchsorted(rows, some)] += their
        return rows, total

    def total(self, value: Tensor) -> float:
        """The sum of a scalar over all processes."""
        value = value.detach().clone()
        if self.world > 1:
            distributed.all_reduce(value)
        return float(value)

    def tell(
        self, order: tuple[float, float] | None, device: torch.device
    ) -> tuple[float, float] | None:
        """What the first process found, in all of them."""
        if self.world == 1:
            return order
        found = (*(order or (0.0, 0.0)), float(order is not None))
        said = torch.tensor(found, dtype=torch.float64, device=device)
        distributed.broadcast(said, 0)
        return (float(said[0]), float(said[1])) if said[2] else None


class _Gather(torch.autograd.Function):
    """All-gather whose gradient is reduced: torch's own drops what other processes say."""

    @staticmethod
    def forward(ctx: Any, share: Tensor, rank: int, world: int) -> Tensor:  # noqa: ANN401
        ctx.place, ctx.size = rank * len(share), len(share)
        parts = [torch.empty_like(share) for _ in range(world)]
        distributed.all_gather(parts, share.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        gradient = gradient.contiguous()
        distributed.all_reduce(gradient)
        return gradient[ctx.place : ctx.place + ctx.size], None, None


def own_device(device: torch.device) -> torch.device:
    """The device of this process: of several GPUs in a machine the one that is its own."""
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[Workers]:
    """Join the run that `torchrun` started; alone where it did not.

    Args:
        device: CUDA devices talk by NCCL, all others by Gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Workers()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Workers(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
