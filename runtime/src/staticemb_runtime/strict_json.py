"""JSON as RFC 8259 has it: Python's parser also takes NaN and infinities, which are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


def loads(
    text: str,
    *,
    members: Callable[[list[tuple[str, Any]]], Any] | None = None,
    number: Callable[[str], Any] | None = None,
    integer: Callable[[str], Any] | None = None,
) -> Any:  # noqa: ANN401 - any value may be JSON
    """Parse one JSON value.

    Args:
        text: the whole of it.
        members: what makes an object of keys and values; None: `dict`, the last of equal keys.
        number: what makes something of a number with a fraction or an exponent; None: `float`.
        integer: what makes something of any other number; None: `int`.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it nests deeper than the interpreter goes.
    """
    return json.loads(
        text,
        object_pairs_hook=members,
        parse_float=number,
        parse_int=integer,
        parse_constant=_refuse,
    )


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
