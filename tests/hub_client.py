"""Programs that talk to the stand-in for the Hub: each runs in a process of its own.

huggingface_hub reads its settings when it is imported, and the tests' own process is offline.
"""

import json
import os
import subprocess
import sys

from hub_server import WRITER

NOWHERE = "http://127.0.0.1:9"


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


def run(program, argument, cache, endpoint=NOWHERE, *, offline=False, token=None):
    """Run a program that reads JSON from standard input; its last line of output is JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(argument),
        env=environment(cache, endpoint, offline=offline, token=token),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def command(*arguments, cache, endpoint=NOWHERE, offline=False, token=WRITER):
    """Run `staticemb-distiller`."""
    return subprocess.run(
        [sys.executable, "-m", "staticemb_distiller.cli", *map(str, arguments)],
        env=environment(cache, endpoint, offline=offline, token=token),
        capture_output=True,
        text=True,
        check=False,
    )
