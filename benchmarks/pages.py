"""Write generated figures into blocks of Markdown pages, or check that they are up to date."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from harness import ROOT

PICTURES = ROOT / "docs" / "benchmarks"
PAGES = (
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "distiller" / "demo").glob("*.md")),
)


def fill(text: str, name: str, body: str) -> str:
    """Replace the text between `<!-- figures: NAME -->` and `<!-- end -->`."""
    pattern = rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)"
    return re.sub(pattern, lambda match: f"{match[1]}{body}\n{match[2]}", text, flags=re.S)


def settle(wanted: Mapping[Path, str]) -> int:
    """Write the files whose text differs; with `--check` on the command line, only name them.

    Args:
        wanted: the path of each file -> its text.

    Returns:
        The exit status: 1 if a file differs and `--check` was given.
    """
    differing = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv:
        for path in differing:
            print(f"{path.relative_to(ROOT)} differs from the results: run {sys.argv[0]}")
        return 1 if differing else 0
    for path in differing:
        path.write_text(wanted[path], encoding="utf-8")
    return 0
