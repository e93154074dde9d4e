"""This project's own API: `/search` over the indexes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ..errors import FullTextMissingError
from ..search.fusion import VECTOR_WEIGHT
from . import members as check
from .members import check_known, invalid, shown
from .service import ALWAYS_THREAD, Answer, Job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..search.searching import Method
    from .service import Service

_METHODS: Final[dict[str, Method]] = {
    "hybrid": "hybrid",
    "lexical": "lexical",
    "vector": "vector",
}
_MEMBERS: Final = ("query", "index", "k", "method", "filter", "vector_weight")
_MOST_HITS: Final = 1000
_MOST_CHARACTERS: Final = 10_000


def search(service: Service, members: Mapping[str, Any]) -> Job:
    """Check a search.

    Members: `query`, `index`, `k` (10), `method` (hybrid), `filter`, `vector_weight`.

    Raises:
        Refusal: the request is invalid.
    """
    check_known(members, _MEMBERS)
    query = check.required(check.string(members, "query"), "query")
    if len(query) > _MOST_CHARACTERS:
        raise invalid("query", f"expected at most {_MOST_CHARACTERS} characters")
    index = service.index(check.string(members, "index"))
    count = check.integer(members, "k", 1, _MOST_HITS) or 10
    method = _METHODS[check.string(members, "method", tuple(_METHODS)) or "hybrid"]
    weight = check.share(members, "vector_weight")
    conditions = members.get("filter")
    if conditions is not None and not isinstance(conditions, dict):
        raise invalid("filter", f"expected an object, found {shown(conditions)}")

    def run() -> Answer:
        try:
            hits = index.search(
                query,
                count,
                filter=conditions,
                method=method,
                vector_weight=VECTOR_WEIGHT if weight is None else weight,
            )
        except FullTextMissingError:  # its message names the file
            expected = "expected vector or hybrid, as this index has no full-text search"
            raise invalid("method", f"{expected}, found {method}") from None
        body = json.dumps({"hits": [hit.to_dict() for hit in hits]}, separators=(",", ":"))
        return Answer(body.encode(), 1)

    return Job(ALWAYS_THREAD, run)
