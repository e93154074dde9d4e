"""The plan names its price as an assumption; the efficiency of two processes is a long job's."""

import pytest

from .shown import shown_by

SHOW = """
import json
import figures.bulk as bulk

bulk.DOLLARS_A_CORE_HOUR = 0.2
results = {"texts": 1000, "text_bytes": 500_000, "rows": {"one": {"megabytes_per_second": 10.0}}}
environment = {"processor": "p", "commit": "c", "date": "d"}
content = {"environment": environment, "results": results}
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


SCALING = """
import json
import figures.bulk as bulk

row = {"texts_per_second": 1.0, "megabytes_per_second": 1.0}
gain = {"median": 1.3, "low": 1.2, "high": 1.4}
results = {
    "source": "s", "texts": 1000, "text_bytes": 500_000, "shards": 8, "dimension": 256,
    "rows": {"one": row | {"seconds": 2.3}, "two": row | {"seconds": 1.8}},
    "two_processes_times_one": gain,
    "long_job": {"texts": 5000, "two_processes_times_one": dict.fromkeys(gain, 1.8)},
    "start": {"texts": 8, "seconds": {"one": 0.31, "two": 0.92}},
}
alone = results | {"two_processes_times_one": None}
environment = {"processor": "p", "python": "3", "versions": {}, "commit": "c", "date": "d"}
shown = [bulk.section({"environment": environment, "results": each}) for each in (results, alone)]
print(json.dumps(shown))
"""


def test_the_efficiency_is_that_of_the_long_job():
    both, one_core = shown_by(SCALING)
    long_job, short_job = both.split("\n\n")[-1].split("** ")
    assert "5,000" in long_job
    assert "an efficiency of 0.90" in long_job
    for shown in ("1,000", "an efficiency of 0.65", "0.31 seconds", "0.92", "2.3 and 1.8 seconds"):
        assert shown in short_job
    assert "efficiency" not in one_core
