"""The checks before a commit are those of `make check`."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_pre_commit_runs_each_step_of_make_check():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.M)[1]
    steps = [
        re.sub(r"\$\(BIN\)/|python -m | --check| \.$", "", line[1:]) for line in recipe.splitlines()
    ]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    entries = re.findall(r"entry: (.+)", hooks)
    run = [re.sub(r"\.venv/bin/|python -m | --force-exclude", "", entry) for entry in entries]
    assert len(steps) == 5
    assert run == steps
