"""Parquet to Parquet by one and two processes, and what a hundred million documents take."""

from typing import Any

import drawing

DOCUMENTS = 100_000_000
DOLLARS_A_CORE_HOUR = 0.05  # an assumption, which the page names as one
SHARD_ROWS = 1_000_000
_PREFIXES = (64, 128, 256)
_BYTES = {"float32": 4.0, "int8": 1.0, "binary": 1 / 8}


def section(content: dict[str, Any]) -> str:
    """Return a table with a row for each contestant."""
    results = content["results"]
    lines = [
        f"{results['texts']:,} paragraphs ({results['source']}), "
        f"{results['text_bytes'] / results['texts']:.0f} bytes each, in {results['shards']} files; "
        f"{results['dimension']} dimensions, float32.",
        "",
        "| | texts a second | MB of text a second | × model2vec, 1 process |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, row in results["rows"].items():
        times = row.get("times_base")
        shown = "" if times is None else f"{times['median']:.2f}"
        lines.append(
            f"| {name} | {row['texts_per_second']:,.0f} | {row['megabytes_per_second']:,.1f} "
            f"| {shown} |"
        )
    lines += ["", drawing.machine(content, "numpy", "model2vec", "pyarrow")]
    return "\n".join(lines + _scaling(results))


def _scaling(results: dict[str, Any]) -> list[str]:
    """Return how two processes scale: by the long job; the table's is short beside its start."""
    gain, long_job = results["two_processes_times_one"], results.get("long_job")
    if not gain or not long_job:  # one core, or results from before there was a long job
        return []
    one, two = results["start"]["seconds"].values()
    rows = list(results["rows"].values())
    return [
        "",
        f"**On {long_job['texts']:,} of these paragraphs, two processes are "
        f"{_gain(long_job['two_processes_times_one'])}.** On the {results['texts']:,} of the table "
        f"they are {_gain(gain)}: the clock includes the start of the processes, which takes "
        f"{one:.2g} seconds with one and {two:.2g} with two (measured on a text a file), and "
        f"that job lasts {rows[0]['seconds']:.2g} and {rows[1]['seconds']:.2g} seconds.",
    ]


def _gain(gain: dict[str, float]) -> str:
    return (
        f"{gain['median']:.2f} times as fast as one ({gain['low']:.2f} to {gain['high']:.2f}), "
        f"an efficiency of {gain['median'] / 2:.2f}"
    )


def further(content: dict[str, Any]) -> dict[str, str]:
    """Return the tables of the page that plans a hundred million documents."""
    return {"bulk plan": _plan(content), "bulk vectors": _vectors()}


def _plan(content: dict[str, Any]) -> str:
    """Return the work for documents of several lengths, from the measured rate of one process."""
    results = content["results"]
    rate = next(iter(results["rows"].values()))["megabytes_per_second"] * 1e6
    measured = results["text_bytes"] / results["texts"]
    environment = content["environment"]
    lines = [
        f"Measured: {rate / 1e6:,.1f} MB of text a second in one process on one core of "
        f"{environment['processor'] or environment['architecture']}, reading and writing included. "
        "The rows scale that by the bytes of the documents. The price of a core-hour, "
        f"${DOLLARS_A_CORE_HOUR:g}, is an assumption: put your own in its place below. "
        f"{drawing.commits(content).capitalize()}, {environment['date']}.",
        "",
        "| a document | all texts | core-hours | hours on 16 cores "
        f"| at an assumed ${DOLLARS_A_CORE_HOUR:g} a core-hour |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    kinds = {
        f"a paragraph, {measured:.0f} bytes (measured)": measured,
        "a page, 2 KB": 2e3,
        "an article, 10 KB": 1e4,
    }
    for name, size in kinds.items():
        hours = DOCUMENTS * size / rate / 3600
        lines.append(
            f"| {name} | {_size(DOCUMENTS * size)} | {_number(hours)} | {_number(hours / 16)} "
            f"| ${_number(hours * DOLLARS_A_CORE_HOUR)} |"
        )
    return "\n".join(lines)


def _vectors() -> str:
    """Return the bytes of all vectors by dimension and precision."""
    lines = [
        "| dimensions | " + " | ".join(_BYTES) + " |",
        "| --- |" + " ---: |" * len(_BYTES),
    ]
    for prefix in _PREFIXES:
        sizes = (_size(DOCUMENTS * prefix * each) for each in _BYTES.values())
        lines.append(f"| {prefix} | " + " | ".join(sizes) + " |")
    shard = SHARD_ROWS * _PREFIXES[-1] * _BYTES["float32"]
    lines += [
        "",
        f"Shards of {SHARD_ROWS:,} documents are {DOCUMENTS // SHARD_ROWS} files, with "
        f"{_size(shard)} of vectors in each ({_PREFIXES[-1]} dimensions, float32).",
    ]
    return "\n".join(lines)


def _size(size: float) -> str:
    """Format a number of bytes in three digits."""
    unit, factor = ("TB", 1e12) if size >= 1e12 else ("GB", 1e9)
    return f"{size / factor:.3g} {unit}"


def _number(value: float) -> str:
    """Format with three significant digits, or as a whole number from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
