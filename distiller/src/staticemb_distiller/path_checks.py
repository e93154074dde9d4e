"""Tests of path names that a user gives. For an invalid path name, every test returns False.

The methods of `Path` raise an error if a name is too long or its folder is unreadable.
"""

from __future__ import annotations

import os


def exists(name: str | os.PathLike[str]) -> bool:
    """Return whether the path exists."""
    return os.path.exists(name)  # noqa: PTH110 - see above


def is_file(name: str | os.PathLike[str]) -> bool:
    """Return whether the path is a regular file."""
    return os.path.isfile(name)  # noqa: PTH113


def is_folder(name: str | os.PathLike[str]) -> bool:
    """Return whether the path is a folder."""
    return os.path.isdir(name)  # noqa: PTH112
