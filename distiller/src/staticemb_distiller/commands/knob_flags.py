"""Knobs of a recipe as flags of a command."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from ..errors import RecipeError
from ..knobs import Knobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

K = TypeVar("K", bound=Knobs)


_LETTERS = {int: "N", float: "X", str: "TEXT"}
# What goes where a string is asked for; other values are named by their type.
_METAVARS = {
    "counts_from": "FILE",
    "fit": "SOURCE",
    "fit_language": "CODE",
    "held_out": "N|SHARE",
    "keep_used_in": "FILE",
    "pairs": "SOURCE",
    "remove": "REGEX",
    "revision": "REVISION",
    "teacher": "TEACHER",
    "teacher_budget": "N|TIME",
    "teacher_revision": "REVISION",
    "vocabulary": "FILE",
    "vocabulary_from": "FILE",
}


def add_knobs(
    parser: argparse.ArgumentParser, recipe: type[Knobs], groups: Mapping[str, str]
) -> None:
    """Declare a flag for each knob; one that is not given leaves no trace among the arguments.

    Args:
        parser: Where to declare them.
        recipe: What they are knobs of.
        groups: The title of each group in the help, by the knob that is its first.
    """
    group = parser.add_argument_group("the recipe")
    for name, kind in recipe.knob_types().items():
        if name in groups:
            group = parser.add_argument_group(f"the recipe: {groups[name]}")
        _add_knob(group, name, kind, recipe.knob_help(name))


def given_recipe(arguments: argparse.Namespace, recipe: type[K], read: Callable[[Path], K]) -> K:
    """The recipe that a command line asks for: that of `--recipe`, the flags over it.

    Args:
        arguments: With `recipe`, the name of a file or None.
        recipe: Its class.
        read: Reads one from a file.

    Raises:
        RecipeError: A value is not as the recipe demands, or the file holds no such recipe.
    """
    given = vars(arguments)
    flags = {name: given[name] for name in recipe.knob_types() if name in given}
    base = {} if arguments.recipe is None else read(Path(arguments.recipe)).to_dict()
    return recipe.from_dict({**base, **flags}, source="command line")


def _add_knob(
    group: argparse._ArgumentGroup,
    name: str,
    kind: Any,  # noqa: ANN401 - types as values
    meaning: str,
) -> None:
    flag = "--" + name.replace("_", "-")
    options: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS}
    if kind is bool:
        options |= {"action": argparse.BooleanOptionalAction}
    elif get_origin(kind) is tuple:
        options |= {"action": "extend", "nargs": "+", "type": get_args(kind)[0]}
        options |= {"metavar": _metavar(name, get_args(kind)[:1])}
    elif get_origin(kind) is Literal:
        options |= {"choices": get_args(kind)}
    else:
        types = [option for option in get_args(kind) or (kind,) if option is not NoneType]
        options |= {"type": lambda text: _parse(name, types, text)}
        options |= {"metavar": _metavar(name, types)}
    group.add_argument(flag, help=meaning.replace("%", "%%"), **options)


def _metavar(name: str, types: Iterable[Any]) -> str:
    """What stands for the value in the help: `N` a whole number, `X` any."""
    if name in _METAVARS:
        return _METAVARS[name]
    words: list[str] = []
    for kind in types:
        words += get_args(kind) if get_origin(kind) is Literal else [_LETTERS[kind]]
    return "|".join(words)


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
