"""Quality of static models made from one teacher: ours and the peers'.

    python benchmarks/quality.py --data ../shared                 make, measure, write the results
    python benchmarks/quality.py --data ../shared --only wordllama "ours, no text"

The script makes each model in the work folder, measures it on the tasks of DATA/eval at 256, 128
and 64 dimensions, and writes results/quality.json. It keeps models and scores, so an interrupted
run resumes. The cost of a model is given in processor seconds, which depend little on other load.
The teacher's pass over the texts is given apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from columns import COLUMNS, Column
from harness import SHARED, check_clean, environment, save
from quality_models import Contestant, Maker, contestants, processor_seconds

from staticemb_distiller.evaluation import Results, evaluate
from staticemb_distiller.evaluation.bootstrap import interval, resampled
from staticemb_distiller.evaluation.scoring import SETTINGS, Outcome

DIMENSIONS = (256, 128, 64)
RESAMPLES = 1000
BASELINE = "model2vec distill"
MEASURED: Mapping[str, Column] = {"STS-B dev": Column("sts/stsb-en-dev"), **COLUMNS}

Scores = dict[int, dict[str, list[Outcome]]]
"""Dimensions -> column -> the outcomes of the column's tasks."""


def measured(contestant: Contestant, made: Path, data: Path, work: Path) -> Scores:
    """Measure a model, or read its outcomes from the work folder.

    Kept outcomes are used only if the model's bytes are the same.
    """
    kept = work / "outcomes.npz"
    stamp = contestant.stamp(made)
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as arrays:
            if str(arrays["stamp"]) == stamp:
                return _unpacked(arrays)
    results = evaluate(
        contestant.open(made),
        data / "eval",
        tasks=[column.tasks for column in MEASURED.values()],
        prefixes=DIMENSIONS if contestant.prefixes else "full",
        baseline="bm25",
        progress=lambda line: print(f"  {line}", file=sys.stderr, flush=True),
    )
    scores = _by_column(results)
    beside = kept.with_suffix(".part.npz")
    np.savez(beside, stamp=np.array(stamp), **_packed(scores))
    beside.replace(kept)
    return scores


def _by_column(results: Results) -> Scores:
    name = results.models[0]
    found: Scores = {}
    for score in results.scores:
        for title, column in MEASURED.items():
            shown = column.shows(score.task, score.metric, main=score.main)
            if shown and score.model == name and score.outcome is not None:
                found.setdefault(score.prefix, {}).setdefault(title, []).append(score.outcome)
    return found


def _packed(scores: Scores) -> dict[str, Any]:
    packed: dict[str, Any] = {}
    for dim, columns in scores.items():
        for column, outcomes in columns.items():
            for at, outcome in enumerate(outcomes):
                place = f"{dim}|{column}|{at}"
                about = [outcome.metric, repr(outcome.value), outcome.statistic]
                packed[f"{place}|about"] = np.array(about)
                packed[f"{place}|gold"] = outcome.gold
                packed[f"{place}|output"] = outcome.output
    return packed


def _unpacked(arrays: Mapping[str, Any]) -> Scores:
    scores: Scores = {}
    for key in arrays:
        if not key.endswith("|about"):
            continue
        dim, column, at, _ = key.split("|")
        metric, value, statistic = (str(part) for part in arrays[key])
        place = key.removesuffix("about")
        gold, output = arrays[f"{place}gold"], arrays[f"{place}output"]
        outcome = Outcome(metric, float(value), statistic, gold, output)  # type: ignore[arg-type]
        found = scores.setdefault(int(dim), {}).setdefault(column, [])
        assert int(at) == len(found)
        found.append(outcome)
    return scores


def _mean(outcomes: list[Outcome]) -> tuple[float, Any]:
    """Compute the mean metric of a column's tasks, and the means of their resamples."""
    drawn = [resampled(outcome, RESAMPLES, 0) for outcome in outcomes]
    return float(np.mean([outcome.value for outcome in outcomes])), np.mean(drawn, axis=0)


