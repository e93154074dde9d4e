"""Fill the figures of docs/ and draw the pictures of docs/benchmarks from results/*.json.

python benchmarks/report.py           write
python benchmarks/report.py --check   exit 1 if a page or a picture differs

The modules of `figures` format the results of one benchmark each, `overview` those of several, and
`reported` the figures of others. Benchmarks write results of one commit only; a table of
older results with several commits names all of them. Results of code that was not committed are
refused: `--results` can have put them there.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import figures
import overview
import reported
from harness import RESULTS, load
from pages import PAGES, PICTURES, fill, settle


def main() -> int:
    """Write the pages and pictures; with --check, compare them with the files."""
    wanted = {page: page.read_text(encoding="utf-8") for page in PAGES}
    for module in pkgutil.iter_modules(figures.__path__):
        if not (RESULTS / f"{module.name}.json").exists():
            continue
        content = load(module.name)
        figure = importlib.import_module(f"figures.{module.name}")
        sections = {module.name: figure.section(content)}
        sections |= getattr(figure, "further", lambda _: {})(content)
        for name, section in sections.items():
            wanted |= {page: fill(wanted[page], name, section) for page in PAGES}
        for name, drawn in getattr(figure, "pictures", lambda _: {})(content).items():
            wanted[PICTURES / name] = drawn
    overview_page = PICTURES / "index.md"
    if overview_page in wanted:
        for name, section in {**overview.blocks(), "reported": reported.section()}.items():
            wanted[overview_page] = fill(wanted[overview_page], name, section)
    return settle(wanted)


if __name__ == "__main__":
    sys.exit(main())
