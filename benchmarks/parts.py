"""Time of each part of `encode`, compared with C++ code for the same sums.

One thread; every word is in the word cache. `torch.nn.functional.embedding_bag` over the same rows
is the lower limit for pooling. The `tokenizers` library alone shows the time that the cache saves.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import contestants
import harness
import peers
import texts
from tokenizers import Tokenizer

from staticemb_runtime import StaticModel
from staticemb_runtime.encoding import EmbeddingTable, pool
from staticemb_runtime.encoding.batching import slices
from staticemb_runtime.encoding.embedder import Embedder
from staticemb_runtime.encoding.vectors import normalize
from staticemb_runtime.format.reader import read
from staticemb_runtime.model.encoder import BATCH_SIZE

COUNTS = {"titles": 20_000, "news": 7_600, "posts": 2_000}
REPETITIONS = 9
STAGES = ("words", "gather and sum", "unit length")
FLOOR = "embedding_bag, float32"

Call = Callable[[], object]


def main() -> None:
    """Run and save."""
    harness.read_options()
    harness.one_core()
    floors, absent = contestants.present({FLOOR: peers.embedding_bag})
    with tempfile.TemporaryDirectory() as name:
        path = contestants.write_file(Path(name), "int8")
        kinds = {kind: _kind(kind, path, floors) for kind in texts.KINDS}
    harness.save("parts", {"microseconds_per_token": kinds, "not_measured": absent})


def _kind(kind: str, path: Path, floors: dict[str, peers.Pooling]) -> dict[str, float]:
    """Microseconds a token of each part, for texts of one kind."""
    sample, _ = texts.load(kind, harness.fewer(COUNTS[kind]))
    model, embedder = StaticModel.load(path), Embedder(read(path))
    ids, lengths = embedder.tokenizer().encode(sample)
    blocks = [embedder.ids(batch) for batch in slices(sample, BATCH_SIZE)]
    beta, dims = contestants.DAMPING
    float32 = EmbeddingTable(contestants.table())
    tokenizer = Tokenizer.from_str(contestants.tokenizer_json().decode())
    calls: dict[str, Call] = {
        "whole": lambda: model.encode(sample),
        "gather and sum, float32": partial(_pool, float32, blocks),
        "gather and sum, damped": partial(
            _pool, embedder.table, blocks, pooling="damped_mean", beta=beta, dims=dims
        ),
        "the tokenizer itself": partial(
            tokenizer.encode_batch_fast, sample, add_special_tokens=False
        ),
    } | {name: floor(contestants.table(), ids, lengths) for name, floor in floors.items()}
    for call in calls.values():
        call()
    passes: list[dict[str, float]] = []

    def stages() -> None:
        passes.append(_stages(embedder, sample))

    repetitions = harness.fewer(REPETITIONS, least=2)
    timed = {name: partial(lambda call: call, call) for name, call in calls.items()}
    seconds = harness.measure({"stages": lambda: stages} | timed, repetitions)
    del seconds["stages"]
    seconds |= {stage: [one[stage] for one in passes] for stage in STAGES}
    found = {name: statistics.median(taken) / len(ids) * 1e6 for name, taken in seconds.items()}
    found["rest"] = found["whole"] - sum(found[stage] for stage in STAGES)
    print(f"{kind}: {len(sample)} texts, {len(ids) / len(sample):.1f} tokens each")
    for name, value in found.items():
        print(f"  {name:30} {value:8.4f} µs/token")
    return {name: round(value, 4) for name, value in found.items()}


def _pool(table: EmbeddingTable, blocks: list[tuple[Any, Any]], **request: Any) -> None:
    for ids, lengths in blocks:
        pool(table, ids, lengths, **request)


def _stages(embedder: Embedder, sample: list[str]) -> dict[str, float]:
    """Time each stage of `encode` in one pass, in seconds."""
    spent = dict.fromkeys(STAGES, 0.0)
    for batch in slices(sample, BATCH_SIZE):
        times = [time.perf_counter()]
        ids, lengths = embedder.ids(batch)
        times.append(time.perf_counter())
        found = pool(embedder.table, ids, lengths)
        times.append(time.perf_counter())
        normalize(found, in_place=True)
        times.append(time.perf_counter())
        for at, stage in enumerate(STAGES):
            spent[stage] += times[at + 1] - times[at]
    return spent


if __name__ == "__main__":
    main()
