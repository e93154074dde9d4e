"""SHA-256 digests of files and folders, equal to those of `sha256sum`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def listing_sha256(folder: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 of the output of `sha256sum` for files, named relative to a folder.

    Args:
        folder: The folder.
        files: Files in the folder or its subfolders, in the order of the output.

    Raises:
        OSError: A file cannot be read.
    """
    sha = hashlib.sha256()
    for file in files:
        line = f"{file_sha256(file)}  {file.relative_to(folder).as_posix()}\n"
        sha.update(line.encode(errors="surrogateescape"))
    return sha.hexdigest()
