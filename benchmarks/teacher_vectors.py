"""Vectors of the teacher, kept in a folder for the next run and for other benchmarks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import contestants
import harness
import numpy as np
from numpy.typing import NDArray

FOLDER = harness.ROOT / "build" / "teacher"


class TeacherVectors:
    """The teacher's unit vectors of texts.

    Args:
        folder: Where they are kept, by a digest of the teacher's name and the texts.
        teacher: A Sentence Transformer's folder or Hub id; None: all-MiniLM-L6-v2 from its package.
    """

    def __init__(self, folder: Path = FOLDER, teacher: str | None = None) -> None:
        self._folder = folder
        self._teacher = teacher
        self._loaded: Any = None

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors (N, H) of N texts."""
        digest = hashlib.sha256(str(self._teacher).encode())
        for text in texts:
            digest.update(text.encode() + b"\0")
        path = self._folder / f"{digest.hexdigest()[:32]}.npy"
        if not path.exists():
            if self._loaded is None:
                from staticemb_distiller import Teacher

                self._loaded = Teacher.load(self._teacher or str(contestants.teacher_folder()))
            vectors = self._loaded.encode(list(texts))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part.npy")
            np.save(partial, vectors.astype(np.float32))
            partial.replace(path)
        return np.asarray(np.load(path), np.float32)
