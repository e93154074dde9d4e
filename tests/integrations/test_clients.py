"""The clients that people use with OpenAI's API and with Text Embeddings Inference."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from server_process import serving
from staticemb_runtime import StaticModel

for package in ("prometheus_client", "starlette", "uvicorn"):
    pytest.importorskip(package)

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # litellm downloads a list of prices otherwise

KEY = "a-key-of-tests"
NAME = "minilm-en-small"
TEXTS = ["The king rules the land.", "a deep blue sea", "Äpfel & Birnen"]


@pytest.fixture(scope="module")
def tokenizer_folder():
    """The folder in which litellm carries the file of cl100k_base that tiktoken downloads."""
    litellm = pytest.importorskip("litellm")
    return Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers"


@pytest.fixture(scope="module")
def server(tokenizer_folder):
    environment = {"STATICEMB_API_KEYS": KEY, "TIKTOKEN_CACHE_DIR": str(tokenizer_folder)}
    with serving(NAME, environment=environment) as server:
        yield server


@pytest.fixture(scope="module")
def expected():
    return StaticModel().encode(TEXTS)


def close(vectors, expected):
    return np.array_equal(np.asarray(vectors, np.float32), expected)


# --- openai --------------------------------------------------------------------------------------


def options(server):
    return {"base_url": f"{server.url}/v1", "api_key": KEY, "max_retries": 0}


def test_openai_asks_for_base64_by_default(server, expected):
    openai = pytest.importorskip("openai")
    with openai.OpenAI(**options(server)) as client:
        answer = client.embeddings.create(model=NAME, input=TEXTS)
        assert close([item.embedding for item in answer.data], expected)
        assert answer.usage.total_tokens == answer.usage.prompt_tokens > 0
        answer = client.embeddings.create(
            model=NAME, input=TEXTS, encoding_format="float", user="u"
        )
        assert close([item.embedding for item in answer.data], expected)
        answer = client.embeddings.create(model=NAME, input=TEXTS[0], dimensions=64)
        assert close(answer.data[0].embedding, StaticModel().encode(TEXTS[0], truncate_dim=64))
        assert [model.id for model in client.models.list()] == [NAME]
        assert client.models.retrieve(NAME).owned_by == "staticemb"


def test_openai_asynchronous(server, expected):
    openai = pytest.importorskip("openai")

    async def ask():
        async with openai.AsyncOpenAI(**options(server)) as client:
            calls = [client.embeddings.create(model=NAME, input=TEXTS) for _ in range(8)]
            floats = client.embeddings.create(model=NAME, input=TEXTS, encoding_format="float")
            return await asyncio.gather(*calls, floats)

    for answer in asyncio.run(ask()):
        assert close([item.embedding for item in answer.data], expected)


def test_openai_raises_its_own_errors(server):
    openai = pytest.importorskip("openai")
    with openai.OpenAI(**options(server)) as client:
        with pytest.raises(openai.NotFoundError, match="expected one of minilm-en-small") as error:
            client.embeddings.create(model="text-embedding-3-small", input="a")
        assert error.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as error:
            client.embeddings.create(model=NAME, input="a", dimensions=9999)
        assert (error.value.param, error.value.type) == ("dimensions", "invalid_request_error")
        with pytest.raises(openai.APIStatusError) as error:
            client.embeddings.create(model=NAME, input=["a"] * 2049)
        assert error.value.status_code == 413
    with (
        openai.OpenAI(**options(server) | {"api_key": "wrong"}) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.embeddings.create(model=NAME, input="a")


# --- langchain and litellm -----------------------------------------------------------------------


@pytest.mark.parametrize("as_tokens", [False, True])
def test_langchain(server, expected, as_tokens, tokenizer_folder, monkeypatch):
    langchain_openai = pytest.importorskip("langchain_openai")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tokenizer_folder))
    embeddings = langchain_openai.OpenAIEmbeddings(
        model=NAME,
        base_url=f"{server.url}/v1",
        api_key=KEY,
        check_embedding_ctx_length=as_tokens,  # True, the default, sends ids of cl100k_base
        tiktoken_model_name="text-embedding-3-small" if as_tokens else None,
    )
    vectors = embeddings.embed_documents(TEXTS)
    assert np.allclose(vectors, expected, atol=1e-6)
    assert np.allclose(embeddings.embed_query(TEXTS[1]), expected[1], atol=1e-6)
    assert np.allclose(asyncio.run(embeddings.aembed_documents(TEXTS)), expected, atol=1e-6)


def test_litellm(server, expected):
    litellm = pytest.importorskip("litellm")
    answer = litellm.embedding(
        model=f"openai/{NAME}", input=TEXTS, api_base=f"{server.url}/v1", api_key=KEY
    )
    assert close([item["embedding"] for item in answer.data], expected)


# --- token ids -----------------------------------------------------------------------------------


def test_token_arrays_are_decoded_by_openais_tokenizer(server, expected, tokenizer_folder):
    ids = {  # of cl100k_base
        "The king rules the land.": [791, 11734, 5718, 279, 4363, 13],
    }
    sent = {"authorization": f"Bearer {KEY}"}
    for given in (ids[TEXTS[0]], [ids[TEXTS[0]]]):
        status, answer = server.post("/v1/embeddings", {"input": given}, **sent)
        assert status == 200, answer
        assert close([answer["data"][0]["embedding"]], expected[:1])
    for unknown in ([[100_256]], [[4_000_000_000]], [[100_300]]):
        status, answer = server.post("/v1/embeddings", {"input": unknown}, **sent)
        assert (status, answer["error"]["param"]) == (400, "input")


def test_a_server_without_the_tokenizers_file_names_the_setting(tmp_path):
    # The folder is empty, and the proxy refuses the download at once.
    environment = {"TIKTOKEN_CACHE_DIR": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    with serving(NAME, environment=environment) as server:
        status, answer = server.post("/v1/embeddings", {"input": [791, 11734]})
        assert status == 400
        assert "check_embedding_ctx_length=False" in answer["error"]["message"]


# --- Text Embeddings Inference -------------------------------------------------------------------


def test_hugging_faces_client(server, expected, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    # The tests' environment forbids the Hub; the client would take this server for the Hub.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    client = huggingface_hub.InferenceClient(server.url, token=KEY)
    assert close(client.feature_extraction(TEXTS[1], normalize=True), expected[1:2])


def test_curl(server, expected):
    if shutil.which("curl") is None:
        pytest.skip("curl is missing")

    def curl(*arguments):
        command = ["curl", "--silent", "--show-error", "-H", f"Authorization: Bearer {KEY}"]
        return subprocess.run([*command, *arguments], capture_output=True, check=True).stdout

    body = json.dumps({"inputs": TEXTS})
    header = "Content-Type: application/json"
    assert close(json.loads(curl(f"{server.url}/embed", "-H", header, "-d", body)), expected)
    large = json.dumps({"inputs": "a" * 9_000_000})  # curl asks first: Expect: 100-continue
    arguments = ["-H", header, "--data-binary", "@-", "-w", "%{http_code}", f"{server.url}/embed"]
    command = ["curl", "--silent", "-H", f"Authorization: Bearer {KEY}", *arguments]
    shown = subprocess.run(command, input=large.encode(), capture_output=True).stdout
    assert shown.endswith(b"413")
    assert b"staticemb_requests_total" in curl(f"{server.url}/metrics")
