"""Read the tasks of a folder of plain files with the layout in `tasks.LAYOUT`."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ..errors import EvaluationError
from ..path_checks import is_folder
from . import bitext_files, retrieval_files
from .files import bad_row, digests, not_empty, number_in, tsv
from .tasks import KINDS, ClassificationTask, ClusteringTask, PairTask, Task


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
    bitexts = bitext_files.places(folder)
    collections = retrieval_files.places(folder)
    names = [name for kind in KINDS[:-2] for name in _names(folder, kind)]
    names += [*sorted(collections), *sorted(bitexts)]
    if not names:
        raise EvaluationError(
            f"{folder}: expected evaluation data in at least one of the folders "
            f"{', '.join(KINDS)}, found none"
        )
    # The rows of a similarity task are a bitext only if that is asked for: means stay as they were.
    on_request = {k: v for k, v in bitext_files.places_in_sts(folder).items() if k not in bitexts}
    tasks: list[Task] = []
    for name in _chosen(names, sorted(on_request), patterns, folder):
        if name in collections:
            tasks.append(retrieval_files.read(folder, name, collections[name]))
        elif files := bitexts.get(name) or on_request.get(name):
            tasks.append(bitext_files.read(folder, name, files))
        else:
            tasks.append(_read(folder, name))
    return tasks


def _names(folder: Path, kind: str) -> list[str]:
    if kind == "classification":
        names = [p.name.removesuffix("-test.tsv") for p in folder.glob("classification/*-test.tsv")]
    else:
        names = [path.stem for path in folder.glob(f"{kind}/*.tsv")]
    return [f"{kind}/{name}" for name in sorted(names)]


def _chosen(
    names: list[str], on_request: list[str], patterns: Sequence[str] | None, folder: Path
) -> list[str]:
    """Return the names that patterns match; those on request only by their kind or full name."""
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
        if pattern.partition("/")[0] == "bitext":
            matches |= {n for n in on_request if pattern == "bitext" or fnmatchcase(n, pattern)}
        if not matches:
            held = ", ".join([*names, *on_request])
            raise EvaluationError(f"no task {pattern!r} in {folder}; it holds {held}")
        chosen |= matches
    return [name for name in (*names, *on_request) if name in chosen]


def _read(folder: Path, name: str) -> Task:
    kind, _, stem = name.partition("/")
    if kind == "classification":
        return _classification(folder, name)
    path = folder / kind / f"{stem}.tsv"
    if kind == "clustering":
        labels, texts = _labeled(path)
        _check_labels(path, labels)
        numbers = np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64)
        return ClusteringTask(kind, name, {"texts": texts}, digests(folder, path), numbers)
    return _pairs(folder, name, path)


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
    not_empty(path, gold)
    if len(set(gold)) == 1:
        column = columns[0]
        raise bad_row(path, len(gold), f"{column}s that differ", f"{column} {gold[0]:g} in all")
    texts = {"first": first, "second": second}
    return PairTask(kind, name, texts, digests(folder, path), np.array(gold, np.float64))


def _labeled(path: Path) -> tuple[list[str], list[str]]:
    labels, texts = [], []
    for _, (label, text) in tsv(path, ("label", "text")):
        labels.append(label)
        texts.append(text)
    not_empty(path, labels)
    return labels, texts


def _check_labels(path: Path, labels: Sequence[str]) -> None:
    """Refuse a single label: every model would have the best score."""
    if len(set(labels)) < 2:
        raise bad_row(path, len(labels), "two different labels or more", f"only {labels[0]!r}")


def _classification(folder: Path, name: str) -> ClassificationTask:
    stem = name.partition("/")[2]
    train_path, test_path = (folder / f"classification/{stem}-{s}.tsv" for s in ("train", "test"))
    if not train_path.is_file():
        raise EvaluationError(
            f"{test_path}: expected {train_path.name} in the same folder, found none"
        )
    train_labels, train = _labeled(train_path)
    _check_labels(train_path, train_labels)
    test_labels, test = _labeled(test_path)
    numbers = {label: i for i, label in enumerate(sorted(set(train_labels)))}
    for row, label in enumerate(test_labels, start=1):
        if label not in numbers:
            raise bad_row(test_path, row, f"a label that {train_path.name} has", repr(label))
    return ClassificationTask(
        "classification",
        name,
        {"train": train, "test": test},
        digests(folder, train_path, test_path),
        np.array([numbers[label] for label in train_labels], np.int64),
        np.array([numbers[label] for label in test_labels], np.int64),
    )
