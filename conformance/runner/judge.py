"""Compare the answers of an adapter with the expected answers."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.cases import CLASSES, Job
from runner.process import PROTOCOL, Adapter, AdapterError, GarbageError

FAILURES = (
    "wrong_result",
    "wrong_code",
    "accepted",
    "refused",
    "errored",
    "crashed",
    "timed_out",
    "ended_early",
    "garbage",
    "not_run",
)
OUTCOMES = ("result", "rejected", "skipped", "errored")


@dataclass(frozen=True)
class Verdict:
    """The outcome of a job.

    Attributes:
        job: the job.
        status: `passed`, `skipped` or one of `FAILURES`.
        detail: the reason, for people; may be empty.
    """

    job: Job
    status: str
    detail: str = ""


class UnusableAdapterError(Exception):
    """The adapter does not start, or fails the smoke test."""


class Session:
    """A run of jobs through an adapter, which is restarted after a failure.

    Args:
        start: starts the adapter.
        timeout: the longest time for an answer, in seconds.
        start_timeout: the longest time for the answer to the start message, in seconds.
        restarts: the largest number of restarts. After one more failure no job is run.

    Attributes:
        implementation: the name that the adapter gives; empty before `smoke`.
        classes: the conformance classes that the adapter names; empty before `smoke`.
    """

    def __init__(
        self,
        start: Callable[[], Adapter],
        *,
        timeout: float = 30.0,
        start_timeout: float = 60.0,
        restarts: int = 20,
    ) -> None:
        self._start, self._timeout, self._start_timeout = start, timeout, start_timeout
        self._restarts = restarts
        self._adapter: Adapter | None = None
        self.implementation = ""
        self.classes: tuple[str, ...] = ()

    def smoke(self, accept: Job, refuse: Job) -> None:
        """Check that the adapter answers the start message, reads a file and refuses a file.

        Args:
            accept: a job on a valid file.
            refuse: a job on a file with a fault.

        Raises:
            UnusableAdapterError: one of the three fails.
        """
        try:
            self._greet()
            for job in (accept, refuse):
                verdict = judge(job, self._ask(job))
                if verdict.status != "passed":
                    raise UnusableAdapterError(f"{job.id}: {verdict.status}: {verdict.detail}")
        except AdapterError as error:
            raise UnusableAdapterError(f"{error.status}: {error}") from None
        except OSError as error:
            raise UnusableAdapterError(f"cannot be started: {error}") from None

    def run(self, jobs: Sequence[Job]) -> Iterator[Verdict]:
        """Run the jobs and yield their verdicts."""
        for job in jobs:
            if self._restarts < 0:
                yield Verdict(job, "not_run", "the adapter failed too often")
                continue
            try:
                if self._adapter is None:
                    self._greet()
                yield judge(job, self._ask(job))
            except AdapterError as error:
                self.close()
                self._restarts -= 1
                yield Verdict(job, error.status, str(error))

    def stop(self) -> str:
        """Send the stop message and wait for the end; return the problem, or an empty string."""
        if self._adapter is None:
            return ""
        try:
            self._adapter.stop(self._timeout)
        except AdapterError as error:
            return f"{error.status}: {error}"
        finally:
            self.close()
        return ""

    def close(self) -> None:
        """Kill the adapter."""
        if self._adapter is not None:
            self._adapter.kill()
            self._adapter = None

    def _greet(self) -> None:
        """Start the adapter and check its answer to the start message."""
        self._adapter = self._start()
        hello = self._adapter.ask({"op": "start", "protocol": PROTOCOL}, self._start_timeout)
        if hello.get("protocol") != PROTOCOL:
            raise GarbageError(f"protocol {PROTOCOL} expected, found {hello.get('protocol')!r}")
        name, classes = hello.get("implementation"), hello.get("classes")
        if not isinstance(name, str) or not isinstance(classes, list) or "reader" not in classes:
            raise GarbageError("a greeting names implementation and classes, reader among them")
        self.implementation = name
        self.classes = tuple(kind for kind in CLASSES if kind in classes)

    def _ask(self, job: Job) -> dict[str, Any]:
        assert self._adapter is not None
        reply = self._adapter.ask(job.message, self._timeout)
        if reply.get("id") != job.message["id"]:
            raise GarbageError(f"an answer to {reply.get('id')!r}")
        outcomes = [outcome for outcome in OUTCOMES if outcome in reply]
        if len(outcomes) != 1 or not isinstance(reply[outcomes[0]], dict):
            raise GarbageError(f"one of {', '.join(OUTCOMES)} expected, found {sorted(reply)}")
        return reply


def judge(job: Job, reply: dict[str, Any]) -> Verdict:
    """Compare a well-formed answer with the expected answer."""
    if "skipped" in reply:
        return Verdict(job, "skipped", str(reply["skipped"].get("why", "")))
    if "errored" in reply:
        return Verdict(job, "errored", str(reply["errored"].get("why", "")))
    if job.harmless:
        return Verdict(job, "passed")
    if "rejected" in reply:
        code = reply["rejected"].get("code")
        if not job.codes:
            return Verdict(job, "refused", f"with {code}")
        if code not in job.codes:
            return Verdict(job, "wrong_code", f"{' or '.join(job.codes)} expected, found {code}")
        return Verdict(job, "passed")
    if job.codes:
        return Verdict(job, "accepted", f"{' or '.join(job.codes)} expected")
    if job.parts is not None:
        wrong = _wrong_parts(job.parts, reply["result"].get("parts"))
    else:
        wrong = _wrong_vector(job, reply["result"].get("vector"))
        labels = reply["result"].get("labels")
        if not wrong and job.labels is not None and labels != job.labels:
            wrong = f"answer {job.labels!r:.200} expected, found {labels!r:.200}"
    return Verdict(job, "wrong_result", wrong) if wrong else Verdict(job, "passed")


def _wrong_parts(expected: dict[str, Any], found: object) -> str:
    """Describe the first wrong part; return an empty string if the parts are as expected."""
    if not isinstance(found, dict):
        return "no parts"
    for key, value in expected.items():
        given = found.get(key)
        if key == "strings" and isinstance(given, dict):
            # The reader may also report unknown keys, which the specification tells it to ignore.
            given = {name: given.get(name) for name in value}
        if key == "optional":
            # The protocol lets an implementation leave out optional tensors.
            given = {} if given is None else given
            if isinstance(given, dict) and given.keys() <= value.keys():
                given = value | given
        if key in ("prompts", "refused") and given is None:
            given = value
        if key == "refused" and isinstance(given, list):
            # An implementation that is no projector or classifier does not know these parts.
            unknown = [part for part in value if part.partition(".")[0] in ("space", "head")]
            given = [*given, *(part for part in unknown if part not in given)]
        if isinstance(value, float) and isinstance(given, (int, float)):
            # An implementation may store β in binary32.
            given = value if math.isclose(value, given, rel_tol=1e-6) else given
        if given != value or isinstance(given, bool) != isinstance(value, bool):
            return f"{key}: {value!r} expected, found {given!r}"
    return ""


def _wrong_vector(job: Job, digits: object) -> str:
    """Describe the first wrong element; return an empty string if all are within tolerance."""
    expected = _numbers(job.vector)
    found = _numbers(digits)
    if found is None or expected is None:
        return f"no vector: {digits!r:.60}"
    if len(found) != len(expected):
        return f"{len(expected)} elements expected, found {len(found)}"
    for j, (w, v) in enumerate(zip(expected, found, strict=True)):
        if not abs(v - w) <= job.tolerance:  # unlike >, this form also finds NaN
            return f"element {j}: {w:.9g} expected within {job.tolerance:g}, found {v:.9g}"
    return ""


def _numbers(digits: object) -> tuple[float, ...] | None:
    """Decode little-endian binary32 numbers in hexadecimal; None: the digits are malformed."""
    if not isinstance(digits, str):
        return None
    try:
        packed = bytes.fromhex(digits)
        return struct.unpack(f"<{len(packed) // 4}f", packed)
    except (ValueError, struct.error):
        return None
