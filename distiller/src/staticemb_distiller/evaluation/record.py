"""Results as a JSON file: to keep, and to compare with later."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import EvaluationError, OutputError
from ..output_file import appearing, reported
from ..version import __version__
from .results import Results, Score
from .scoring import SETTINGS

FORMAT = "staticemb-evaluation"
FORMAT_VERSION = 1


def suite_digest(files: Mapping[str, Mapping[str, str]]) -> str:
    """One SHA-256 for the tasks and their files."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def to_json(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The whole report as a JSON object."""
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
        "scores": [
            {
                "model": s.model,
                "task": s.task,
                "prefix": s.prefix,
                "metric": s.metric,
                "value": round(s.value, 4),
                "main": s.main,
            }
            for s in results.scores
        ],
        "differences": list(compared),
    }


def dumps(results: Results, compared: Sequence[Mapping[str, Any]] = ()) -> str:
    """The report as JSON text."""
    return json.dumps(to_json(results, compared), indent=1, ensure_ascii=False) + "\n"


def save(path: Path, content: str) -> None:
    """Write a text file, which appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with reported(path, OutputError), appearing(path) as temporary:
        temporary.write_text(content, "utf-8")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def plain(value: object) -> object:
    """A value that JSON has: other objects as text, infinities as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def from_json(path: str | Path) -> Results:
    """Read a report's scores again; they carry no examples.

    Raises:
        EvaluationError: the file is no report of this format.
    """
    path = Path(path)
    try:
        report = json.loads(path.read_text("utf-8"))
        if (report["format"], report["version"]) != (FORMAT, FORMAT_VERSION):
            raise EvaluationError(
                f"{path}: expected a {FORMAT} report of version {FORMAT_VERSION}, "
                f"found {report['format']} {report['version']}"
            )
        scores = [
            Score(s["model"], s["task"], s["prefix"], s["metric"], float(s["value"]), s["main"])
            for s in report["scores"]
        ]
        tasks, note = report["suite"]["tasks"], report.get("note")
        return Results(scores, report["models"], tasks, (), note)
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EvaluationError(
            f"{path}: expected a report made by this command, found something else ({error})"
        ) from None


def add_baseline(results: Results, report: Results, source: str) -> None:
    """Add the models of an earlier report as baselines, on the tasks that both have.

    A model that was measured now as well, with the same scores, is not added a second time.

    Raises:
        EvaluationError: a task's files are not those the report was made on, or no task is shared.
    """
    shared = [task for task in results.tasks if task in report.files]
    if not shared:
        raise EvaluationError(f"{source}: expected a task that is measured now, found none")
    for task in shared:
        if report.files[task] != results.files[task]:
            raise EvaluationError(
                f"{source}: {task} was measured on other files than those given now"
            )
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
            Score(new, s.task, s.prefix, s.metric, s.value, s.main)
            for s in report.scores
            if s.model == name and s.prefix == longest and s.task in shared
        ]
        names.append(new)
    results.baseline = (*results.baseline, *names)


def _measured_now(results: Results, report: Results, name: str, shared: list[str]) -> bool:
    """Whether a model of a report is one of those measured now: same digest, same scores."""
    digest = report.facts[name].get("digest")
    return digest is not None and any(
        facts.get("digest") == digest
        and all(
            math.isclose(results.value(model, task), report.value(name, task), abs_tol=1e-3)
            for task in shared
        )
        for model, facts in results.facts.items()
    )
