"""What a recipe is: knobs declared once, checked against their types, read and written as TOML."""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    NoReturn,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from ..errors import RecipeError, RecipeWarning

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


MAX_CHARACTERS = 1 << 16
MAX_DOTS = 1 << 12


def knob(
    default: Any,  # noqa: ANN401 - as dataclasses.field
    meaning: str,
    *,
    is_input: bool = False,
) -> Any:  # noqa: ANN401
    """Declare a field of a recipe, with its default and what it does on one line.

    Args:
        default: Its default.
        meaning: What it does.
        is_input: Whether it names what is read: files, folders, data sets or models.
    """
    return field(default=default, metadata={"help": meaning, "is_input": is_input})


NO_INPUT = ("generated", "none")
"""Values of an input's knob that name nothing to be read."""


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The base of recipes: frozen dataclasses whose fields are made by `knob`.

    Attributes:
        RETIRED: Knobs of earlier versions, which old recipes have, and why they do nothing.

    Raises:
        RecipeError: A value is of the wrong kind.
    """

    RETIRED: ClassVar[dict[str, str]] = {}

    def __post_init__(self) -> None:
        for name, kind in self.knob_types().items():
            object.__setattr__(self, name, checked(name, kind, getattr(self, name)))

    @classmethod
    def knob_types(cls) -> dict[str, Any]:
        """Each knob's name and type, in the order of their declaration."""
        hints = get_type_hints(cls)
        return {entry.name: hints[entry.name] for entry in fields(cls)}

    @classmethod
    def knob_help(cls, name: str) -> str:
        """What a knob does, on one line, with its default."""
        entry = next(entry for entry in fields(cls) if entry.name == name)
        default = "" if entry.default in (None, (), "") else f" (default: {_plain(entry.default)})"
        return f"{entry.metadata['help']}{default}"

    def inputs(self) -> list[str]:
        """What the recipe names to be read: files, folders, data sets and models, each once."""
        found: dict[str, None] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.metadata["is_input"] and value is not None:
                found |= dict.fromkeys((value,) if isinstance(value, str) else value)
        return [name for name in found if name not in NO_INPUT]

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, source: str = "recipe") -> Self:
        """Make a recipe from a mapping of knobs to values; knobs left out keep their defaults.

        Args:
            values: Each knob's value, lists where the knob is a tuple.
            source: What to call the mapping in an error.

        Raises:
            RecipeError: A knob is unknown, or a value is not as the class demands.
        """
        known = cls.knob_types()
        unknown = sorted(set(values) - set(known))
        if unknown:
            msg = f"{source}: no knob is called {unknown[0]!r}; known are {', '.join(known)}"
            raise RecipeError(msg)
        try:
            return cls(**values)
        except RecipeError as error:
            msg = f"{source}: {error}"
            raise RecipeError(msg) from error

    @classmethod
    def from_toml(cls, text: str, *, source: str = "recipe") -> Self:
        """Read what `to_toml` writes, now or in an earlier version.

        A retired knob is ignored. One that is not false gives a `RecipeWarning`.

        Raises:
            RecipeError: The text is not TOML, or no recipe.
        """
        # A dotted key, which stands on one line, costs the parser the square of its dots.
        dots = max((line.count(".") for line in text.split("\n")), default=0)
        if len(text) > MAX_CHARACTERS or dots > MAX_DOTS:
            msg = (
                f"{source}: expected at most {MAX_CHARACTERS:,} characters, and {MAX_DOTS:,} dots "
                f"a line, found {len(text):,} and {dots:,}"
            )
            raise RecipeError(msg)
        try:
            values = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            msg = f"{source}: not TOML: {error}"
            raise RecipeError(msg) from error
        for name, reason in cls.RETIRED.items():
            if values.pop(name, False) is not False:
                warnings.warn(f"{source}: {name} is ignored: {reason}", RecipeWarning, stacklevel=2)
        return cls.from_dict(values, source=source)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recipe from a TOML file.

        Raises:
            RecipeError: The file cannot be read, or is no recipe.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"{path}: cannot read the recipe: {reason}"
            raise RecipeError(msg) from error
        return cls.from_toml(text, source=str(path))

    def to_dict(self, *, defaults: bool = True) -> dict[str, Any]:
        """The knobs that have a value, in the order of their declaration.

        Args:
            defaults: Whether to include knobs that stand at their default.
        """
        return {
            entry.name: value
            for entry in fields(self)
            if (value := getattr(self, entry.name)) is not None
            and (defaults or value != entry.default)
        }

    def to_toml(self, *, defaults: bool = True) -> str:
        """The recipe as TOML: one line for each knob that has a value.

        Args:
            defaults: Whether to write knobs that stand at their default. The recipe in a file has
                them, so that it means the same when a later version changes a default.
        """
        return "\n".join(
            f"{name} = {toml_value(value)}"
            for name, value in self.to_dict(defaults=defaults).items()
        )


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
        if isinstance(value, list | tuple):
            if element is float:
                return tuple(checked(name, float, item) for item in value)
            if all(type(item) is element for item in value):
                return tuple(value)
        refuse(name, f"a list of {'strings' if element is str else 'numbers'}", value)
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


def as_flags(recipe: type[Knobs], message: str) -> str:
    """Spell the knobs that a message names as the command's flags.

    A message spells a knob as Python does, `two_words=`, with a value in quotes after it or none.

    Args:
        recipe: Whose knobs.
        message: What was written for a caller in Python.

    Returns:
        The message with `--two-words` in place of `two_words=`, `--dtype int8` of `dtype="int8"`.
    """
    names = "|".join(recipe.knob_types())
    spelled = rf"(?<![\w./:,'\"-])({names})=(?:\"(\w+)\"|(?=[\s,;:.)]|$))"
    return re.sub(
        spelled, lambda match: flag(match[1]) + (f" {match[2]}" if match[2] else ""), message
    )


def flag(name: str) -> str:
    """A knob as an option of the command."""
    return "--" + name.replace("_", "-")


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


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
