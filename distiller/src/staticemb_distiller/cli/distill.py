"""`staticemb-distiller distill TEACHER -o FILE`: one flag for each knob of the recipe."""

from __future__ import annotations

import argparse

from ..errors import RecipeError
from ..recipe.recipe import Recipe
from .knob_flags import add_knobs, commands_progress, flags_named, given_recipe
from .recipe import read_recipe

_GROUPS = {
    "purpose": "the purpose",
    "revision": "the teacher",
    "mode": "the vocabulary",
    "vectors_from": "the vectors of tokens",
    "fit": "the fit to texts",
    "length_power": "the shape of fitted rows",
    "dims": "dimensions",
    "weighting": "the weights of tokens",
    "dtype": "storage",
    "pooling": "the vectors of texts",
    "seed": "random numbers",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: the teacher, the output, and one flag for each knob."""
    parser.usage = "%(prog)s TEACHER -o FILE [--recipe FILE] [options]"
    parser.add_argument(
        "teacher", metavar="TEACHER", help="a Sentence Transformer: a local folder or a Hub id"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write (.staticemb)"
    )
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        help="take the recipe from a TOML file, a static embedding file or an installed model; "
        "flags take precedence",
    )
    work = parser.add_argument_group("the run")
    work.add_argument(
        "--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or mps [auto]"
    )
    work.add_argument(
        "--checkpoint",
        metavar="FOLDER",
        help="save the progress in FOLDER, and continue from it next time",
    )
    work.add_argument(
        "--teacher-cache",
        metavar="FOLDER",
        help="save the teacher's vectors of the fit's texts in FOLDER, for later runs",
    )
    work.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run the Python code that comes with TEACHER; a recipe cannot allow this",
    )
    work.add_argument("--quiet", action="store_true", help="show no progress")
    add_knobs(parser, Recipe, _GROUPS)


def run(arguments: argparse.Namespace) -> int:
    """Distill."""
    recipe = given_recipe(arguments, Recipe, read_recipe)
    _check_consent(arguments, recipe)

    # Imported here: torch takes seconds, and a wrong flag should be refused at once.
    from ..distillation import distill
    from ..output_file import described

    with commands_progress(Recipe, quiet=arguments.quiet) as progress, flags_named(Recipe):
        path = distill(
            arguments.teacher,
            recipe,
            arguments.output,
            device=arguments.device,
            checkpoint=arguments.checkpoint,
            teacher_cache=arguments.teacher_cache,
            trust_remote_code=arguments.trust_remote_code,
            progress=progress,
        )
        progress.note(f"Wrote {described(path)}")
    return 0


def _check_consent(arguments: argparse.Namespace, recipe: Recipe) -> None:
    """Check that a revision whose code would run is named on the command line.

    A recipe's file is not enough: anybody can propose a change to a repository on the Hub, and the
    change then is a revision of it.

    Raises:
        RecipeError: Only the recipe's file names the revision.
    """
    revision = recipe.revision
    if not arguments.trust_remote_code or revision is None or "revision" in vars(arguments):
        return
    if not revision.startswith("sha256:"):  # a local folder's digest selects no code
        msg = (
            f"--trust-remote-code: the revision {revision} comes from {arguments.recipe}: add "
            f"--revision {revision} if you trust its code"
        )
        raise RecipeError(msg)
