"""Distillation as its users run it: real processes, stopped, killed, out of space."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from distiller import teachers
from staticemb_runtime import StaticModel

COMMAND = [sys.executable, "-m", "staticemb_distiller", "distill"]
# Some thousand of the real teacher's tokens: several blocks of seconds each.
FEWER = ["--remove", r"\[unused\d+\]|##|[^a-e]", "--device", "cpu"]
HALFWAY_SECONDS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(teachers.build("bert", tmp_path_factory.mktemp("bert")))


def start(*arguments, **options):
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def wait_for_first_block(process, checkpoint):
    end = time.monotonic() + HALFWAY_SECONDS
    while not list(checkpoint.glob("block-*.npy")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_distilled_file_embeds_text(folder, tmp_path):
    few = ["--limit", "100", "--device", "cpu"]
    process = start(folder, "-o", tmp_path / "m.staticemb", "--dims", "16", *few)
    _, err = process.communicate()
    assert process.returncode == 0, err
    model = StaticModel.load(tmp_path / "m.staticemb")
    vectors = model.encode(["the cat sat on the mat", "the mat sat on the cat", "Deutschland", ""])
    assert vectors.shape == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_stopped_run_leaves_no_file(minilm, tmp_path, number, status):
    checkpoint = tmp_path / "checkpoint"
    out = tmp_path / "out"
    out.mkdir()
    process = start(minilm, "-o", out / "m", "--checkpoint", checkpoint, *FEWER)
    wait_for_first_block(process, checkpoint)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == status
    assert not list(out.iterdir())
    assert "Traceback" not in err


@pytest.mark.file_size_limit
def test_a_full_disk_is_one_line_and_leaves_nothing(folder, tmp_path):
    resource = pytest.importorskip("resource")

    def no_space():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    process = start(
        *[
            folder,
            "-o",
            tmp_path / "m",
            "--dims",
            "16",
            "--fit",
            "none",
            "--device",
            "cpu",
            "--quiet",
        ],
        preexec_fn=no_space,
    )
    _, err = process.communicate()
    assert process.returncode == 2
    assert len(err.strip().splitlines()) == 1
    assert "cannot be written" in err
    assert not list(tmp_path.iterdir())
