"""Distillation: make a static embedding file from a teacher and a recipe."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_path, check_type
from .corpus import input_files
from .corpus.generated import GENERATED
from .corpus.source_spec import GIVEN
from .corpus.text_files import not_read
from .corpus.vector_files import VectorFile
from .errors import RecipeError, TableError, VocabularyError
from .file.check import write_checked
from .file.provenance import VectorSource, file_settings, input_paths, teacher_space
from .file.space import space_parts
from .fitting import fit_recipe
from .fitting.given_vectors import fit_given
from .fitting.translations import translations
from .output_file import check_folders, check_output
from .progress import Progress
from .recipe.budget import Budget
from .recipe.recipe import Recipe
from .recipe.shape import settled
from .table import build as table
from .table.kernel_columns import with_kernel_columns
from .teacher import token_vectors as token_outputs
from .teacher.by_recipe import token_vectors
from .teacher.cache import TEXTS
from .teacher.open_teacher import TeacherSpec, is_server, is_teacher, open_teacher
from .teacher.server_results import checkpoint_of, remove_texts
from .teacher.text_encoder import LocalTeacher, TextEncoder
from .teacher.token_texts import token_text_vectors
from .vocabulary.build import Vocabulary
from .vocabulary.by_recipe import make_vocabulary, token_counts
from .vocabulary.open_tokenizer import open_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from .corpus.sampling import TextSource

_TRAINED = "train:wordpiece"  # the tokenizer of given vectors


def distill(
    teacher: TeacherSpec | VectorFile,
    recipe: Recipe | None = None,
    output: str | os.PathLike[str] = "model.staticemb",
    *,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    teacher_cache: str | os.PathLike[str] | None = None,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a static embedding file from a teacher.

    The same teacher, recipe and machine give the same bytes.

    Args:
        teacher: A Sentence Transformer: a local folder, a Hub id, or a loaded `Teacher`. A server
            that speaks OpenAI's protocol: `openai:URL#MODEL`. A function from a list of n texts to
            an array (n, D). Or no teacher, but texts with their vectors: the result of
            `open_vectors`.
        recipe: The recipe; None: the defaults.
        output: The file to write. It is created or replaced only after it is complete and checked.
        device: The teacher's device: "auto", "cpu", "cuda" or "mps". The fit uses it only if it is
            CUDA.
        checkpoint: A folder for the teacher's results. An interrupted run continues from it. It is
            removed at the end. For a server its default is the output with `.checkpoint` after it.
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
    recipe = _for_kind(recipe or Recipe(), teacher).resolved()
    progress = progress or Progress(quiet=True)
    path = Path(output)
    if checkpoint is None and teacher_cache is None:
        checkpoint = checkpoint_of(teacher, path)
    read = [str(file) for files in input_paths(recipe).values() for file in files]
    of_teacher: Iterable[str | Path] = ()
    if isinstance(teacher, VectorFile):
        of_teacher = teacher.files
    elif isinstance(teacher, str) and not is_server(teacher):
        of_teacher = input_files.model_files(teacher)
    check_output(path, chain(read, of_teacher))
    check_folders(checkpoint, teacher_cache)
    input_files.check_readable(read)
    cache = _text_cache(checkpoint, teacher_cache)
    translated: Mapping[TextSource, Sequence[str]] = {}

    if isinstance(teacher, VectorFile):
        source = VectorSource.of_vectors(teacher)
    else:
        encoder = _opened(teacher, recipe, device, trust_remote_code, progress)
        source = VectorSource.of_teacher(encoder)
        with fit_recipe.cache_folder(cache, path) as folder:
            translated = translations(
                encoder,
                fit_recipe.sources(recipe),
                recipe.fit_language,
                folder,
                seed=recipe.seed,
                progress=progress,
            )
    vocabulary = make_vocabulary(_tokenizer(teacher, source, recipe, translated), recipe)
    progress.note(f"Vocabulary: {len(vocabulary)} tokens")
    _check_dims(source.dim, vocabulary, recipe)

    checkpoint_store = None
    texts = None
    if isinstance(teacher, VectorFile):
        fitted = fit_given(teacher, vocabulary, recipe, output=path, progress=progress)
        texts = fitted.texts
        finished = table.fitted_table(fitted, recipe)
    else:
        weights = table.token_weights(len(vocabulary), token_counts(vocabulary, recipe), recipe)
        gathered = None
        if recipe.fitted:  # Read texts before the long pass: an unreadable text ends the run.
            progress.note(f"Reading text: {' '.join((*recipe.text, *recipe.fit))}")
            for text_source in fit_recipe.sources(recipe):
                if note := not_read(text_source.place, text_source.files):
                    progress.warn(note)
            gathered = fit_recipe.fit_texts(encoder, vocabulary, recipe, translated)
            recipe = settled(recipe, gathered.own_share)
        if isinstance(encoder, LocalTeacher):
            checkpoint_store = _checkpoint(checkpoint, encoder, vocabulary, recipe)
        with fit_recipe.cache_folder(cache, path) as folder:
            vectors = _token_vectors(
                encoder, vocabulary, recipe, checkpoint_store, folder, progress
            )
        if gathered is not None:
            fitted = fit_recipe.fit_recipe(
                encoder,
                vocabulary,
                gathered,
                vectors,
                weights,
                recipe,
                cache=cache,
                output=path,
                progress=progress,
            )
            texts = fitted.texts
            if Budget.parse(recipe.teacher_budget).seconds is not None:
                # The recipe in the file must give the same texts on any machine: a count, not a
                # time.
                recipe = replace(recipe, teacher_budget=texts)
            finished = table.fitted_table(fitted, recipe)
        else:
            finished = table.classical_table(vectors, weights, recipe)
    finished = with_kernel_columns(finished, recipe.kernel_dims, seed=recipe.seed)
    progress.note("Rounding and writing")
    parts = table.to_parts(finished, vocabulary.tokenizer_json, recipe)
    lost_count = table.lost_rows(finished, parts)
    if lost_count:
        progress.note(
            f"{lost_count} tokens weigh so little that int8 rounds their rows to zero: a text of "
            "only such tokens gets no vector; store_weights= keeps their rows, but encoding is "
            "slower"
        )
    settings = file_settings(finished, source, vocabulary, recipe, texts)
    if (recipe.vectors_from, recipe.teacher_pooling) == ("output", "teacher"):
        tensors, metadata = space_parts(teacher_space(finished, source))
        parts, settings = replace(parts, optional=tensors), replace(settings, optional=metadata)
    write_checked(path, parts, settings, finished, recipe)
    _clear(checkpoint, checkpoint_store, keep=teacher_cache is not None)
    return path


def _for_kind(recipe: Recipe, teacher: object) -> Recipe:
    """Return the recipe with the knobs that the kind of teacher decides.

    Raises:
        RecipeError: A knob needs another kind of teacher.
    """
    if isinstance(teacher, VectorFile):
        if recipe.text or recipe.fit not in (Recipe().fit, (GIVEN,)):
            name = "text" if recipe.text else "fit"
            raise RecipeError(f"{name}: the texts of the fit come with the given vectors")
        if recipe.prior == "tokens":
            raise RecipeError("prior: given vectors have no teacher to encode tokens; use zero")
        tokenizer = recipe.tokenizer or _TRAINED
        return replace(recipe, fit=(GIVEN,), prior="zero", tokenizer=tokenizer)
    if GIVEN in recipe.fit:
        raise RecipeError(
            f"fit: {GIVEN} means texts that come with their vectors (open_vectors), found a teacher"
        )
    return recipe


def _opened(
    teacher: TeacherSpec,
    recipe: Recipe,
    device: str,
    trust_remote_code: bool,
    progress: Progress,
) -> TextEncoder:
    if isinstance(teacher, str):
        if not is_server(teacher):
            # Imported here: only Sentence Transformers need torch.
            from .teacher.encoder import unused_cuda

            if hint := unused_cuda():
                progress.note(hint)
        progress.note(f"Loading {teacher}")
    encoder = open_teacher(
        teacher,
        revision=recipe.revision,
        device=device,
        dtype=recipe.teacher_dtype,
        trust_remote_code=trust_remote_code,
    )
    if not isinstance(encoder, LocalTeacher) and (
        (recipe.vectors_from, recipe.teacher_pooling) != ("output", "teacher")
    ):
        raise RecipeError(
            'vectors_from="input" and teacher_pooling= need a Sentence Transformer, found '
            f"{encoder.name}"
        )
    return encoder


def _tokenizer(
    teacher: object,
    source: VectorSource,
    recipe: Recipe,
    translated: Mapping[TextSource, Sequence[str]],
) -> Tokenizer:
    """Return the tokenizer that the vocabulary is made from.

    Raises:
        VocabularyError: The teacher gives none and the recipe names none, or it cannot be made.
    """

    def texts() -> Iterable[str]:
        if isinstance(teacher, VectorFile):
            return chain.from_iterable(block for block, _ in teacher.blocks())
        languages = recipe.fit_language
        sources = [
            each for each in fit_recipe.sources(recipe) if languages or each.place != GENERATED
        ]
        if not sources:
            raise VocabularyError(
                f"tokenizer: {recipe.tokenizer} needs text to train on; name it in fit= or text=, "
                "or name languages in fit_language="
            )
        return chain.from_iterable(
            each.generated(languages, seed=recipe.seed)
            if each.place == GENERATED
            else translated.get(each) or each.documents()
            for each in sources
        )

    if recipe.tokenizer is not None:
        return open_tokenizer(recipe.tokenizer, texts)
    assert source.teacher is not None  # Given vectors have a tokenizer by now.
    if source.teacher.tokenizer is None:
        raise VocabularyError(
            f"{source.name}: this teacher gives no tokenizer; name one with tokenizer="
        )
    return source.teacher.tokenizer


def _token_vectors(
    teacher: TextEncoder,
    vocabulary: Vocabulary,
    recipe: Recipe,
    checkpoint: token_outputs.Checkpoint | None,
    cache: Path,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the teacher's vectors of tokens, (V, H); zeros if the fit starts from none."""
    if recipe.prior == "zero":
        return np.zeros((len(vocabulary), teacher.dim), np.float32)
    if isinstance(teacher, LocalTeacher) and recipe.tokenizer is None:
        return token_vectors(teacher, vocabulary, recipe, checkpoint=checkpoint, progress=progress)
    with progress.track("Token vectors", len(vocabulary), "tokens") as advance:
        steps = fit_recipe.steps(advance, teacher, progress)
        vectors = token_text_vectors(
            teacher, vocabulary.tokenizer_json, len(vocabulary), cache, steps
        )
        # Tokens without a text are not encoded.
        steps(len(vocabulary), len(vocabulary))
        return vectors


