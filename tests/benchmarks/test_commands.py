"""A reader can measure each table again: `make bench` does, or a page names the command."""

import ast

from conftest import ROOT

BENCHMARKS = ROOT / "benchmarks"
PAGES = [*(ROOT / "docs").rglob("*.md")]


def of_make_bench():
    tree = ast.parse((BENCHMARKS / "run.py").read_text(encoding="utf-8"))
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    (names,) = (node.value for node in assigned if node.targets[0].id == "ALL")
    return ast.literal_eval(names)


def test_make_bench_runs_a_benchmark_or_a_page_with_its_table_names_the_command():
    pages = {page: page.read_text(encoding="utf-8") for page in PAGES}
    lacking = set()
    for module in (BENCHMARKS / "figures").glob("[!_]*.py"):
        name = module.stem
        shown = [text for text in pages.values() if f"<!-- figures: {name} -->" in text]
        commands = (f"python benchmarks/{name}.py", f"make {name}")
        named = any(command in text for text in shown for command in commands)
        if name not in of_make_bench() and not named:
            lacking.add(name)
    assert lacking == set()
