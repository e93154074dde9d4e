"""Read bitext tasks: aligned texts of two languages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..errors import EvaluationError
from .files import bad_row, digests, lines, not_empty, tsv
from .tasks import BitextTask

AlignedFiles = dict[str, tuple[Path, ...]]
"""The files of each task, by its name: one with two columns, or one for each language."""

_STS = re.compile(r"(?P<name>.+)-(?P<language>[a-z]{2,3})-(?P<part>[^-]+)")
_LINES = re.compile(r"(?P<name>.+)\.(?P<language>[^.]+)")


def places(folder: Path) -> AlignedFiles:
    """Find the tasks in the folder bitext/."""
    columns: AlignedFiles = {f"bitext/{path.stem}": (path,) for path in folder.glob("bitext/*.tsv")}
    return columns | _of_languages(folder.glob("bitext/*.txt"), _LINES)


def places_in_sts(folder: Path) -> AlignedFiles:
    """Find the tasks in files of semantic similarity that exist in several languages."""
    return _of_languages(folder.glob("sts/*.tsv"), _STS)


def by_language(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Group the names of similarity tasks that differ in the language alone.

    Returns:
        Name of the group -> language -> name of the task; groups of one language are left out.

    >>> by_language(["sts/stsb-en-test", "sts/stsb-de-test", "sts/sick-test"])
    {'stsb-test': {'en': 'sts/stsb-en-test', 'de': 'sts/stsb-de-test'}}
    """
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        kind, _, stem = name.partition("/")
        if kind == "sts" and (match := _STS.fullmatch(stem)):
            group = groups.setdefault(f"{match['name']}-{match['part']}", {})
            group[match["language"]] = name
    return {group: languages for group, languages in groups.items() if len(languages) > 1}


def read(folder: Path, name: str, files: Sequence[Path]) -> BitextTask:
    """Read a task.

    Raises:
        EvaluationError: A row is malformed, or the rows of two files are not aligned.
    """
    if len(files) == 1:
        rows = [cells for _, cells in tsv(files[0], ("text", "text"))]
        first, second = [a for a, _ in rows], [b for _, b in rows]
    elif files[0].suffix == ".tsv":
        first, second = _sts(files[0], files[1])
    else:
        first, second = _lines(files[0]), _lines(files[1])
    not_empty(files[0], first)
    if len(first) != len(second):
        raise EvaluationError(
            f"{files[1]}: expected {len(first):,} rows, as in {files[0]}, found {len(second):,}"
        )
    texts = {"first": first, "second": second}
    return BitextTask("bitext", name, texts, digests(folder, *files), groups(first, second))


def groups(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int64]:
    """Number rows (N,) so that rows with a text in common have the same number.

    >>> groups(["a", "a", "b"], ["x", "y", "z"]).tolist()
    [0, 0, 1]
    """
    ids = [np.unique(np.array(texts), return_inverse=True)[1] for texts in (first, second)]
    count = len(first)
    rows, columns = np.tile(np.arange(count), 2), np.concatenate([ids[0], ids[1] + count])
    edges = coo_matrix((np.ones(2 * count), (rows, columns + count)), (3 * count, 3 * count))
    return np.asarray(connected_components(edges, directed=False)[1][:count], np.int64)


def _of_languages(files: Iterable[Path], pattern: re.Pattern[str]) -> AlignedFiles:
    groups: dict[str, dict[str, Path]] = {}
    for path in sorted(files):
        if match := pattern.fullmatch(path.stem):
            parts = match.groupdict()
            group = "-".join(parts[key] for key in ("name", "part") if key in parts)
            groups.setdefault(group, {})[parts["language"]] = path
    return {
        f"bitext/{group}-{base}-{language}": (paths[base], paths[language])
        for group, paths in groups.items()
        for base in ["en" if "en" in paths else min(paths)]
        for language in paths
        if language != base
    }


def _sts(first: Path, second: Path) -> tuple[list[str], list[str]]:
    a, b = (
        [cells for _, cells in tsv(path, ("score", "text", "text"))] for path in (first, second)
    )
    for row, (ours, theirs) in enumerate(zip(a, b, strict=False), start=1):
        if ours[0] != theirs[0]:
            raise bad_row(second, row, f"the score {ours[0]}, as in {first}", theirs[0])
    return [cells[1] for cells in a], [cells[1] for cells in b]


def _lines(path: Path) -> list[str]:
    texts = []
    for row, text in lines(path):
        if not text.strip():
            raise bad_row(path, row, "a text", "nothing")
        texts.append(text)
    return texts
