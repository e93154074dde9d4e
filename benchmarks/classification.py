"""Classifiers of texts: ours, model2vec's, TF-IDF and the transformer, on the same texts.

    python benchmarks/classification.py --data ../shared            measure, write the results
    python benchmarks/classification.py --data ../shared --sets sst2 --sizes 8 --results FOLDER

Each contestant is fitted to all training texts of a data set, and to 8, 16 and 64 a label, and
predicts all held-out texts. Everything runs on one core, one contestant after the other.

- staticemb: `StaticClassifier` as it is: cross-validation of pooling and strength, calibration.
- staticemb, tuned: `fit_head` with `tune`, which fits the table with the head if that is better.
- model2vec: `StaticModelForClassification` of the same table (plain mean), which trains the table
  and a network on top with torch; predictions by its pipeline of numpy.
- TF-IDF: scikit-learn's, with logistic regression, C = 10.
- transformer: the teacher's vectors with the same logistic regression; its seconds are those of
  embedding and fit. `--no-transformer` leaves it out.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from contestants import teacher_folder
from harness import (
    OPTIONS,
    SHARED,
    add_options,
    check_clean,
    fewer,
    measure,
    one_core,
    ratio,
    save,
    significant,
)
from numpy.typing import NDArray

SETS = ("banking77", "clinc150", "sst2")
SIZES = ("all", "64", "16", "8")
RESAMPLES = 1000
REPETITIONS = 5
C = 10.0
TUNED = "staticemb, tuned"

Predict = Callable[[Sequence[str]], Any]


class Data(NamedTuple):
    """The texts and labels of a data set."""

    texts: list[str]
    labels: NDArray[np.str_]
    held_out: list[str]
    wanted: NDArray[np.str_]


def read(folder: Path, name: str) -> Data:
    """Read a data set: lines of a label and a text."""
    parts: list[Any] = []
    for part in ("train", "test"):
        path = folder / "eval" / "classification" / f"{name}-{part}.tsv"
        rows = [line.split("\t", 1) for line in path.read_text("utf-8").splitlines()]
        parts += [[text for _, text in rows], np.array([label for label, _ in rows])]
    return Data(*parts)


def some(data: Data, size: str) -> tuple[list[str], NDArray[np.str_]]:
    """Draw as many texts of each label, or take all."""
    order = np.random.default_rng(0).permutation(len(data.texts))
    if size == "all":
        rows = order[: fewer(len(order), 500)]
    else:
        most, seen, chosen = int(size), dict.fromkeys(data.labels.tolist(), 0), []
        for row in order.tolist():
            label = data.labels[row]
            if seen[label] < most:
                seen[label] += 1
                chosen.append(row)
        rows = np.array(chosen)
    return [data.texts[row] for row in rows.tolist()], data.labels[rows]


def ours(texts: list[str], labels: NDArray[np.str_], folder: Path, model: str) -> Predict:
    """Fit, save, and predict with the runtime."""
    from staticemb_distiller import StaticClassifier
    from staticemb_runtime import StaticModel

    path = folder / "ours.staticemb"
    StaticClassifier(model).fit(texts, labels).save(path)
    return StaticModel.load(path).classify


def tuned(texts: list[str], labels: NDArray[np.str_], folder: Path, model: str) -> Predict:
    """Fit table and head, and predict with the runtime."""
    from staticemb_distiller import fit_head
    from staticemb_runtime import StaticModel

    path = folder / "tuned.staticemb"
    fit_head(model, (texts, labels.tolist()), path, tune=True, with_baseline=False)
    return StaticModel.load(path).classify


def model2vec(texts: list[str], labels: NDArray[np.str_], folder: Path, model: str) -> Predict:
    """Fit model2vec's classifier with its own settings."""
    import torch
    from model2vec.train import StaticModelForClassification

    torch.set_num_threads(1)
    classifier = StaticModelForClassification.from_pretrained(folder / "model2vec")
    classifier.fit(texts, labels.tolist())
    return classifier.to_pipeline().predict


def tfidf(texts: list[str], labels: NDArray[np.str_], folder: Path, model: str) -> Predict:
    """Fit logistic regression to word counts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from staticemb_distiller.evaluation.baselines import tfidf_vectorizer

    pipeline = make_pipeline(tfidf_vectorizer(), LogisticRegression(C=C, max_iter=200))
    return pipeline.fit(texts, labels).predict


def transformer(texts: list[str], labels: NDArray[np.str_], folder: Path, model: str) -> Predict:
    """Fit logistic regression to the teacher's vectors."""
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    teacher = SentenceTransformer(str(teacher_folder()), device="cpu")

    def vectors(part: Sequence[str]) -> Any:
        return teacher.encode(list(part), normalize_embeddings=True)

    probe = LogisticRegression(C=C, max_iter=200).fit(vectors(texts), labels)
    return lambda part: probe.predict(vectors(part))


