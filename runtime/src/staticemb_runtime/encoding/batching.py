"""What callers pass as texts, turned into slices of strings.

Every function that takes texts applies the rule of `check_texts`: texts are a string, or an
iterable of strings in an order. Classes of other libraries are recognized by their attributes, so
that none of these libraries is imported.
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


class Slice(NamedTuple):
    """Consecutive texts.

    Attributes:
        start: the number of the first one in the whole input.
        texts: the texts.
    """

    start: int
    texts: list[str]


def size_hint(sentences: Iterable[Any]) -> int | None:
    """How many texts there will be, where that is known beforehand."""
    if not isinstance(sentences, Sized):
        return None
    try:
        return len(sentences)
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return None  # a class that has a length in general, and not here


def slices(sentences: object, size: int, prompt: str | None = None) -> Iterator[Slice]:
    """Cut texts into slices, reading no further ahead than one slice.

    Args:
        sentences: any iterable of strings.
        size: texts a slice at most. A slice also ends before it holds more than `SLICE_CHARACTERS`
            characters, the prompt counted with each text, so that neither its strings nor its
            tokens need more memory than that, or one text, explains.
        prompt: put before each text.

    Returns:
        An iterator over the slices, in order; none is empty.

    Raises:
        TypeError: `sentences` is not an iterable of texts in an order, or the prompt is not a
            string; once it is reached: an element is not a string; the message names its index.
        InvalidTextError: the prompt holds a surrogate.
    """
    if prompt is None:
        prompt = ""
    if not isinstance(prompt, str):
        raise TypeError(f"prompt: expected a string, found {type(prompt).__name__}")
    if not prompt.isascii() and (found := lone_surrogate(prompt)):
        raise InvalidTextError(f"prompt: expected valid Unicode, found {found}")
    return _slices(iter(check_texts(sentences)), min(size, sys.maxsize), str.__str__(prompt))


def check_texts(sentences: object) -> Iterable[Any]:
    """Check that an object may be an iterable of texts whose order says which text is which.

    Returns:
        The object; for an open file its lines without their ends.

    Raises:
        TypeError: it is not. The message names what was found and what to pass in its place.
    """
    if isinstance(sentences, (list, tuple)):
        return sentences
    name = type(sentences).__name__
    if isinstance(sentences, (bytes, bytearray, memoryview)):
        raise _refusal(name, "bytes(sentences).decode()")
    if isinstance(sentences, np.ndarray):
        _check_array(sentences)
    elif _is_table(sentences):
        raise _refusal(f"{name}, a table", _column(sentences))
    elif isinstance(sentences, Mapping):
        raise _refusal(name, "list(sentences) for its keys, list(sentences.values()) for the rest")
    elif isinstance(sentences, KeysView):
        raise _refusal(f"{name}, a set", "list(sentences)")
    elif isinstance(sentences, Set) and not isinstance(sentences, (Sequence, ItemsView)):
        raise _refusal(f"{name}, which has no order", "a list, such as sorted(sentences)")
    elif hasattr(sentences, "readline") and isinstance(sentences, Iterable):
        return map(_without_end, sentences)
    if not isinstance(sentences, Iterable):
        raise TypeError(f"sentences: expected a string or an iterable of strings, found {name}")
    return sentences


def _without_end(line: object) -> object:
    """A line of an open file without the characters that end it."""
    return line.removesuffix("\n").removesuffix("\r") if isinstance(line, str) else line


def _refusal(found: str, instead: str) -> TypeError:
    return TypeError(
        f"sentences: expected a string or an iterable of strings, found {found}; pass {instead}"
    )


def _check_array(array: np.ndarray[Any, Any]) -> None:
    names = array.dtype.names
    if names is not None:
        raise _refusal("a structured array", f"one field, sentences[{names[0]!r}]")
    if array.ndim != 1:
        instead = "sentences.item()" if array.ndim == 0 else "one column or sentences.ravel()"
        raise _refusal(f"an array of shape {array.shape}", instead)


def _is_table(value: object) -> bool:
    """Whether it is a table: of pandas, polars, pyarrow, datasets or any library like them."""
    kind = type(value)  # not the object: a property might compute, or a table have such a column
    return hasattr(kind, "columns") or hasattr(kind, "column_names")


def _column(table: object) -> str:
    """The expression for a table's texts."""
    if hasattr(type(table), "collect"):  # a query that has not run; asking for its columns runs it
        return f"one column, sentences.collect()[{TEXT_COLUMN!r}]"
    names = getattr(table, "column_names", None)
    if names is None:
        names = getattr(table, "columns", None)
    known = list(names) if isinstance(names, Iterable) else []
    name = TEXT_COLUMN if TEXT_COLUMN in known or not known else known[0]
    return f"one column, sentences[{name!r}]"


def _slices(source: Iterator[Any], size: int, prompt: str) -> Iterator[Slice]:
    start = 0
    while texts := list(islice(source, size)):
        if set(map(type, texts)) != {str}:
            texts = [_string(text, start + i) for i, text in enumerate(texts)]
        for part in _by_characters(texts, len(prompt)):
            yield Slice(start, [prompt + text for text in part] if prompt else part)
            start += len(part)


def _string(text: object, index: int) -> str:
    if not isinstance(text, str) and hasattr(text, "as_py"):  # an element of a pyarrow array
        text = text.as_py()
    if not isinstance(text, str):
        raise TypeError(f"text {index}: expected a string, found {_spell(text)}")
    return str.__str__(text)  # str() of an enumeration's member is its name


def _spell(value: object) -> str:
    """What stands in place of a text, and what to do about it."""
    name = type(value).__name__
    nan = isinstance(value, (float, np.floating)) and value != value
    if nan or value is None or name in ("NAType", "NaTType"):  # the last two are of pandas
        return f"{name}, a missing value ({value!r}); drop it, or pass '' in its place"
    if isinstance(value, (bytes, bytearray)):
        return f"{name}; decode it, or open the file as text"
    if isinstance(value, Mapping):
        key = TEXT_COLUMN if TEXT_COLUMN in value else next(iter(value), TEXT_COLUMN)
        return f"{name}; pass [element[{key!r}] for element in sentences]"
    return name


def _by_characters(texts: list[str], more: int) -> Iterator[list[str]]:
    """Cut texts into parts; each text counts `more` characters beside its own."""
    if sum(map(len, texts)) + more * len(texts) <= SLICE_CHARACTERS:
        yield texts
        return
    begin = characters = 0
    for index, text in enumerate(texts):
        size = more + len(text)
        if index > begin and characters + size > SLICE_CHARACTERS:
            yield texts[begin:index]
            begin, characters = index, 0
        characters += size
    yield texts[begin:]
