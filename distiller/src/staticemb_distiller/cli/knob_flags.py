"""Knobs of a recipe as flags of a command."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from ..errors import DistillerError, RecipeError
from ..interop.card import one_line
from ..output_file import check_output
from ..recipe.knobs import Knobs, as_flags, flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..progress import Progress

K = TypeVar("K", bound=Knobs)

_SOURCE = "command line"


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


def given_recipe(arguments: argparse.Namespace, recipe: type[K], read: Callable[[str], K]) -> K:
    """The recipe that a command line asks for: that of `--recipe`, the flags over it.

    What the recipe of `--recipe` names to be read is printed to standard error: it may be a
    stranger's.

    Args:
        arguments: With `output`, a file's name, and `recipe`, the name of a file, of an installed
            model, or None.
        recipe: Its class.
        read: Reads one from a file.

    Raises:
        RecipeError: A value is not as the recipe demands, or the file holds no such recipe.
        OutputError: The output cannot be written, or is the recipe's file.
    """
    given = vars(arguments)
    check_output(Path(arguments.output), [] if arguments.recipe is None else [arguments.recipe])
    flags = {name: given[name] for name in recipe.knob_types() if name in given}
    base: dict[str, Any] = {}
    if arguments.recipe is not None:
        with warnings_printed():
            stored = read(arguments.recipe)
        base = stored.to_dict()
    with flags_named(recipe):
        asked = recipe.from_dict({**base, **flags}, source=_SOURCE)
    if arguments.recipe is not None:
        names = [name for name in stored.inputs() if name in asked.inputs()]
        if names:
            named = one_line(" ".join(names))
            sys.stderr.write(f"{arguments.recipe} names what is read: {named}\n")
    return asked


def commands_progress(recipe: type[Knobs], *, quiet: bool) -> Progress:
    """Progress whose notes name knobs as they are typed."""
    from ..progress import Progress  # the help does without

    return Progress(quiet=quiet, spell=lambda text: as_flags(recipe, text))


@contextmanager
def flags_named(recipe: type[Knobs]) -> Iterator[None]:
    """Let the errors of a block name knobs as they are typed: `--held-out`, not `held_out`."""
    try:
        yield
    except DistillerError as error:
        error.args = (_as_typed(recipe, str(error)),)
        raise


def _as_typed(recipe: type[Knobs], message: str) -> str:
    knobs = recipe.knob_types()
    message = message.removeprefix(f"{_SOURCE}: ")
    first, colon, rest = message.partition(":")
    if colon and first in knobs:
        message = f"{flag(first)}:{rest}"
    long = "|".join(name for name in knobs if "_" in name)
    # Not within a file's name or a quoted value.
    named = rf"(?<![\w./'\"-])({long})(?![\w/'\"-]|\.\w)"
    return re.sub(named, lambda match: flag(match[1]), as_flags(recipe, message))


@contextmanager
def warnings_printed() -> Iterator[None]:
    """Print warnings to standard error as a command's lines, once the block ends."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for each in caught:
        text = " ".join(str(each.message).split())
        sys.stderr.write(f"staticemb-distiller: warning: {text}\n")


def _add_knob(
    group: argparse._ArgumentGroup,
    name: str,
    kind: Any,  # noqa: ANN401 - types as values
    meaning: str,
) -> None:
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
    group.add_argument(flag(name), help=meaning.replace("%", "%%"), **options)


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
    msg = f"{flag(name)}: expected a number, found {text!r}"
    raise RecipeError(msg)
