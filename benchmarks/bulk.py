"""Parquet to Parquet, as whole commands: one and two processes, beside peers on the same files.

Each contestant reads the shards, embeds the column `text` with the same table, and writes the rows
with a column of vectors. The clock runs from the start of the processes to their end. Two processes
of a peer get half of the shards each.

Ours alone then embeds a longer job, which tells how two processes scale, and one of a text a shard,
whose time is the start of the processes. All peers on the longer job would take half an hour.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import contestants
import harness
import numpy as np
import peers
import pyarrow as pa
import pyarrow.parquet as pq
import texts

if TYPE_CHECKING:
    from collections.abc import Callable

SHARDS = 8
TEXTS = 160_000
LONG_TEXTS = 800_000
REPETITIONS = 3
OURS = "staticemb encode"
BASE = "model2vec"
_PEER = """
import sys
from pathlib import Path
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

name, folder, out, *shards = sys.argv[1:]
if name == "model2vec":
    from model2vec import StaticModel

    peer = StaticModel.from_pretrained(folder)
    encode = lambda texts: peer.encode(texts, max_length=None, use_multiprocessing=False)
else:
    import peers

    encode = peers.fastembed(Path(folder).parent)
for shard in shards:
    table = pq.read_table(shard)
    vectors = np.asarray(encode(table.column("text").to_pylist()), np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    pq.write_table(
        table.append_column("embedding", column), Path(out) / Path(shard).name,
        use_dictionary=["text"], compression={"text": "snappy"},
    )
"""


def main() -> None:
    """Run and save."""
    harness.read_options()
    repetitions = harness.fewer(REPETITIONS, least=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = harness.fewer(TEXTS, least=800)
        source = write_shards(folder / "in", count)
        # One model for all: int8, plain pooling, 256 dimensions.
        model = contestants.write_file(folder, "int8")
        peer_folder = peers.model2vec_folder(folder)
        calls, absent = lineup(folder, model, peer_folder)
        outputs = check_vectors(folder, calls)
        seconds = harness.measure(calls, repetitions)
        shards = list((folder / "in").iterdir())
        size = sum(path.stat().st_size for path in shards)
        characters = sum(texts_bytes(path) for path in shards)
        long_job = measure_ours(folder, model, harness.fewer(LONG_TEXTS, least=800), repetitions)
        start = measure_ours(folder, model, SHARDS, repetitions)
    results: dict[str, Any] = {
        "source": source,
        "texts": count,
        "shards": SHARDS,
        "text_bytes": characters,
        "input_bytes": size,
        "output_bytes": outputs,
        "dimension": 256,
        "repetitions": repetitions,
        "rows": {name: _row(name, seconds, count, characters) for name in calls},
        "two_processes_times_one": _gain(seconds),
        "long_job": long_job,
        "start": start,
        "not_measured": absent,
    }
    if gain := long_job["two_processes_times_one"]:
        print(f"2 processes: ×{gain['median']:.2f}, efficiency {gain['median'] / 2:.2f}")
    harness.save("bulk", results)


def write_shards(folder: Path, count: int) -> str:
    """Write shards of paragraphs, each text once, and return the name of their source."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    sample, source = texts.load("news", count)
    # A number makes a repeated text another one, of nearly the same words.
    rows = [f"{sample[at % len(sample)]} {at}" for at in range(count)]
    each = count // SHARDS
    for shard in range(SHARDS):
        part = rows[shard * each : (shard + 1) * each]
        table = pa.table({"id": pa.array(range(len(part)), pa.int64()), "text": part})
        pq.write_table(table, folder / f"{shard}.parquet", use_dictionary=False)
    return source


def texts_bytes(path: Path) -> int:
    """Return the bytes of a shard's texts."""
    return int(pq.read_table(path, columns=["text"]).nbytes)


def lineup(
    folder: Path, model: Path, peer_folder: Path
) -> tuple[dict[str, Callable[[], Callable[[], None]]], dict[str, str]]:
    """Return what sets up each contestant's run, and the peers that are not installed."""
    calls = ours(folder, model)
    shards = sorted(map(str, (folder / "in").iterdir()))
    absent = {}
    for name, package in ((BASE, "model2vec"), ("fastembed", "fastembed")):
        try:
            __import__(package)
        except ImportError as error:
            absent[name] = str(error)
            continue
        for count in _processes():
            commands = [
                [sys.executable, "-c", _PEER, name, str(peer_folder), str(folder / "out"), *part]
                for part in (shards[at::count] for at in range(count))
            ]
            calls[_label(name, count)] = partial(_set_up, folder, commands)
    return calls, absent


def ours(folder: Path, model: Path) -> dict[str, Callable[[], Callable[[], None]]]:
    """Return what sets up our runs, by one process and by two."""
    return {
        _label(OURS, count): partial(_set_up, folder, [_ours(folder, model, count)])
        for count in _processes()
    }


def measure_ours(folder: Path, model: Path, count: int, repetitions: int) -> dict[str, Any]:
    """Measure our runs on shards of `count` texts in all.

    Returns:
        The texts, their bytes, the seconds by contestant, and the gain of the second process.
    """
    write_shards(folder / "in", count)
    seconds = harness.measure(ours(folder, model), repetitions)
    rows = sum(pq.read_metadata(path).num_rows for path in (folder / "out").glob("*.parquet"))
    if rows != count:
        raise RuntimeError(f"{OURS}: expected {count} rows, found {rows}")
    return {
        "texts": count,
        "text_bytes": sum(texts_bytes(path) for path in (folder / "in").iterdir()),
        "seconds": {
            name: harness.significant(statistics.median(times)) for name, times in seconds.items()
        },
        "two_processes_times_one": _gain(seconds),
    }


def _processes() -> tuple[int, ...]:
    """Return the numbers of processes to measure: two only where each has a core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (1, 2) if (cores or 1) > 1 else (1,)


def _label(name: str, processes: int) -> str:
    return f"{name}, {processes} process{'es' if processes > 1 else ''}"


def _gain(seconds: dict[str, list[float]]) -> dict[str, float] | None:
    """Return how many times as fast our two processes are as one; None if there is one core."""
    two = seconds.get(_label(OURS, 2))
    return harness.ratio(seconds[_label(OURS, 1)], two) if two else None


def _ours(folder: Path, model: Path, processes: int) -> list[str]:
    return [
        *(sys.executable, "-m", "staticemb_runtime", "encode", str(folder / "in")),
        *("-o", f"{folder / 'out'}/", "-m", str(model), "--workers", str(processes), "--quiet"),
    ]


def _set_up(folder: Path, commands: list[list[str]]) -> Callable[[], None]:
    """Empty the output folder, and return a call that runs commands at the same time."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    environment = {**os.environ, **harness.ONE_THREAD}

    def run() -> None:
        running = [subprocess.Popen(command, env=environment) for command in commands]
        statuses = [process.wait() for process in running]
        if any(statuses):
            raise RuntimeError(f"a command failed: {commands[0][:4]}")

    return run


def check_vectors(folder: Path, calls: dict[str, Callable[[], Callable[[], None]]]) -> int:
    """Check that each contestant writes each row once, with nearly our vectors.

    Returns:
        The bytes of our output.
    """
    expected: Any = None
    size = 0
    for name, set_up in calls.items():
        set_up()()
        paths = sorted((folder / "out").glob("*.parquet"))
        columns = [pq.read_table(path).column("embedding").combine_chunks() for path in paths]
        vectors = np.concatenate([np.asarray(column.values) for column in columns]).reshape(-1, 256)
        if expected is None:
            expected, size = vectors, sum(path.stat().st_size for path in paths)
        cosines = np.einsum("nd,nd->n", expected, vectors)
        if len(vectors) != len(expected) or cosines.min() < 0.99:
            raise RuntimeError(f"{name}: other vectors than ours, cosine {cosines.min():.3f}")
    return size


def _row(name: str, seconds: dict[str, list[float]], count: int, size: int) -> dict[str, Any]:
    median = statistics.median(seconds[name])
    base = seconds.get(_label(BASE, 1))
    row: dict[str, Any] = {
        "seconds": harness.significant(median),
        "texts_per_second": harness.significant(count / median),
        "megabytes_per_second": harness.significant(size / median / 1e6),
    }
    if base:
        row["times_base"] = harness.ratio(base, seconds[name])
    print(f"  {name:32} {count / median:10,.0f} texts/s  {size / median / 1e6:8.1f} MB/s")
    return row


if __name__ == "__main__":
    main()
