"""`staticemb-distiller train MODEL|TEACHER --pairs FILE… -o FILE`: a flag for each knob."""

from __future__ import annotations

import argparse

from ..training.recipe import TrainingRecipe
from .knob_flags import add_knobs, commands_progress, flags_named, given_recipe
from .recipe import read_training_recipe

_GROUPS = {
    "pairs": "the examples",
    "start": "the start",
    "length_power": "the shape of rows at the start",
    "temperature": "the loss",
    "epochs": "the optimizer",
    "rotate": "the file",
    "seed": "random numbers",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: the start, the output, and one flag for each knob."""
    parser.usage = "%(prog)s MODEL|TEACHER --pairs SOURCE -o FILE [options]"
    parser.add_argument(
        "model",
        metavar="MODEL|TEACHER",
        help="the model to start from: a static embedding file, an installed model's name, a "
        "folder of model2vec or sentence-transformers, or a Sentence Transformer (a folder or a "
        "Hub id)",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file to write (.staticemb)"
    )
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        help="take the recipe from a TOML file, a trained static embedding file or an installed "
        "model; flags take precedence",
    )
    work = parser.add_argument_group("the run")
    work.add_argument(
        "--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or mps [auto]"
    )
    work.add_argument(
        "--checkpoint",
        metavar="FOLDER",
        help="save the state in FOLDER, and continue from it next time",
    )
    work.add_argument(
        "--teacher-cache",
        metavar="FOLDER",
        help="save the teacher's vectors in FOLDER, for later runs",
    )
    work.add_argument(
        "--tensorboard", metavar="FOLDER", help="write event files for TensorBoard in FOLDER"
    )
    work.add_argument("--quiet", action="store_true", help="show warnings alone")
    add_knobs(parser, TrainingRecipe, _GROUPS)


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    recipe = given_recipe(arguments, TrainingRecipe, read_training_recipe)

    # Imported here: torch takes seconds, and a wrong flag should be refused at once.
    from ..training.run import train

    with (
        commands_progress(TrainingRecipe, quiet=arguments.quiet) as progress,
        flags_named(TrainingRecipe),
    ):
        train(
            arguments.model,
            recipe,
            arguments.output,
            device=arguments.device,
            checkpoint=arguments.checkpoint,
            teacher_cache=arguments.teacher_cache,
            tensorboard=arguments.tensorboard,
            progress=progress,
        )
    return 0
