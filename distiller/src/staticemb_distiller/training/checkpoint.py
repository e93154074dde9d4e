"""A training on disk, so that a run that was broken off ends in the same bytes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CacheError
from ..output_file import appearing, sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NAME = "training.npz"
_LAYOUT = 2  # of what is in it


@dataclass(eq=False)
class State:
    """Where a training stands.

    Attributes:
        arrays: The table, the optimizer's moments, the best table so far, mined negatives.
        numbers: Step, the optimizer's steps, the best value, what was logged: plain JSON.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)


class TrainingCheckpoint:
    """A folder with the last state of one training.

    Args:
        folder: Is made if it is not there.
        identity: All that the training depends on; another's state is refused.

    Raises:
        CacheError: The folder cannot be made.
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
        """Put a state in the place of the last one.

        Raises:
            CacheError: It cannot be written; the last one stays.
        """
        about = json.dumps({"identity": self._identity, "numbers": state.numbers})
        spelled = np.frombuffer(about.encode(), np.uint8)
        arrays: dict[str, Any] = {"about": spelled, **state.arrays}
        try:
            with appearing(self.path) as temporary, temporary.open("wb") as file:
                np.savez(file, **arrays)
        except OSError as error:
            raise CacheError(f"{self.path}: {error.strerror or error}") from error

    def load(self) -> State | None:
        """The last state, or None where there is none yet.

        Raises:
            CacheError: It is damaged, or belongs to another training.
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
            # numpy's own words would advise to unpickle it.
            raise CacheError(f"{self.path}: damaged; delete it") from error
        if identity != self._identity:
            raise CacheError(
                f"{self.path}: belongs to a training of another start, other examples or another "
                "recipe; delete it or name another folder"
            )
        return State(arrays, numbers)

    def clear(self) -> None:
        """Remove the state, and the folder if nothing else is in it."""
        self.path.unlink(missing_ok=True)
        sweep(self.path)
        try:
            self.path.parent.rmdir()
        except OSError:
            return  # the user has something else there
