"""The state of a training on disk: a resumed run gives the same bytes as an uninterrupted one."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CacheError
from ..output_file import atomic_file, sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NAME = "training.npz"
_LAYOUT = 2  # the version of the file's layout


@dataclass(eq=False)
class State:
    """The state of a training.

    Attributes:
        arrays: The table, the optimizer's moments, the best table so far, mined negatives.
        numbers: The step, the optimizer's steps, the best value and the history, as plain JSON.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)


class TrainingCheckpoint:
    """A folder with the last state of one training.

    Args:
        folder: The folder; created if it is missing.
        identity: Everything that the training depends on; `load` refuses the state of another
            training.

    Raises:
        CacheError: The folder cannot be created.
    """

    def __init__(self, folder: Path, identity: Sequence[object]) -> None:
        self.path = folder / _NAME
        spelled = json.dumps([_LAYOUT, *identity], ensure_ascii=False, default=str)
        self._identity = hashlib.sha256(spelled.encode()).hexdigest()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(f"{folder}: {error.strerror or error}") from error

    def save(self, state: State) -> None:
        """Replace the saved state.

        Raises:
            CacheError: The state cannot be written; the earlier state stays.
        """
        about = json.dumps({"identity": self._identity, "numbers": state.numbers})
        spelled = np.frombuffer(about.encode(), np.uint8)
        arrays: dict[str, Any] = {"about": spelled, **state.arrays}
        try:
            with atomic_file(self.path) as temporary, temporary.open("wb") as file:
                np.savez(file, **arrays)
        except OSError as error:
            raise CacheError(f"{self.path}: {error.strerror or error}") from error

    def load(self) -> State | None:
        """Load the saved state; return None if there is none yet.

        Raises:
            CacheError: The state is damaged, or belongs to another training.
        """
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                about = json.loads(file["about"].tobytes())
                identity, numbers = about["identity"], about["numbers"]
                arrays = {name: file[name] for name in file.files if name != "about"}
        except OSError as error:
            raise CacheError(f"{self.path}: {error.strerror or error}") from error
        except (
            ValueError,
            LookupError,
            TypeError,
            EOFError,
            RecursionError,
            zipfile.BadZipFile,
        ) as error:
            # numpy's message would advise to unpickle the file.
            raise CacheError(f"{self.path}: damaged; delete it") from error
        if identity != self._identity:
            raise CacheError(
                f"{self.path}: belongs to a training with another start, other examples or another "
                "recipe; delete it or name another folder"
            )
        return State(arrays, numbers)

    def clear(self) -> None:
        """Remove the state, and the folder if it is empty."""
        self.path.unlink(missing_ok=True)
        sweep(self.path)
        try:
            self.path.parent.rmdir()
        except OSError:
            return  # the folder holds other files of the user
