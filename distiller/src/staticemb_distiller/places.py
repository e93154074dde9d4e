"""What a name that a user gives leads to. A name that no file can have leads nowhere.

The methods of `Path` raise where a name is too long, or lies in a folder that may not be read.
"""

from __future__ import annotations

import os


def is_there(name: str | os.PathLike[str]) -> bool:
    """Whether there is anything of that name."""
    return os.path.exists(name)  # noqa: PTH110 - see above


def is_file(name: str | os.PathLike[str]) -> bool:
    """Whether there is a regular file of that name."""
    return os.path.isfile(name)  # noqa: PTH113


def is_folder(name: str | os.PathLike[str]) -> bool:
    """Whether there is a folder of that name."""
    return os.path.isdir(name)  # noqa: PTH112
