"""A device beside the CPU that any machine has: does code meant for a GPU move what it computes?

Inside `pretend_device()` tensors can be put on `DEVICE`. They hold their numbers and compute as on
the CPU, and are as strict as those of a GPU: they meet no CPU tensor of one dimension or more in
an operation, and become NumPy arrays by way of `.cpu()` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = "meta"  # known to every build of torch, and nothing computes there
_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class _There(torch.Tensor):
    """A tensor on the device; its numbers are in `here`, on the CPU."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> _There:
        layout: dict[str, Any] = {}
        if here.layout == torch.strided:
            layout = {"strides": here.stride(), "storage_offset": here.storage_offset()}
        made: Any = torch.Tensor._make_wrapper_subclass(
            cls, here.size(), dtype=here.dtype, device=DEVICE, **layout
        )
        made.here = here
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    """Sends what makes tensors there the same way as what computes with them."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})


@contextmanager
def pretend_device() -> Iterator[None]:
    """Let tensors be on `DEVICE`."""
    ignored = {"__enter__": lambda self: None, "__exit__": lambda self, *error: None}
    # Where a mode looks on, torch takes no views in inference mode.
    with mock.patch.multiple(torch.inference_mode, **ignored), _Mode():
        yield


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, _There)]
    if there and func not in _COPIES:
        strangers = [t for t in tensors if not isinstance(t, _There) and t.dim()]
        if strangers:
            raise RuntimeError(f"{func}: expected all tensors on one device, found two")
    device = kwargs.get("device")
    goes_there = bool(there) if device is None else torch.device(device).type == DEVICE
    if device is not None:
        kwargs = {**kwargs, "device": "cpu"}
    owners = {id(tensor.here): tensor for tensor in there}
    found = func(*tree_map(_here, args), **tree_map(_here, kwargs))
    if not goes_there:
        return found

    def placed(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor) or isinstance(leaf, _There):
            return leaf
        # What was changed in place comes back as it is.
        return owners[id(leaf)] if id(leaf) in owners else _There(leaf)

    return tree_map(placed, found)


def _here(leaf: Any) -> Any:
    return leaf.here if isinstance(leaf, _There) else leaf
