"""`staticemb-distiller recipe [FILE]`: the recipe that a file carries, or the defaults, as TOML."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format import read

from ..errors import RecipeError
from ..recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a static embedding file, or a recipe in TOML"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the recipe."""
    recipe = Recipe() if arguments.file is None else read_recipe(Path(arguments.file))
    sys.stdout.write(recipe.to_toml() + "\n")
    return 0


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from TOML, or from the static embedding file that it made.

    A file also says which revision of the teacher it was made from, and the recipe then asks for
    it.

    Raises:
        RecipeError: There is no recipe to be read.
    """
    if path.suffix != ".staticemb":
        return Recipe.read(path)
    try:
        extra = read(path).metadata.extra
    except StaticEmbError as error:
        msg = f"{path}: cannot read the recipe: {error}"
        raise RecipeError(msg) from error
    if "recipe" not in extra:
        msg = f"{path}: the file carries no recipe"
        raise RecipeError(msg)
    recipe = Recipe.from_toml(extra["recipe"], source=str(path))
    return dataclasses.replace(recipe, revision=extra.get("teacher_revision", recipe.revision))
