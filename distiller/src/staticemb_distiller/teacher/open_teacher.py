"""Open a teacher of any kind by its name, its address or its function."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..errors import TeacherError
from .server_spec import PREFIX

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from .text_encoder import TextEncoder

TeacherSpec: TypeAlias = "str | os.PathLike[str] | TextEncoder | Callable[..., Any]"
"""A folder, a Hub id, `openai:URL#MODEL`, an open teacher, or a function."""


def is_server(spec: object) -> bool:
    """Tell whether a name is the address of a server: `openai:URL#MODEL`."""
    return isinstance(spec, str) and spec.startswith(PREFIX)


def is_teacher(spec: object) -> bool:
    """Tell whether an object is a teacher, not the name of one."""
    return hasattr(spec, "encode") and hasattr(spec, "about") and hasattr(spec, "dim")


def open_teacher(
    spec: TeacherSpec,
    *,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    tokenizer: Tokenizer | None = None,
) -> TextEncoder:
    """Open a teacher. Only a folder and a Hub id import torch.

    Args:
        spec: A local folder or a Hub id; `openai:URL#MODEL` for a server (`ServerSpec`); a function
            from a list of texts to an array (`FunctionTeacher`); or a teacher, which is returned.
        revision: As for `Teacher.load`.
        device: As for `Teacher.load`.
        dtype: As for `Teacher.load`.
        trust_remote_code: As for `Teacher.load`.
        tokenizer: The tokenizer of a server's model, or of the model behind a function.

    Raises:
        TeacherError: The teacher cannot be opened; each cause has a subclass.

    Example:
        >>> open_teacher(lambda texts: [[1.0, 2.0] for _ in texts]).dim
        2
    """
    if is_server(spec):
        from .server import ServerTeacher

        return ServerTeacher(str(spec), tokenizer=tokenizer)
    if isinstance(spec, str | os.PathLike):
        from .sentence_transformer import Teacher

        return Teacher.load(
            os.fspath(spec),
            revision=revision,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
        )
    if is_teacher(spec):
        return cast("TextEncoder", spec)
    # An open SentenceTransformer can be called, but not with texts.
    if callable(spec) and not hasattr(spec, "encode"):
        from .function import FunctionTeacher

        return FunctionTeacher(spec, tokenizer=tokenizer)
    raise TeacherError(
        "teacher: expected a folder, a Hub id, openai:URL#MODEL, a teacher or a function, found "
        f"{type(spec).__name__}"
    )
