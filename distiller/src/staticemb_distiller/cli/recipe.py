"""`staticemb-distiller recipe [MODEL]`: the recipe that a file carries, or the defaults."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TypeVar

from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format import read
from staticemb_runtime.loading import locate

from ..errors import RecipeError
from ..recipe.knobs import Knobs
from ..recipe.recipe import Recipe
from ..training.recipe import TrainingRecipe
from .knob_flags import warnings_printed

K = TypeVar("K", bound=Knobs)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file",
        nargs="?",
        metavar="MODEL",
        help="a static embedding file, an installed model's name, or a recipe in TOML",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the recipe."""
    recipe: Knobs = Recipe()
    if arguments.file is not None:
        path = _place(arguments.file)
        with warnings_printed():
            recipe = read_training_recipe(path) if _is_trained(path) else read_recipe(path)
    sys.stdout.write(recipe.to_toml() + "\n")
    return 0


def read_recipe(name: str | Path) -> Recipe:
    """Read the recipe of a distillation from TOML, or from the static embedding file that it made.

    A file also says which revision of the teacher it was made from, and the recipe then asks for
    it.

    Args:
        name: A file, or the name of an installed model.

    Raises:
        RecipeError: There is no recipe to be read, or it is a training's.
        ModelNotFoundError: There is neither a file nor an installed model of that name.
    """
    path = _place(name)
    recipe = _read(path, Recipe)
    if path.suffix.lower() == ".staticemb":
        revision = _extra(path).get("teacher_revision", recipe.revision)
        recipe = dataclasses.replace(recipe, revision=revision)
    return recipe


def read_training_recipe(name: str | Path) -> TrainingRecipe:
    """Read the recipe of a training from TOML, or from the static embedding file that it made.

    Args:
        name: A file, or the name of an installed model.

    Raises:
        RecipeError: There is no recipe to be read, or it is a distillation's.
        ModelNotFoundError: There is neither a file nor an installed model of that name.
    """
    return _read(_place(name), TrainingRecipe)


def _place(name: str | Path) -> Path:
    """The file of that name, or the installed model's."""
    path = Path(name)
    return path if path.suffix.lower() == ".toml" else Path(locate(name))


def _read(path: Path, kind: type[K]) -> K:
    if path.suffix.lower() != ".staticemb":
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
    return path.suffix.lower() == ".staticemb" and "x-train-steps" in _extra(path)


def _extra(path: Path) -> dict[str, str]:
    try:
        return read(path).metadata.extra
    except StaticEmbError as error:
        msg = f"{path}: cannot read the recipe: {error}"
        raise RecipeError(msg) from error
