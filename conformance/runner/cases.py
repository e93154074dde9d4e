"""Turn the cases into messages for an adapter, each with its expected answer."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLASSES = ("reader", "pooler", "text", "projector", "classifier")
# This text uses every faulty token of the tokenizers in vectors/invalid.
TEXT = "w0 w1 w2 w3 x e"


@dataclass(frozen=True)
class Job:
    """One message and its expected answer.

    Attributes:
        id: the case's id. A case that makes several jobs adds a suffix for each.
        kind: the conformance class.
        message: the request to the adapter.
        parts: the expected parts of the file; None: no parts are expected.
        vector: the expected vector in hexadecimal; None: no vector is expected.
        labels: the expected answer of a head; None: no answer is expected.
        tolerance: the largest allowed difference of an element from the expected vector.
        codes: the allowed codes of a refusal; empty: the adapter must not refuse.
        harmless: whether a result and a refusal both pass. Without full verification a reader may
            miss the file's fault.
    """

    id: str
    kind: str
    message: dict[str, Any]
    parts: dict[str, Any] | None = None
    vector: str | None = None
    labels: list[str] | None = None
    tolerance: float = 0.0
    codes: tuple[str, ...] = ()
    harmless: bool = field(default=False)


def load(vectors: Path, scratch: Path) -> list[Job]:
    """Load every job of a folder of vectors.

    Args:
        vectors: the folder of the case files.
        scratch: a folder for the files that the case files describe by pieces.
    """
    jobs: list[Job] = []
    for path in sorted(vectors.glob("*/*.json")):
        members = json.loads(path.read_text(encoding="ascii"))
        for case in members["cases"]:
            file = _file(path, case if "file" in case else members, scratch)
            jobs += _jobs(case, str(file))
    return jobs


def select(jobs: Iterable[Job], classes: Iterable[str], pattern: str) -> list[Job]:
    """Select the jobs of the given classes whose id matches a pattern.

    A pattern without `*`, `?` and `[` matches anywhere in the id.
    """
    glob = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
    wanted = set(classes)
    return [job for job in jobs if job.kind in wanted and fnmatch.fnmatchcase(job.id, glob)]


def _file(path: Path, members: dict[str, Any], scratch: Path) -> Path:
    """Return the path of a case's file; assemble the file in `scratch` if it is not stored."""
    if "file" in members:
        return (path.parent / str(members["file"])).resolve()
    target = scratch.resolve() / f"{path.parent.name}-{path.stem}.staticemb"
    if not target.exists():
        with target.open("wb") as file:
            for piece in members["assemble"]:
                file.write(bytes.fromhex(piece["hex"]) * piece.get("times", 1))
    return target


def _jobs(case: dict[str, Any], file: str) -> Iterator[Job]:
    """Yield the jobs of a case; a case whose fault is deferred has several."""
    kind, name = case["class"], case["id"]
    message: dict[str, Any] = {"op": "run", "id": name, "class": kind, "file": file}
    codes = (case["code"], *case.get("also", ())) if "code" in case else ()
    if kind == "reader":
        deferred = "deferred" in case["flags"]
        # Faults that opening can find must be found on opening, so those cases do not ask for full
        # verification. Valid files must pass full verification.
        verify = deferred or not codes
        yield Job(name, kind, message | {"verify": verify}, parts=case.get("parts"), codes=codes)
        if deferred:
            opened = message | {"id": f"{name}/open", "verify": False}
            yield Job(f"{name}/open", kind, opened, harmless=True)
            pooled = message | {
                "id": f"{name}/pool", "class": "pooler", "tokens": [0, 1, 2], "request": {},
            }  # fmt: skip
            yield Job(f"{name}/pool", "pooler", pooled, harmless=True)
        if deferred and "token" in case["code"]:
            asked = message | {
                "id": f"{name}/text", "class": "text", "text": TEXT, "request": {},
            }  # fmt: skip
            yield Job(f"{name}/text", "text", asked, codes=codes)
        return
    if kind == "text" and "text" not in case:  # the file's tokenizer cannot be built
        verified = message | {"id": f"{name}/verify", "class": "reader", "verify": True}
        yield Job(f"{name}/verify", kind, verified, codes=codes)
        asked = message | {"text": TEXT, "request": {}}
        yield Job(name, kind, asked, codes=codes)
        return
    if kind == "text":
        message["text"] = case["text"]
    elif "vector" in case:
        message["vector"] = case["vector"]
    elif "tokens" in case:
        message["tokens"] = case["tokens"]
    else:
        message["tokens"] = [token for token, count in case["runs"] for _ in range(count)]
    message["request"] = case["request"]
    yield Job(
        name,
        kind,
        message,
        vector=case["expected"]["hex"] if "expected" in case else None,
        labels=case.get("expected", {}).get("labels"),
        tolerance=case.get("tolerance", 0.0),
        codes=codes,
    )
