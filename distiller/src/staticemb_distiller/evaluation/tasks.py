"""The kinds of task, and the layout of the folder that `discovery` reads them from.

The name of a task is KIND/NAME, after its files: `sts/stsb-en-test`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

LAYOUT = """\
  sts/NAME.tsv                    score  sentence  sentence  semantic similarity
  wordsim/NAME.tsv                score  word      word      word similarity
  pairs/NAME.tsv                  0|1    sentence  sentence  pair classification
  classification/NAME-train.tsv,
  classification/NAME-test.tsv    label  text                classification
  clustering/NAME.tsv             label  text                clustering
  retrieval/NAME/corpus.jsonl,
  retrieval/NAME/queries.jsonl,
  retrieval/NAME/qrels/test.tsv   the layout of BEIR         retrieval
  retrieval/NAME/corpus/SUBSET-*,
  retrieval/NAME/queries/SUBSET-*,
  retrieval/NAME/qrels/SUBSET-*   the layout of NanoBEIR     retrieval
                                  (.parquet or .jsonl)
  bitext/NAME.tsv                 text  text                 bitext retrieval
  bitext/NAME.LANG.txt            text; aligned lines        bitext retrieval

`--tasks bitext` also reads sts/NAME-LANG-PART.tsv of several languages: their
rows must be aligned, and the first sentences are used. Each language is paired
with English, or with the first one if there is no English.
"""
"""The files, and the columns of their rows."""

SAMPLE = Path(__file__).parent / "sample"
"""A folder of sample data in the package: a few dozen English rows of each kind but bitext."""

KINDS = ("sts", "wordsim", "pairs", "classification", "clustering", "retrieval", "bitext")
"""The kinds of task, which are also the names of the data folder's subfolders."""


_LANGUAGE = re.compile(r"-[a-z]{2,3}(?=[-/]|$)")


def data_set(name: str) -> str:
    """Return the name of a task's data set: without the kind and the codes of languages.

    >>> [data_set(name) for name in ("sts/stsb-de-test", "bitext/stsb-test-en-de")]
    ['stsb-test', 'stsb-test']
    """
    return _LANGUAGE.sub("", name.partition("/")[2])


@dataclass(frozen=True, eq=False)
class Task:
    """The base of all tasks.

    Attributes:
        kind: One of `KINDS`.
        name: `KIND/NAME`.
        texts: The lists of texts to encode, by the name of their part of the task.
        files: The SHA-256 of each file, by its path in the data folder.
    """

    kind: str
    name: str
    texts: Mapping[str, Sequence[str]]
    files: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class PairTask(Task):
    """Pairs of texts (`first`, `second`) with a gold score each, (N,) float64."""

    gold: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassificationTask(Task):
    """Texts (`train`, `test`) with a class number each, (N,) int64."""

    train_labels: NDArray[np.int64]
    test_labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClusteringTask(Task):
    """Texts (`texts`) with a class number each, (N,) int64."""

    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RetrievalTask(Task):
    """Texts (`queries`, `documents`) and the relevance of documents to queries.

    Attributes:
        relevance: (queries, documents) sparse int64 grades; a missing grade means not relevant.
        excluded: (queries,) int64, the document with the query's own id and text, or -1.
    """

    relevance: csr_matrix
    excluded: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BitextTask(Task):
    """Texts (`first`, `second`), of which equal rows are translations of each other.

    Attributes:
        groups: (N,) int64. Rows that share a text have the same number: each of them is a correct
            answer for the others.
    """

    groups: NDArray[np.int64]
