"""The command `staticemb`, a module for each subcommand, and what both wheels' commands share.

In: the arguments of a process. Out: its exit status; results on standard output.
May use: everything else. Public: the names below, which import nothing slow.
"""

from .parser import CommandParser, parse_command
from .process import printable, run_command

__all__ = ["CommandParser", "parse_command", "printable", "run_command"]
