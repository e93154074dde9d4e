"""The pipeline of a training, from a start and examples to a static embedding file.

start -> tokenized examples -> shaped start -> training -> rotation -> number format -> file, log,
curve
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..arguments import check_path, check_type
from ..corpus import input_files
from ..corpus.text_files import not_read
from ..errors import TrainingError
from ..file.check import write_checked
from ..file.writer import Settings
from ..fitting.fit_texts import Fitted, rotation_vectors
from ..interop.convert import creator
from ..output_file import check_folders, check_output, described
from ..progress import Progress
from ..recipe.recipe import Recipe
from ..table import build as table
from ..table.rotation import variance_shares
from ..teacher import Teacher
from ..teacher.encoder import pick_device
from .bag import Bag
from .batches import check_batch_size, steps
from .checkpoint import TrainingCheckpoint
from .guide import teacher_vectors
from .holding_out import LEAST
from .log import Log, log_files, write_log_files
from .loop import Material, Trained, run_steps, total_steps
from .recipe import TrainingRecipe
from .shaping import sampled_vectors, shaped_start
from .sources import PairSource
from .start import Start, open_start
from .tokenized import prepare
from .workers import Workers, joined, own_device

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from .dataset import Dataset

_BATCH = 1_024
_LEAST_BATCHES = 8  # in an epoch, if the recipe gives no batch size


@dataclass(frozen=True)
class Places:
    """The paths and the device of a training.

    Attributes:
        output: The file to write.
        device: "cpu", "cuda", "mps"; "auto": CUDA if present, otherwise the CPU (a step of a few
            thousand rows is too small to gain from MPS).
        checkpoint: The folder of the state, from which an interrupted run resumes. It is removed
            at the end.
        teacher_cache: The folder of a permanent cache of the teacher's vectors.
        tensorboard: The folder for TensorBoard's event files.
    """

    output: Path
    device: str = "auto"
    checkpoint: Path | None = None
    teacher_cache: Path | None = None
    tensorboard: Path | None = None


def train(
    model: str,
    recipe: TrainingRecipe,
    output: str | os.PathLike[str] = "model.staticemb",
    *,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    teacher_cache: str | os.PathLike[str] | None = None,
    tensorboard: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train a static embedding file on pairs and other examples.

    The same model, recipe, files and machine give the same bytes, on the CPU.

    Args:
        model: A static embedding file, an installed model's name, a folder of model2vec or
            sentence-transformers (StaticEmbedding), or a teacher: a folder or a Hub id. Code that
            comes with a teacher never runs.
        recipe: The examples and the knobs of the training.
        output: The file to write. It appears, or is replaced, only when it is complete and checked.
        device: "cpu", "cuda", "mps"; "auto": CUDA if present, otherwise the CPU.
        checkpoint: The folder of the state, from which an interrupted run resumes. It is removed at
            the end.
        teacher_cache: The folder of a permanent cache of the teacher's vectors.
        tensorboard: The folder for TensorBoard's event files.
        progress: The display of progress; None: no display.

    Returns:
        The path of the file.

    Raises:
        TypeError: An argument has another type.
        DistillerError: The training fails; the subclass names the reason.
        StaticEmbError: The model cannot be opened.

    Example:
        >>> recipe = TrainingRecipe(pairs=["pairs.tsv"])  # doctest: +SKIP
        >>> train("minilm-en-small", recipe, "mine.staticemb")  # doctest: +SKIP
        PosixPath('mine.staticemb')
    """
    check_path("output", output)
    folders = {"checkpoint": checkpoint, "teacher_cache": teacher_cache, "tensorboard": tensorboard}
    paths: dict[str, Path] = {}
    for name, folder in folders.items():
        if folder is not None:
            check_path(name, folder)
            paths[name] = Path(folder)
    places = Places(Path(output), device, **paths)
    train_file(model, recipe, places, progress)
    return places.output


