"""Run the blocks of a page one after the other, as a reader would who goes from top to bottom.

Blocks of shell commands run in the current folder. Blocks of Python share their names, as in one
session. On standard input: a JSON list of [language, code, place, folder].
"""

import json
import subprocess
import sys


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
