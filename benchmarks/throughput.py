"""Texts per second on one core, words known and on the first pass, and what a second core adds.

Known words: every contestant has embedded the same texts before. First pass: a fresh model for each
repetition, which has met none of the words. The transformer, and WordLlama, which fills up the
texts of a batch to the longest, get a few of the texts.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import contestants
import harness
import numpy as np
import peers
import texts
from contestants import Encode
from tokenizers import Tokenizer

COUNTS = {"titles": 20_000, "news": 7_600, "posts": 2_000}
FEWER = {
    "transformer": {"titles": 256, "news": 96, "posts": 16},
    "WordLlama, same table": {"titles": 5_000, "news": 2_000, "posts": 128},
}
REPETITIONS = 7
PREFIX = 64
FIRST = ", first pass"
POOLING = "embedding_bag, ids given"
ONLY_KNOWN = ("model2vec int8", "transformer")  # the first pass is the same work to them
# Words of no sample, enough of them that a model has built all that it builds late before the clock
# runs; `start` shows what that costs.
_OTHER = ["qz" + "".join(letters) for letters in itertools.product("bdfgk", repeat=4)]
OTHER_TEXTS = [f"{' '.join(_OTHER[at : at + 5])} é" for at in range(0, len(_OTHER), 5)]


def main() -> None:
    """Run and save."""
    harness.read_options()
    repetitions = harness.fewer(REPETITIONS, least=2)
    results: dict[str, Any] = {"repetitions": repetitions}
    results["table"] = list(contestants.table().shape)
    with tempfile.TemporaryDirectory() as name:
        cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        harness.one_core()
        lineup = Lineup(Path(name))
        results["not_measured"] = lineup.absent
        results["one_core"] = {kind: _one_core(kind, lineup, repetitions) for kind in texts.KINDS}
        if len(cores) > 1:
            os.sched_setaffinity(0, cores)
            results["two_workers"] = _two_workers(lineup.files)
    harness.save("throughput", results)


class Lineup:
    """Every contestant.

    Attributes:
        known: those that have met the texts before they are timed, made once.
        first: what makes those that are made anew for each first pass.
        pooling: torch's pooling alone, where torch is installed.
        files: the models of ours.
        absent: why others are not among them.
    """

    def __init__(self, folder: Path) -> None:
        self.files = contestants.our_files(folder)
        ours = {name: partial(contestants.ours, path) for name, path in self.files.items()}
        others = peers.encoders(folder)
        found, absent = contestants.present(others)
        self.pooling, no_pooling = contestants.present({POOLING: peers.embedding_bag})
        self.absent = absent | no_pooling
        prefix = contestants.ours(self.files["ours int8"], truncate_dim=PREFIX)
        self.known = {name: make() for name, make in ours.items()}
        self.known |= {f"ours int8, prefix {PREFIX}": prefix} | found
        made_anew = ours | {name: others[name] for name in found if name not in ONLY_KNOWN}
        self.first = {f"{name}{FIRST}": make for name, make in made_anew.items()}


def _one_core(kind: str, lineup: Lineup, repetitions: int) -> dict[str, Any]:
    sample, source = texts.load(kind, harness.fewer(COUNTS[kind]))
    ids, lengths = token_ids(sample)
    calls: dict[str, Callable[[], Callable[[], object]]] = {}
    for name, encode in lineup.known.items():
        batch = _batch(name, kind, sample)
        encode(batch)
        calls[name] = partial(partial, encode, batch)
    for name, prepare in lineup.pooling.items():
        calls[name] = partial(prepare, contestants.table(), ids, lengths)
    for name, make in lineup.first.items():
        calls[name] = partial(_first_pass, make, _batch(name, kind, sample))
    seconds = harness.measure(calls, repetitions)
    print(f"{kind}: {len(sample)} texts ({source}), {len(ids) / len(sample):.1f} tokens each")
    each = {
        name: [second / len(_batch(name, kind, sample)) for second in measured]
        for name, measured in seconds.items()
    }
    rows = {name: _row(name, each, len(ids) / len(sample)) for name in each}
    return {"source": source, "texts": len(sample), "tokens": len(ids), "rows": rows}


def _batch(name: str, kind: str, sample: list[str]) -> list[str]:
    """The texts that a contestant embeds: all, or a few where it is slow."""
    counts = FEWER.get(name.removesuffix(FIRST))
    return sample[: harness.fewer(counts[kind], least=2)] if counts else sample


def _first_pass(make: Callable[[], Encode], batch: list[str]) -> Callable[[], object]:
    """A call of a fresh model that has met other words only."""
    encode = make()
    encode(OTHER_TEXTS)
    return partial(encode, batch)


def _row(name: str, each: dict[str, list[float]], tokens: float) -> dict[str, Any]:
    """Return one contestant's figures, from the seconds per text of all contestants."""
    median = statistics.median(each[name])
    row: dict[str, Any] = {"texts_per_second": harness.significant(1 / median)}
    plain = name.removesuffix(FIRST)
    if plain not in (*FEWER, contestants.BUNDLED):  # theirs are other tokens
        row["microseconds_per_token"] = round(median / tokens * 1e6, 4)
    base = contestants.BASE + (FIRST if name.endswith(FIRST) else "")
    row |= contestants.beside_base(each, name, base)
    print(f"  {name:32} {1 / median:10,.0f} texts/s  {contestants.shown(row)}")
    return row


def token_ids(sample: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The token ids of all texts in one array, and how many each text has."""
    tokenizer = Tokenizer.from_str(contestants.tokenizer_json().decode())
    found = [e.ids for e in tokenizer.encode_batch_fast(sample, add_special_tokens=False)]
    return np.concatenate(found).astype(np.int64), np.array([len(ids) for ids in found])


def _two_workers(files: dict[str, Path]) -> dict[str, Any]:
    """Two workers over one, on many texts whose words are known."""
    count = harness.fewer(100_000)
    sample, source = texts.load("news", count)
    sample = (sample * (count // len(sample) + 1))[:count]
    calls: dict[str, Callable[[], Callable[[], object]]] = {}
    names = ("ours int8", "ours int8, damped")
    for name in names:
        for workers in (1, 2):
            encode = contestants.ours(files[name], workers=workers)
            encode(sample)
            calls[f"{name}, {workers}"] = partial(partial, encode, sample)
    seconds = harness.measure(calls, harness.fewer(5, least=2))
    rows = {}
    for name in names:
        one, two = (seconds[f"{name}, {workers}"] for workers in (1, 2))
        gain = harness.ratio(one, two)
        rows[name] = {"texts_per_second": round(count / statistics.median(two)), "times_one": gain}
        print(f"{name}, two workers on {count:,} texts: ×{gain['median']:.2f}")
    return {"source": source, "texts": count, "rows": rows}


if __name__ == "__main__":
    main()
