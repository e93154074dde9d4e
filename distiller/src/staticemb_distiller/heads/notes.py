"""What the user should know about the texts of a fit: copies, leaks, texts and labels of no use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .examples import LabeledTexts
    from .targets import Targets
    from .text_store import TextStore

_NAMED = 3  # texts and labels named in a message
_LONGEST = 60  # characters of a text in a message
_APPEAR = ("text appears", "texts appear")


def duplicate_notes(train: LabeledTexts, held_out: LabeledTexts | None) -> Iterator[str]:
    """Yield warnings of texts that repeat, and of held-out texts that are among the others.

    Texts are compared after normalization, as by `digest`.
    """
    _, first, inverse = np.unique(train.digests, return_index=True, return_inverse=True)
    original = first[inverse]
    repeats = np.flatnonzero(original != np.arange(len(train)))
    if len(repeats):
        yield (
            f"{train.place}: {counted(len(repeats), *_APPEAR)} again among the training texts, "
            f"such as {_quoted(train.texts, repeats)}"
        )
        other = _differ(train.targets, repeats, original[repeats])
        if len(other):
            yield (
                f"{train.place}: {len(other):,} of these have another label than the first time, "
                f"such as {_quoted(train.texts, other)}"
            )
    if held_out is not None:
        leaks = np.flatnonzero(np.isin(held_out.digests, train.digests))
        if len(leaks):
            yield (
                f"{held_out.place}: {counted(len(leaks), *_APPEAR)} also among the training texts, "
                f"so that the scores are too high, such as {_quoted(held_out.texts, leaks)}"
            )


def empty_notes(examples: LabeledTexts, empty: NDArray[np.int64]) -> Iterator[str]:
    """Yield a warning of the texts without a token that the model knows, if there are any.

    Args:
        examples: N texts.
        empty: Their numbers.

    Raises:
        TrainingError: All texts are such.
    """
    if not len(empty):
        return
    found = f"such as {_quoted(examples.texts, empty)}"
    if len(empty) == len(examples):
        raise TrainingError(
            f"{examples.place}: expected texts with tokens that the model knows, found "
            f"{len(empty):,} without any, {found}"
        )
    lacking = counted(len(empty), "text has", "texts have")
    yield f"{examples.place}: {lacking} no token that the model knows, {found}"


def counted(count: int, singular: str, plural: str) -> str:
    """Spell a number of things.

    >>> counted(1, "text", "texts"), counted(2_000, "text", "texts")
    ('1 text', '2,000 texts')
    """
    return f"1 {singular}" if count == 1 else f"{count:,} {plural}"


def _differ(
    targets: Targets, rows: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the rows whose targets differ from the targets of the others."""
    if targets.kind == "sigmoid":
        apart = np.asarray((targets.values[rows] != targets.values[others]).sum(axis=1)).ravel() > 0
    elif targets.kind == "softmax":
        apart = targets.values[rows] != targets.values[others]
    else:
        apart = (targets.values[rows] != targets.values[others]).any(axis=1)
    return rows[apart]


def _quoted(texts: TextStore, rows: NDArray[np.int64]) -> str:
    shown = (
        text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        for text in texts.take(rows[:_NAMED])
    )
    return ", ".join(map(repr, shown))


def few_notes(targets: Targets, place: str) -> list[str]:
    """Return warnings of labels that cannot be held out."""
    if targets.kind != "softmax":
        return []
    single = [targets.labels[at] for at in np.flatnonzero(targets.counts() == 1)]
    if not single:
        return []
    names = ", ".join(f"{label!a:.40}" for label in single[:3])
    more = ", …" if len(single) > 3 else ""
    labels = counted(len(single), "label has", "labels have")
    return [f"{place}: {labels} one text and cannot be measured: {names}{more}"]
