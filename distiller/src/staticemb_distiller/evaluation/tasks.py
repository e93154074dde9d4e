"""Tasks, read from a folder of plain files with the layout in `LAYOUT`.

The name of a task is KIND/NAME, after its files: `sts/stsb-en-test`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..corpus.digests import file_sha256
from ..errors import EvaluationError
from ..path_checks import is_folder
from .files import bad_row, jsonl, number_in, tsv

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
"""
"""The files, and the columns of their rows."""

SAMPLE = Path(__file__).parent / "sample"
"""A folder of sample data in the package: a few dozen rows of each kind, written for it."""

KINDS = ("sts", "wordsim", "pairs", "classification", "clustering", "retrieval")
"""The kinds of task, which are also the names of the data folder's subfolders."""


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


def discover(folder: str | Path, patterns: Sequence[str] | None = None) -> list[Task]:
    """Read the tasks of a folder.

    Args:
        folder: A folder with the layout in `LAYOUT`.
        patterns: Kinds (`sts`), names (`sts/sick-test`, `sick-test`) or wildcards (`*/stsb-*`);
            each must match a task. None: all tasks.

    Returns:
        The tasks in the order of `KINDS`, then by name.

    Raises:
        EvaluationError: the folder does not exist or holds no task, a pattern matches no task, or a
            row of a file is malformed.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise EvaluationError(f"{folder}: expected a folder of evaluation data, found none")
    names = [name for kind in KINDS for name in _names(folder, kind)]
    if not names:
        raise EvaluationError(
            f"{folder}: expected evaluation data in at least one of the folders "
            f"{', '.join(KINDS)}, found none"
        )
    return [_read(folder, name) for name in _chosen(names, patterns, folder)]


def _names(folder: Path, kind: str) -> list[str]:
    if kind == "retrieval":
        names = [path.parent.name for path in folder.glob("retrieval/*/corpus.jsonl")]
    elif kind == "classification":
        names = [p.name.removesuffix("-test.tsv") for p in folder.glob("classification/*-test.tsv")]
    else:
        names = [path.stem for path in folder.glob(f"{kind}/*.tsv")]
    return [f"{kind}/{name}" for name in sorted(names)]


def _chosen(names: list[str], patterns: Sequence[str] | None, folder: Path) -> list[str]:
    if patterns is None:
        return names
    chosen: set[str] = set()
    for pattern in patterns:
        matches = {
            name
            for name in names
            if pattern == name.partition("/")[0]
            or fnmatchcase(name, pattern)
            or fnmatchcase(name.partition("/")[2], pattern)
        }
        if not matches:
            raise EvaluationError(f"no task {pattern!r} in {folder}; it holds {', '.join(names)}")
        chosen |= matches
    return [name for name in names if name in chosen]


def _read(folder: Path, name: str) -> Task:
    kind, _, stem = name.partition("/")
    if kind == "retrieval":
        return _retrieval(folder, name)
    if kind == "classification":
        return _classification(folder, name)
    path = folder / kind / f"{stem}.tsv"
    if kind == "clustering":
        labels, texts = _labeled(path)
        numbers = np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64)
        return ClusteringTask(kind, name, {"texts": texts}, _digests(folder, path), numbers)
    return _pairs(folder, name, path)


def _digests(folder: Path, *paths: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}


def _not_empty(path: Path, rows: Collection[object]) -> None:
    if not rows:
        raise bad_row(path, 1, "at least one row", "the end of the file")


def _pairs(folder: Path, name: str, path: Path) -> PairTask:
    kind = name.partition("/")[0]
    gold: list[float] = []
    first: list[str] = []
    second: list[str] = []
    columns = ("label", "text", "text") if kind == "pairs" else ("score", "text", "text")
    for row, (score, a, b) in tsv(path, columns):
        if kind == "pairs" and score not in {"0", "1"}:
            raise bad_row(path, row, "the label 0 or 1", repr(score))
        gold.append(number_in(path, row, score))
        first.append(a)
        second.append(b)
    _not_empty(path, gold)
    if len(set(gold)) == 1:
        column = columns[0]
        raise bad_row(path, len(gold), f"{column}s that differ", f"{column} {gold[0]:g} in all")
    texts = {"first": first, "second": second}
    return PairTask(kind, name, texts, _digests(folder, path), np.array(gold, np.float64))


def _labeled(path: Path) -> tuple[list[str], list[str]]:
    labels, texts = [], []
    for _, (label, text) in tsv(path, ("label", "text")):
        labels.append(label)
        texts.append(text)
    _not_empty(path, labels)
    return labels, texts


def _classification(folder: Path, name: str) -> ClassificationTask:
    stem = name.partition("/")[2]
    train_path, test_path = (folder / f"classification/{stem}-{s}.tsv" for s in ("train", "test"))
    if not train_path.is_file():
        raise EvaluationError(
            f"{test_path}: expected {train_path.name} in the same folder, found none"
        )
    train_labels, train = _labeled(train_path)
    test_labels, test = _labeled(test_path)
    numbers = {label: i for i, label in enumerate(sorted(set(train_labels)))}
    for row, label in enumerate(test_labels, start=1):
        if label not in numbers:
            raise bad_row(test_path, row, f"a label that {train_path.name} has", repr(label))
    if len(numbers) < 2:
        raise bad_row(
            train_path, len(train), "a second label by the last row", repr(train_labels[0])
        )
    return ClassificationTask(
        "classification",
        name,
        {"train": train, "test": test},
        _digests(folder, train_path, test_path),
        np.array([numbers[label] for label in train_labels], np.int64),
        np.array([numbers[label] for label in test_labels], np.int64),
    )


def _retrieval(folder: Path, name: str) -> RetrievalTask:
    paths = [folder / name / file for file in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv")]
    for path in paths:
        if not path.is_file():
            raise EvaluationError(f"{folder / name}: expected {path.name} in it, found none")
    corpus_path, queries_path, judged_path = paths
    corpus: dict[str, tuple[str, str]] = {}
    for row, entry in jsonl(corpus_path, ("_id", "text")):
        if entry["_id"] in corpus:
            raise bad_row(corpus_path, row, "a document id not seen before", repr(entry["_id"]))
        title = entry.get("title") or ""
        if not isinstance(title, str):
            raise bad_row(corpus_path, row, 'a string under "title"', type(title).__name__)
        corpus[entry["_id"]] = (title, entry["text"])
    _not_empty(corpus_path, corpus)
    # Ids are in descending order, so that a stable ranking breaks ties as trec_eval does.
    ids = sorted(corpus, reverse=True)
    column = {id_: i for i, id_ in enumerate(ids)}
    queries = {entry["_id"]: entry["text"] for _, entry in jsonl(queries_path, ("_id", "text"))}
    grades = read_judgments(judged_path, queries, column)
    asked = list(dict.fromkeys(query for query, _ in grades))
    line = {query: i for i, query in enumerate(asked)}
    cells = [(line[query], column[document], grade) for (query, document), grade in grades.items()]
    relevance = csr_matrix(
        (
            np.array([grade for _, _, grade in cells], np.int64),
            (np.array([i for i, _, _ in cells]), np.array([j for _, j, _ in cells])),
        ),
        shape=(len(asked), len(ids)),
    )
    # A query that is one of the documents (as in BEIR's ArguAna) must not find itself.
    excluded = [column[q] if q in corpus and corpus[q][1] == queries[q] else -1 for q in asked]
    texts = {
        "queries": [queries[query] for query in asked],
        "documents": [f"{corpus[id_][0]} {corpus[id_][1]}".strip() for id_ in ids],
    }
    files = _digests(folder, *paths)
    return RetrievalTask("retrieval", name, texts, files, relevance, np.array(excluded, np.int64))


def read_judgments(
    path: Path, queries: Collection[str], documents: Collection[str] | None = None
) -> dict[tuple[str, str], int]:
    """Read judgments: rows of a query's id, a document's id and a grade; a header row is skipped.

    Args:
        path: The file.
        queries: The ids of the queries.
        documents: The ids of the documents; None: any id is valid.

    Returns:
        The grade of each judged pair of query and document.

    Raises:
        EvaluationError: A row is malformed, or has an unknown id.
    """
    grades: dict[tuple[str, str], int] = {}
    for row, (query, document, score) in tsv(path, ("query-id", "corpus-id", "score")):
        if row == 1 and not score.lstrip("-").isdecimal():
            continue
        if query not in queries:
            raise bad_row(path, row, "a query id of queries.jsonl", repr(query))
        if documents is not None and document not in documents:
            raise bad_row(path, row, "a document id of corpus.jsonl", repr(document))
        grade = number_in(path, row, score)
        if grade != int(grade):
            raise bad_row(path, row, "a whole number as score", repr(score))
        grades[query, document] = int(grade)
    _not_empty(path, grades)
    return grades
