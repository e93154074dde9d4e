"""The plan of a large job names its price as an assumption, and counts with it."""

import pytest

from .shown import shown_by

SHOW = """
import json
import figures.bulk as bulk

bulk.DOLLARS_A_CORE_HOUR = 0.2
results = {"texts": 1000, "text_bytes": 500_000, "rows": {"one": {"megabytes_per_second": 10.0}}}
content = {"environment": {"processor": "p"}, "results": results}
print(json.dumps(bulk.further(content)["bulk plan"]))
"""


def test_the_price_is_an_assumption_and_the_cost_follows_it():
    text, table = shown_by(SHOW).split("\n\n")
    assert "$0.2, is an assumption" in text
    head, _, *rows = table.splitlines()
    assert "at an assumed $0.2 a core-hour" in head
    for row in rows:
        *_, hours, _, dollars, _ = row.split("|")
        cost = float(dollars.strip().lstrip("$").replace(",", ""))
        assert cost == pytest.approx(0.2 * float(hours.replace(",", "")), rel=0.06)
