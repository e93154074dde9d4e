"""The command `staticemb`, a module for each subcommand, and code that both wheels' commands share.

In: the arguments of a process. Out: its exit status; results on standard output.
May use: all other packages. Public: the names below, which are fast to import.
"""

from .parser import CommandParser, parse_command
from .process import printable, run_command

__all__ = ["CommandParser", "parse_command", "printable", "run_command"]
