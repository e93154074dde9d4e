"""The command `staticemb`, a module for each subcommand, and code that both wheels' commands share.

In: the arguments of a process. Out: its exit status; results on standard output.
May use: all rooms up to `serve`. Public: the names below, for the distiller's command. Importing
this package is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .index_options import (
    PASSAGE_CHARACTERS,
    add_file_options,
    add_index_options,
    existing_index,
    new_index_options,
)
from .parser import CommandParser, parse_command
from .process import printable, run_command

if TYPE_CHECKING:
    from .file_indexing import FileDocument, FileIndexing
    from .sources import add_sources

__all__ = [
    "PASSAGE_CHARACTERS",
    "CommandParser",
    "FileDocument",
    "FileIndexing",
    "add_file_options",
    "add_index_options",
    "add_sources",
    "existing_index",
    "new_index_options",
    "parse_command",
    "printable",
    "run_command",
]

# These modules import numpy. A command installs its signal handlers before that import.
_LAZY = {
    "FileDocument": ".file_indexing",
    "FileIndexing": ".file_indexing",
    "add_sources": ".sources",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name], __name__), name)
