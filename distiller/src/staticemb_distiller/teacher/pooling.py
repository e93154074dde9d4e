"""The pooling modes of Sentence Transformers: one vector per text from its token vectors.

Every batch is padded on the right, even if the teacher's tokenizer pads on the left. So real tokens
start at position 0, and a text's vector does not depend on the other texts of the batch.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


def pool(tokens: Tensor, lengths: Tensor, modes: Sequence[str], *, skip: int = 0) -> Tensor:
    """Pool right-padded token vectors, one block of columns for each mode.

    Args:
        tokens: (B, T, H) floating point; summed in float32.
        lengths: (B,) integer, the number of real tokens of each row.
        modes: Any of `MODES`, in the order of the output's blocks.
        skip: The number of leading tokens (of a prompt) to ignore.

    Returns:
        (B, len(modes) * H) float32. A row without remaining tokens is zero.

    Example:
        >>> tokens = torch.tensor([[[1.0], [3.0], [9.0]]])
        >>> pool(tokens, torch.tensor([2]), ["mean", "max", "lasttoken"])
        tensor([[2., 3., 3.]])
    """
    tokens = tokens.float()
    position = torch.arange(tokens.shape[1], device=tokens.device)
    mask = (position < lengths[:, None]) & (position >= skip)
    return torch.cat([_pool_one(tokens, lengths, mask, mode, skip) for mode in modes], dim=-1)


def _pool_one(tokens: Tensor, lengths: Tensor, mask: Tensor, mode: str, skip: int) -> Tensor:
    row = torch.arange(len(tokens), device=tokens.device)
    has_tokens = mask.any(dim=1, keepdim=True)
    if mode == "cls":
        first = torch.where(lengths > skip, skip, 0)
        return tokens[row, first] * (lengths > 0)[:, None]
    if mode == "lasttoken":
        return tokens[row, (lengths - 1).clamp(min=0)] * has_tokens
    if mode == "max":
        peak = tokens.masked_fill(~mask[..., None], float("-inf")).amax(dim=1)
        return torch.where(has_tokens, peak, 0.0)
    weight = mask.float()
    if mode == "weightedmean":
        # Weights count from the text's first token, prompt included.
        weight = weight * torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    total = torch.bmm(weight[:, None, :], tokens).squeeze(1)
    divisor = weight.sum(dim=1, keepdim=True).clamp(min=1.0)
    return total / (divisor.sqrt() if mode == "mean_sqrt_len_tokens" else divisor)
