"""The memory of a model: what opening it and embedding texts adds to a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .load import load_model
from .models import LexicalModel

MEMORY_TEXTS = 256
_STATUS = Path("/proc/self/status")


def added_memory(spec: str, texts: Sequence[str]) -> int | None:
    """Measure the memory that a model adds to a new process with numpy and scipy.

    Args:
        spec: The model, as for `load_model`.
        texts: Texts to embed; the first `MEMORY_TEXTS` of them are taken.

    Returns:
        Bytes; None if the model has no vectors or cannot be opened, or if the system does not tell
        a process's memory.
    """
    command = [sys.executable, "-m", __name__, spec]
    given = json.dumps(list(texts[:MEMORY_TEXTS]))
    done = subprocess.run(  # noqa: S603 -- this module, in the same interpreter
        command, input=given, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode or not (line := done.stdout.strip().rpartition("\n")[2]):
        return None
    return int(line)


def _used(key: str) -> int | None:
    """Return VmRSS, the memory now, or VmHWM, the most so far, in bytes."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux
        return None
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024


def _child(spec: str) -> None:
    texts = json.loads(sys.stdin.buffer.read())
    before = _used("VmRSS")
    model = load_model(spec)
    if before is None or isinstance(model, LexicalModel):
        return
    model.encode(texts)
    most = _used("VmHWM")
    if most is not None:
        print(most - before)  # noqa: T201


if __name__ == "__main__":
    _child(sys.argv[1])
