"""Digests of texts, and of files and folders: SHA-256, as by `sha256sum`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def text_digest(text: str, *, key: bytes = b"") -> int:
    """Return a text's digest of 64 bits (BLAKE2b), for tables of many texts.

    Args:
        text: The text; half a surrogate pair is allowed.
        key: Another key gives other digests.

    >>> text_digest("a") == text_digest("a"), text_digest("a") == text_digest("b")
    (True, False)
    """
    data = text.encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=key).digest(), "big")


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
