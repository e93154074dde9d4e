"""Judge an implementation of the static embedding file through its adapter.

    python run.py -- python adapters/minimal.py
    python run.py --classes reader --filter digest --junit report.xml -- ./my-adapter

Exit status: 0 if every case passed or was skipped, 1 if a case failed, 2 if there is no result: the
adapter is unusable, or no case was selected. README.md describes the protocol.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from runner import reports
from runner.cases import CLASSES, Job, load, select
from runner.judge import FAILURES, Session, UnusableAdapterError, Verdict
from runner.process import Adapter

HERE = Path(__file__).parent
SMOKE_ACCEPT, SMOKE_REFUSE = "valid/f32/read", "invalid/header_json_cut"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    classes = options.classes.split(",")
    if unknown := set(classes) - set(CLASSES):
        print(
            f"--classes: expected {', '.join(CLASSES)}, found {', '.join(unknown)}", file=sys.stderr
        )
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        jobs = load(options.vectors, Path(scratch))
        session = Session(
            lambda: Adapter(options.command),
            timeout=options.timeout,
            start_timeout=max(60.0, options.timeout),  # an emulated or a loaded machine is slow
            restarts=options.restarts,
        )
        try:
            session.smoke(_named(jobs, SMOKE_ACCEPT), _named(jobs, SMOKE_REFUSE))
            implementation = session.implementation
            chosen = select(jobs, set(classes) & set(session.classes), options.filter)
            verdicts = list(session.run(chosen))
            problem = session.stop()
        except UnusableAdapterError as error:
            implementation, verdicts, problem = options.command[0], [], f"unusable: {error}"
        finally:
            session.close()
    if not problem and not verdicts:
        problem = "no case was asked for"
    for kind in {v.job.kind for v in verdicts}:
        if not any(v.status == "passed" for v in verdicts if v.job.kind == kind):
            problem = problem or f"no case of {kind} passed"
    return _report(options, implementation, problem, verdicts)


def _report(
    options: argparse.Namespace, implementation: str, problem: str, verdicts: list[Verdict]
) -> int:
    print(reports.table(implementation, verdicts))
    if problem:
        print(f"\nadapter: {problem.encode('unicode_escape').decode('ascii')}")
    if options.json:
        options.json.write_text(
            reports.as_json(implementation, problem, verdicts), encoding="utf-8"
        )
    if options.junit:
        options.junit.write_bytes(reports.as_junit(implementation, problem, verdicts))
    failed = sum(verdict.status in FAILURES for verdict in verdicts)
    print(f"\n{len(verdicts)} cases, {failed} failed: {'FAIL' if failed or problem else 'pass'}")
    if not verdicts:
        return 2
    return 1 if failed or problem else 0


def _named(jobs: Sequence[Job], name: str) -> Job:
    """Copy a job under a new id for the smoke test."""
    job = next(job for job in jobs if job.id == name)
    renamed = f"smoke/{name}"
    return replace(job, id=renamed, message=job.message | {"id": renamed})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Judge an implementation through its adapter.")
    parser.add_argument("command", nargs="+", help="the adapter and its arguments, behind --")
    parser.add_argument("--classes", default=",".join(CLASSES), help="which classes to judge")
    parser.add_argument("--filter", default="*", help="a part of the cases' ids, or a pattern")
    parser.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        help="seconds for one answer; the first has at least 60",
    )
    parser.add_argument("--restarts", type=int, default=20, help="failures before giving up")
    parser.add_argument("--json", type=Path, help="write a report for programs")
    parser.add_argument("--junit", type=Path, help="write a report for build servers")
    parser.add_argument("--vectors", type=Path, default=HERE / "vectors", help="another folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
