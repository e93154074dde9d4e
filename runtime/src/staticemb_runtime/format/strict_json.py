"""JSON as RFC 8259 has it: Python's parser also takes NaN and infinities, which are none."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

# No match spans more than two characters, so the scan takes linear time whatever the text holds.
_MARKS: Final = r'["\[\]{}]|\\.'


def depth(text: str, limit: int) -> int:
    """Measure how deep arrays and objects nest, up to `limit` + 1, without recursion.

    Example:
        >>> depth('{"a[[[": [1, [2]]}', 5)
        3
    """
    now = deepest = 0
    in_string = False
    for match in re.finditer(_MARKS, text, re.DOTALL):
        mark = match[0]
        if mark == '"':
            in_string = not in_string
        elif in_string:
            continue
        elif mark in "[{":
            now += 1
            deepest = max(deepest, now)
            if deepest > limit:
                break
        elif mark in "]}":
            now -= 1
    return deepest


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
