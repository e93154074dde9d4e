"""What a call asks of a model, checked: the request of SPEC section 8, and an output precision."""

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
    """Parameters of `StaticModel.encode` that may be given by name alone, but for `precision`."""

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
    """How vectors are to be made.

    Attributes:
        prefix: their length before packing.
        normalize: whether they are scaled to unit length.
        precision: how they are stored.
        pooling: how token rows become one vector.
        beta: the damping of `damped_mean`.
        dims: how many columns its cosine looks at.
    """

    prefix: int
    normalize: bool
    precision: Precision
    pooling: Pooling
    beta: float
    dims: int

    @property
    def width(self) -> int:
        """Elements of a stored vector: bits are packed by eight."""
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
    """Fill in what the call leaves to the file.

    Raises:
        InvalidDimensionError: a length below 1 or above the file's.
        InvalidOptionError: an unknown precision or pooling; a pooling that the file has no settings
            for; an integer precision without unit vectors; `normalize_embeddings` is not a boolean.
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
            "for others use quantize() with ranges"
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
    """A number that must be an integer of at least 1.

    Raises:
        InvalidOptionError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InvalidOptionError(f"{name}: expected an integer of at least 1, found {value!r}")
    return int(value)


def check_workers(value: int | str) -> int:
    """How many processes are to share the work: as many as asked for, or `auto`, within the cores.

    Raises:
        InvalidOptionError: it is neither an integer of at least 1 nor `auto`.
    """
    if isinstance(value, str):
        if value != "auto":
            expected = "an integer of at least 1 or 'auto'"
            raise InvalidOptionError(f"workers: expected {expected}, found {value!r}")
        return cores()
    return min(check_count("workers", value), cores())


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# sentence-transformers predefines the first two; the others are what teachers call theirs. A file
# without a prompt of such a name needs none.
_USUAL_PROMPTS: Final = frozenset(
    ("query", "document", "passage", "corpus", "classification", "clustering")
)


def find_prompt(
    prompt: str | None, prompt_name: str | None, prompts: Mapping[str, str]
) -> str | None:
    """Find what to put before each text.

    Args:
        prompt: a text; it wins over the name.
        prompt_name: a name among `prompts`, or one that is usual and then means nothing.
        prompts: the file's texts by name.

    Returns:
        The text; None: nothing.

    Raises:
        InvalidOptionError: there is no such name.

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
    """Refuse what sentence-transformers' `encode` offers and this package has nothing like.

    Raises:
        InvalidOptionError: one of the parameters asks for such a thing.
    """
    if convert_to_tensor or not convert_to_numpy:
        raise InvalidOptionError(
            "convert_to_tensor: expected False, found True: results are numpy arrays; "
            "torch.from_numpy(result) makes a tensor of one without copying it"
        )
    if not isinstance(output_value, str) or output_value != "sentence_embedding":
        raise InvalidOptionError(
            f"output_value: expected 'sentence_embedding', found {output_value!r}; "
            "encode_tokens() gives the vectors of single tokens"
        )
    check_device(device)
