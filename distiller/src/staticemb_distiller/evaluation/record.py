"""Results as a JSON file, which a later evaluation can compare with."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import EvaluationError, OutputError
from ..output_file import atomic_file, reported
from ..version import __version__
from .bootstrap import Difference
from .results import Results, Score
from .scoring import SETTINGS
from .tables import rows

FORMAT = "staticemb-evaluation"
FORMAT_VERSION = 1
MEAN = "mean of the kinds"


def suite_digest(files: Mapping[str, Mapping[str, str]]) -> str:
    """Return one SHA-256 for the tasks and their files."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def to_json(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the whole report as a JSON object."""
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "evaluator": __version__,
        "packages": {name: _version(name) for name in ("numpy", "scipy", "scikit-learn")},
        "python": platform.python_version(),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "settings": dict(SETTINGS),
        "suite": {"digest": suite_digest(results.files), "tasks": results.files},
        "note": results.note,
        "models": {
            name: {key: plain(value) for key, value in facts.items()}
            for name, facts in results.facts.items()
        },
        "baseline": list(results.baseline),
        "teacher": results.teacher,
        "resamples": results.resamples,
        "scores": [
            {
                "model": s.model,
                "task": s.task,
                "prefix": s.prefix,
                "metric": s.metric,
                "value": round(s.value, 4),
                "main": s.main,
                **_ends(results.interval(s.model, s.task, s.prefix, s.metric)),
            }
            for s in results.scores
        ],
        "means": _means(results),
        "shares": _shares(results),
        "differences": list(compared),
    }


def _ends(interval: Difference | None) -> dict[str, float]:
    known = interval is not None and interval.resamples > 0
    return (
        {"low": round(interval.low, 4), "high": round(interval.high, 4)}
        if interval and known
        else {}
    )


def _means(results: Results) -> list[dict[str, Any]]:
    """Return the means of the kinds of task, and `MEAN`, by model and prefix."""
    means = []
    for model, prefix in rows(results):
        for kind in (None, *results.kinds):
            value = results.mean(model, kind, prefix)
            if not math.isnan(value):
                ends = _ends(results.interval(model, kind, prefix))
                keys = {"model": model, "prefix": prefix, "of": kind or MEAN}
                means.append({**keys, "value": round(value, 4), **ends})
    return means


def _shares(results: Results) -> list[dict[str, Any]]:
    """Return the figures as percentages of the teacher's, by model, prefix and task."""
    shares = []
    for model, prefix in rows(results) if results.teacher else ():
        for task in results.tasks:
            share = results.share(model, results.teacher or "", task, prefix)
            if share is not None and model != results.teacher:
                cell = {"value": round(share.value, 4), **_ends(share)}
                shares.append({"model": model, "prefix": prefix, "of": task, **cell})
    return shares


def dumps(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the report as JSON text."""
    return json.dumps(to_json(results, compared), indent=1, ensure_ascii=False) + "\n"


def save(path: Path, content: str) -> None:
    """Write a text file atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    with reported(path, OutputError), atomic_file(path) as temporary:
        temporary.write_text(content, "utf-8")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def plain(value: object) -> object:
    """Convert a value to one that JSON can hold: NaN and infinity to null, objects to text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def from_json(path: str | Path) -> Results:
    """Read the scores of a report; they have no outcomes of examples.

    Raises:
        EvaluationError: the file cannot be read, or is not a report of this format.
    """
    path = Path(path)
    try:
        report = json.loads(path.read_text("utf-8"))
        if (report["format"], report["version"]) != (FORMAT, FORMAT_VERSION):
            raise EvaluationError(
                f"{path}: expected a {FORMAT} report of version {FORMAT_VERSION}, "
                f"found {report['format']} {report['version']}"
            )
        resamples = int(report.get("resamples", 0))
        scores = [_score(s, resamples) for s in report["scores"]]
        means = {
            (m["model"], m["prefix"], None if m["of"] == MEAN else m["of"]): reported
            for m in report.get("means", ())
            if (reported := _reported(m, resamples)) is not None
        }
        tasks, note = report["suite"]["tasks"], report.get("note")
        return Results(scores, report["models"], tasks, (), note, means=means)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvaluationError(
            f"{path}: expected a report of this command, found other content ({error})"
        ) from None


def _score(entry: Mapping[str, Any], resamples: int) -> Score:
    keys = (entry["model"], entry["task"], entry["prefix"], entry["metric"])
    reported = _reported(entry, resamples)
    return Score(*keys, float(entry["value"]), entry["main"], reported=reported)


def _reported(entry: Mapping[str, Any], resamples: int) -> Difference | None:
    if "low" not in entry:
        return None
    value, low, high = (float(entry[key]) for key in ("value", "low", "high"))
    return Difference(value, low, high, resamples)


def add_baseline(results: Results, report: Results, source: str) -> None:
    """Add the models of an earlier report as baselines, on the tasks that both have.

    A model that is in the results with the same digest and the same scores is not added.

    Args:
        results: The results to extend.
        report: The earlier report.
        source: The name of the earlier report, for messages.

    Raises:
        EvaluationError: no task is in both, or the files of a task differ.
    """
    shared = [task for task in results.tasks if task in report.files]
    if not shared:
        raise EvaluationError(
            f"{source}: expected a report on one of the tasks, found none of them"
        )
    for task in shared:
        if report.files[task] != results.files[task]:
            raise EvaluationError(
                f"{source}: {task} was measured on files that differ from the current files"
            )
    kinds = [k for k in results.kinds if report.tasks_of(k) == results.tasks_of(k)]
    same = {None, *kinds} if report.tasks == results.tasks else {*kinds}
    names = []
    for name in report.models:
        if _measured_now(results, report, name, shared):
            continue
        new = name
        while new in results.facts:
            new += " (earlier)"
        longest = max(report.prefixes(name), default=0)
        results.facts[new] = report.facts[name]
        results.scores += [
            replace(s, model=new)
            for s in report.scores
            if s.model == name and s.prefix == longest and s.task in shared
        ]
        results.means |= {
            (new, longest, of): mean
            for (model, prefix, of), mean in report.means.items()
            if (model, prefix) == (name, longest) and of in same
        }
        names.append(new)
    results.baseline = (*results.baseline, *names)


def _measured_now(results: Results, report: Results, name: str, shared: list[str]) -> bool:
    """Return whether the results hold a report's model: the same digest and the same scores."""
    digest = report.facts[name].get("digest")
    return digest is not None and any(
        facts.get("digest") == digest
        and all(
            math.isclose(results.value(model, task), report.value(name, task), abs_tol=1e-3)
            for task in shared
        )
        for model, facts in results.facts.items()
    )
