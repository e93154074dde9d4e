"""Settings of the tests of adapters: no network, no telemetry, and models as files."""

import os

import pytest

from runtime.test_model import save

# Read by these packages when they are imported.
os.environ.update(
    ANONYMIZED_TELEMETRY="False",
    HAYSTACK_TELEMETRY_ENABLED="False",
    LANGSMITH_TRACING="false",
    DO_NOT_TRACK="1",
)

PROMPTS = {"query": "w1 w2 ", "document": "w3 "}


@pytest.fixture(autouse=True, scope="session")
def offline():
    """An error for each socket but those within this machine's own processes."""
    sockets = pytest.importorskip("pytest_socket")
    sockets.disable_socket(allow_unix_socket=True)
    yield
    sockets.enable_socket()


@pytest.fixture
def path(tmp_path):
    """A file with prompts, so that queries and documents have different vectors."""
    return save(tmp_path / "model.staticemb", prompts=PROMPTS)
