"""Knobs of a recipe as flags of a command."""

from __future__ import annotations

import argparse
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from ..errors import RecipeError


def add_knob(
    group: argparse._ArgumentGroup,
    name: str,
    kind: Any,  # noqa: ANN401 - types as values
    meaning: str,
) -> None:
    """Declare the flag of a knob; one that is not given leaves no trace among the arguments.

    Args:
        group: Where it is declared.
        name: The knob's.
        kind: Its type, as `knobs.checked` takes it.
        meaning: What it does.
    """
    flag = "--" + name.replace("_", "-")
    options: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS}
    if kind is bool:
        options |= {"action": argparse.BooleanOptionalAction}
    elif get_origin(kind) is tuple:
        options |= {"action": "extend", "nargs": "+", "type": get_args(kind)[0]}
        options |= {
            "metavar": "N" if get_args(kind)[0] is not str else name.rpartition("_")[2].upper()
        }
    elif get_origin(kind) is Literal:
        options |= {"choices": get_args(kind)}
    else:
        types = [option for option in get_args(kind) or (kind,) if option is not NoneType]
        options |= {"type": lambda text: _parse(name, types, text), "metavar": "VALUE"}
    group.add_argument(flag, help=meaning.replace("%", "%%"), **options)


def _parse(name: str, types: list[Any], text: str) -> int | float | str:
    """The first of a knob's types that the text spells; the recipe checks the value itself."""
    for kind in (int, float):
        if kind in types:
            try:
                return kind(text)
            except ValueError:
                continue
    if str in types or any(get_origin(kind) is Literal for kind in types):
        return text
    msg = f"{name}: expected a number, found {text!r}"
    raise RecipeError(msg)
