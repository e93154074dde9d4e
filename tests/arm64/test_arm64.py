"""The runtime on Arm, emulated: `STATICEMB_ARM64=1`, or `make arm64`."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from end_to_end.lambda_runtime_api import Function
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.cli.main import main
from strategies import word_level_tokenizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "STATICEMB_ARM64" not in os.environ, reason="takes minutes and downloads: STATICEMB_ARM64=1"
    ),
]
CACHE = Path(os.environ.get("ARM_CACHE", ROOT / "build" / "arm"))
PYTHON = "3.11"  # that of the emulated system


def run_script(arm, *arguments):
    script = str(Path(__file__).with_name("run.sh"))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"ARM": arm, "PYTHON": sys.executable, "ARM_CACHE": str(CACHE)}
    subprocess.run(["sh", script, *arguments], env=environment, check=True)


@pytest.mark.parametrize("arm", ["arm64", "armhf"])
def test_conformance_and_exactness(arm):
    run_script(arm)


def test_the_arm64_lambda_bundle_answers_aws_own_client(tmp_path, monkeypatch):
    run_script("arm64", "--version")  # sets the emulated system up
    model = tmp_path / "model.staticemb"
    table = np.random.default_rng(0).normal(size=(6, 16)).astype("float32")
    write(model, Parts(table, word_level_tokenizer(6)), Settings(unknown_token_id=0))
    options = ["--architecture", "arm64", "--python", PYTHON, "-o", str(tmp_path / "f.zip")]
    assert main(["bundle-lambda", "-m", str(model), *options]) == 0
    with zipfile.ZipFile(tmp_path / "f.zip") as archive:
        archive.extractall(tmp_path / "task")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    pip += ["--only-binary=:all:", "--platform=manylinux2014_aarch64", "--implementation=cp"]
    pip += [f"--python-version={PYTHON}", f"--target={tmp_path / 'client'}", "awslambdaric"]
    subprocess.run(pip, check=True)

    monkeypatch.setattr(sys, "executable", str(CACHE / "arm64" / "python"))
    function = Function(tmp_path / "task", tmp_path / "client")
    document = function.invoke({"texts": ["w1 w2", "w3", ""]})
    function.close()
    expected = StaticModel.load(model).encode(["w1 w2", "w3", ""])
    np.testing.assert_array_equal(np.array(document["embeddings"], np.float32), expected)
