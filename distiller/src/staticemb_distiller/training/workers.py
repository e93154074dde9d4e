"""Communication between the processes of a training.

Every process holds a copy of the whole table and a share of each batch. Text vectors are gathered,
so that each text is a negative for all others. Row gradients are summed, so that all copies stay
equal. `torchrun` starts several processes; a single process does not communicate.
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

# The other processes wait while the first one validates and writes.
_PATIENCE = timedelta(hours=2)


class Workers:
    """The processes of a run.

    Attributes:
        rank: This process's number, from 0.
        world: The number of processes.
    """

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank = rank
        self.world = world

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def gather(self, share: Tensor) -> Tensor:
        """Concatenate the shares of all processes, (b, ...) each; differentiable.

        The gradient of a share is the sum of its gradients in the losses of all processes.
        """
        if self.world == 1:
            return share
        gathered: Tensor = _Gather.apply(share, self.rank, self.world)  # type: ignore[no-untyped-call]
        return gathered

    def sum_rows(self, which: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Sum row gradients over all processes, where each process has another set of rows.

        Args:
            which: (U,) this process's row numbers, distinct and ascending.
            gradient: (U, D) the gradient of these rows.

        Returns:
            The row numbers of all processes, distinct and ascending, and their summed gradients;
            equal in each process.
        """
        if self.world == 1:
            return which, gradient
        count = torch.tensor([len(which)], device=which.device)
        counts = [torch.zeros_like(count) for _ in range(self.world)]
        distributed.all_gather(counts, count)
        most = int(torch.cat(counts).max())
        padded = [which.new_zeros(most), gradient.new_zeros(most, gradient.shape[1])]
        padded[0][: len(which)], padded[1][: len(which)] = which, gradient
        gathered: list[list[Tensor]] = []
        for part in padded:
            parts = [torch.empty_like(part) for _ in range(self.world)]
            distributed.all_gather(parts, part)
            gathered.append([p[: int(c)] for p, c in zip(parts, counts, strict=True)])
        rows = torch.unique(torch.cat(gathered[0]))
        total = gradient.new_zeros(len(rows), gradient.shape[1])
        # In the order of ranks, so that rounding is the same in all processes.
        for worker_rows, worker_gradient in zip(*gathered, strict=True):
            total[torch.searchsorted(rows, worker_rows)] += worker_gradient
        return rows, total

    def total(self, value: Tensor) -> float:
        """Sum a scalar over all processes."""
        value = value.detach().clone()
        if self.world > 1:
            distributed.all_reduce(value)
        return float(value)

    def tell(
        self, order: tuple[float, float] | None, device: torch.device
    ) -> tuple[float, float] | None:
        """Broadcast the first process's `order` to all processes."""
        if self.world == 1:
            return order
        values = (*(order or (0.0, 0.0)), float(order is not None))
        message = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.broadcast(message, 0)
        return (float(message[0]), float(message[1])) if message[2] else None


class _Gather(torch.autograd.Function):
    """All-gather whose gradient is summed over processes; torch's ignores other processes."""

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
    """Return this process's device: with several GPUs, the one with the process's local rank."""
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[Workers]:
    """Join the run that `torchrun` started; without `torchrun`, the process works alone.

    Args:
        device: This process's device; CUDA communicates by NCCL, other devices by Gloo.
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