def train_file(
    start: str, recipe: TrainingRecipe, places: Places, progress: Progress | None = None
) -> Trained:
    """Train as `train` does, and return the result of the training.

    Args:
        start: As `model` of `train`.
        recipe: As in `train`.
        places: The paths and the device.
        progress: As in `train`.

    Raises:
        TypeError, DistillerError, StaticEmbError: As `train` does.
    """
    check_path("start", start)
    check_type("recipe", recipe, (TrainingRecipe,), "a TrainingRecipe")
    check_type("places", places, (Places,), "Places")
    path = places.output
    sources = [PairSource.parse(spec, limit=recipe.limit) for spec in recipe.pairs]
    examples_files = [str(file) for source in sources for file in source.files]
    models = [start] if recipe.teacher is None else [start, recipe.teacher]
    for output in (path, *log_files(path)):
        check_output(output, chain(examples_files, *map(input_files.model_files, models)))
    check_folders(places.checkpoint, places.teacher_cache, places.tensorboard)
    input_files.check_readable(examples_files)
    device = own_device(pick_device(places.device))
    if places.device == "auto" and device.type == "mps":
        device = torch.device("cpu")
    with ExitStack() as stack:
        workers = stack.enter_context(joined(device))
        shown = progress if workers.first else None
        progress = shown or Progress(quiet=True)
        log = Log(progress, places.tensorboard if workers.first else None)
        stack.callback(log.close)
        begin = open_start(start, recipe, device=places.device, progress=progress)
        if shown is not None and begin.dropped:
            dropped = ", ".join(begin.dropped)
            shown.warn(f"{start}: training changes the table, so the new file has no {dropped}")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="staticemb-")))
        progress.note(f"Reading examples: {' '.join(recipe.pairs)}")
        for source in sources:
            if note := not_read(source.place, source.files):
                progress.note(note)
        examples, held_out = prepare(
            sources,
            begin.tokenizer,
            begin.unknown_token_id,
            begin.max_tokens,
            folder,
            held_out=recipe.held_out,
            seed=recipe.seed,
            progress=progress,
        )
        if not len(examples.texts.ids):
            raise TrainingError("expected texts with tokens that the model knows, found none")
        if recipe.patience is not None and not any(map(len, held_out.examples)):
            raise TrainingError(
                "patience: expected examples to validate on, found too few to hold any out; set "
                "their number with held_out="
            )
        batch_size = _batch_size(examples, recipe, workers)
        progress.note(_described(examples, held_out, batch_size))
        validated = sum(map(len, held_out.examples))
        if recipe.held_out and validated < LEAST:
            progress.note(
                f"warning: {validated} held-out examples are too few to tell tables apart: the "
                f"choice of the best table is random; use at least {LEAST}"
            )
        guide, revision = None, ""
        if recipe.teacher is not None and recipe.teacher_weight > 0:
            named = np.union1d(examples.named(), held_out.named())
            guide, revision = _guide(recipe, places, examples, named, folder, progress)
        digests = [
            f"{input_files.digest(source.place, source.files)} {source.place}"
            for source in sources
            if source.files
        ]
        versions = input_files.versions(sources)
        identity = [begin.identity, recipe.to_toml(), digests, versions, revision, workers.world]
        state = None
        if places.checkpoint is not None:
            state = TrainingCheckpoint(places.checkpoint, identity)
            if state.path.exists():
                progress.note(f"Resuming from {state.path}")
        material = Material(shaped_start(begin, examples, recipe), examples, held_out, guide)
        total = total_steps(examples, recipe, batch_size)
        with progress.track("Training", total, "steps") as advance:
            trained = run_steps(
                material,
                recipe,
                batch_size=batch_size,
                device=device,
                workers=workers,
                checkpoint=state,
                advance=advance,
                note=log.note,
            )
        if workers.first:
            progress.note(_chosen(trained))
            progress.note("Rotating, rounding and writing")
            facts = {"x-input-sha256": "\n".join(digests)}
            facts["x-input-version"] = "\n".join(versions)
            facts["x-train-teacher"] = f"{recipe.teacher} {revision}" if revision else ""
            _write(path, begin, trained, examples, recipe, facts)
            for file in write_log_files(path, trained):
                progress.note(f"Wrote {file}")
            progress.note(f"Wrote {described(path)}")
            if state is not None:
                state.clear()
    return trained


