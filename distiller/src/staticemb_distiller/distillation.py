"""Distillation: make a static embedding file from a teacher and a recipe."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import replace
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

from .arguments import check_path, check_type
from .corpus import input_files
from .corpus.text_files import not_read
from .errors import TableError
from .file.check import write_checked
from .file.writer import Settings
from .fitting import fit_recipe
from .output_file import check_folders, check_output
from .progress import Progress
from .recipe.budget import Budget
from .recipe.recipe import Recipe
from .recipe.shape import settled
from .table import build as table
from .table.rotation import variance_shares
from .teacher import Teacher
from .teacher import token_vectors as token_outputs
from .teacher.by_recipe import token_vectors
from .teacher.encoder import unused_cuda
from .version import __version__
from .vocabulary.build import Vocabulary
from .vocabulary.by_recipe import make_vocabulary, token_counts

_FIT_PACKAGES = ("scipy", "sentencex")
_TEXTS = "texts"  # subfolder of the checkpoint
_PACKAGES = ("numpy", "scikit-learn", "tokenizers", "torch", "transformers")


def distill(
    teacher: str | os.PathLike[str] | Teacher,
    recipe: Recipe | None = None,
    output: str | os.PathLike[str] = "model.staticemb",
    *,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    teacher_cache: str | os.PathLike[str] | None = None,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a static embedding file from a Sentence Transformer.

    The same teacher, recipe and machine give the same bytes.

    Args:
        teacher: A local folder, a Hub id, or a loaded teacher.
        recipe: The recipe; None: the defaults.
        output: The file to write. It is created or replaced only after it is complete and checked.
        device: The teacher's device: "auto", "cpu", "cuda" or "mps". The fit uses it only if it is
            CUDA.
        checkpoint: A folder for the teacher's results. An interrupted run continues from it. It is
            removed at the end.
        teacher_cache: A folder for the teacher's text vectors. It is kept, so that another fit to
            the same texts starts at once.
        trust_remote_code: Whether the teacher's own Python code may run. A recipe cannot allow it.
        progress: The progress display; None: no display.

    Returns:
        The path of the file.

    Raises:
        TypeError: An argument has the wrong type, for example the output path as the recipe.
        DistillerError: A step failed; each cause has a subclass.

    Example:
        >>> distill("sentence-transformers/all-MiniLM-L6-v2", Recipe(dims=256), "minilm.staticemb")
        ... # doctest: +SKIP
        PosixPath('minilm.staticemb')
    """
    _check_arguments(teacher, recipe, output, checkpoint, teacher_cache, trust_remote_code)
    if isinstance(teacher, os.PathLike):
        teacher = os.fspath(teacher)
    recipe = (recipe or Recipe()).resolved()
    progress = progress or Progress(quiet=True)
    path = Path(output)
    read = [str(file) for files in _inputs(recipe).values() for file in files]
    of_teacher = input_files.model_files(teacher) if isinstance(teacher, str) else ()
    check_output(path, chain(read, of_teacher))
    check_folders(checkpoint, teacher_cache)
    input_files.check_readable(read)

    if isinstance(teacher, str):
        if hint := unused_cuda():
            progress.note(hint)
        progress.note(f"Loading {teacher}")
        teacher = Teacher.load(
            teacher,
            revision=recipe.revision,
            device=device,
            dtype=recipe.teacher_dtype,
            trust_remote_code=trust_remote_code,
        )
    vocabulary = make_vocabulary(teacher.tokenizer, recipe)
    progress.note(f"Vocabulary: {len(vocabulary)} tokens")
    _check_dims(teacher, vocabulary, recipe)
    weights = table.token_weights(len(vocabulary), token_counts(vocabulary, recipe), recipe)

    gathered = None
    if recipe.fitted:  # Read texts before the teacher's long pass: an unreadable text ends the run.
        progress.note(f"Reading text: {' '.join((*recipe.text, *recipe.fit))}")
        for source in fit_recipe.sources(recipe):
            if note := not_read(source.place, source.files):
                progress.note(note)
        gathered = fit_recipe.fit_texts(teacher, vocabulary, recipe)
        recipe = settled(recipe, gathered.own_share)

    checkpoint_store = _checkpoint(checkpoint, teacher, vocabulary, recipe)
    vectors = token_vectors(
        teacher, vocabulary, recipe, checkpoint=checkpoint_store, progress=progress
    )
    texts = None
    if gathered is not None:
        cache = _text_cache(checkpoint, teacher_cache)
        fitted = fit_recipe.fit_recipe(
            teacher, vocabulary, gathered, vectors, weights, recipe, cache=cache, progress=progress
        )
        texts = fitted.texts
        if Budget.parse(recipe.teacher_budget).seconds is not None:
            # The recipe in the file must give the same texts on any machine: a count, not a time.
            recipe = replace(recipe, teacher_budget=texts)
        finished = table.fitted_table(fitted, recipe)
    else:
        finished = table.classical_table(vectors, weights, recipe)
    progress.note("Rounding and writing")
    parts = table.to_parts(finished, vocabulary.tokenizer_json, recipe)
    lost_count = table.lost_rows(finished, parts)
    if lost_count:
        progress.note(
            f"{lost_count} tokens weigh so little that int8 rounds their rows to zero: a text of "
            "only such tokens gets no vector; store_weights= keeps their rows, but encoding is "
            "slower"
        )
    settings = _settings(finished, teacher, vocabulary, recipe, texts)
    write_checked(path, parts, settings, finished, recipe)
    if checkpoint_store:
        if teacher_cache is None:
            shutil.rmtree(checkpoint_store.folder / _TEXTS, ignore_errors=True)
        checkpoint_store.clear()
    return path


