"""Check the parameters of a call: the request of SPEC section 8, and an output precision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import numpy as np

from ..errors import InvalidOptionError
from ..format.metadata import Metadata, Pooling
from .empty_texts import EmptyTexts, OnEmpty
from .peer_parameters import EncodePeers, check_device, check_prompt_name
from .vectors import Precision, check_dim, check_precision

if TYPE_CHECKING:
    from collections.abc import Mapping


class Options(EncodePeers, total=False):
    """Parameters of `StaticModel.encode` that its overloads take by keyword, except `precision`."""

    show_progress_bar: bool | None
    output_value: str | None
    convert_to_numpy: bool
    convert_to_tensor: bool
    device: object
    normalize_embeddings: bool | None
    truncate_dim: int | None
    pooling: Pooling | None
    on_empty: OnEmpty | EmptyTexts
    workers: int | Literal["auto"]


class Request(NamedTuple):
    """The checked parameters of a call.

    Attributes:
        prefix: the length of a vector before packing.
        normalize: whether vectors are scaled to unit length.
        precision: the type of the stored elements.
        pooling: how token rows become one vector.
        beta: the damping of `damped_mean`.
        dims: the number of first columns in the cosine of `damped_mean`.
    """

    prefix: int
    normalize: bool
    precision: Precision
    pooling: Pooling
    beta: float
    dims: int

    @property
    def width(self) -> int:
        """The number of elements of a stored vector; eight bits are packed into one element."""
        return -(-self.prefix // 8) if self.precision in ("binary", "ubinary") else self.prefix

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the stored elements."""
        names = {"binary": "int8", "ubinary": "uint8"}
        return np.dtype(names.get(self.precision, self.precision))


def make_request(
    metadata: Metadata,
    *,
    truncate_dim: int | None,
    normalize_embeddings: object,
    precision: str,
    pooling: str | None,
) -> Request:
    """Check the parameters of a call; None stands for the file's setting.

    Raises:
        InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
        InvalidOptionError: the precision or pooling is unknown; the file has no settings for the
            pooling; the precision is int8 or uint8 without unit length; `normalize_embeddings` is
            not a boolean.
    """
    prefix = check_dim(truncate_dim, metadata.dim)
    checked = check_precision(precision)
    normalize = metadata.normalize
    if normalize_embeddings is not None:
        if not isinstance(normalize_embeddings, (bool, np.bool_)):
            found = f"{normalize_embeddings!r:.40}"
            raise InvalidOptionError(f"normalize_embeddings: expected True or False, found {found}")
        normalize = bool(normalize_embeddings)
    if checked in ("int8", "uint8") and not normalize:
        raise InvalidOptionError(
            f"precision {precision}: expected normalized vectors, found normalize_embeddings off; "
            "quantize() with ranges takes other vectors"
        )
    chosen = metadata.pooling
    if pooling is not None:
        if not isinstance(pooling, str) or pooling not in get_args(Pooling):
            expected = " or ".join(get_args(Pooling))
            raise InvalidOptionError(f"pooling: expected {expected}, found {pooling!r}")
        if pooling not in ("mean", metadata.pooling):
            raise InvalidOptionError(
                f"pooling: expected mean, as the file has no damping, found {pooling!r}"
            )
        chosen = "mean" if pooling == "mean" else metadata.pooling
    return Request(prefix, normalize, checked, chosen, metadata.damping_beta, metadata.damping_dims)


def check_count(name: str, value: int) -> int:
    """Return a parameter that must be an integer of at least 1.

    Raises:
        InvalidOptionError: it is not an integer of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InvalidOptionError(f"{name}: expected an integer of at least 1, found {value!r}")
    return int(value)


def check_workers(value: int | str) -> int:
    """Return the number of threads that share the work, at most one per core.

    Args:
        value: the number, or `auto` for one per core.

    Raises:
        InvalidOptionError: `value` is neither an integer of at least 1 nor `auto`.
    """
    if isinstance(value, str):
        if value != "auto":
            expected = "an integer of at least 1 or 'auto'"
            raise InvalidOptionError(f"workers: expected {expected}, found {value!r}")
        return cores()
    count = check_count("workers", value)
    return 1 if count == 1 else min(count, cores())  # reading the number of cores takes longer


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# sentence-transformers predefines the first two names; other models use the rest. A file without a
# prompt of such a name needs no prompt.
_USUAL_PROMPTS: Final = frozenset(
    ("query", "document", "passage", "corpus", "classification", "clustering")
)


def find_prompt(
    prompt: str | None, prompt_name: str | None, prompts: Mapping[str, str]
) -> str | None:
    """Find the prompt to put before each text.

    Args:
        prompt: a prompt; it takes precedence over the name.
        prompt_name: a name in `prompts`, or a usual name, which means no prompt if not in it.
        prompts: the file's prompts by name.

    Returns:
        The prompt, or None.

    Raises:
        InvalidOptionError: `prompt_name` is unknown or not a string.

    Example:
        >>> find_prompt(None, "query", {"query": "q: "}), find_prompt(None, "query", {})
        ('q: ', None)
    """
    check_prompt_name(prompt_name)
    if prompt is not None or prompt_name is None:
        return prompt
    if prompt_name not in prompts and prompt_name not in _USUAL_PROMPTS:
        names = ", ".join(map(repr, prompts)) or "none in this file"
        raise InvalidOptionError(
            f"prompt_name: expected one of the file's prompts ({names}), found {prompt_name!r}"
        )
    return prompts.get(prompt_name)


def check_compatibility(
    *,
    output_value: str | None,
    convert_to_numpy: bool,
    convert_to_tensor: bool,
    device: object,
) -> None:
    """Refuse values of sentence-transformers' `encode` that this package does not support.

    Raises:
        InvalidOptionError: a parameter has such a value.
    """
    if convert_to_tensor or not convert_to_numpy:
        raise InvalidOptionError(
            "convert_to_tensor: expected False, found True: results are numpy arrays; "
            "torch.from_numpy(result) makes a tensor without copying"
        )
    if not isinstance(output_value, str) or output_value != "sentence_embedding":
        raise InvalidOptionError(
            f"output_value: expected 'sentence_embedding', found {output_value!r}; "
            "encode_tokens() gives the vectors of single tokens"
        )
    check_device(device)
