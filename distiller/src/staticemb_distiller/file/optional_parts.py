"""Checks of a file's optional tensors, metadata keys of optional parts, and prompts.

The rules are in conformance/SPEC.md, sections 5 and 6.1. `write` uses this module, so it does not
import the runtime.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMESPACES: Final = ("head", "space", "pieces")
OPTIONAL_DTYPES: Final = frozenset(
    f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
) | {"float16", "float32", "float64"}
MAX_OPTIONAL: Final = 1024
MAX_AXES: Final = 4
MAX_NAME: Final = 256
MAX_PROMPTS: Final = 256
MAX_PROMPT_NAME_BYTES: Final = 256
MAX_PROMPT_BYTES: Final = 16_384

_NAMESPACE: Final = f"(?:{'|'.join(NAMESPACES)})"
_LABEL: Final = r"(?:\.[A-Za-z0-9_-]{1,64})"
_TENSOR: Final = f"{_NAMESPACE}{_LABEL}+"
OPTIONAL_KEY: Final = f"{_NAMESPACE}{_LABEL}*"


def optional_tensors(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Check optional tensors, and sort them in the order of the file.

    Args:
        tensors: Tensors by name, such as `head.topic.weights`.

    Returns:
        The tensors, little-endian and contiguous, sorted by falling element size, then by name.

    Raises:
        OutputError: A name, a dtype or a shape is invalid, or there are too many tensors.
    """
    if len(tensors) > MAX_OPTIONAL:
        msg = f"optional: expected at most {MAX_OPTIONAL} tensors, found {len(tensors)}"
        raise OutputError(msg)
    checked: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if len(name) > MAX_NAME or not re.fullmatch(_TENSOR, name):
            msg = f"optional: expected names like {NAMESPACES[0]}.topic.weights, found {name!r}"
            raise OutputError(msg)
        if tensor.dtype.name not in OPTIONAL_DTYPES:
            msg = f"{name}: expected numbers of 8 to 64 bits, found {tensor.dtype}"
            raise OutputError(msg)
        if not 1 <= tensor.ndim <= MAX_AXES or not tensor.size:
            msg = f"{name}: expected 1 to {MAX_AXES} axes without length 0, found {tensor.shape}"
            raise OutputError(msg)
        checked[name] = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
    return dict(sorted(checked.items(), key=lambda item: (-item[1].itemsize, item[0])))


def optional_keys(keys: Mapping[str, str]) -> dict[str, str]:
    """Check metadata keys of optional parts, such as `space` or `head.topic`.

    Raises:
        OutputError: A key is invalid.
    """
    for key in keys:
        if len(key) > MAX_NAME or not re.fullmatch(OPTIONAL_KEY, key):
            msg = f"optional metadata: expected keys like {NAMESPACES[0]}.topic, found {key!r}"
            raise OutputError(msg)
    return dict(keys)


def spell_prompts(prompts: Mapping[str, str]) -> str:
    """Return the value of the metadata key `prompts` for texts by name.

    Raises:
        OutputError: The prompts exceed a limit, or are not text.

    Example:
        >>> spell_prompts({"query": "q: ", "document": ""})
        '{"document":"","query":"q: "}'
    """
    if len(prompts) > MAX_PROMPTS:
        msg = f"prompts: expected at most {MAX_PROMPTS}, found {len(prompts)}"
        raise OutputError(msg)
    for name, text in prompts.items():
        try:
            sizes = len(name.encode()), len(text.encode())
        except (UnicodeEncodeError, AttributeError):
            msg = f"prompts: expected texts by name, found {text!r:.60} for {name!r:.60}"
            raise OutputError(msg) from None
        if not 1 <= sizes[0] <= MAX_PROMPT_NAME_BYTES or sizes[1] > MAX_PROMPT_BYTES:
            msg = (
                f"prompts: expected names of 1 to {MAX_PROMPT_NAME_BYTES} bytes and texts of at "
                f"most {MAX_PROMPT_BYTES}, found {sizes[0]} and {sizes[1]} for {name!r:.60}"
            )
            raise OutputError(msg)
    return json.dumps(dict(prompts), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
