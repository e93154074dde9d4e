"""Type checks of arguments; an error names the argument."""

from __future__ import annotations

import os


def check_path(name: str, value: object) -> None:
    """Check that an argument is a path. `open` takes an integer for a file descriptor.

    Args:
        name: The argument's name, for the message.
        value: The argument.

    Raises:
        TypeError: The value is neither a string nor a path object.
    """
    check_type(name, value, (str, os.PathLike), "a path as a string or a Path")


def check_type(name: str, value: object, kinds: tuple[type, ...], expected: str) -> None:
    """Check the type of an argument.

    Args:
        name: The argument's name, for the message.
        value: The argument.
        kinds: The permitted types.
        expected: The permitted types in words, for the message.

    Raises:
        TypeError: The value has another type.

    >>> check_type("recipe", "a.toml", (dict,), "a dict")
    Traceback (most recent call last):
    TypeError: recipe: expected a dict, found the str 'a.toml'
    """
    if not isinstance(value, kinds):
        found = "None" if value is None else f"the {type(value).__name__} {value!a:.60}"
        raise TypeError(f"{name}: expected {expected}, found {found}")
