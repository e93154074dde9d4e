"""The checks before a commit are those of `make check`; a tag must name the package's version."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import staticemb_distiller
import staticemb_runtime

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


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow runs on Linux")
@pytest.mark.parametrize("wheel", [staticemb_runtime, staticemb_distiller])
def test_the_tag_of_a_release_is_compared_with_the_version_of_its_package(wheel, tmp_path):
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text("utf-8"))
    steps = workflow["jobs"]["build"]["steps"]
    script = next(step["run"] for step in steps if step.get("id") == "tag")
    package = wheel.__name__.removeprefix("staticemb_")

    def status(tag, output):
        environment = os.environ | {"TAG": tag, "GITHUB_OUTPUT": str(output)}
        command = ["bash", "-e", "-c", script]
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode

    output = tmp_path / "output"
    assert status(f"{package}-v{wheel.__version__}", output) == 0
    assert output.read_text("utf-8") == f"package={package}\n"
    assert status(f"{package}-v{wheel.__version__}1", tmp_path / "refused") == 1
