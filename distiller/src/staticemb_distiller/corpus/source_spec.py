"""Sources of texts and examples, in the command line's form.

`PLACE[::KEY=VALUE[,KEY=VALUE...]]`: a file, a folder, or `hf:` and the id of a data set on the Hub.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..errors import TextSourceError

HUB_PREFIX = "hf:"
GIVEN = "vectors"
"""The name of the source of texts that come with their vectors."""

_COMMON = ("weight", "limit", "split", "config", "revision")


@dataclass(frozen=True)
class PlaceSpec:
    """The fields of every source.

    Attributes:
        place: A file, a folder, or `hf:` and the id of a data set on the Hub.
        weight: The weight of each of its texts or examples.
        limit: The most texts or examples to take; None: all.
        split: The split of a data set on the Hub.
        config: The subset of a data set on the Hub.
        revision: The revision of a data set on the Hub.
    """

    place: str
    _: KW_ONLY
    weight: float = 1.0
    limit: int | None = None
    split: str = "train"
    config: str | None = None
    revision: str | None = None

    @property
    def dataset(self) -> str | None:
        """The id of a data set on the Hub; None for other sources."""
        on_hub = self.place.startswith(HUB_PREFIX)
        return self.place.removeprefix(HUB_PREFIX) if on_hub else None


def parse_spec(
    spec: str, keys: Collection[str], *, limit: int | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Parse a source.

    Args:
        spec: The source as given.
        keys: The keys in addition to weight, limit, split, config and revision.
        limit: The limit if the source has none.

    Returns:
        The fields of a `PlaceSpec`, and the values of the given `keys`.

    Raises:
        TextSourceError: A key is unknown, a value is invalid, or there is no place.

    >>> parse_spec("reviews.jsonl::column=title+body,weight=3", {"column"}, limit=9)
    ({'place': 'reviews.jsonl', 'weight': 3.0, 'limit': 9}, {'column': 'title+body'})
    """
    place, _, rest = spec.partition("::")
    knobs: dict[str, str] = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if (key not in keys and key not in _COMMON) or not equals or not value:
            known = ", ".join(sorted({*keys, *_COMMON}))
            raise TextSourceError(f"{spec}: expected KEY=VALUE with one of {known}, found {pair!r}")
        knobs[key] = value
    if not place:
        raise TextSourceError(f"{spec!r}: expected a file, a folder or hf:ID at the beginning")
    common: dict[str, Any] = {key: knobs.pop(key) for key in _COMMON if key in knobs}
    try:
        weight = float(common.get("weight", 1.0))
        limit = int(common["limit"]) if "limit" in common else limit
    except ValueError as error:
        raise TextSourceError(f"{spec}: weight and limit must be numbers ({error})") from error
    if not 0 < weight < float("inf") or (limit is not None and limit < 1):
        raise TextSourceError(f"{spec}: weight and limit must be above 0")
    return {"place": place, **common, "weight": weight, "limit": limit}, knobs


def named_columns(value: str) -> tuple[str, ...]:
    """Split column names joined by `+`."""
    return tuple(filter(None, value.split("+")))
