"""The models that `quality.py` compares, with a function that makes each."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from harness import ROOT

from demo import PACKAGED_NAME, packaged_teacher
from staticemb_distiller.evaluation import Embedder, FunctionModel, LexicalModel, load_model
from staticemb_distiller.fitting.fit_recipe import fit_texts
from staticemb_distiller.fitting.fit_texts import order_by_budget
from staticemb_distiller.recipe.budget import Budget
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.table.rotation import second_moment_axes
from staticemb_distiller.teacher import Teacher
from staticemb_distiller.teacher.cached import cached_vectors
from staticemb_distiller.vocabulary.by_recipe import make_vocabulary
from staticemb_distiller.vocabulary.token_ids import TokenIds
from staticemb_runtime.format import read

MIXED = "mixed.txt.gz"
TEXT = ("--limit", "300000", "--teacher-budget", "210000")
WORDS = ("--mode", "subword", "--vocabulary-size", "20000")
SPEED_TEXTS = 10_000
TRAINING_TEXTS = 50_000  # the trained peer is rotated by the vectors of this many texts


@dataclass(frozen=True)
class Contestant:
    """One model of the comparison.

    Attributes:
        name: The name in the table.
        command: The command or code that makes the model, for readers.
        file: The name of the model's file or folder.
        make: Makes the file at a path, and returns further facts to report.
        open: Opens the file for `evaluate`.
        prefixes: Whether prefixes of its vectors are measured, too.
    """

    name: str
    command: str
    file: str
    make: Callable[[Path], Mapping[str, Any]]
    open: Callable[[Path], Embedder | LexicalModel]
    prefixes: bool = True

    def stamp(self, made: Path) -> str:
        """Compute a digest of the model's bytes."""
        files = sorted(path for path in made.rglob("*") if path.is_file()) or [made]
        digest = hashlib.sha256()
        for path in files:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def facts(self, made: Path) -> dict[str, Any]:
        """Return the bytes, the recipe and the number of texts of a static embedding file."""
        if made.suffix != ".staticemb":
            return {}
        extra = read(made).metadata.extra
        texts = extra.get("x-fit-texts")
        return {
            "bytes": made.stat().st_size,
            "recipe": extra["recipe"],
            **({"fit_texts": int(texts)} if texts else {}),
        }


class Maker:
    """Makes models from one teacher.

    Args:
        data: The folder with eval/ and text/.
        work: The folder for the models.
        teacher: A folder or Hub id; None: the demo's teacher, from an installed package.
        cache: The folder of the teacher's vectors; None: a folder in `work`.
    """

    def __init__(self, data: Path, work: Path, teacher: str | None, cache: Path | None) -> None:
        self.data, self.work = data, work
        self.place = packaged_teacher() if teacher is None else teacher
        self.teacher_name = PACKAGED_NAME if teacher is None else teacher
        self.cache = work / "teacher" if cache is None else cache

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher."""
        return Teacher.load(self.place, device="cpu")

    def vectors(self, texts: list[str]) -> np.ndarray[Any, Any]:
        """Return the teacher's vectors; the cache keeps them."""
        return cached_vectors(self.teacher, texts, self.cache, kind=None)

    def speed(self) -> float:
        """Measure the sentences of `text` that the teacher encodes in a processor second."""
        kept = self.work / "speed.json"
        if not kept.is_file():
            recipe = Recipe(fit=(self.text(MIXED),), limit=SPEED_TEXTS)
            vocabulary = make_vocabulary(self.teacher.tokenizer, recipe)
            texts = fit_texts(self.teacher, vocabulary, recipe).texts
            started = processor_seconds()
            self.teacher.encode(texts)
            rate = round(len(texts) / (processor_seconds() - started), 1)
            kept.write_text(json.dumps(rate), encoding="utf-8")
        return float(json.loads(kept.read_text(encoding="utf-8")))

    def text(self, name: str) -> str:
        """Return the path of a text of `data`, as files and results name it.

        It is relative to the working folder, so that nothing names folders of this machine.
        """
        return os.path.relpath(self.data / "text" / name)

    def ours(self, name: str, *arguments: str) -> Contestant:
        """Return a contestant that our command makes with the given arguments."""

        def make(target: Path) -> Mapping[str, Any]:
            command = [sys.executable, "-m", "staticemb_distiller", "distill", self.place]
            command += ["-o", str(target), "--teacher-cache", str(self.cache), *arguments]
            paths = [str(ROOT / part / "src") for part in ("runtime", "distiller")]
            search = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
            known = self.known()
            subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": search})
            return {"teacher_texts_encoded": self.known() - known}

        typed = ["staticemb-distiller", "distill", self.teacher_name, "-o", "FILE", *arguments]
        return Contestant(name, shlex.join(typed), "model.staticemb", make, load_model)

    def known(self) -> int:
        """Count the teacher's vectors in the cache."""
        shards = self.cache.glob("*/[0-9]*.npz")
        return sum(len(np.load(shard, allow_pickle=False)["digests"]) for shard in shards)


