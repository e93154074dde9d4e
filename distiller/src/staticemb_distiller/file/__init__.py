"""The static embedding file: written by SPEC.md, and checked with the runtime.

In: `Parts` and `Settings`. Out: a complete file, or no file. The writer imports no reader. The part
`space` is written and read by `space.py`.
May use: all rooms up to `table`. Internal.
"""

from ..table.parts import Parts
from .writer import Settings, serialize, write

__all__ = ["Parts", "Settings", "serialize", "write"]
