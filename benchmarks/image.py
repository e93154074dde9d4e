"""Bytes of the packages in the image of runtime/deploy/Dockerfile, by its own steps without Docker.

The commands of its first RUN are run as they stand there, in a folder instead of the root, with the
Python that runs this. The bytes are those of the installed files; nothing compiles byte code there.
The base image, Python and a Debian system, is not counted.

python benchmarks/image.py [--results FOLDER]
"""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

DOCKERFILE = harness.ROOT / "runtime" / "deploy" / "Dockerfile"


def main() -> None:
    """Install, and save."""
    harness.read_options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for command in commands(DOCKERFILE.read_text("utf-8"), folder):
            subprocess.run(command, check=True)
        sizes = packages(next((folder / "venv").glob("lib/python*/site-packages")))
    if not {"numpy", "staticemb-runtime", "uvicorn"} <= sizes.keys():
        raise RuntimeError(f"expected numpy, uvicorn and the runtime, found {', '.join(sizes)}")
    print(sizes)
    harness.save("image", {"bytes": sizes})


def commands(dockerfile: str, folder: Path) -> list[list[str]]:
    """Return the commands of the first RUN, in a folder, with the build arguments' defaults."""
    text = dockerfile.replace("\\\n", " ").replace("${EXTRA}", "")
    run = re.search(r"^RUN (.*)$", text, re.MULTILINE)
    assert run is not None
    made = []
    for command in run[1].split("&&"):
        words = [sys.executable if word == "python" else word for word in shlex.split(command)]
        places = {"/venv": str(folder / "venv"), "/runtime": str(harness.ROOT / "runtime")}
        made.append([places.get(word, word) for word in words])
    return made


def packages(site: Path) -> dict[str, int]:
    """Return the bytes of each installed package, the largest first."""
    sizes = {}
    for package in importlib.metadata.distributions(path=[str(site)]):
        paths = (Path(str(file.locate())) for file in package.files or [])
        sizes[package.metadata["Name"]] = sum(path.stat().st_size for path in paths)
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


if __name__ == "__main__":
    main()
