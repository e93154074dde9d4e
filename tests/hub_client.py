"""Programs that talk to the stand-in for the Hub: each runs in a process of its own.

huggingface_hub reads its settings when it is imported, and the tests' own process is offline.
"""

import json
import os
import subprocess
import sys

NOWHERE = "http://127.0.0.1:9"

_COMMANDS = """
import contextlib, io, json, os, sys
from staticemb_distiller.cli.main import main
done = []
for token, arguments in json.load(sys.stdin):
    os.environ.pop("HF_TOKEN", None)
    os.environ.update({"HF_TOKEN": token} if token else {})
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    done.append((status, out.getvalue(), err.getvalue()))
print(json.dumps(done))
"""


def environment(cache, endpoint=NOWHERE, *, offline=False, token=None):
    """The environment of a process whose Hub is at `endpoint` and whose cache is a folder."""
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_OFFLINE": "1" if offline else "0",
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "127.0.0.1",
    }
    inherited = {name: value for name, value in os.environ.items() if name != "HF_TOKEN"}
    return {**inherited, **settings, **({"HF_TOKEN": token} if token else {})}


def run(program, argument, cache, endpoint=NOWHERE, *, offline=False):
    """Run a program that reads JSON from standard input; its last line of output is JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(argument),
        env=environment(cache, endpoint, offline=offline),
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def commands(*cases, cache, endpoint=NOWHERE, offline=False):
    """Run `staticemb-distiller` with one list of arguments after another, in one process.

    Args:
        cases: (token or None, arguments).

    Returns:
        (status, standard output, standard error) of each.
    """
    listed = [[token, [str(argument) for argument in arguments]] for token, arguments in cases]
    return run(_COMMANDS, listed, cache, endpoint, offline=offline)
