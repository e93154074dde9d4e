"""What a recipe's values are: checked against their types, put in words, written as TOML."""

from __future__ import annotations

import json
import math
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from .errors import RecipeError


def checked(name: str, kind: Any, value: object) -> Any:  # noqa: ANN401 - types as values
    """The value as the knob's type wants it: a list becomes a tuple, 1 becomes 1.0.

    Args:
        name: The knob, for the error.
        kind: Its type: a plain one, a `Literal`, a union of these, or `tuple[T, ...]`.
        value: What was given.

    Raises:
        RecipeError: The value is of another type.

    >>> checked("limits", tuple[int, ...], [1, 2])
    (1, 2)
    """
    if get_origin(kind) is tuple:
        element = get_args(kind)[0]
        if isinstance(value, list | tuple) and all(type(item) is element for item in value):
            return tuple(value)
        refuse(name, f"a list of {'numbers' if element is int else 'strings'}", value)
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    for option in options:
        if get_origin(option) is Literal:
            if isinstance(value, str) and value in get_args(option):
                return value
        elif type(value) is option:
            if isinstance(value, float) and not math.isfinite(value):
                break
            return value
    if float not in options or type(value) is not int:
        refuse(name, describe_type(kind), value)
    return float(value)


def describe_type(kind: Any) -> str:  # noqa: ANN401 - types as values
    """A knob's type in words, for errors and help."""
    words = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    if get_origin(kind) is Literal:
        return " or ".join(json.dumps(choice) for choice in get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(
            describe_type(option) for option in get_args(kind) if option is not NoneType
        )
    return words[kind]


def refuse(name: str, expected: str, found: object) -> NoReturn:
    """Say that a knob has a value it cannot have.

    Raises:
        RecipeError: Always.
    """
    msg = f"{name}: expected {expected}, found {found!r}"
    raise RecipeError(msg)


def toml_value(value: object) -> str:
    """One value in TOML; a JSON string is a TOML string but for U+007F."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return repr(value)
