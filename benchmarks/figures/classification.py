"""Accuracy and macro F1 of classifiers by data set and number of texts, and their speed."""

from __future__ import annotations

from typing import Any

import drawing

SETS = {"banking77": "Banking77", "clinc150": "CLINC150", "sst2": "SST-2"}
NAMES = {
    "staticemb": "**staticemb**",
    "staticemb, tuned": "**staticemb**, tuned",
    "model2vec": "model2vec",
    "TF-IDF": "TF-IDF, logistic regression",
    "transformer": "transformer, logistic regression",
}


def section(content: dict[str, Any]) -> str:
    """Return the table of all training texts."""
    sets = content["results"]["sets"]
    heads = ["all training texts"]
    for name, found in sets.items():
        heads += [f"{SETS[name]} ({found['labels']} labels)", "macro F1"]
    body = []
    contestants = next(iter(sets.values()))["sizes"]["all"]["contestants"]
    for name in contestants:
        cells = [NAMES[name]]
        for found in sets.values():
            own = found["sizes"]["all"]["contestants"][name]
            cells += [_with_interval(own, "accuracy"), _with_interval(own, "macro_f1")]
        body.append(cells)
    note = (
        "Accuracy and macro F1 × 100 on the held-out texts, with 95 % intervals of 1,000 bootstrap "
        f"samples of them. Static vectors: {content['results']['model']}. "
    )
    packages = ("model2vec", "torch", "sentence-transformers")
    return drawing.table(heads, body) + "\n\n" + note + drawing.machine(content, *packages)


def _with_interval(own: dict[str, Any], metric: str) -> str:
    low, high = own[f"{metric}_interval"]
    return f"{own[metric]:.1f} ({low:.1f} to {high:.1f})"


def _differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return the differences of scores, with their intervals."""
    cells = []
    for metric in ("accuracy", "macro_f1"):
        low, high = ours[f"{metric}_over_model2vec"]
        cells.append(f"{ours[metric] - theirs[metric]:+.1f} ({low:+.1f} to {high:+.1f})")
    return cells


def further(content: dict[str, Any]) -> dict[str, str]:
    """Return the tables of few texts, of differences from model2vec, and of speed."""
    few, apart, fast = [], [], []
    for name, found in content["results"]["sets"].items():
        for size, measured in found["sizes"].items():
            own = measured["contestants"]
            ours = own["staticemb"]
            tuned = own.get("staticemb, tuned")
            if size != "all":
                accuracies = [f"{each['accuracy']:.1f}" for each in own.values()]
                few.append([SETS[name], size, *accuracies])
            if "model2vec" not in own:
                continue
            apart.append([SETS[name], size, *_differences(ours, own["model2vec"])])
            if tuned is not None:
                cells = _differences(tuned, own["model2vec"])
                apart.append([f"{SETS[name]}, tuned", size, *cells])
            fast.append(
                [
                    SETS[name],
                    size,
                    f"{measured['texts']:,}",
                    *(f"{each['fit_seconds']:.3g}" for each in own.values()),
                    f"×{ours['fit_ratio']:.1f}",
                    drawing.times(ours["predict_ratio"]),
                ]
            )
    names = list(own)
    seconds = [f"{name}, s" for name in names]
    fit = "fit, model2vec's time over ours"
    return {
        "classification_few": drawing.table(["data set", "texts a label", *names], few, 2),
        "classification_difference": drawing.table(
            ["data set", "texts a label", "accuracy", "macro F1"], apart, 2
        ),
        "classification_speed": drawing.table(
            [
                "data set",
                "texts a label",
                "texts",
                *seconds,
                fit,
                "prediction, ours over model2vec",
            ],
            fast,
            2,
        ),
    }
