"""Run the blocks of a page one after the other, as a reader would who goes from top to bottom.

Blocks of shell commands run in the current folder. Blocks of Python share their names, as in one
session. On standard input: a JSON list of [language, code, place, folder].
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_page(page, blocks, folder, env):
    """Run the blocks of a page in a process of its own, which must end well."""
    session = [
        (b.language, b.code, f"{page}:{b.line}", str(ROOT if b.in_clone else folder))
        for b in blocks
    ]
    done = subprocess.run(
        [sys.executable, __file__],
        cwd=folder,
        env=env,
        input=json.dumps(session),
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def main():
    names = {"__name__": "__main__"}
    for language, code, place, folder in json.load(sys.stdin):
        print(f"== {place}", file=sys.stderr, flush=True)
        if language == "python":
            exec(compile(code, place, "exec"), names)
            sys.stdout.flush()
        else:
            command = ["bash", "-euo", "pipefail", "-c", code]
            subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
