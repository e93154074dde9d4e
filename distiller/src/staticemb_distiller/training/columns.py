"""The layout of a source's columns: named by the user, or recognized by names and contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ..corpus.records import Record
from ..errors import TextSourceError, TrainingError

Kind = Literal["pairs", "triplets", "scored", "labeled"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES = ("anchor", "positive", "negative", "score", "label", "text")

_NAMES: dict[str, tuple[str, ...]] = {
    "anchor": ("anchor", "query", "question", "sentence1", "sentence_1", "sentence_a", "text1"),
    "positive": (
        *("positive", "pos", "answer", "passage", "document", "context"),
        *("sentence2", "sentence_2", "sentence_b", "text2"),
    ),
    "negative": ("negative", "neg", "hard_negative"),  # and negative_1, negative_2, …
    "score": ("score", "scores", "similarity", "similarity_score", "relatedness_score"),
    "label": ("label", "labels", "class", "category", "intent"),
    "text": ("text", "sentence"),
}
_NEEDED: dict[Kind, tuple[str, ...]] = {
    "pairs": ("anchor", "positive"),
    "triplets": ("anchor", "positive", "negative"),
    "scored": ("anchor", "positive", "score"),
    "labeled": ("text", "label"),
}
_TEXTS: dict[Kind, int] = {"pairs": 2, "triplets": 3, "scored": 2, "labeled": 1}


@dataclass(frozen=True)
class Layout:
    """The columns that an example is made from.

    Attributes:
        kind: The kind of the examples.
        texts: The text columns: anchor, positive and negatives; for kind labeled, one column.
        target: The column of the score or the label; None if the kind has neither.
    """

    kind: Kind
    texts: tuple[str, ...]
    target: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return self.texts if self.target is None else (*self.texts, self.target)

    def __str__(self) -> str:
        names = ["text"] if self.kind == "labeled" else ["anchor", "positive", "negative"]
        names += ["negative"] * len(self.texts)
        parts = [
            f"{name} = {_quoted(column)}" for name, column in zip(names, self.texts, strict=False)
        ]
        if self.target is not None:
            name = "label" if self.kind == "labeled" else "score"
            parts.append(f"{name} = {_quoted(self.target)}")
        return f"{self.kind}: {', '.join(parts)}"


def is_header(cells: Sequence[str], named: Iterable[str]) -> bool:
    """Decide whether a table's first row names its columns.

    It does if a cell is a well-known column name, or if the user named columns by words.
    """
    if any(not name.isdecimal() for name in named):
        return True
    return any(_role(cell) is not None for cell in cells)


def named_layout(place: str, roles: Mapping[str, tuple[str, ...]], kind: Kind | None) -> Layout:
    """Build the layout from the columns that the user named.

    Args:
        place: The source, for messages.
        roles: The columns of each named role; at least one role.
        kind: The kind if the user named it.

    Raises:
        TrainingError: The roles match no kind of examples, or another kind than `kind`.
    """
    needed = {frozenset(names): name for name, names in _NEEDED.items()}
    matched = needed.get(frozenset(roles))
    if matched is None or kind not in (None, matched):
        expected = _NEEDED[kind] if kind else "anchor and positive, or text and label"
        expected = expected if isinstance(expected, str) else ", ".join(expected)
        raise TrainingError(f"{place}: expected {expected}, found {', '.join(sorted(roles))}")
    for role, columns in roles.items():
        if len(columns) != 1 and role != "negative":
            raise TrainingError(
                f"{place}: expected one column as {role}, found {', '.join(columns) or 'none'}"
            )
    if matched == "labeled":
        return Layout(matched, roles["text"], roles["label"][0])
    texts = (*roles["anchor"], *roles["positive"], *roles.get("negative", ()))
    return Layout(matched, texts, roles["score"][0] if matched == "scored" else None)


def recognized(where: str, record: Record, kind: Kind | None) -> Layout:
    """Recognize the layout from the first row.

    Columns with well-known names have the role of their name. A single column of numbers in a
    table without a header is the score or the label. The texts are the other columns that hold text
    and no number, in order.

    Args:
        where: The row's file and line, for messages.
        record: The row.
        kind: The kind if the user named it.

    Raises:
        TrainingError: There are too few columns, or the layout is ambiguous.
    """
    names = [name for name in record if name]
    numbered = names == [str(place) for place, _ in enumerate(names, 1)]
    role = {name: _role(name) for name in names}
    numbers = [name for name in names if _is_number(record[name])]
    scores = [name for name in names if role[name] == "score"]
    labels = [name for name in names if role[name] == "label"]
    if numbered and len(numbers) == 1 and 1 < len(names) < 4:
        scores = labels = numbers
    texts = _texts(record, kind, {*scores, *labels})
    requested = kind
    if kind is None:
        kind = _kind(texts, scores, labels, record)
    if kind == "labeled" and not labels and numbered and len(names) == 2:
        labels, texts = names[:1], names[1:]
    targets = labels if kind == "labeled" else scores or labels
    if kind in ("scored", "labeled") and not targets:
        raise TrainingError(
            f"{where}: expected a column with a {'label' if kind == 'labeled' else 'score'}, "
            f"found columns {', '.join(names)}"
        )
    least = _TEXTS[kind] if kind else 2
    if len(texts) < least:
        raise TrainingError(
            f"{where}: expected {least} columns of text{f' for {kind}' if kind else ''}, "
            f"found {len(texts)} (columns {', '.join(names) or 'none'})"
        )
    certain = numbered or all(role[name] is not None for name in texts)
    extra = len(texts) > (2 if kind == "triplets" else least)
    if kind is None or (extra and not certain and requested != "triplets"):
        raise TrainingError(
            f"{where}: the columns are ambiguous; name them, such as "
            f"anchor={texts[0]},positive={texts[1]}; found {', '.join(names)}"
        )
    text_columns = tuple(texts if kind == "triplets" else texts[:least])
    return Layout(kind, text_columns, targets[0] if kind in ("scored", "labeled") else None)


def check_columns(where: str, record: Record, layout: Layout) -> None:
    """Check that a row has the layout's columns.

    Raises:
        TextSourceError: A column is missing.
    """
    for name in layout.columns:
        if name not in record:
            names = ", ".join(record) or "none"
            raise TextSourceError(f"{where}: expected a column {name!r}, found {names}")


def _quoted(column: str) -> str:
    return f"column {column}" if column.isdecimal() else repr(column)


def _role(name: str) -> str | None:
    name = name.strip().lower()
    for role, names in _NAMES.items():
        if name in names:
            return role
    stem, _, number = name.rpartition("_")
    return "negative" if stem in _NAMES["negative"] and number.isdecimal() else None


def _texts(record: Record, kind: Kind | None, targets: set[str]) -> list[str]:
    """List the columns that may be texts: by well-known names, or all columns that hold text."""
    role = {name: _role(name) for name in record}
    roles = set(role.values())
    if kind in (None, "labeled") and targets and "text" in roles and "positive" not in roles:
        return [name for name in record if role[name] == "text"]
    known = [
        [name for name in record if role[name] == text_role]
        for text_role in ("anchor", "positive", "negative")
    ]
    if known[0] and known[1] and kind != "labeled":
        return [known[0][0], known[1][0], *known[2]]
    texts = [name for name in record if name not in targets and isinstance(record[name], str)]
    words = [name for name in texts if not _is_number(record[name])]
    return words if len(words) >= (_TEXTS[kind] if kind else 2) or targets else texts


def _kind(
    texts: Sequence[str], scores: Sequence[str], labels: Sequence[str], record: Record
) -> Kind | None:
    if len(texts) == 1:
        return "labeled" if labels else None
    if scores or (labels and len(texts) == 2 and _is_number(record[labels[0]])):
        return "scored"
    if len(texts) == 2:
        return "pairs"
    return "triplets" if len(texts) > 2 else None


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, (int, float)) and not isinstance(value, bool)
