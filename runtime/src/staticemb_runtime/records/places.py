"""The places of texts in their input, such as files and lines, in errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import InvalidTextError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def placed(place: Callable[[int], str]) -> Iterator[None]:
    """Replace a text's index in an error of `encode` by its place in the input."""
    try:
        yield
    except InvalidTextError as error:
        if error.index is None:
            raise
        raise InvalidTextError(f"{place(error.index)}: {error.reason}") from None
