"""Rebuild the runtime's bundled model: `python distiller/demo/bundled_model.py RECIPE OUT`.

The teacher is the demo's, recorded under its id on the Hub. A recipe names its text relative to the
working folder. The same recipe, text, machine and versions give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo import PACKAGED_NAME, packaged_teacher
from staticemb_distiller.cli.main import guarded
from staticemb_distiller.distillation import distill
from staticemb_distiller.output_file import described
from staticemb_distiller.progress import Progress
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import Teacher

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python distiller/demo/bundled_model.py", description=__doc__.splitlines()[0]
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="the recipe, as TOML")
    parser.add_argument("output", type=Path, metavar="OUT", help="the file to write (.staticemb)")
    parser.add_argument(
        "--teacher-cache", type=Path, metavar="FOLDER", help="as for staticemb-distiller distill"
    )
    options = parser.parse_args(argv)
    return guarded(lambda: _remake(options.recipe, options.output, options.teacher_cache))


def _remake(recipe: Path, output: Path, teacher_cache: Path | None) -> int:
    knobs = Recipe.read(recipe)
    teacher = Teacher.load(packaged_teacher(), device="cpu", dtype=knobs.teacher_dtype)
    teacher.name = PACKAGED_NAME
    with Progress() as progress:
        path = distill(teacher, knobs, output, teacher_cache=teacher_cache, progress=progress)
        progress.note(f"Wrote {described(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
