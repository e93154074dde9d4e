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
    parser.usage = "%(prog)s (TEACHER | --vectors FILE) -o FILE [options]"
    parser.add_argument(
        "teacher",
        metavar="TEACHER",
        nargs="?",
        help="a Sentence Transformer: a local folder or a Hub id; or openai:URL#MODEL, a server "
        "that speaks OpenAI's protocol, with its key in the environment variable OPENAI_API_KEY or "
        "?key=VARIABLE (other options, joined by &: document_prefix, query_prefix, document_type, "
        "query_type, dimensions, batch_texts, batch_tokens, requests, tries)",
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
    given = parser.add_argument_group("given vectors, in place of a teacher")
    given.add_argument(
        "--vectors",
        metavar="FILE",
        help="texts with their vectors: a .parquet or .jsonl file or a folder of them, or an .npy "
        "file; no teacher runs",
    )
    given.add_argument(
        "--text-column",
        metavar="NAME",
        help="the column of the texts; several are joined by a space: title+text. For an .npy "
        "file: the file of the texts. With --vectors, --text NAME means the same [text, or the "
        "only column of text]",
    )
    given.add_argument(
        "--vector-column",
        "--vector",
        metavar="NAME",
        help="the column of the vectors [embedding, or the only column of lists of numbers]",
    )
    given.add_argument(
        "--vectors-model", metavar="NAME", default="", help="the model that made the vectors"
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
    work.add_argument("--quiet", action="store_true", help="show warnings alone")
    add_knobs(parser, Recipe, _GROUPS)


def run(arguments: argparse.Namespace) -> int:
    """Distill."""
    _check_kind(arguments)
    recipe = given_recipe(arguments, Recipe, read_recipe)
    _check_consent(arguments, recipe)

    # Imported here: torch takes seconds, and a wrong flag should be refused at once.
    from ..corpus.vector_files import open_vectors
    from ..distillation import distill
    from ..output_file import described

    with commands_progress(Recipe, quiet=arguments.quiet) as progress, flags_named(Recipe):
        teacher = arguments.teacher
        if arguments.vectors is not None:
            teacher = open_vectors(
                arguments.vectors,
                text=arguments.text_column,
                vector=arguments.vector_column,
                model=arguments.vectors_model,
            )
        path = distill(
            teacher,
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


def _check_kind(arguments: argparse.Namespace) -> None:
    """Check that there is one teacher, or vectors; `--text` then names the column of the texts.

    Otherwise `--text` is a knob of the recipe: text to fit to in addition. Given vectors bring
    their texts, so that it can mean only one of the two.

    Raises:
        RecipeError: There are both or neither, or a flag needs the other.
    """
    if (arguments.teacher is None) == (arguments.vectors is None):
        found = "neither" if arguments.teacher is None else "both"
        raise RecipeError(f"expected TEACHER or --vectors FILE, found {found}")
    if arguments.vectors is None:
        for name in ("text_column", "vector_column", "vectors_model"):
            if getattr(arguments, name):
                flag = "--" + name.replace("_", "-")
                raise RecipeError(f"{flag}: expected --vectors FILE with it, found a teacher")
        return
    columns = vars(arguments).pop("text", None)
    if columns is not None:
        if len(columns) != 1 or arguments.text_column is not None:
            found = " ".join(columns) if arguments.text_column is None else "--text-column as well"
            raise RecipeError(f"--text: expected one column's name with --vectors, found {found}")
        arguments.text_column = columns[0]


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
