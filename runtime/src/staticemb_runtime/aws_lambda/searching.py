"""Requests with a `query`: the documents of the index that answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import FullTextMissingError, InvalidOptionError, RequestError
from .requests import invalid

if TYPE_CHECKING:
    from .requests import Resources

MAX_HITS: Final = 1000
MEMBERS: Final[dict[str, type]] = {
    "query": str,
    "k": int,
    "filter": dict,
    "method": str,
    "vector_weight": float,
}


def find(resources: Resources, options: dict[str, Any]) -> dict[str, Any]:
    """Answer a request with the hits of its query.

    Args:
        resources: the model and the index.
        options: the checked members of the request.

    Raises:
        InvalidEvent: the request cannot be answered.
        SearchIndexError: the index is damaged.
    """
    if resources.index is None:
        raise invalid(
            "query: expected a function with a search index, found none; "
            "`staticemb bundle-lambda --index` adds one"
        )
    if options.get("k", 0) > MAX_HITS:
        raise invalid(f"k: expected at most {MAX_HITS}, found {options['k']}")
    try:
        hits = resources.index.search(**options)
    except (InvalidOptionError, RequestError, FullTextMissingError) as error:
        raise invalid(str(error)) from None
    return {
        "model": resources.model.metadata.digest,
        "hits": [hit.to_dict() for hit in hits],
    }