CONTESTANTS: dict[str, Callable[[list[str], NDArray[np.str_], Path, str], Predict]] = {
    "staticemb": ours,
    TUNED: tuned,
    "model2vec": model2vec,
    "TF-IDF": tfidf,
    "transformer": transformer,
}


def macro_f1(wanted: NDArray[np.int64], given: NDArray[np.int64], count: int) -> float:
    """Compute the mean F1 of the labels that occur."""
    hits = np.bincount(wanted[wanted == given], minlength=count)
    both = np.bincount(wanted, minlength=count) + np.bincount(given, minlength=count)
    return float(np.mean(2 * hits[both > 0] / both[both > 0]))


def scores(wanted: NDArray[np.str_], given: dict[str, NDArray[np.str_]]) -> dict[str, Any]:
    """Score predictions, with 95 % intervals of scores and of differences from model2vec.

    The bootstrap draws held-out texts; all contestants get the same resamples.
    """
    labels = np.unique(np.concatenate([wanted, *given.values()]))
    right = np.searchsorted(labels, wanted)
    numbers = {name: np.searchsorted(labels, each) for name, each in given.items()}
    drawn = np.random.default_rng(0).integers(0, len(wanted), (RESAMPLES, len(wanted)))
    found: dict[str, Any] = {}
    spread: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, own in numbers.items():
        f1 = [macro_f1(right[rows], own[rows], len(labels)) for rows in drawn]
        spread[name] = {
            "accuracy": 100 * (own == right)[drawn].mean(axis=1),
            "macro_f1": 100 * np.array(f1),
        }
        found[name] = {
            "accuracy": 100 * float((own == right).mean()),
            "macro_f1": 100 * macro_f1(right, own, len(labels)),
        }
    for name, each in found.items():
        for metric in ("accuracy", "macro_f1"):
            each[f"{metric}_interval"] = _interval(spread[name][metric])
            if "model2vec" in spread and name != "model2vec":
                apart = spread[name][metric] - spread["model2vec"][metric]
                each[f"{metric}_over_model2vec"] = _interval(apart)
    return found


def _interval(drawn: NDArray[np.float64]) -> list[float]:
    return [round(float(end), 2) for end in np.quantile(drawn, [0.025, 0.975])]


def measured(data: Data, size: str, names: Sequence[str], folder: Path, model: str) -> Any:
    """Fit and score all contestants on one data set and size, and time them."""
    texts, labels = some(data, size)
    held_out = data.held_out[: fewer(len(data.held_out), 200)]
    wanted = data.wanted[: len(held_out)]
    given, seconds, calls = {}, {}, {}
    for name in names:
        start = time.perf_counter()
        predict = CONTESTANTS[name](texts, labels, folder, model)
        seconds[name] = time.perf_counter() - start
        given[name] = np.asarray(list(predict(held_out)))
        calls[name] = predict
        print(f"{name}: {np.mean(given[name] == wanted):.4f}, {seconds[name]:.1f} s", flush=True)
    results = scores(wanted, given)
    for name in names:
        results[name]["fit_seconds"] = significant(seconds[name], 3)
    static = [name for name in names if name != "transformer"]
    timed = measure(
        {name: lambda name=name: lambda: calls[name](held_out) for name in static}, REPETITIONS
    )
    for name in static:
        results[name]["texts_per_second"] = significant(len(held_out) / min(timed[name]), 3)
    if "model2vec" in timed:
        for name in ("staticemb", TUNED):
            faster = significant(seconds["model2vec"] / seconds[name], 3)
            results[name]["fit_ratio"] = faster
            results[name]["predict_ratio"] = ratio(timed["model2vec"], timed[name])
    return {"texts": len(texts), "held_out": len(held_out), "contestants": results}


def _import_all() -> None:
    """Import what contestants need, or the first fit would wait for it."""
    for module in (
        "model2vec.train",
        "sentence_transformers",
        "sklearn.linear_model",
        "staticemb_distiller.heads.estimators",
    ):
        importlib.import_module(module)


def main() -> None:
    """Measure everything, and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--model", default="minilm-en-small")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument("--no-transformer", action="store_true")
    options = parser.parse_args(namespace=OPTIONS)
    check_clean()
    one_core()
    from staticemb_distiller import export

    _import_all()
    names = [n for n in CONTESTANTS if n != "transformer" or not options.no_transformer]
    results: dict[str, Any] = {"model": options.model, "sets": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        export(
            options.model,
            folder / "model2vec",
            to="model2vec",
            pooling="mean",
            unknown_tokens="peer",
        )
        for name in options.sets:
            data = read(options.data, name)
            results["sets"][name] = {"labels": len(set(data.labels.tolist())), "sizes": {}}
            for size in options.sizes:
                print(f"{name}, {size}", flush=True)
                found = measured(data, size, names, folder, options.model)
                results["sets"][name]["sizes"][size] = found
    save("classification", results)


if __name__ == "__main__":
    main()
