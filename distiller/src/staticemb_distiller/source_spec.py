"""How the command line spells a source: `PLACE[::KEY=VALUE[,KEY=VALUE...]]`."""

from __future__ import annotations

from collections.abc import Collection

from .errors import TextSourceError

HUB_PREFIX = "hf:"


def split_spec(spec: str, keys: Collection[str]) -> tuple[str, dict[str, str]]:
    """Take a source's place and knobs apart.

    Args:
        spec: As it was given.
        keys: Those that are known.

    Raises:
        TextSourceError: An unknown key, one without a value, or no place.

    >>> split_spec("reviews.jsonl::column=title+body,weight=3", {"column", "weight"})
    ('reviews.jsonl', {'column': 'title+body', 'weight': '3'})
    """
    place, _, rest = spec.partition("::")
    knobs: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if key not in keys or not equals or not value:
            known = ", ".join(sorted(keys))
            raise TextSourceError(f"{spec}: expected KEY=VALUE with one of {known}, found {pair!r}")
        knobs[key] = value
    if not place:
        raise TextSourceError(f"{spec!r}: expected a file, a folder or hf:ID before the knobs")
    return place, knobs


def weight_and_limit(
    spec: str, knobs: dict[str, str], limit: int | None
) -> tuple[float, int | None]:
    """Read the two knobs that every source has.

    Args:
        spec: As it was given, for messages.
        knobs: From `split_spec`.
        limit: The limit where there is none among them.

    Raises:
        TextSourceError: One is no number above 0.
    """
    try:
        weight = float(knobs.get("weight", 1.0))
        limit = int(knobs["limit"]) if "limit" in knobs else limit
    except ValueError as error:
        raise TextSourceError(f"{spec}: weight and limit must be numbers ({error})") from error
    if not 0 < weight < float("inf") or (limit is not None and limit < 1):
        raise TextSourceError(f"{spec}: weight and limit must be above 0")
    return weight, limit


def named_columns(value: str) -> tuple[str, ...]:
    """Columns' names as a knob has them, joined by `+`."""
    return tuple(filter(None, value.split("+")))