def _check_arguments(
    teacher: object,
    recipe: object,
    output: object,
    checkpoint: object,
    teacher_cache: object,
    trust_remote_code: object,
) -> None:
    """Check the types of the arguments of `distill`."""
    if isinstance(teacher, bytes | int | float | dict | list | tuple | set | type(None)):
        check_type("teacher", teacher, (str,), "a folder, a Hub id or a Teacher")
    order = "distill(teacher, recipe, output)"
    expected = f"a Recipe or None, as in {order}"
    check_type("recipe", recipe, (Recipe, type(None)), expected)
    check_type("output", output, (str, os.PathLike), f"a path, as in {order}")
    for name, folder in (("checkpoint", checkpoint), ("teacher_cache", teacher_cache)):
        if folder is not None:
            check_path(name, folder)
    check_type("trust_remote_code", trust_remote_code, (bool,), "True or False")


def _check_dims(teacher: Teacher, vocabulary: Vocabulary, recipe: Recipe) -> None:
    """Check `dims` before the teacher's long pass; the rotation would fail only after it."""
    full_output = recipe.vectors_from == "output" and recipe.teacher_pooling == "teacher"
    if isinstance(recipe.dims, int):
        table.check_prefixes(recipe.prefixes, recipe.dims)
        if full_output and recipe.dims > teacher.dim:
            most = f"at most {teacher.dim}, the teacher's dimension"
            msg = f"dims: expected {most}, found {recipe.dims}"
            raise TableError(msg)
        if recipe.dims >= len(vocabulary):
            msg = (
                f"dims: {recipe.dims} principal components need more than {recipe.dims} tokens, "
                f"found {len(vocabulary)}; set fewer dimensions, or none for no rotation"
            )
            raise TableError(msg)


def _checkpoint(
    folder: str | os.PathLike[str] | None, teacher: Teacher, vocabulary: Vocabulary, recipe: Recipe
) -> token_outputs.Checkpoint | None:
    if folder is None:
        return None
    identity: list[Any] = [
        teacher.name,
        teacher.revision,
        recipe.teacher_dtype,
        recipe.teacher_pooling,
        vocabulary.token_ids,
    ]
    return token_outputs.Checkpoint(Path(folder), identity)


def _text_cache(
    checkpoint: str | os.PathLike[str] | None, teacher_cache: str | os.PathLike[str] | None
) -> Path | None:
    if teacher_cache is not None:
        return Path(teacher_cache)
    return None if checkpoint is None else Path(checkpoint) / _TEXTS


def _settings(
    finished: table.Table,
    teacher: Teacher,
    vocabulary: Vocabulary,
    recipe: Recipe,
    texts: int | None,
) -> Settings:
    lengths = table.prefixes(finished, recipe)
    shares = variance_shares(finished.variances, lengths)
    damping = None
    if recipe.pooling == "damped_mean":
        assert recipe.damping_beta is not None  # resolved
        damping = (recipe.damping_beta, min(recipe.damping_dims, finished.rows.shape[1]))
    digests = [
        f"{input_files.digest(name, files)} {name}"
        for name, files in _inputs(recipe).items()
        if files
    ]
    provenance = {
        **teacher.provenance,
        # The revision has its own key, `teacher_revision`; reading the recipe puts it back.
        "recipe": replace(recipe, revision=None).to_toml(),
        "creator": _creator(recipe),
        "x-prefix-variance": " ".join(f"{share:.4f}" for share in shares),
        "x-input-sha256": "\n".join(digests),
        "x-input-version": "\n".join(input_files.versions(fit_recipe.sources(recipe))),
        "x-fit-texts": "" if texts is None else str(texts),
    }
    return Settings(
        prefixes=lengths,
        normalize=recipe.normalize,
        damping=damping,
        max_tokens=recipe.max_tokens,
        unknown_token_id=vocabulary.unknown_token_id,
        provenance={key: value for key, value in provenance.items() if value},
    )


def _creator(recipe: Recipe) -> str:
    packages = sorted([*_PACKAGES, *(_FIT_PACKAGES if recipe.fitted else ())])
    versions = [f"{name} {metadata.version(name)}" for name in packages]
    versions.append(f"Python {platform.python_version()}")
    return f"staticemb-distiller {__version__} ({', '.join(versions)})"


def _inputs(recipe: Recipe) -> dict[str, list[Path]]:
    """Return the files to read for each file or folder that a recipe names."""
    vocabulary = [recipe.vocabulary] if recipe.vocabulary is not None else []
    names = [*vocabulary, *recipe.vocabulary_from, *recipe.keep_used_in, *recipe.counts_from]
    files = {name: [Path(name)] for name in names}
    return {**files, **{source.place: source.files for source in fit_recipe.sources(recipe)}}