def processor_seconds() -> float:
    """Return the processor time of this process and its ended children, over all cores."""
    return sum(os.times()[:4])


def contestants(maker: Maker) -> list[Contestant]:
    """Return all contestants. Making one fails if its package is not installed."""
    mixed = maker.text(MIXED)
    text = ("--fit", mixed, *TEXT, *WORDS, "--vocabulary-from", mixed, "--dtype", "int8")
    return [
        Contestant(
            "teacher",
            f"{maker.teacher_name}, 384 dimensions, a transformer",
            "about.txt",
            lambda target: {"written": target.write_text(maker.teacher.revision)},
            lambda made: FunctionModel("teacher", maker.vectors),
            prefixes=False,
        ),
        Contestant(
            "model2vec distill",
            f'model2vec.distill.distill("{maker.teacher_name}", pca_dims=256)',
            "model",
            lambda target: _distilled(maker.place, 256, target),
            load_model,
        ),
        Contestant(
            "model2vec trained",
            'distill(…, pca_dims=None, quantize_to="float32"); StaticModelForSimilarity'
            '.from_static_model(…, n_layers=0, out_dim=384).fit(texts, vectors, device="cpu"), on '
            'the sentences and vectors of "ours, text"; then principal axes of its sentences',
            "model",
            lambda target: _trained(maker, target),
            load_model,
        ),
        Contestant(
            "wordllama",
            "WordLlama.load(), the model that its package carries",
            "about.txt",
            lambda target: {"written": target.write_text("wordllama")},
            lambda made: load_model("wordllama"),
        ),
        maker.ours("ours, text", *text),
        maker.ours("ours, no text", "--dtype", "int8"),
    ]


def _distilled(teacher: str, dims: int | None, target: Path) -> Mapping[str, Any]:
    from model2vec.distill import distill

    # model2vec's default rounds. float32 avoids that a peer loses by rounding.
    model = distill(teacher, device="cpu", pca_dims=dims, quantize_to="float32")
    model.save_pretrained(str(target))
    return {}


def _trained(maker: Maker, target: Path) -> Mapping[str, Any]:
    """Train by model2vec on the sentences that our fit reads; cut to 256 principal axes."""
    from model2vec import StaticModel
    from model2vec.distill import distill
    from model2vec.train import StaticModelForSimilarity

    mixed = maker.text(MIXED)
    recipe = Recipe(fit=(mixed,), limit=int(TEXT[1]), teacher_budget=int(TEXT[3]))
    words = Recipe(mode="subword", vocabulary_from=(mixed,), vocabulary_size=int(WORDS[3]))
    vocabulary = make_vocabulary(maker.teacher.tokenizer, words)
    gathered = fit_texts(maker.teacher, vocabulary, recipe)
    ids, lengths = TokenIds(vocabulary.tokenizer_json, vocabulary.unknown_token_id)(gathered.texts)
    budget = Budget.parse(recipe.teacher_budget)
    order = order_by_budget(ids, lengths, len(vocabulary), gathered.weights, budget)
    chosen = [gathered.texts[place] for place in order.tolist()]
    targets = maker.vectors(chosen).astype(np.float32)

    started = processor_seconds()
    start = distill(maker.place, device="cpu", pca_dims=None, quantize_to="float32")
    learner = StaticModelForSimilarity.from_static_model(
        model=start, n_layers=0, out_dim=targets.shape[1]
    )
    learner.fit(chosen, targets, device="cpu")
    model = learner.to_static_model()
    seconds = round(processor_seconds() - started, 1)
    sentences = model.encode(chosen[:TRAINING_TEXTS], use_multiprocessing=False)
    axes = second_moment_axes(sentences, 256)
    StaticModel(
        vectors=axes.apply(np.asarray(model.embedding)), tokenizer=model.tokenizer, normalize=True
    ).save_pretrained(str(target))
    return {"processor_seconds": seconds, "fit_texts": len(chosen)}
