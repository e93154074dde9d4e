"""Generate the conformance vectors and the examples in SPEC.md.

    python generate.py             writes vectors/ and the marked regions of SPEC.md
    python generate.py --check     writes nothing; fails if a byte would change

The script needs only the standard library. The token ids of texts come from recorded/, which
record_text.py writes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from generator.examples import fill
from generator.files import stored
from generator.invalid import invalid
from generator.requests import requests
from generator.text import text_files
from generator.valid import cases
from generator.valid_files import valid
from generator.valid_heads import heads_files
from generator.valid_optional import optional_files
from generator.valid_pieces import pieces_files
from generator.valid_space import space_files

HERE = Path(__file__).parent
VERSION = "1.0"


def vectors() -> dict[str, bytes]:
    """Generate every file of vectors/, by its path relative to vectors/."""
    made: dict[str, bytes] = {}

    def add(folder: str, name: str, notes: str, body: dict[str, Any], raw: bytes | None) -> None:
        path = f"{folder}/{name}"
        if f"{path}.json" in made:
            raise SystemExit(f"two cases are called {path}")
        head = {
            "schema": f"../../schema/{folder}.json",
            "generator": "generate.py",
            "version": VERSION,
            "notes": notes,
        }
        where = {}
        if raw is not None:
            where = stored(name, raw)
            if "file" in where:
                made[f"{path}.staticemb"] = raw
        made[f"{path}.json"] = (spell(head | where | body) + "\n").encode("ascii")

    kinds = (valid, optional_files, text_files, pieces_files, space_files, heads_files)
    for right in (right for kind in kinds for right in kind()):
        add("valid", right.name, right.notes, {"cases": list(cases(right))}, right.file.build())
    for wrong in invalid():
        flags = ["deferred"] if wrong.deferred else []
        case = {"id": f"invalid/{wrong.name}", "class": wrong.kind, "flags": flags}
        codes = {"code": wrong.code} | ({"also": list(wrong.also)} if wrong.also else {})
        add("invalid", wrong.name, wrong.notes, {"cases": [case | codes]}, wrong.raw)
    for kind, notes, asked in requests():
        add("requests", kind, notes, {"cases": asked}, None)
    return made


def spell(value: object, indent: int = 0) -> str:
    """Format JSON for people: short values and arrays of plain values stay on one line."""
    line = json.dumps(value)
    pad = " " * (indent + 1)
    if isinstance(value, dict) and (len(line) > 80 or "{" in line[1:]):
        members = (f"{pad}{json.dumps(k)}: {spell(v, indent + 1)}" for k, v in value.items())
        return "{\n" + ",\n".join(members) + f"\n{pad[1:]}}}"
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        items = (pad + spell(v, indent + 1) for v in value)
        return "[\n" + ",\n".join(items) + f"\n{pad[1:]}]"
    return line


def everything() -> dict[Path, bytes]:
    """Generate every file by its path, including SPEC.md."""
    made = vectors()
    files = {HERE / "vectors" / path: content for path, content in made.items()}
    spec = (HERE / "SPEC.md").read_text(encoding="utf-8")
    files[HERE / "SPEC.md"] = fill(spec, made).encode("utf-8")
    return files


def main() -> int:
    """Write the changed files and remove files without a case; with --check, only list them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail if a byte would change")
    check = parser.parse_args().check
    files = everything()
    stale = [path for path in (HERE / "vectors").rglob("*") if path.is_file() and path not in files]
    changed = [p for p, made in files.items() if not p.is_file() or p.read_bytes() != made]
    for path in sorted(changed + stale):
        what = "differs" if check else "written" if path in files else "removed"
        print(f"{what}: {path.relative_to(HERE)}")
    if check:
        return 1 if changed or stale else 0
    for path in stale:
        path.unlink()
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
