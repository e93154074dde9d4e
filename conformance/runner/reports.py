"""Report a run as a table for people, as JSON for programs, and as JUnit for build servers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from runner.judge import FAILURES, Verdict

SHOWN = 40


def table(implementation: str, verdicts: Sequence[Verdict]) -> str:
    """Format a run as text: a row for each class and folder, then the first failures."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for verdict in verdicts:
        key = (verdict.job.kind, verdict.job.id.split("/")[0])
        rows.setdefault(key, Counter())[_kind(verdict)] += 1
    lines = [
        implementation,
        "",
        f"{'class':9} {'cases':10} {'passed':>7} {'failed':>7} {'skipped':>8}",
    ]
    for (kind, folder), counts in sorted(rows.items()):
        numbers = f"{counts['passed']:7} {counts['failed']:7} {counts['skipped']:8}"
        lines.append(f"{kind:9} {folder:10} {numbers}")
    failed = [verdict for verdict in verdicts if verdict.status in FAILURES]
    if failed:
        lines.append("")
    for verdict in failed[:SHOWN]:
        # The detail quotes the adapter, so it may hold control characters for the terminal.
        detail = verdict.detail.encode("unicode_escape").decode("ascii")
        lines.append(f"{verdict.status}: {verdict.job.id}: {detail}")
    if len(failed) > SHOWN:
        lines.append(f"and {len(failed) - SHOWN} more")
    return "\n".join(lines)


def as_json(implementation: str, problem: str, verdicts: Sequence[Verdict]) -> str:
    """Format a run as JSON: the counts, and each verdict with its job's id."""
    counts = Counter(verdict.status for verdict in verdicts)
    results = [
        {"id": v.job.id, "class": v.job.kind, "status": v.status, "detail": v.detail}
        for v in verdicts
    ]
    report: dict[str, Any] = {
        "implementation": implementation,
        "problem": problem,
        "counts": dict(sorted(counts.items())),
        "results": results,
    }
    return json.dumps(report, indent=1) + "\n"


def as_junit(implementation: str, problem: str, verdicts: Sequence[Verdict]) -> bytes:
    """Format a run as JUnit XML."""
    counts = Counter(map(_kind, verdicts))
    suite = ElementTree.Element(
        "testsuite",
        name="staticemb conformance",
        tests=str(len(verdicts) + bool(problem)),
        failures=str(counts["failed"] + bool(problem)),
        skipped=str(counts["skipped"]),
    )
    for verdict in verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{implementation}.{verdict.job.kind}", name=verdict.job.id
        )
        if _kind(verdict) != "passed":
            tag = "failure" if _kind(verdict) == "failed" else "skipped"
            ElementTree.SubElement(case, tag, type=verdict.status, message=_plain(verdict.detail))
    if problem:
        case = ElementTree.SubElement(suite, "testcase", classname="adapter", name="adapter")
        ElementTree.SubElement(case, "failure", type="adapter", message=_plain(problem))
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite)


def _kind(verdict: Verdict) -> str:
    return "failed" if verdict.status in FAILURES else verdict.status


def _plain(text: str) -> str:
    """Escape the characters that XML does not allow."""
    return text.encode("unicode_escape").decode("ascii")
