"""What callers pass as texts, turned into slices of strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SLICE_CHARACTERS: Final = 1 << 22


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
    return len(sentences) if isinstance(sentences, Sized) else None


def slices(sentences: object, size: int, prompt: str | None = None) -> Iterator[Slice]:
    """Cut texts into slices, reading no further ahead than one slice.

    Args:
        sentences: any iterable of strings.
        size: texts a slice at most. A slice also ends before it holds more than `SLICE_CHARACTERS`
            characters, so that its tokens need no more memory than that, or one text, explains.
        prompt: put before each text.

    Returns:
        An iterator over the slices, in order; none is empty.

    Raises:
        TypeError: the whole is nothing to take texts from, or the prompt is no string; once it is
            reached: an element is no string; the message names its index and type.
    """
    if prompt is not None and not isinstance(prompt, str):
        raise TypeError(f"prompt: expected a string, found {type(prompt).__name__}")
    if isinstance(sentences, (bytes, bytearray, memoryview, Mapping)) or not isinstance(
        sentences, Iterable
    ):
        found = type(sentences).__name__
        raise TypeError(f"sentences: expected a string or an iterable of strings, found {found}")
    return _slices(iter(sentences), size, prompt)


def _slices(source: Iterator[Any], size: int, prompt: str | None) -> Iterator[Slice]:
    start = 0
    while texts := list(islice(source, size)):
        if set(map(type, texts)) != {str}:
            texts = [_string(text, start + i) for i, text in enumerate(texts)]
        if prompt:
            texts = [prompt + text for text in texts]
        for part in _by_characters(texts):
            yield Slice(start, part)
            start += len(part)


def _string(text: object, index: int) -> str:
    if not isinstance(text, str):
        raise TypeError(f"text {index}: expected a string, found {type(text).__name__}")
    return str(text)


def _by_characters(texts: list[str]) -> Iterator[list[str]]:
    if sum(map(len, texts)) <= SLICE_CHARACTERS:
        yield texts
        return
    begin = characters = 0
    for index, text in enumerate(texts):
        if index > begin and characters + len(text) > SLICE_CHARACTERS:
            yield texts[begin:index]
            begin, characters = index, 0
        characters += len(text)
    yield texts[begin:]