def _clear(
    checkpoint: str | os.PathLike[str] | None,
    store: token_outputs.Checkpoint | None,
    *,
    keep: bool,
) -> None:
    """Remove the checkpoint of a complete run."""
    if checkpoint is None:
        return
    if store is not None:
        store.clear()
    if not keep:
        remove_texts(Path(checkpoint))


def _check_arguments(
    teacher: object,
    recipe: object,
    output: object,
    checkpoint: object,
    teacher_cache: object,
    trust_remote_code: object,
) -> None:
    """Check the types of the arguments of `distill`."""
    if not (isinstance(teacher, VectorFile) or is_teacher(teacher) or callable(teacher)):
        expected = "a folder, a Hub id, a server's address, a teacher, a function or open_vectors()"
        check_type("teacher", teacher, (str, os.PathLike), expected)
    order = "distill(teacher, recipe, output)"
    expected = f"a Recipe or None, as in {order}"
    check_type("recipe", recipe, (Recipe, type(None)), expected)
    check_type("output", output, (str, os.PathLike), f"a path, as in {order}")
    for name, folder in (("checkpoint", checkpoint), ("teacher_cache", teacher_cache)):
        if folder is not None:
            check_path(name, folder)
    check_type("trust_remote_code", trust_remote_code, (bool,), "True or False")


def _check_dims(teacher_dim: int, vocabulary: Vocabulary, recipe: Recipe) -> None:
    """Check `dims` before the teacher's long pass; the rotation would fail only after it."""
    full_output = recipe.vectors_from == "output" and recipe.teacher_pooling == "teacher"
    if isinstance(recipe.dims, int):
        table.check_prefixes(recipe.prefixes, recipe.dims)
        if full_output and recipe.dims > teacher_dim:
            most = f"at most {teacher_dim}, the teacher's dimension"
            msg = f"dims: expected {most}, found {recipe.dims}"
            raise TableError(msg)
        if recipe.dims >= len(vocabulary):
            msg = (
                f"dims: {recipe.dims} principal components need more than {recipe.dims} tokens, "
                f"found {len(vocabulary)}; set fewer dimensions, or none for no rotation"
            )
            raise TableError(msg)


def _checkpoint(
    folder: str | os.PathLike[str] | None,
    teacher: LocalTeacher,
    vocabulary: Vocabulary,
    recipe: Recipe,
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
    return None if checkpoint is None else Path(checkpoint) / TEXTS
