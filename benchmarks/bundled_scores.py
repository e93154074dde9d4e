"""Scores of the bundled model and its peers on every task, for its card and the pages.

    python benchmarks/bundled_scores.py --data ../shared

The peer model2vec is what it distills from the same teacher with its defaults, kept in
build/model2vec. The transformer is the teacher, which takes most of the time. `bundled.py` fills in
the figures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import harness
from contestants import teacher_folder
from intervals import RESAMPLES

from staticemb_distiller.evaluation import evaluate, load_model
from staticemb_distiller.evaluation.record import to_json
from staticemb_distiller.evaluation.report import differences
from staticemb_runtime.loading import DEFAULT_MODEL

QUICK_TASKS = ("wordsim/en-rg-65",)


def main() -> None:
    """Measure, and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    harness.add_options(parser)
    parser.add_argument("--data", type=Path, default=harness.SHARED, help="a folder with eval")
    options = parser.parse_args(namespace=harness.OPTIONS)
    harness.check_clean()
    peers = {"bm25": "bm25", "tfidf": "tfidf"}
    if not harness.quick():
        teacher = str(teacher_folder())
        peers = {"wordllama": "wordllama", "model2vec": _model2vec(teacher), **peers}
        peers["transformer"] = teacher
    results = evaluate(
        DEFAULT_MODEL,
        options.data / "eval",
        tasks=QUICK_TASKS if harness.quick() else None,
        baseline=[load_model(source, name) for name, source in peers.items()],
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    results.resamples = RESAMPLES
    harness.save("bundled", to_json(results, differences(results, resamples=RESAMPLES)))


def _model2vec(teacher: str) -> str:
    """Return the folder of what model2vec distills with its defaults."""
    folder = harness.ROOT / "build" / "model2vec"
    if not (folder / "model.safetensors").is_file():
        from model2vec.distill import distill

        distill(teacher).save_pretrained(str(folder))
    return str(folder)


if __name__ == "__main__":
    main()
