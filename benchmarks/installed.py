"""Bytes on disk of what pip installs for a package, package by package, byte code left out."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import harness
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RUNTIME = harness.ROOT / "runtime" / "src"


def alone(*names: str) -> dict[str, int]:
    """Our runtime and these packages, as `pip install --no-deps` has them."""
    return {"staticemb-runtime": _bytes(RUNTIME.rglob("*"))} | {name: _size(name) for name in names}


def closure(*names: str) -> dict[str, int]:
    """These packages and all that they pull in on this machine, as they are installed here.

    Raises:
        importlib.metadata.PackageNotFoundError: one of them is not installed.
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
