"""Command-line flags for the knobs of a recipe."""

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
# The metavars of string knobs; other knobs are named by their type.
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
    "text": "SOURCE",
    "vocabulary": "FILE",
    "vocabulary_from": "FILE",
}


def add_knobs(
    parser: argparse.ArgumentParser, recipe: type[Knobs], groups: Mapping[str, str]
) -> None:
    """Declare a flag for each knob; an absent flag sets no attribute of the arguments.

    Args:
        parser: The parser to extend.
        recipe: The recipe's class.
        groups: The title of each group in the help, by the group's first knob.
    """
    group = parser.add_argument_group("the recipe")
    for name, kind in recipe.knob_types().items():
        if name in groups:
            group = parser.add_argument_group(f"the recipe: {groups[name]}")
        _add_knob(group, name, kind, as_flags(recipe, recipe.knob_help(name)))


def given_recipe(arguments: argparse.Namespace, recipe: type[K], read: Callable[[str], K]) -> K:
    """Build a command's recipe: the recipe of `--recipe`, with the flags taking precedence.

    The inputs that the recipe of `--recipe` names are printed to standard error, because that
    recipe may come from a stranger.

    Args:
        arguments: Has `output`, a file name, and `recipe`, the name of a file or of an installed
            model, or None.
        recipe: The recipe's class.
        read: Reads a recipe from a file.

    Raises:
        RecipeError: A value is invalid, or the file holds no such recipe.
        OutputError: The output cannot be written, or is the recipe's file.
    """
    values = vars(arguments)
    check_output(Path(arguments.output), [] if arguments.recipe is None else [arguments.recipe])
    flags = {name: values[name] for name in recipe.knob_types() if name in values}
    base: dict[str, Any] = {}
    if arguments.recipe is not None:
        with warnings_printed():
            stored = read(arguments.recipe)
        base = stored.to_dict()
    with flags_named(recipe):
        merged = recipe.from_dict(recipe.overridden(base, flags), source=_SOURCE)
    if arguments.recipe is not None:
        names = [name for name in stored.inputs() if name in merged.inputs()]
        if names:
            inputs = one_line(" ".join(names))
            sys.stderr.write(f"{arguments.recipe} names these inputs: {inputs}\n")
    return merged


def commands_progress(recipe: type[Knobs], *, quiet: bool) -> Progress:
    """Create a progress display whose notes name knobs as flags."""
    from ..progress import Progress  # the help does not need it

    return Progress(quiet=quiet, spell=lambda text: as_flags(recipe, text))


@contextmanager
def flags_named(recipe: type[Knobs]) -> Iterator[None]:
    """Name knobs as flags in a block's errors: `--held-out`, not `held_out`."""
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
    # Names within a file's name or a quoted value stay unchanged.
    pattern = rf"(?<![\w./'\"-])({long})(?![\w/'\"-]|\.\w)"
    return re.sub(pattern, lambda match: flag(match[1]), as_flags(recipe, message))


@contextmanager
def warnings_printed() -> Iterator[None]:
    """Print a block's warnings to standard error, one line each, when the block ends."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        text = " ".join(str(warning.message).split())
        sys.stderr.write(f"staticemb-distiller: warning: {text}\n")


def _add_knob(
    group: argparse._ArgumentGroup,
    name: str,
    kind: Any,  # noqa: ANN401 - types as values
    meaning: str,
) -> None:
    options: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS}
    if kind in (bool, bool | None):
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
    """Return the placeholder of a value in the help: `N` an integer, `X` any number."""
    if name in _METAVARS:
        return _METAVARS[name]
    words: list[str] = []
    for kind in types:
        words += get_args(kind) if get_origin(kind) is Literal else [_LETTERS[kind]]
    return "|".join(words)


def _parse(name: str, types: list[Any], text: str) -> int | float | str:
    """Parse a value by the first of a knob's types that fits; the recipe checks the value."""
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
