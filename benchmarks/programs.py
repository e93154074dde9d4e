"""Programs that load a model and embed a text or a list, for each contestant; the bytes they read.

What they embed is a Python expression.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import contestants
import harness
import peers
import vocabularies

TEXT = repr("a first text")
# Ours answers plain English before it imports `tokenizers`; this text it may not.
OTHER_TEXT = repr("a first résumé")
UNIGRAM = "250,000 Unigram tokens"
OURS = "from staticemb_runtime import StaticModel; StaticModel.load({path!r}).encode({given})"
MODEL2VEC = (
    "from model2vec import StaticModel; StaticModel.from_pretrained({path!r}).encode({given})"
)
TRANSFORMERS = (
    "from sentence_transformers import SentenceTransformer; "
    "SentenceTransformer({path!r}, device='cpu').encode({given}, show_progress_bar=False)"
)
_FASTEMBED = (
    "from fastembed.text.static_embedding import StaticTextEmbedding; "
    f"list(StaticTextEmbedding({peers.FASTEMBED_NAME!r}, "
    "specific_model_path={path!r}, cache_dir={path!r}).embed({given}))"
)
_LAGHU = (
    "import os; os.environ['LAGHU_RUST'] = '{rust:d}'; import laghu; "
    "model = laghu.load({path!r}, fallback=False); model.encode({given}); "
    "assert (model.tokenizer.rs is not None) == {rust:d}, 'laghu: another core than expected'"
)
_WORDLLAMA = (
    "from wordllama import WordLlama; "
    "WordLlama.load(cache_dir={path!r}, disable_download=True).embed({given}, norm=True)"
)


class Program(NamedTuple):
    """A template of Python code, the path of the model that it loads, and the model's bytes."""

    template: str
    path: Path
    model_bytes: int

    def code(self, given: str) -> str:
        """The code that embeds what this expression gives."""
        return self.template.format(path=str(self.path), given=given)


def file_of_texts(path: Path, texts: list[str]) -> str:
    """Write texts, and return the expression that reads them."""
    path.write_text(json.dumps(texts), encoding="utf-8")
    return f"__import__('json').load(open({str(path)!r}))"


def ours(files: dict[str, Path]) -> dict[str, Program]:
    """A program for each file of ours."""
    return {name: Program(OURS, path, path.stat().st_size) for name, path in files.items()}


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
        return _program(TRANSFORMERS, peers.sentence_transformers_folder(folder))

    def wordllama() -> Program:
        return _program(_WORDLLAMA, peers.wordllama_folder())

    def teacher() -> Program:
        _require("sentence_transformers")
        return _program(TRANSFORMERS, contestants.teacher_folder())

    python, rust = (_LAGHU.replace("{rust:d}", str(core)) for core in (0, 1))
    peers_of_layout = {
        contestants.BASE: (MODEL2VEC, "model2vec"),
        "fastembed": (_FASTEMBED, "fastembed"),
        "laghu": (python, "laghu"),
        "laghu, Rust core": (rust, "laghu", "laghu_rs"),
    }
    programs: dict[str, Callable[[], Program]] = {
        name: partial(model2vec_layout, *given) for name, given in peers_of_layout.items()
    }
    return programs | {
        f"model2vec int8, {UNIGRAM}": partial(
            model2vec_layout, MODEL2VEC, "model2vec", unigram=True
        ),
        f"laghu int8, {UNIGRAM}": partial(model2vec_layout, python, "laghu", unigram=True),
        "sentence-transformers": sentence_transformers,
        "WordLlama": wordllama,
        "transformer": teacher,
    }


def _program(template: str, path: Path) -> Program:
    return Program(template, path, contestants.model_bytes(path))


def _require(*packages: str) -> None:
    for package in packages:
        importlib.import_module(package)
