"""What a training reports while it runs: notes, TensorBoard; and afterwards: lines and a curve."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError, OutputError
from ..output_file import appearing, is_stream, reported
from .curve import draw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..progress import Progress
    from .loop import Trained


class Log:
    """Passes each entry of the history on.

    Args:
        progress: Where validations are noted.
        tensorboard: The folder for TensorBoard's event files; None: none are written.

    Raises:
        MissingPackageError: TensorBoard is asked for and not installed.
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
            shown = (name for name in entry if name not in ("step", "value"))
            found = ", ".join(f"{name} {entry[name]:.4f}" for name in shown)
            self._progress.note(f"Step {step}: {found}")
        if self._writer is not None:
            for name, value in entry.items():
                if name != "step":
                    self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Put out what is still held back."""
        if self._writer is not None:
            self._writer.close()


def log_files(path: Path) -> list[Path]:
    """`NAME.log.jsonl` and `NAME.curve.svg` beside the model; none beside a device or FIFO.

    Args:
        path: The model.
    """
    if is_stream(path):
        return []
    return [path.with_name(path.stem + suffix) for suffix in (".log.jsonl", ".curve.svg")]


def write_beside(path: Path, trained: Trained) -> list[Path]:
    """Write the training's log and its curve to `log_files(path)`.

    Args:
        path: The model.
        trained: Its training.

    Returns:
        The files.

    Raises:
        OutputError: One cannot be written.
    """
    lines = "".join(json.dumps(entry) + "\n" for entry in trained.history)
    best = trained.step if any("value" in entry for entry in trained.history) else None
    contents = (lines, draw(trained.history, best))
    targets = log_files(path)
    for target, content in zip(targets, contents, strict=False):
        with reported(target, OutputError), appearing(target) as temporary:
            temporary.write_text(content, encoding="utf-8")
    return targets
