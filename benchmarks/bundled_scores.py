"""Scores of the bundled model and its peers on every task, for its card and the pages.

    python benchmarks/bundled_scores.py --data ../shared --model2vec FOLDER --transformer FOLDER

The folder of model2vec holds what it distills from the same teacher with its defaults. The
transformer is the teacher, which takes most of the time. `bundled.py` fills in the figures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import harness
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
    parser.add_argument("--model2vec", metavar="FOLDER", required=not _quick())
    parser.add_argument("--transformer", metavar="FOLDER", required=not _quick())
    options = parser.parse_args(namespace=harness.OPTIONS)
    harness.check_clean()
    given = {"model2vec": options.model2vec, "transformer": options.transformer}
    folders = {name: folder for name, folder in given.items() if folder is not None}
    peers = ["wordllama", "model2vec", "bm25", "tfidf", "transformer"]
    if harness.quick():
        peers = [name for name in peers if name in {"bm25", "tfidf", *folders}]
    results = evaluate(
        DEFAULT_MODEL,
        options.data / "eval",
        tasks=QUICK_TASKS if harness.quick() else None,
        baseline=[load_model(folders.get(name, name), name) for name in peers],
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    results.resamples = RESAMPLES
    harness.save("bundled", to_json(results, differences(results, resamples=RESAMPLES)))


def _quick() -> bool:
    return "--quick" in sys.argv


if __name__ == "__main__":
    main()
