"""Make static embedding files: distill, train, convert, export, evaluate.

from staticemb_distiller import Recipe, distill

distill("sentence-transformers/all-MiniLM-L6-v2", Recipe(dims=256), "minilm.staticemb")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .errors import DistillerError
from .version import __version__ as __version__

if TYPE_CHECKING:
    from .adaptation.adapt import adapt
    from .corpus.vector_files import open_vectors
    from .distillation import distill
    from .evaluation import evaluate
    from .heads.estimators import StaticClassifier, StaticEmbedder, StaticRegressor
    from .heads.fit_head import fit_head
    from .interop.convert_source import convert
    from .interop.export import export
    from .recipe.recipe import Recipe
    from .teacher.sentence_transformer import Teacher
    from .training.recipe import TrainingRecipe
    from .training.run import train

__all__ = [
    "DistillerError",
    "Recipe",
    "StaticClassifier",
    "StaticEmbedder",
    "StaticRegressor",
    "Teacher",
    "TrainingRecipe",
    "adapt",
    "convert",
    "distill",
    "evaluate",
    "export",
    "fit_head",
    "open_vectors",
    "train",
]

# Imported on first use: these modules import numpy or torch. `--help` must not wait for that, and
# commands must handle Ctrl-C before that.
_LAZY = {
    "Recipe": ".recipe.recipe",
    "StaticClassifier": ".heads.estimators",
    "StaticEmbedder": ".heads.estimators",
    "StaticRegressor": ".heads.estimators",
    "Teacher": ".teacher.sentence_transformer",
    "TrainingRecipe": ".training.recipe",
    "adapt": ".adaptation.adapt",
    "convert": ".interop.convert_source",
    "distill": ".distillation",
    "evaluate": ".evaluation",
    "export": ".interop.export",
    "fit_head": ".heads.fit_head",
    "open_vectors": ".corpus.vector_files",
    "train": ".training.run",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_LAZY[name], __name__), name)
