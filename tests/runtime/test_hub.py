"""Models from the Hub: the real client against a local stand-in for its HTTP interface."""

import subprocess
import sys

import numpy as np
import pytest

from hub_client import NOWHERE, environment
from hub_server import COMMIT, serve
from staticemb_distiller.file import Parts, Settings, write
from strategies import word_level_tokenizer

pytest.importorskip("huggingface_hub")

LOAD = """
import sys
from staticemb_runtime import StaticModel, StaticEmbError
try:
    model = StaticModel.from_pretrained(sys.argv[1], revision=sys.argv[2] or None)
except StaticEmbError as error:
    print(type(error).__name__, error)
else:
    print(*model.encode("w1"), "huggingface_hub" in sys.modules)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.staticemb"
    write(path, Parts(np.eye(3, 4, dtype="float32"), word_level_tokenizer(3)), Settings())
    return path


def load(model, revision="", *, endpoint=NOWHERE, cache, offline=False):
    command = [sys.executable, "-c", LOAD, str(model), revision]
    done = subprocess.run(
        command,
        env=environment(cache, endpoint, offline=offline),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_model_is_downloaded_once_and_then_read_from_the_cache(file, tmp_path):
    with serve({"org/name": {"model.staticemb": file.read_bytes()}}) as (endpoint, requests):
        assert load("org/name", COMMIT, endpoint=endpoint, cache=tmp_path) == "0.0 1.0 0.0 0.0 True"
        assert [method for method, _ in requests].count("GET") == 1
    # The server is gone: a pinned revision needs it no more.
    assert load("org/name", COMMIT, cache=tmp_path, offline=True) == "0.0 1.0 0.0 0.0 True"


def test_a_local_file_touches_no_network_and_no_client(file, tmp_path):
    assert load(file, cache=tmp_path) == "0.0 1.0 0.0 0.0 False"


@pytest.mark.parametrize(
    ("model", "revision", "error", "says"),
    [
        ("org/missing", "", "ModelNotFoundError", "no such repository"),
        ("org/name", "nightly", "ModelNotFoundError", "no such revision"),
        ("org/empty", "", "ModelNotFoundError", "model.staticemb"),
        ("no such/file/here", "", "ModelNotFoundError", "no such/file/here"),
    ],
)
def test_what_is_not_there_is_said(file, tmp_path, model, revision, error, says):
    repositories = {"org/name": {"model.staticemb": file.read_bytes()}, "org/empty": {}}
    with serve(repositories) as (endpoint, _):
        answer = load(model, revision, endpoint=endpoint, cache=tmp_path)
    assert answer.startswith(error)
    assert says in answer


def test_a_changed_file_is_not_loaded(file, tmp_path):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    with serve({"org/name": {"model.staticemb": bytes(content)}}) as (endpoint, _):
        assert load("org/name", endpoint=endpoint, cache=tmp_path).startswith("DigestMismatchError")


def test_an_unreachable_hub_is_one_line(tmp_path):
    assert load("org/name", cache=tmp_path, offline=True).startswith("DownloadError")
