"""Checks of the arguments of an index's methods."""

from __future__ import annotations

from collections.abc import KeysView, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..encoding.batching import check_texts as ordered
from ..encoding.options import check_count
from ..errors import InvalidOptionError, InvalidTextError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_LARGEST: Final = (1 << 63) - 1  # an integer of SQLite


def matching(name: str, source: Iterator[Any] | None, count: int) -> list[Any] | None:
    """Take as many values as there are texts."""
    if source is None:
        return None
    values = list(islice(source, count))
    if len(values) != count:
        raise InvalidOptionError(f"{name}: expected one for each text, found fewer")
    return values


def in_order(name: str, values: Iterable[Any], *, keys: bool = False) -> Iterator[Any]:
    """Iterate over values that belong to texts by their order.

    Args:
        name: the parameter's name, for messages.
        values: the values.
        keys: whether the keys of a mapping are such values, as in `texts.values(), ids=texts`.

    Raises:
        TypeError: it is one string, a table, a set or another type without such an order.
    """
    if isinstance(values, str):
        raise TypeError(f"{name}: expected an iterable, found a string")
    if keys and isinstance(values, (Mapping, KeysView)):
        return iter(values)
    return iter(ordered(values, name))


def check_texts(texts: Sequence[object], first: int) -> None:
    """Check that texts are strings of valid Unicode."""
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {first + place}: expected a string, found {type(text).__name__}")
        try:
            text.encode()
        except UnicodeEncodeError:
            reason = "expected valid Unicode, found a lone surrogate"
            raise InvalidTextError(reason, index=first + place) from None


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Check that an option is one of the choices, which are strings or None."""
    values = list(choices)
    if not (value is None or isinstance(value, str)) or value not in values:
        expected = " or ".join(map(str, values))
        raise InvalidOptionError(f"{name}: expected {expected}, found {value!r:.60}")


def words_of(name: str, values: Iterable[object]) -> list[str]:
    """Return words in any order as a list."""
    words = [values] if isinstance(values, str) else list(values)
    strings = [word for word in words if isinstance(word, str)]
    if isinstance(values, str) or len(strings) < len(words):
        raise TypeError(f"{name}: expected an iterable of strings, found {values!r:.60}")
    return strings


def passage_limit(value: int | None) -> int | None:
    """Return the length above which documents are cut, or None."""
    if value is None:
        return None
    length = check_count("passage_characters", value)
    if length > _LARGEST:
        raise InvalidOptionError(f"passage_characters: expected at most {_LARGEST}, found {length}")
    return length


def weight(name: str, value: float) -> float:
    """Return a number from 0 to 1."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    if isinstance(value, bool) or not number or not 0 <= value <= 1:
        raise InvalidOptionError(f"{name}: expected a number from 0 to 1, found {value!r:.40}")
    return float(value)
