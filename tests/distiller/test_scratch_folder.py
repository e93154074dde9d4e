"""Temporary folders go with their process, even if it is killed."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from staticemb_distiller.scratch_folder import scratch_folder

HOLDER = """
import sys
from pathlib import Path
from staticemb_distiller.scratch_folder import scratch_folder
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "large").write_bytes(bytes(9999))
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(output):
    """A process that holds a folder, and the folder."""
    command = [sys.executable, "-c", HOLDER, str(output)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().strip())


def end(process):
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=60)


def test_a_folder_lies_beside_its_output_and_goes_with_the_block(tmp_path):
    with scratch_folder(tmp_path / "out") as folder:
        (folder / "file").touch()
        assert folder.parent == tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="/dev/null")
def test_an_output_that_is_no_file_takes_the_systems_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder(Path(os.devnull)) as folder:
        assert folder.parent == tmp_path


def test_an_error_leaves_nothing(tmp_path):
    def work():
        with scratch_folder(tmp_path / "out") as folder:
            (folder / "file").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9")
def test_the_next_run_removes_the_folder_of_a_killed_one_alone(tmp_path):
    killed, abandoned = holder(tmp_path / "out")
    living, used = holder(tmp_path / "other")
    foreign = tmp_path / ".staticemb-mine"
    foreign.mkdir()
    killed.kill()
    end(killed)
    assert (abandoned / "large").is_file()
    with scratch_folder(tmp_path / "out") as folder:
        assert not abandoned.exists()
        assert (used / "large").is_file()
        assert folder.exists()
    assert foreign.exists()
    end(living)
    assert [path.name for path in tmp_path.iterdir()] == [".staticemb-mine"]


def test_runs_at_the_same_time_keep_their_folders(tmp_path):
    failures = []

    def work():
        for _ in range(20):
            with scratch_folder(tmp_path / "out") as folder:
                (folder / "file").touch()
                if not (folder / "file").exists():
                    failures.append(folder)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert not list(tmp_path.iterdir())
