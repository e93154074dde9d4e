"""The pipeline of a training, from a start and examples to a static embedding file.

start -> tokenized examples -> shaped start -> training -> rotation -> number format -> file, log,
curve
"""

from __future__ import annotations

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
from ..output_file import check_folders, check_output, described
from ..progress import Progress
from ..scratch_folder import scratch_folder
from ..teacher.encoder import pick_device
from ..teacher.sentence_transformer import Teacher
from .batches import choose_batch_size
from .checkpoint import TrainingCheckpoint
from .guide import teacher_vectors
from .holding_out import LEAST
from .log import Log, log_files, write_log_files
from .loop import run_steps, total_steps
from .material import Material, Trained
from .recipe import TrainingRecipe
from .selection import select
from .shaping import shaped_start
from .sources import PairSource
from .start import open_start
from .tokenized import prepare
from .trained_file import described_choice, keeps_file, write_selection
from .trial import lost_trial
from .workers import joined, own_device

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from .dataset import Dataset
    from .start import Start


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
    _check_paths(start, recipe, places, sources)
    device = _device(places.device)
    with ExitStack() as stack:
        workers = stack.enter_context(joined(device))
        shown = progress if workers.first else None
        progress = shown or Progress(quiet=True)
        log = Log(progress, places.tensorboard if workers.first else None)
        stack.callback(log.close)
        begin = open_start(start, recipe, device=places.device, progress=progress)
        folder = stack.enter_context(scratch_folder(path))
        examples, held_out = _read_examples(sources, begin, recipe, folder, progress)
        batch_size = choose_batch_size(examples, recipe.batch_size, workers.world)
        _note_examples(examples, held_out, recipe, batch_size, progress)
        guide, revision = None, ""
        if recipe.teacher is not None and recipe.teacher_weight > 0:
            guide, revision = _guide(recipe, places, examples, held_out, folder, progress)
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
        lost = None
        if recipe.held_out is None and not any(map(len, held_out.examples)):
            lost = lost_trial(material, recipe, device, workers, progress)
        if lost is None:
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
            selection = (
                select(material, trained, recipe.general_agreement) if workers.first else None
            )
        else:
            selection = lost
        if selection is None:
            return trained
        progress.note(described_choice(selection, material.start))
        facts = {"x-input-sha256": "\n".join(digests)}
        facts["x-input-version"] = "\n".join(versions)
        facts["x-train-teacher"] = f"{recipe.teacher} {revision}" if revision else ""
        write_selection(path, material.start, selection, examples, recipe, facts)
        if shown is not None and begin.dropped and not keeps_file(selection, material.start):
            dropped = ", ".join(begin.dropped)
            shown.warn(f"{start}: training changes the table, so the new file has no {dropped}")
        for file in write_log_files(path, selection.trained):
            progress.note(f"Wrote {file}")
        progress.note(f"Wrote {described(path)}")
        if state is not None:
            state.clear()
    return selection.trained


def _check_paths(
    start: str, recipe: TrainingRecipe, places: Places, sources: list[PairSource]
) -> None:
    """Check that the inputs can be read, and that no output would replace one of them."""
    path = places.output
    examples_files = [str(file) for source in sources for file in source.files]
    models = [start] if recipe.teacher is None else [start, recipe.teacher]
    for output in (path, *log_files(path)):
        check_output(output, chain(examples_files, *map(input_files.model_files, models)))
    check_folders(places.checkpoint, places.teacher_cache, places.tensorboard)
    input_files.check_readable(examples_files)


def _device(name: str) -> torch.device:
    """Return this process's device for a name as in `Places`."""
    device = own_device(pick_device(name))
    return torch.device("cpu") if name == "auto" and device.type == "mps" else device


def _read_examples(
    sources: list[PairSource],
    begin: Start,
    recipe: TrainingRecipe,
    folder: Path,
    progress: Progress,
) -> tuple[Dataset, Dataset]:
    """Read the training and the validation examples, with the tokens of the start."""
    progress.note(f"Reading examples: {' '.join(recipe.pairs)}")
    for source in sources:
        if note := not_read(source.place, source.files):
            progress.warn(note)
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
    return examples, held_out


def _note_examples(
    examples: Dataset,
    held_out: Dataset,
    recipe: TrainingRecipe,
    batch_size: int,
    progress: Progress,
) -> None:
    """Report the numbers of examples; warn if too few are held out."""
    counts = ", ".join(f"{len(part)} {part.kind}" for part in examples.examples)
    validated = sum(map(len, held_out.examples))
    progress.note(f"Examples: {counts}; {validated} held out; {batch_size} in a step")
    if recipe.held_out and validated < LEAST:
        progress.note(
            f"warning: {validated} held-out examples are too few to tell tables apart: the "
            f"choice of the best table is random; use at least {LEAST}"
        )


def _guide(
    recipe: TrainingRecipe,
    places: Places,
    examples: Dataset,
    held_out: Dataset,
    folder: Path,
    progress: Progress,
) -> tuple[NDArray[np.float16], str]:
    """Return the teacher's vectors of the examples' texts, and the teacher's revision."""
    assert recipe.teacher is not None
    progress.note(f"Loading {recipe.teacher}")
    teacher = Teacher.load(recipe.teacher, revision=recipe.teacher_revision, device=places.device)
    cache = places.teacher_cache or folder / "teacher"
    named = np.union1d(examples.named(), held_out.named())
    with progress.track("Text vectors", len(named), "texts") as advance:
        return teacher_vectors(teacher, examples, named, folder, cache, advance), teacher.revision