def summarized(scores: Mapping[str, Scores], baseline: str = BASELINE) -> dict[str, Any]:
    """Compute 95 % bootstrap intervals of the scores and of their paired differences.

    Args:
        scores: Name of the model -> its outcomes.
        baseline: The model to compare with, at the same dimensions.

    Returns:
        Model -> dimensions -> column -> `value`, `low` and `high`. `over_baseline` is the
        difference from the baseline, `over_whole` from the model's own largest dimension.
    """
    drawn = {
        (model, dim, column): _mean(outcomes)
        for model, dims in scores.items()
        for dim, columns in dims.items()
        for column, outcomes in columns.items()
    }
    summary: dict[str, Any] = {}
    for (model, dim, column), (value, samples) in drawn.items():
        cell = {"value": value, **_ends(value, samples)}
        base = drawn.get((baseline, dim if dim in DIMENSIONS else DIMENSIONS[0], column))
        if base is not None and model != baseline:
            difference = value - base[0]
            cell["over_baseline"] = {"value": difference, **_ends(difference, samples - base[1])}
        whole = drawn.get((model, max(scores[model]), column))
        if whole is not None and dim < max(scores[model]):
            difference = value - whole[0]
            cell["over_whole"] = {"value": difference, **_ends(difference, samples - whole[1])}
        summary.setdefault(model, {}).setdefault(str(dim), {})[column] = _rounded(cell)
    return summary


def _ends(value: float, samples: Any) -> dict[str, float]:
    found = interval(value, samples)
    return {"low": found.low, "high": found.high}


def _rounded(cell: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(part) if isinstance(part, dict) else round(part, 2)
        for key, part in cell.items()
    }


def main() -> int:
    """Make and measure the models, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=SHARED, help="a folder with eval/ and text/")
    parser.add_argument("--work", type=Path, default=Path("build") / "quality")
    parser.add_argument("--teacher", help="a folder or Hub id (default: the demo's, from PyPI)")
    parser.add_argument(
        "--teacher-cache", type=Path, help="the teacher's vectors (default: WORK/teacher)"
    )
    parser.add_argument("--only", nargs="+", metavar="MODEL", help="work on these alone")
    options = parser.parse_args()
    check_clean()
    maker = Maker(options.data, options.work, options.teacher, options.teacher_cache)
    models = {contestant.name: contestant for contestant in contestants(maker)}
    wanted = options.only or list(models)
    if unknown := [name for name in wanted if name not in models]:
        print(f"no model is called {unknown[0]!r}: there are {', '.join(models)}", file=sys.stderr)
        return 2

    scores: dict[str, Scores] = {}
    facts: dict[str, Any] = {}
    for name, contestant in models.items():
        folder = options.work / name.replace(" ", "-").replace(",", "")
        if name not in wanted and not (folder / "outcomes.npz").is_file():
            continue
        print(f"== {name}", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        made, about = make(contestant, folder)
        scores[name] = measured(contestant, made, options.data, folder)
        facts[name] = {**about, **contestant.facts(made)}
    save(
        "quality",
        {
            "teacher": maker.teacher_name,
            "teacher_texts_per_processor_second": maker.speed(),
            "resamples": RESAMPLES,
            "baseline": BASELINE,
            "settings": dict(SETTINGS),
            "models": facts,
            "scores": summarized(scores),
        },
    )
    return 0


def make(contestant: Contestant, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Make a model, unless the folder has it.

    Returns:
        The model's path, and the facts about making it, which are kept in about.json.
    """
    target, about = folder / contestant.file, folder / "about.json"
    if not (target.exists() and about.is_file()):
        started, worked = time.perf_counter(), processor_seconds()
        extra = contestant.make(target)
        content = {
            "command": contestant.command,
            "seconds": round(time.perf_counter() - started, 1),
            "processor_seconds": round(processor_seconds() - worked, 1),
            "machine": environment(),
            **extra,
        }
        about.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return target, json.loads(about.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
