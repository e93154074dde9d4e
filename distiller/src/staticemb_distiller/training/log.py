"""Reports of a training: notes and TensorBoard events during it, log and curve files after it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError, OutputError
from ..output_file import atomic_file, is_stream, reported
from .curve import draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..progress import Progress
    from .material import Trained


class Log:
    """Reporter of the history's entries.

    Args:
        progress: Receives a note for each validation.
        tensorboard: The folder for TensorBoard's event files; None: none are written.

    Raises:
        MissingPackageError: `tensorboard` is set, and the package is missing.
    """

    def __init__(self, progress: Progress, tensorboard: Path | None = None) -> None:
        self._progress = progress
        self._writer: Any = None
        if tensorboard is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise MissingPackageError(
                    "TensorBoard's event files need the package tensorboard: "
                    "pip install tensorboard"
                ) from error
            self._writer = SummaryWriter(str(tensorboard))

    def note(self, entry: Mapping[str, Any]) -> None:
        """Report one entry."""
        step = entry["step"]
        if "value" in entry:
            names = (name for name in entry if name not in ("step", "value"))
            measures = ", ".join(f"{name} {entry[name]:.4f}" for name in names)
            self._progress.note(f"Step {step}: {measures}")
        if self._writer is not None:
            for name, value in entry.items():
                if name != "step":
                    self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write pending events and close the event file."""
        if self._writer is not None:
            self._writer.close()


def log_files(path: Path) -> list[Path]:
    """Return the paths of `NAME.log.jsonl` and `NAME.curve.svg` in the model's folder.

    Args:
        path: The model; for a device or FIFO, the list is empty.
    """
    if is_stream(path):
        return []
    return [path.with_name(path.stem + suffix) for suffix in (".log.jsonl", ".curve.svg")]


def write_log_files(path: Path, trained: Trained) -> list[Path]:
    """Write the training's log and its curve to `log_files(path)`.

    Args:
        path: The model.
        trained: The training's result.

    Returns:
        The files that were written.

    Raises:
        OutputError: A file cannot be written.
    """
    lines = "".join(json.dumps(entry) + "\n" for entry in trained.history)
    best = trained.step if any("value" in entry for entry in trained.history) else None
    contents = (lines, draw(trained.history, best))
    targets = log_files(path)
    for target, content in zip(targets, contents, strict=False):
        with reported(target, OutputError), atomic_file(target) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return targets
