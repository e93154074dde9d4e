"""JSON as in RFC 8259: Python's parser also accepts NaN and infinities, which are invalid JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

# No match spans more than two characters, so the scan of any text takes linear time.
_MARKS: Final = r'["\[\]{}]|\\.'


def depth(text: str, limit: int) -> int:
    """Measure the nesting depth of arrays and objects, up to `limit` + 1, without recursion.

    Example:
        >>> depth('{"a[[[": [1, [2]]}', 5)
        3
    """
    level = deepest = 0
    in_string = False
    for match in re.finditer(_MARKS, text, re.DOTALL):
        mark = match[0]
        if mark == '"':
            in_string = not in_string
        elif in_string:
            continue
        elif mark in "[{":
            level += 1
            deepest = max(deepest, level)
            if deepest > limit:
                break
        elif mark in "]}":
            level -= 1
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
        text: the JSON text.
        members: converts an object's keys and values; None: `dict`, with the last of equal keys.
        number: converts a number with a fraction or an exponent; None: `float`.
        integer: converts any other number; None: `int`.

    Raises:
        ValueError: the text is not JSON.
        RecursionError: the text nests deeper than the interpreter can parse.
    """
    if members is None and number is None and integer is None:
        return _PLAIN.decode(text)
    return json.loads(
        text,
        object_pairs_hook=members,
        parse_float=number,
        parse_int=integer,
        parse_constant=_refuse,
    )


def loads_at(
    text: str, start: int, *, integer: Callable[[str], Any] | None = None
) -> tuple[Any, int]:
    """Parse the JSON value that begins at a position of a text.

    Args:
        text: the JSON text.
        start: the position of the value's first character.
        integer: converts a number without fraction and exponent; None: `int`.

    Returns:
        The value, and the position after it.

    Raises:
        ValueError: no JSON value begins at the position.
        RecursionError: the value nests deeper than the interpreter can parse.

    Example:
        >>> loads_at('{"a": [1, 2], "b": 3}', 6)
        ([1, 2], 12)
    """
    decoder = json.JSONDecoder(parse_int=integer, parse_constant=_refuse)
    return decoder.raw_decode(text, start)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_PLAIN: Final = json.JSONDecoder(parse_constant=_refuse)  # json.loads would make one a call
