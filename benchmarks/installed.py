"""Bytes on disk of a package and each of its dependencies, without byte code."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import harness
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RUNTIME = harness.ROOT / "runtime" / "src"


def alone(*names: str) -> dict[str, int]:
    """Return the bytes of our runtime and of the given packages, without dependencies."""
    return {"staticemb-runtime": _bytes(RUNTIME.rglob("*"))} | {name: _size(name) for name in names}


def closure(*names: str) -> dict[str, int]:
    """Return the bytes of the given packages and all their dependencies on this machine.

    Raises:
        importlib.metadata.PackageNotFoundError: one of these packages is not installed.
    """
    found: dict[str, int] = {}
    queue = [Requirement(name) for name in names]
    seen = set()
    while queue:
        wanted = queue.pop()
        name = canonicalize_name(wanted.name)
        extras = ("", *sorted(wanted.extras))
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = _size(name)
        for line in importlib.metadata.requires(name) or []:
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras):
                queue.append(need)
    return found


def _size(name: str) -> int:
    files = importlib.metadata.distribution(name).files or []
    return _bytes(Path(str(file.locate())) for file in files)


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc")
