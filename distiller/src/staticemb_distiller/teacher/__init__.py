"""Teachers: models, servers and functions that encode texts.

In: a folder, a Hub id, the address of a server, or a function; then texts. Out: the teacher's
vectors. Only a Sentence Transformer (`Teacher`) needs torch, which is imported on first use.
May use: all rooms up to `vocabulary`. Internal, but for `Teacher`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sentence_transformer import Teacher

__all__ = ["Teacher"]


def __getattr__(name: str) -> object:
    if name == "Teacher":
        from .sentence_transformer import Teacher

        return Teacher
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
