"""`staticemb-distiller recipe [MODEL]`: print the recipe in a file, or the defaults."""

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
        help="a static embedding file, an installed model's name, or a recipe in TOML; without it, "
        "the default recipe is printed",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the recipe."""
    recipe: Knobs = Recipe()
    if arguments.file is not None:
        path = _model_path(arguments.file)
        with warnings_printed():
            recipe = read_training_recipe(path) if _is_trained(path) else read_recipe(path)
    sys.stdout.write(recipe.to_toml() + "\n")
    return 0


def read_recipe(name: str | Path) -> Recipe:
    """Read the recipe of a distillation from TOML, or from a distilled static embedding file.

    A static embedding file also names the teacher's revision, which the recipe takes over.

    Args:
        name: A file, or the name of an installed model.

    Raises:
        RecipeError: The file holds no recipe, or a training's.
        ModelNotFoundError: No file and no installed model has this name.
    """
    path = _model_path(name)
    recipe = _read(path, Recipe)
    if path.suffix.lower() == ".staticemb":
        revision = _extra(path).get("teacher_revision", recipe.revision)
        recipe = dataclasses.replace(recipe, revision=revision)
    return recipe


def read_training_recipe(name: str | Path) -> TrainingRecipe:
    """Read the recipe of a training from TOML, or from a trained static embedding file.

    Args:
        name: A file, or the name of an installed model.

    Raises:
        RecipeError: The file holds no recipe, or a distillation's.
        ModelNotFoundError: No file and no installed model has this name.
    """
    return _read(_model_path(name), TrainingRecipe)


def _model_path(name: str | Path) -> Path:
    """Return the path of a TOML file, of a model file, or of an installed model's file."""
    path = Path(name)
    return path if path.suffix.lower() == ".toml" else Path(locate(name))


def _read(path: Path, kind: type[K]) -> K:
    if path.suffix.lower() != ".staticemb":
        return kind.read(path)
    text = _extra(path).get("recipe")
    if text is None:
        msg = f"{path}: the file carries no recipe"
        raise RecipeError(msg)
    command = "train" if _is_trained(path) else "distill"
    if (command == "train") != (kind is TrainingRecipe):
        raise RecipeError(f"{path}: the file's recipe is for {command}; give it to {command}")
    return kind.from_toml(text, source=str(path))


def _is_trained(path: Path) -> bool:
    return path.suffix.lower() == ".staticemb" and "x-train-steps" in _extra(path)


def _extra(path: Path) -> dict[str, str]:
    try:
        return read(path).metadata.extra
    except StaticEmbError as error:
        msg = f"{path}: cannot read the recipe: {error}"
        raise RecipeError(msg) from error
