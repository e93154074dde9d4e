"""Fill the pages' figures and draw their pictures from results/*.json, as `figures` says.

python benchmarks/report.py           write
python benchmarks/report.py --check   exit 1 if a page or a picture says anything else
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys

import figures
from harness import RESULTS, ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "benchmarks").glob("*.md")))


def main() -> int:
    """Write, or compare with what is written."""
    wanted = {page: page.read_text(encoding="utf-8") for page in PAGES}
    for module in pkgutil.iter_modules(figures.__path__):
        saved = RESULTS / f"{module.name}.json"
        if not saved.exists():
            continue
        content = json.loads(saved.read_text(encoding="utf-8"))
        figure = importlib.import_module(f"figures.{module.name}")
        section = figure.section(content)
        wanted |= {page: fill(wanted[page], module.name, section) for page in PAGES}
        for name, drawn in getattr(figure, "pictures", lambda _: {})(content).items():
            wanted[RESULTS / name] = drawn
    differing = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv:
        for path in differing:
            print(f"{path.relative_to(ROOT)} differs from the results: run benchmarks/report.py")
        return 1 if differing else 0
    for path in differing:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


def fill(text: str, name: str, body: str) -> str:
    """Replace what stands between `<!-- figures: NAME -->` and `<!-- end -->`."""
    pattern = rf"(<!-- figures: {name} -->\n).*?(\n<!-- end -->)"
    return re.sub(pattern, lambda match: match[1] + body + match[2], text, flags=re.S)


if __name__ == "__main__":
    sys.exit(main())