def _batch_size(examples: Dataset, recipe: TrainingRecipe, workers: Workers) -> int:
    if recipe.batch_size is not None:
        check_batch_size(examples, recipe.batch_size)
        return recipe.batch_size
    most = max(len(part) for part in examples.examples)
    size = max(2 * workers.world, min(_BATCH, most // _LEAST_BATCHES))
    if not steps(examples, size):
        raise TrainingError(
            "expected at least one example in an epoch, found weights that leave none"
        )
    return size


def _chosen(trained: Trained) -> str:
    """Describe which table the file holds, and why."""
    values = {entry["step"]: entry["value"] for entry in trained.history if "value" in entry}
    if not values:
        return f"No examples were held out: the file has the table of step {trained.steps}"
    if trained.step == 0:
        return "No validation was better than the start: the table is unchanged"
    return f"Best of {len(values)} validations: step {trained.step}, {values[trained.step]:.4f}"


def _described(examples: Dataset, held_out: Dataset, batch_size: int) -> str:
    counts = ", ".join(f"{len(part.columns)} {part.kind}" for part in examples.examples)
    validated = sum(len(part.columns) for part in held_out.examples)
    return f"Examples: {counts}; {validated} held out; {batch_size} in a step"


def _guide(
    recipe: TrainingRecipe,
    places: Places,
    examples: Dataset,
    named: NDArray[np.int64],
    folder: Path,
    progress: Progress,
) -> tuple[NDArray[np.float16], str]:
    """Return the teacher's vectors of the texts in `named`, and the teacher's revision."""
    assert recipe.teacher is not None
    progress.note(f"Loading {recipe.teacher}")
    teacher = Teacher.load(recipe.teacher, revision=recipe.teacher_revision, device=places.device)
    cache = places.teacher_cache or folder / "teacher"
    with progress.track("Text vectors", len(named), "texts") as advance:
        return teacher_vectors(teacher, examples, named, folder, cache, advance), teacher.revision


def _write(
    path: Path,
    start: Start,
    trained: Trained,
    examples: Dataset,
    recipe: TrainingRecipe,
    facts: dict[str, str],
) -> None:
    """Rotate, round, write to a temporary file, check and rename."""
    rows = trained.rows
    if start.unknown_token_id is not None:
        rows[start.unknown_token_id] = 0
    texts = sampled_vectors(Bag(rows), examples, recipe.seed)
    fitted = Fitted(rows, rotation_vectors(texts, rows), np.zeros(0, np.int64), len(texts))
    width = rows.shape[1]
    stored = Recipe(
        dims=width if recipe.rotate else "none",
        dtype=recipe.dtype,
        normalize=start.normalize,
        seed=recipe.seed,
    )
    finished = table.fitted_table(fitted, stored)
    parts = table.to_parts(finished, start.tokenizer, stored)
    lengths = tuple(sorted({*start.prefixes, width}))
    shares = variance_shares(finished.variances, lengths)
    provenance = {
        **start.provenance,
        "recipe": recipe.to_toml(),
        "creator": creator(),
        "x-prefix-variance": " ".join(f"{share:.4f}" for share in shares),
        "x-train-steps": str(trained.step),
        **facts,
    }
    settings = Settings(
        prefixes=lengths,
        normalize=start.normalize,
        damping=start.damping,
        max_tokens=start.max_tokens,
        unknown_token_id=start.unknown_token_id,
        provenance={key: value for key, value in provenance.items() if value},
        prompts=start.prompts,
    )
    write_checked(path, parts, settings, finished, stored)
