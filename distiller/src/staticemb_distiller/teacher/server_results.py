"""The vectors of a server, which cost money: kept on disk until a command's output is complete."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..output_file import check_folders, is_stream
from .cache import TEXTS, remove_vectors
from .open_teacher import is_server
from .text_encoder import StreamingEncoder

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


def checkpoint_of(teacher: object, output: str | os.PathLike[str]) -> Path | None:
    """Return the folder of a server's vectors, unless the user names another one.

    Args:
        teacher: The teacher, or its name.
        output: The output of the command.

    Returns:
        The output's path with `.checkpoint` after it; None for another teacher, and for an output
        that is no regular file.

    Example:
        >>> checkpoint_of("openai:http://localhost:8080/v1#e5", "mine.staticemb").name
        'mine.staticemb.checkpoint'
    """
    path = Path(output)
    if not (is_server(teacher) or isinstance(teacher, StreamingEncoder)) or is_stream(path):
        return None
    return Path(f"{path}.checkpoint")


@contextmanager
def paid_vectors(
    teacher: object, output: str | os.PathLike[str], cache: str | os.PathLike[str] | None
) -> Iterator[Path | None]:
    """Find the folder where a teacher's vectors are stored, for the time of a `with` block.

    The checkpoint of a server is removed at the end of the block. After an error it stays, so that
    the same command continues.

    Args:
        teacher: The teacher, or its name.
        output: The file that the block makes.
        cache: The user's own folder, which stays; None: none.

    Yields:
        The folder; None for a teacher that is no server, without a folder of the user's.

    Raises:
        OutputError: The folder cannot be written.
    """
    checkpoint = checkpoint_of(teacher, output)
    if cache is not None or checkpoint is None:
        yield None if cache is None else Path(cache)
        return
    check_folders(checkpoint)
    yield checkpoint / TEXTS
    remove_texts(checkpoint)


def remove_texts(checkpoint: Path) -> None:
    """Remove the vectors in a checkpoint, and its folders if nothing else is in them."""
    remove_vectors(checkpoint / TEXTS)
    with suppress(OSError):  # missing, or the folder has other files
        checkpoint.rmdir()
