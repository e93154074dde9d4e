"""The base of recipes: knobs are declared once, checked, and read and written as TOML."""

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
    """Declare a field of a recipe.

    Args:
        default: The default value.
        meaning: The help text, on one line. It spells other knobs as `as_flags` reads them.
        is_input: Whether the value names inputs: files, folders, data sets or models.
    """
    return field(default=default, metadata={"help": meaning, "is_input": is_input})


NO_INPUT = ("generated", "none", "vectors")
"""Places of an input knob that name no input; `train:` makes a tokenizer of the fit's texts."""


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The base of recipes: frozen dataclasses whose fields are made by `knob`.

    Attributes:
        RETIRED: Knobs of earlier versions that old recipes contain, and why they have no effect.

    Raises:
        RecipeError: A value has the wrong type.
    """

    RETIRED: ClassVar[dict[str, str]] = {}

    def __post_init__(self) -> None:
        for name, kind in self.knob_types().items():
            object.__setattr__(self, name, checked(name, kind, getattr(self, name)))

    @classmethod
    def knob_types(cls) -> dict[str, Any]:
        """Return each knob's name and type, in the order of declaration."""
        hints = get_type_hints(cls)
        return {entry.name: hints[entry.name] for entry in fields(cls)}

    @classmethod
    def knob_help(cls, name: str) -> str:
        """Return a knob's help text, on one line, with its default."""
        entry = next(entry for entry in fields(cls) if entry.name == name)
        default = "" if entry.default in (None, (), "") else f" (default: {_plain(entry.default)})"
        return f"{entry.metadata['help']}{default}"

    def inputs(self) -> list[str]:
        """Return the distinct inputs that the recipe names: files, folders, data sets, models."""
        names: dict[str, None] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.metadata["is_input"] and value is not None:
                names |= dict.fromkeys((value,) if isinstance(value, str) else value)
        return [
            name
            for name in names
            if name.partition("::")[0] not in NO_INPUT and not name.startswith("train:")
        ]

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, source: str = "recipe") -> Self:
        """Make a recipe from values by knob; other knobs have their defaults.

        Args:
            values: Values by knob; a tuple may be given as a list.
            source: The name of the mapping in errors.

        Raises:
            RecipeError: A knob is unknown, or a value is invalid.
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
    def overridden(cls, base: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
        """Return the values of a stored recipe with other values on top.

        Args:
            base: The stored recipe's values, by knob.
            flags: The values that take precedence, by knob.
        """
        return {**base, **flags}

    @classmethod
    def from_toml(cls, text: str, *, source: str = "recipe") -> Self:
        """Read a recipe that this or an earlier version wrote by `to_toml`.

        A retired knob is ignored; if its value is not false, a `RecipeWarning` is issued.

        Raises:
            RecipeError: The text is not TOML, or not a valid recipe.
        """
        # Parsing a dotted key takes time quadratic in its dots; a key cannot span lines.
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
            RecipeError: The file cannot be read, or is not a valid recipe.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            msg = f"{path}: cannot read the recipe: {reason}"
            raise RecipeError(msg) from error
        return cls.from_toml(text, source=str(path))

    def to_dict(self, *, defaults: bool = True) -> dict[str, Any]:
        """Return the knobs whose value is not None, in the order of declaration.

        Args:
            defaults: Whether to include knobs that have their default value.
        """
        return {
            entry.name: value
            for entry in fields(self)
            if (value := getattr(self, entry.name)) is not None
            and (defaults or value != entry.default)
        }

    def to_toml(self, *, defaults: bool = True) -> str:
        """Return the recipe as TOML: one line for each knob whose value is not None.

        Args:
            defaults: Whether to write knobs that have their default value. The recipe in a static
                embedding file has them, so that its meaning stays when a default changes.
        """
        return "\n".join(
            f"{name} = {toml_value(value)}"
            for name, value in self.to_dict(defaults=defaults).items()
        )


def checked(name: str, kind: Any, value: object) -> Any:  # noqa: ANN401 - types as values
    """Convert a value to the knob's type: a list becomes a tuple, 1 becomes 1.0.

    Args:
        name: The knob, for the error.
        kind: The knob's type: a plain type, a `Literal`, a union of these, or `tuple[T, ...]`.
        value: The given value.

    Raises:
        RecipeError: The value has another type.

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
    """Describe a knob's type in words, for errors and help."""
    words = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    if get_origin(kind) is Literal:
        return " or ".join(json.dumps(choice) for choice in get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(
            describe_type(option) for option in get_args(kind) if option is not NoneType
        )
    return words[kind]


def as_flags(recipe: type[Knobs], message: str) -> str:
    """Replace the knobs in a message by the command's flags.

    A message spells a knob as Python does: `two_words=`, optionally with a value in quotes.

    Args:
        recipe: The class that declares the knobs.
        message: A message for a caller in Python.

    Returns:
        The message with `--two-words` for `two_words=`, and `--dtype int8` for `dtype="int8"`.
    """
    names = "|".join(recipe.knob_types())
    spelled = rf"(?<![\w./:,'\"-])({names})=(?:\"(\w+)\"|(?=[\s,;:.)]|$))"
    return re.sub(
        spelled, lambda match: flag(match[1]) + (f" {match[2]}" if match[2] else ""), message
    )


_FLAGS = {"purpose": "--for"}  # "for" is a keyword of Python


def flag(name: str) -> str:
    """Return the command's flag for a knob."""
    return _FLAGS.get(name, "--" + name.replace("_", "-"))


def refuse(name: str, expected: str, found: object) -> NoReturn:
    """Raise the error of an invalid value.

    Raises:
        RecipeError: Always.
    """
    msg = f"{name}: expected {expected}, found {found!r}"
    raise RecipeError(msg)


def toml_value(value: object) -> str:
    """Return a value as TOML. A JSON string is a TOML string, except for U+007F."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return repr(value)


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
