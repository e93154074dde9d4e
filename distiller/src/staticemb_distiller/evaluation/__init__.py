"""Measure embedding models: similarity, classification, clustering and retrieval, from plain files.

>>> from staticemb_distiller.evaluation import evaluate
>>> results = evaluate("model.staticemb", "eval", tasks=["sts", "retrieval/*"])  # doctest: +SKIP
>>> results.value("model", "sts/stsb-en-test")  # doctest: +SKIP
79.6

In: models, and a folder of data. Out: scores with intervals, and reports of them.
May use: all rooms up to `interop`. Public: the names below.
"""

from .bootstrap import Difference, difference
from .discovery import discover
from .load import load_model
from .models import Embedder, FunctionModel, LexicalModel
from .results import Results, Score
from .run import evaluate
from .tasks import KINDS, Task

__all__ = [
    "KINDS",
    "Difference",
    "Embedder",
    "FunctionModel",
    "LexicalModel",
    "Results",
    "Score",
    "Task",
    "difference",
    "discover",
    "evaluate",
    "load_model",
]
