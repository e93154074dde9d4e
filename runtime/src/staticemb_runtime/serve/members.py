"""Checks of the members of a request; null counts as absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .limits import Limits

    Members = Mapping[str, Any]


def string(members: Members, name: str, choices: Collection[str] = ()) -> str | None:
    """Return a string, or None."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or (choices and value not in choices):
        expected = " or ".join(choices) or "a string"
        raise invalid(name, f"expected {expected}, found {shown(value)}")
    return value


def flag(members: Members, name: str) -> bool | None:
    """Return a boolean, or None."""
    value = members.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(name, f"expected true or false, found {shown(value)}")
    return value


def integer(members: Members, name: str, low: int, high: int) -> int | None:
    """Return an integer in a range, or None."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise invalid(name, f"expected an integer from {low} to {high}, found {shown(value)}")
    return value


def share(members: Members, name: str) -> float | None:
    """Return a number from 0 to 1, or None."""
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise invalid(name, f"expected a number from 0 to 1, found {shown(value)}")
    return float(value)


def texts(members: Members, name: str, limits: Limits) -> list[str]:
    """Return a text or a list of texts as a list.

    Raises:
        Refusal: there is none, an element is no string, or there are too many.
    """
    value = members.get(name)
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        found = "an empty array" if value == [] else shown(value)
        raise invalid(name, f"expected a string or an array of strings, found {found}")
    for number, text in enumerate(value):
        if not isinstance(text, str):
            raise invalid(name, f"expected strings, found {shown(text)} at {number}")
    check_amount(name, value, limits)
    return value


def check_amount(name: str, values: Sequence[str], limits: Limits) -> None:
    """Refuse too many texts or characters."""
    if len(values) > limits.texts:
        raise Refusal(
            "too_large",
            f"{name}: expected at most {limits.texts} texts, found {len(values)}",
            param=name,
            code="too_many_texts",
        )
    check_characters(name, values, limits)


def check_characters(name: str, values: Sequence[str], limits: Limits) -> None:
    """Refuse too many characters."""
    characters = sum(map(len, values))
    if characters > limits.characters:
        raise Refusal(
            "too_large",
            f"{name}: expected at most {limits.characters} characters, found {characters}",
            param=name,
            code="too_many_characters",
        )


def check_known(members: Members, known: Collection[str]) -> None:
    """Refuse members that this API does not have."""
    for name in members:
        if name not in known:
            expected = ", ".join(known)
            raise invalid("body", f"expected members among {expected}, found {shown(name)}")


def required(value: str | None, name: str) -> str:
    """Return a string that must be present."""
    if value is None:
        raise invalid(name, "expected a string, found none")
    return value


def invalid(name: str, message: str) -> Refusal:
    """Make the refusal of a member."""
    return Refusal("invalid", f"{name}: {message}", param=name)


def shown(value: object) -> str:
    """Describe a value in a few characters, without the texts of others."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the string {value!a:.40}" if len(value) <= 32 else "a longer string"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else "a larger integer"
    if isinstance(value, float):
        return repr(value)
    return "an array" if isinstance(value, list) else "an object"
