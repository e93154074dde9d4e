"""SHA-256 of files and folders, as `sha256sum` has it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def listing_sha256(folder: Path, files: Iterable[Path]) -> str:
    """The SHA-256 of what `sha256sum` prints for files, named as seen from a folder.

    Args:
        folder: Where they are seen from.
        files: Files in it or below, in the order in which they are listed.

    Raises:
        OSError: A file cannot be read.
    """
    sha = hashlib.sha256()
    for file in files:
        line = f"{file_sha256(file)}  {file.relative_to(folder).as_posix()}\n"
        sha.update(line.encode(errors="surrogateescape"))
    return sha.hexdigest()
