"""Programs that load a model and embed one text, for each contestant, and the bytes they read."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import contestants
import harness
import peers
import vocabularies

TEXT = "a first text"
# Ours answers plain English before it imports `tokenizers`; this text it may not.
OTHER_TEXT = "a first résumé"
UNIGRAM = "250,000 Unigram tokens"
_OURS = "from staticemb_runtime import StaticModel; StaticModel.load({path!r}).encode({text!r})"
_MODEL2VEC = (
    "from model2vec import StaticModel; StaticModel.from_pretrained({path!r}).encode({text!r})"
)
_TRANSFORMERS = (
    "from sentence_transformers import SentenceTransformer; "
    "SentenceTransformer({path!r}, device='cpu').encode({text!r}, show_progress_bar=False)"
)
_FASTEMBED = (
    "from fastembed.text.static_embedding import StaticTextEmbedding; "
    f"list(StaticTextEmbedding({peers.FASTEMBED_NAME!r}, "
    "specific_model_path={path!r}, cache_dir={path!r}).embed({text!r}))"
)
_LAGHU = (
    "import os; os.environ['LAGHU_RUST'] = '{rust:d}'; import laghu; "
    "laghu.load({path!r}, fallback=False).encode({text!r})"
)
_WORDLLAMA = (
    "from wordllama import WordLlama; "
    "WordLlama.load(cache_dir={path!r}, disable_download=True).embed({text!r}, norm=True)"
)


class Program(NamedTuple):
    """Python code, and the bytes of the model that it loads."""

    code: str
    model_bytes: int


def ours(files: dict[str, Path], text: str = TEXT) -> dict[str, Program]:
    """A program for each file of ours."""
    return {
        name: Program(_OURS.format(path=str(path), text=text), path.stat().st_size)
        for name, path in files.items()
    }


def others(folder: Path) -> dict[str, Callable[[], Program]]:
    """What makes each peer's program, and raises ImportError where the peer is not installed."""

    def model2vec_layout(template: str, *packages: str, unigram: bool = False) -> Program:
        _require(*packages)
        if unigram:
            path = vocabularies.unigram_folder(folder, harness.fewer(250_000))
        else:
            path = peers.model2vec_folder(folder)
        return _program(template, path)

    def sentence_transformers() -> Program:
        return _program(_TRANSFORMERS, peers.sentence_transformers_folder(folder))

    def wordllama() -> Program:
        return _program(_WORDLLAMA, peers.wordllama_folder())

    def teacher() -> Program:
        _require("sentence_transformers")
        return _program(_TRANSFORMERS, contestants.teacher_folder())

    python, rust = (_LAGHU.replace("{rust:d}", str(core)) for core in (0, 1))
    peers_of_layout = {
        contestants.BASE: (_MODEL2VEC, "model2vec"),
        "fastembed": (_FASTEMBED, "fastembed"),
        "laghu": (python, "laghu"),
        "laghu, Rust core": (rust, "laghu", "laghu_rs"),
    }
    programs: dict[str, Callable[[], Program]] = {
        name: partial(model2vec_layout, *given) for name, given in peers_of_layout.items()
    }
    return programs | {
        f"model2vec int8, {UNIGRAM}": partial(
            model2vec_layout, _MODEL2VEC, "model2vec", unigram=True
        ),
        f"laghu int8, {UNIGRAM}": partial(model2vec_layout, python, "laghu", unigram=True),
        "sentence-transformers": sentence_transformers,
        "WordLlama": wordllama,
        "transformer": teacher,
    }


def _program(template: str, path: Path) -> Program:
    return Program(template.format(path=str(path), text=TEXT), contestants.model_bytes(path))


def _require(*packages: str) -> None:
    for package in packages:
        importlib.import_module(package)
