"""The code blocks of a page in Markdown, and why some of them are not run."""

import re
from dataclasses import dataclass

COMMANDS = ("sh", "console", "bash", "python")
"""Languages whose blocks a reader runs; others (toml, json, text) are to be read."""

_FENCE = re.compile(r"(`{3,})(\w*)\s*")
_NOT_RUN = re.compile(r"<!-- not run: (\S.*) -->")
_IN_CLONE = "<!-- run in: the clone -->"
_IN_INTEGRATIONS = "<!-- run in: make test-integrations -->"


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: what the fence says.
        code: the lines between the fences.
        line: the number of the opening fence's line.
        not_run: the reason given right before it, or "".
        in_clone: whether the line before says that it runs in a clone of the repository.
        in_integrations: whether it says that it needs the packages of `make test-integrations`.
    """

    language: str
    code: str
    line: int
    not_run: str
    in_clone: bool = False
    in_integrations: bool = False


def blocks(text):
    """The fenced blocks of a Markdown text, in order."""
    found, before, inside = [], "", None
    for number, line in enumerate(text.splitlines(), 1):
        if inside is None:
            fence = _FENCE.fullmatch(line)
            if fence:
                mark = before.strip()
                reason = _NOT_RUN.fullmatch(mark)
                places = (mark == _IN_CLONE, mark == _IN_INTEGRATIONS)
                inside = (fence[1], fence[2], number, reason[1] if reason else "", *places)
                lines = []
            elif line.strip():
                before = line
        elif line.rstrip() == inside[0]:
            _, language, start, *marks = inside
            found.append(Block(language, "".join(f"{line}\n" for line in lines), start, *marks))
            inside, before = None, ""
        else:
            lines.append(line)
    assert inside is None, f"line {inside[2]}: the block has no end"
    return found
