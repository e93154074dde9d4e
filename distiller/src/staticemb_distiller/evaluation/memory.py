"""The memory of a model: what opening it and embedding texts adds to a process of its own.

For a model that counts words, the texts of a task are counted instead.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .load import load_model
from .models import LexicalModel

MEMORY_TEXTS = 256
_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def added_memory(spec: str, texts: Mapping[str, Sequence[str]]) -> int | None:
    """Measure the memory that a model adds to a new process with numpy, scipy and scikit-learn.

    Args:
        spec: The model, as for `load_model`.
        texts: The texts of a task, by part. A model that counts words counts them all; others embed
            the first `MEMORY_TEXTS` of each part.

    Returns:
        Bytes; None if the model cannot be opened or cannot count these texts, or if the system does
        not tell a process's memory.
    """
    command = [sys.executable, "-m", __name__, spec]
    given = json.dumps({part: list(each) for part, each in texts.items()})
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
    with contextlib.suppress(OSError):  # no Linux
        _FORGET.write_text("5")  # reading the texts may have taken more than the model will
    before = _used("VmRSS")
    model = load_model(spec)
    if isinstance(model, LexicalModel):
        model.count(texts)
    else:
        for part in texts.values():
            model.encode(part[:MEMORY_TEXTS])
    most = _used("VmHWM")
    if before is not None and most is not None:
        print(most - before)  # noqa: T201


if __name__ == "__main__":
    _child(sys.argv[1])
