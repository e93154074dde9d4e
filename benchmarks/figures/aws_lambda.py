"""Start, answers and memory of a Lambda function, with and without an index."""

from typing import Any

import drawing


def section(content: dict[str, Any]) -> str:
    """Return the table of the functions, and the sizes of their zips."""
    results = content["results"]
    heads = ["", "start, s", "first answer, ms", "later answers, ms", "peak memory, MB"]
    body = [
        [
            name,
            f"{row['start_seconds']:.2f}",
            f"{row['first_milliseconds']:.1f}",
            f"{row['later_milliseconds']:.1f}",
            f"{row['peak_megabytes']:.0f}",
        ]
        for name, row in results["rows"].items()
    ]
    texts, index = results["bytes"]["texts"], results["bytes"]["index"]
    return (
        drawing.table(heads, body)
        + f"\n\nThe index holds {results['documents']:,} documents (NFCorpus). Zips: "
        f"{texts['zipped'] / 1e6:.1f} MB, {texts['unzipped'] / 1e6:.0f} MB unzipped; with the "
        f"index {index['zipped'] / 1e6:.1f} and {index['unzipped'] / 1e6:.0f} MB. "
        + drawing.machine(content, "numpy", "tokenizers")
    )
