"""`staticemb-distiller recipe [FILE]`: the recipe that a file carries, or the defaults, as TOML."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TypeVar

from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format import read

from ..errors import RecipeError
from ..knobs import Knobs
from ..recipe import Recipe
from ..training.recipe import TrainingRecipe

K = TypeVar("K", bound=Knobs)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a static embedding file, or a recipe in TOML"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the recipe."""
    recipe: Knobs = Recipe()
    if arguments.file is not None:
        path = Path(arguments.file)
        recipe = read_training_recipe(path) if _is_trained(path) else read_recipe(path)
    sys.stdout.write(recipe.to_toml() + "\n")
    return 0


def read_recipe(path: Path) -> Recipe:
    """Read the recipe of a distillation from TOML, or from the static embedding file that it made.

    A file also says which revision of the teacher it was made from, and the recipe then asks for
    it.

    Raises:
        RecipeError: There is no recipe to be read, or it is a training's.
    """
    recipe = _read(path, Recipe)
    if path.suffix == ".staticemb":
        revision = _extra(path).get("teacher_revision", recipe.revision)
        recipe = dataclasses.replace(recipe, revision=revision)
    return recipe


def read_training_recipe(path: Path) -> TrainingRecipe:
    """Read the recipe of a training from TOML, or from the static embedding file that it made.

    Raises:
        RecipeError: There is no recipe to be read, or it is a distillation's.
    """
    return _read(path, TrainingRecipe)


def _read(path: Path, kind: type[K]) -> K:
    if path.suffix != ".staticemb":
        return kind.read(path)
    text = _extra(path).get("recipe")
    if text is None:
        msg = f"{path}: the file carries no recipe"
        raise RecipeError(msg)
    made = "train" if _is_trained(path) else "distill"
    if (made == "train") != (kind is TrainingRecipe):
        raise RecipeError(f"{path}: the file's recipe is one of {made}; give it to {made}")
    return kind.from_toml(text, source=str(path))


def _is_trained(path: Path) -> bool:
    return path.suffix == ".staticemb" and "x-train-steps" in _extra(path)


def _extra(path: Path) -> dict[str, str]:
    try:
        return read(path).metadata.extra
    except StaticEmbError as error:
        msg = f"{path}: cannot read the recipe: {error}"
        raise RecipeError(msg) from error
