"""Arguments of another type than a function takes: refused at once, by name."""

from __future__ import annotations

import os


def check_path(name: str, value: object) -> None:
    """Refuse what is no path. An integer would be taken for an open file's descriptor.

    Args:
        name: The argument, for the message.
        value: What was given.

    Raises:
        TypeError: It is neither a string nor an object that stands for one.
    """
    check_type(name, value, (str, os.PathLike), "a path as a string or a Path")


def check_type(name: str, value: object, kinds: tuple[type, ...], expected: str) -> None:
    """Refuse an argument of another type.

    Args:
        name: The argument, for the message.
        value: What was given.
        kinds: The types that it may have.
        expected: What they are in words.

    Raises:
        TypeError: It has another.

    >>> check_type("recipe", "a.toml", (dict,), "a dict")
    Traceback (most recent call last):
    TypeError: recipe: expected a dict, found the str 'a.toml'
    """
    if not isinstance(value, kinds):
        found = "None" if value is None else f"the {type(value).__name__} {value!a:.60}"
        raise TypeError(f"{name}: expected {expected}, found {found}")
