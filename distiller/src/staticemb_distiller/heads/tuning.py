"""Tuning: table and head are trained together in torch, held near the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..training.bag import Bag, RowAdam
from ..vocabulary.token_ids import TokenIds
from .linear import Linear

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..training.start import Start
    from .targets import Targets
    from .text_store import TextStore

_EPOCHS = 30
_PATIENCE = 3  # epochs without a lower loss
_BATCH = 64
_ROW_RATE = 0.03  # relative to a row's length, as in training
_HEAD_RATE = 0.02
_PULL = 0.01


class Tuned(NamedTuple):
    """The best epoch.

    Attributes:
        rows: (V, D) float32, the trained table.
        layer: The layer for its unit vectors.
        epoch: The number of epochs to it; 0: no epoch was better than the start.
    """

    rows: NDArray[np.float32]
    layer: Linear
    epoch: int


def tune(
    start: Start,
    damping: tuple[float, int] | None,
    layer: Linear,
    texts: TextStore,
    targets: Targets,
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    *,
    epochs: int | None = None,
    seed: int,
    status: Callable[[str], object],
) -> Tuned:
    """Train the table and a layer for its unit vectors, and stop when held-out losses rise.

    Args:
        start: The table and its tokenizer.
        damping: (beta, k) of the vectors' pooling; None: the plain mean.
        layer: The layer to start from, for vectors that are not centered.
        texts: N texts.
        targets: N targets.
        train: The texts to train on.
        held_out: The texts by which the best epoch is chosen.
        epochs: The number of epochs if it is known; None: chosen on the texts held out.
        seed: The seed of the order.
        status: Shows the epochs.
    """
    tokenize = TokenIds(start.tokenizer, start.unknown_token_id, start.max_tokens)
    parts = [tokenize(block) for block in texts.blocks()]
    ids = np.concatenate([part for part, _ in parts])
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([sizes for _, sizes in parts]))])
    bag = Bag(start.rows, damping=damping)
    rows_adam = RowAdam(bag.table, pull=_PULL)
    weights = torch.from_numpy(layer.weights.copy()).requires_grad_()
    bias = torch.from_numpy(layer.bias.copy()).requires_grad_()
    head_adam = torch.optim.Adam([weights, bias], lr=_HEAD_RATE)
    spread = torch.ones(1)
    if targets.kind == "linear":
        spread = torch.from_numpy(np.maximum(targets.values.std(axis=0), 1e-12)).float()

    def losses(which: NDArray[np.int64], *, learn: bool) -> float:
        places = _places(offsets, which)
        lengths = np.diff(offsets)[which]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        tokens, rows, positions = bag.gather(np.ascontiguousarray(ids[places]))
        vectors = functional.normalize(bag.pool(rows, positions, bounds), dim=1)
        logits = vectors @ weights.T + bias
        wanted = torch.from_numpy(np.ascontiguousarray(targets.dense(which)))
        if targets.kind == "softmax":
            loss = functional.cross_entropy(logits, wanted.long())
        elif targets.kind == "sigmoid":
            loss = functional.binary_cross_entropy_with_logits(logits, wanted.float())
        else:
            loss = (((logits - wanted.float()) / spread) ** 2).mean()
        if learn:
            head_adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            head_adam.step()
            if rows.grad is not None:
                rows_adam.step(tokens, rows.grad, _ROW_RATE)
        return float(loss.detach()) * len(which)

    def held_out_loss() -> float:
        with torch.no_grad():
            parts = [held_out[at : at + 1024] for at in range(0, len(held_out), 1024)]
            return sum(losses(part, learn=False) for part in parts) / max(len(held_out), 1)

    random = np.random.default_rng(seed)
    best, waited = Tuned(start.rows, layer, 0), 0
    least = held_out_loss() if epochs is None else np.inf
    for epoch in range(1, (epochs or _EPOCHS) + 1):
        order = random.permutation(train)
        for at in range(0, len(order), _BATCH):
            losses(order[at : at + _BATCH], learn=True)
        if epochs is not None and epoch < epochs:
            status(f"Tuning on all texts: epoch {epoch} of {epochs}")
            continue
        loss = held_out_loss() if epochs is None else 0.0
        status(f"Tuning: epoch {epoch}, held-out loss {loss:.4f}")
        if loss < least:
            found = Linear(weights.detach().numpy().copy(), bias.detach().numpy().copy())
            best, least, waited = Tuned(bag.table.numpy().copy(), found, epoch), loss, 0
        else:
            waited += 1
            if waited == _PATIENCE:
                break
    return best


def _places(offsets: NDArray[np.int64], which: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of the tokens of some texts, one text after the other."""
    starts, lengths = offsets[which], np.diff(offsets)[which]
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)
