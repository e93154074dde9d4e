"""Write the help of both commands as Markdown, for the pages of the reference to include.

python docs/tools/command_help.py FOLDER
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"staticemb": "staticemb_runtime", "staticemb-distiller": "staticemb_distiller"}
# The same width everywhere, no colors, and no model of the machine that builds.
ENVIRONMENT = {
    "COLUMNS": "100",
    "NO_COLOR": "1",
    "PYTHON_COLORS": "0",
    "PYTHONIOENCODING": "utf-8",
    "STATICEMB_MODEL": "",
    "PYTHONPATH": os.pathsep.join(str(ROOT / name / "src") for name in ("runtime", "distiller")),
}


def main(folder: Path) -> None:
    """Write a page for each command."""
    folder.mkdir(parents=True, exist_ok=True)
    for command, package in COMMANDS.items():
        (folder / f"{command}.md").write_text(page(command, package), "utf-8")


def page(command: str, package: str) -> str:
    """Return the help of a command, then the help of each of its own commands under a heading."""
    whole = shown(package)
    parts = [block(whole)]
    for name in names(whole):
        parts.append(f"## {command} {name}\n\n{block(shown(package, name))}")
    return "\n\n".join(parts) + "\n"


def names(whole: str) -> list[str]:
    """The commands that a help lists: the first words of the lines that are indented by four."""
    listed = whole[whole.index("\n  COMMAND") :].splitlines()[2:]
    lines = [line for line in listed if line.startswith("    ") and line[4:5].strip()]
    return [line.split()[0] for line in lines]


def shown(package: str, *arguments: str) -> str:
    """What `--help` prints."""
    return subprocess.run(
        [sys.executable, "-m", package, *arguments, "--help"],
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout.strip()


def block(text: str) -> str:
    """A fenced block of plain text."""
    return f"```text\n{text}\n```"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
