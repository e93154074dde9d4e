"""The command `staticemb`, a module for each subcommand, and code that both wheels' commands share.

In: the arguments of a process. Out: its exit status; results on standard output.
May use: all other packages. Public: the names below, which are fast to import.
"""

from .index_options import PASSAGE_CHARACTERS, add_index_options
from .parser import CommandParser, parse_command
from .process import printable, run_command

__all__ = [
    "PASSAGE_CHARACTERS",
    "CommandParser",
    "add_index_options",
    "parse_command",
    "printable",
    "run_command",
]
