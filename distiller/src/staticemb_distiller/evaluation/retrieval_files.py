"""Read retrieval tasks: folders in the layouts of BEIR and of NanoBEIR.

BEIR has the files corpus.jsonl, queries.jsonl and qrels/test.tsv in a folder of each collection.
NanoBEIR has a folder for each of the three, with a file for each collection, as Parquet or JSON
lines: one collection (`corpus/train-00000-of-00001.parquet`, zeta-alpha-ai/NanoMSMARCO), or several
(`corpus/NanoMSMARCO-00000-of-00001.parquet`, sentence-transformers/NanoBEIR-en). Its judgments have
no grades, or a column `score`; a judgment may name one document or a list of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from staticemb_runtime.errors import InputError

from ..corpus.records import read_records
from ..errors import EvaluationError, MissingPackageError, TextSourceError
from .files import bad_row, digests, jsonl, not_empty, number_in, tsv
from .tasks import RetrievalTask

Place = Mapping[str, Sequence[Path]]
"""The files of the parts `corpus`, `queries` and `qrels` of a collection."""

_PARTS = ("corpus", "queries", "qrels")
_FILE = re.compile(r"(?P<split>.+?)(-\d{5}-of-\d{5})?\.(parquet|jsonl)")
_ONE_SPLIT = ("train", "test")
"""Names of files of the layout with one collection."""
_LARGEST_GRADE = 2**31


def places(folder: Path) -> dict[str, Place]:
    """Find the collections in the folder retrieval/, by the names of their tasks."""
    collections: dict[str, Place] = {}
    for path in folder.glob("retrieval/*"):
        name = f"retrieval/{path.name}"
        if (path / "corpus.jsonl").is_file():
            files = ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv")
            collections[name] = {
                part: [path / file] for part, file in zip(_PARTS, files, strict=True)
            }
        elif (path / "corpus").is_dir():
            for split, files_of in _splits(path).items():
                collections[name if split in _ONE_SPLIT else f"{name}/{split}"] = files_of
    return collections


def _splits(folder: Path) -> dict[str, dict[str, list[Path]]]:
    splits: dict[str, dict[str, list[Path]]] = {}
    for part in _PARTS:
        for path in sorted((folder / part).glob("*")):
            match = _FILE.fullmatch(path.name)
            if match:
                parts = splits.setdefault(match["split"], {part_: [] for part_ in _PARTS})
                parts[part].append(path)
    return splits


def read(folder: Path, name: str, place: Place) -> RetrievalTask:
    """Read a collection.

    Args:
        folder: The data folder.
        name: The name of the task.
        place: Its files, from `places`.

    Raises:
        EvaluationError: A file is missing, or a row is malformed.
        MissingPackageError: Parquet needs pyarrow.
    """
    beir = place["corpus"][0].name == "corpus.jsonl" if place["corpus"] else False
    for part, files in place.items():
        if beir and not files[0].is_file():
            raise EvaluationError(f"{folder / name}: expected {files[0].name} in it, found none")
        if not files:
            raise EvaluationError(
                f"{folder / 'retrieval' / name.split('/')[1]}: expected a file of {name} in "
                f"{part}, found none"
            )
    corpus = _documents(place["corpus"])
    # Ids are in descending order, so that a stable ranking breaks ties as trec_eval does.
    ids = sorted(corpus, reverse=True)
    column = {id_: i for i, id_ in enumerate(ids)}
    queries = read_queries(place["queries"])
    if beir:
        grades = read_judgments(place["qrels"][0], queries, column)
    else:
        grades = _judgments(place["qrels"], queries, column)
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
    files_of = digests(folder, *(path for part in _PARTS for path in place[part]))
    return RetrievalTask(
        "retrieval", name, texts, files_of, relevance, np.array(excluded, np.int64)
    )


def _documents(files: Sequence[Path]) -> dict[str, tuple[str, str]]:
    """Read the title and the text of each document, by its id."""
    corpus: dict[str, tuple[str, str]] = {}
    for path, row, entry in _objects(files, ("_id", "text")):
        if entry["_id"] in corpus:
            raise bad_row(path, row, "a document id not seen before", repr(entry["_id"]))
        title = entry.get("title") or ""
        if not isinstance(title, str):
            raise bad_row(path, row, 'a string under "title"', type(title).__name__)
        corpus[entry["_id"]] = (title, entry["text"])
    not_empty(files[0], corpus)
    return corpus


def read_queries(files: Sequence[Path]) -> dict[str, str]:
    """Read the text of each query, by its id.

    Raises:
        EvaluationError: A row is malformed, or has the id of an earlier row.
    """
    queries: dict[str, str] = {}
    for path, row, entry in _objects(files, ("_id", "text")):
        if entry["_id"] in queries:
            raise bad_row(path, row, "a query id not seen before", repr(entry["_id"]))
        queries[entry["_id"]] = entry["text"]
    return queries


def _objects(
    files: Sequence[Path], text_keys: tuple[str, ...]
) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    """Yield each object of JSON lines or Parquet files, with its file and its row."""
    for path in files:
        rows = (_parquet if path.suffix == ".parquet" else jsonl)(path, text_keys)
        for row, entry in rows:
            yield path, row, entry


def _parquet(path: Path, text_keys: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        for row, (_, record) in enumerate(read_records(path), start=1):
            for key in text_keys:
                if not isinstance(record.get(key), str):
                    found = type(record[key]).__name__ if key in record else "no such column"
                    raise bad_row(path, row, f'a string under "{key}"', found)
            yield row, dict(record)
    except MissingPackageError:
        raise
    except (TextSourceError, InputError) as error:
        raise EvaluationError(str(error)) from None


def _judgments(
    files: Sequence[Path], queries: Collection[str], documents: Collection[str]
) -> dict[tuple[str, str], int]:
    """Read the judgments of NanoBEIR: a document or a list of them for each query."""
    grades: dict[tuple[str, str], int] = {}
    for path, row, entry in _objects(files, ("query-id",)):
        query, relevant = str(entry["query-id"]), entry.get("corpus-id")
        grade = _grade(path, row, str(entry.get("score", 1)))
        if query not in queries:
            raise bad_row(path, row, "a query id of queries", repr(query))
        documents_of: list[Any] = relevant if isinstance(relevant, list) else [relevant]
        for document in documents_of:
            if not isinstance(document, str) or document not in documents:
                raise bad_row(path, row, "a document id of corpus", repr(document))
            grades[query, document] = grade
    not_empty(files[0], grades)
    return grades


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
        if row == 1 and query not in queries and not any(map(str.isdecimal, score)):
            continue
        if query not in queries:
            raise bad_row(path, row, "a query id of queries.jsonl", repr(query))
        if documents is not None and document not in documents:
            raise bad_row(path, row, "a document id of corpus.jsonl", repr(document))
        grades[query, document] = _grade(path, row, score)
    not_empty(path, grades)
    return grades


def _grade(path: Path, row: int, score: str) -> int:
    """Parse a whole number; pandas writes a column that had nulls as 1.0 and 2.0."""
    grade = number_in(path, row, score)
    if not grade.is_integer() or abs(grade) > _LARGEST_GRADE:
        raise bad_row(path, row, "a whole number as score", repr(score))
    return int(grade)
