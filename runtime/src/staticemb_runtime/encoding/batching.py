"""Cut the texts that callers pass into slices of strings.

Every function that takes texts applies `check_texts`: texts are a string, or an ordered iterable of
strings. Classes of other libraries are recognized by their attributes, so that none of these
libraries is imported.
"""

from __future__ import annotations

import sys
from collections.abc import ItemsView, Iterable, KeysView, Mapping, Sequence, Set, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..errors import InvalidTextError
from ..format.surrogates import lone_surrogate

if TYPE_CHECKING:
    from collections.abc import Iterator

SLICE_CHARACTERS: Final = 1 << 22
TEXT_COLUMN: Final = "text"


class Batch(NamedTuple):
    """Consecutive texts.

    Attributes:
        start: the index of the first text in the whole input.
        texts: the texts.
    """

    start: int
    texts: list[str]


def size_hint(sentences: Iterable[Any]) -> int | None:
    """Return the number of texts, or None if it is unknown."""
    if not isinstance(sentences, Sized):
        return None
    try:
        return len(sentences)
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return None  # the class defines a length, but this object has none


def slices(sentences: object, size: int, prompt: str | None = None) -> Iterator[Batch]:
    """Cut texts into slices, reading at most one slice ahead.

    Args:
        sentences: any ordered iterable of strings.
        size: the maximum number of texts in a slice. A slice of several texts also holds at most
            `SLICE_CHARACTERS` characters, including the prompt of each text, to limit its memory.
        prompt: text to put before each text.

    Returns:
        An iterator over the slices, in order; none is empty.

    Raises:
        TypeError: `sentences` is not an ordered iterable, or the prompt is not a string. The
            iterator raises it for an element that is not a string, and names its index.
        InvalidTextError: the prompt holds a surrogate.
    """
    if prompt is None:
        prompt = ""
    if not isinstance(prompt, str):
        raise TypeError(f"prompt: expected a string, found {type(prompt).__name__}")
    if not prompt.isascii() and (surrogate := lone_surrogate(prompt)):
        raise InvalidTextError(f"prompt: expected valid Unicode, found {surrogate}")
    return _slices(iter(check_texts(sentences)), min(size, sys.maxsize), str.__str__(prompt))


def check_texts(sentences: object, name: str = "sentences") -> Iterable[Any]:
    """Check that an object may be an ordered iterable of texts.

    Args:
        sentences: the object.
        name: the parameter's name, for messages.

    Returns:
        The object; for an open file its lines without line ends.

    Raises:
        TypeError: the object is a table, a set or another unsuitable type. The message names the
            type and a replacement.
    """
    if isinstance(sentences, (list, tuple)):
        return sentences
    kind = type(sentences).__name__
    if isinstance(sentences, (bytes, bytearray, memoryview)):
        raise _refusal(name, kind, f"bytes({name}).decode()")
    if isinstance(sentences, np.ndarray):
        _check_array(sentences, name)
    elif _is_table(sentences):
        raise _refusal(name, f"{kind}, a table", _column(sentences, name))
    elif isinstance(sentences, Mapping):
        raise _refusal(name, kind, f"list({name}) for its keys, list({name}.values()) for the rest")
    elif isinstance(sentences, KeysView):
        raise _refusal(name, f"{kind}, a set", f"list({name})")
    elif isinstance(sentences, Set) and not isinstance(sentences, (Sequence, ItemsView)):
        raise _refusal(name, f"{kind}, which has no order", f"a list, such as sorted({name})")
    elif hasattr(sentences, "readline") and isinstance(sentences, Iterable):
        return map(_without_line_end, sentences)
    if not isinstance(sentences, Iterable):
        raise TypeError(f"{name}: expected a string or an iterable of strings, found {kind}")
    return sentences


def _without_line_end(line: object) -> object:
    return line.removesuffix("\n").removesuffix("\r") if isinstance(line, str) else line


def _refusal(name: str, found: str, instead: str) -> TypeError:
    return TypeError(
        f"{name}: expected a string or an iterable of strings, found {found}; pass {instead}"
    )


def _check_array(array: np.ndarray[Any, Any], name: str) -> None:
    names = array.dtype.names
    if names is not None:
        raise _refusal(name, "a structured array", f"one field, {name}[{names[0]!r}]")
    if array.ndim != 1:
        instead = f"{name}.item()" if array.ndim == 0 else f"one column or {name}.ravel()"
        raise _refusal(name, f"an array of shape {array.shape}", instead)


def _is_table(value: object) -> bool:
    """Return whether a value is a table of pandas, polars, pyarrow, datasets or the like."""
    kind = type(value)  # the object's properties may compute, or be columns of that name
    return hasattr(kind, "columns") or hasattr(kind, "column_names")


def _column(table: object, name: str) -> str:
    """Return the Python expression for a table's texts."""
    if hasattr(type(table), "collect"):  # a lazy query; reading its columns would run it
        return f"one column, {name}.collect()[{TEXT_COLUMN!r}]"
    names = getattr(table, "column_names", None)
    if names is None:
        names = getattr(table, "columns", None)
    known = list(names) if isinstance(names, Iterable) else []
    column = TEXT_COLUMN if TEXT_COLUMN in known or not known else known[0]
    return f"one column, {name}[{column!r}]"


def _slices(source: Iterator[Any], size: int, prompt: str) -> Iterator[Batch]:
    start = 0
    while texts := list(islice(source, size)):
        if set(map(type, texts)) != {str}:
            texts = [_string(text, start + i) for i, text in enumerate(texts)]
        for part in _by_characters(texts, len(prompt)):
            yield Batch(start, [prompt + text for text in part] if prompt else part)
            start += len(part)


def _string(text: object, index: int) -> str:
    if not isinstance(text, str) and hasattr(text, "as_py"):  # an element of a pyarrow array
        text = text.as_py()
    if not isinstance(text, str):
        raise TypeError(f"text {index}: expected a string, found {_spell(text)}")
    return str.__str__(text)  # str() of an enumeration's member is its name


def _spell(value: object) -> str:
    """Describe a value that is not a text, and its replacement."""
    name = type(value).__name__
    nan = isinstance(value, (float, np.floating)) and value != value
    if nan or value is None or name in ("NAType", "NaTType"):  # the last two are from pandas
        return f"{name}, a missing value ({value!r}); drop it, or pass '' in its place"
    if isinstance(value, (bytes, bytearray)):
        return f"{name}; decode it, or open the file as text"
    if isinstance(value, Mapping):
        key = TEXT_COLUMN if TEXT_COLUMN in value else next(iter(value), TEXT_COLUMN)
        return f"{name}; pass [element[{key!r}] for element in sentences]"
    return name


def _by_characters(texts: list[str], prompt_size: int) -> Iterator[list[str]]:
    """Cut texts into parts of `SLICE_CHARACTERS`; each text counts with its prompt."""
    if sum(map(len, texts)) + prompt_size * len(texts) <= SLICE_CHARACTERS:
        yield texts
        return
    begin = characters = 0
    for index, text in enumerate(texts):
        size = prompt_size + len(text)
        if index > begin and characters + size > SLICE_CHARACTERS:
            yield texts[begin:index]
            begin, characters = index, 0
        characters += size
    yield texts[begin:]
