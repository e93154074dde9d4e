"""The server's answers: vectors, rankings, hits, limits and errors, by real requests."""

import base64
import json
import re

import numpy as np
import pytest

from server_process import serving
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.file.added_heads import with_heads
from staticemb_distiller.file.head import Head
from staticemb_runtime import StaticModel
from staticemb_runtime.search import Index
from strategies import word_level_tokenizer

for package in ("prometheus_client", "starlette", "uvicorn"):
    pytest.importorskip(package)

TEXTS = ["The king rules the land.", "a deep blue sea", "Äpfel & Birnen", "x" * 3000]
DOCUMENTS = ["Apples are red and sweet.", "The sea is deep and blue.", "The king rules the land."]
NAME = "minilm-en-small"


@pytest.fixture(scope="module")
def model():
    return StaticModel()


@pytest.fixture(scope="module")
def index_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "docs.db"
    with Index.create(path) as index:
        years = [{"year": 2020}, {"year": 2021}, {"year": 2022}]
        index.add(DOCUMENTS, ids=["a", "b", "c"], metadata=years)
    return path


@pytest.fixture(scope="module")
def classifier_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    table = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    settings = Settings(prefixes=(4,), unknown_token_id=0)
    write(folder / "plain.staticemb", Parts(table, word_level_tokenizer(6)), settings)
    weights = np.random.default_rng(1).normal(size=(2, 8)).astype("float32")
    one = Head("topic", "softmax", ("sport", "news"), weights, np.zeros(2, np.float32))
    two = one._replace(name="tags", kind="sigmoid")
    three = one._replace(name="price", kind="linear")
    with_heads(folder / "plain.staticemb", [one, two, three], folder / "topics.staticemb")
    return folder / "topics.staticemb"


@pytest.fixture(scope="module")
def server(index_path, classifier_path):
    names = (NAME, f"other={NAME}", f"owner/model={NAME}", classifier_path)
    with serving(*names, "--index", index_path) as server:
        yield server


def embeddings(server, **members):
    status, answer = server.post("/v1/embeddings", {"model": NAME} | members)
    assert status == 200, answer
    return answer


# --- vectors -------------------------------------------------------------------------------------


def test_vectors_are_those_of_encode(server, model):
    answer = embeddings(server, input=TEXTS)
    vectors = np.array([item["embedding"] for item in answer["data"]], np.float32)
    assert np.array_equal(vectors, model.encode(TEXTS))
    assert [item["index"] for item in answer["data"]] == [0, 1, 2, 3]
    n_tokens = sum(map(len, model.tokenize(TEXTS)))
    assert answer["usage"] == {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
    assert (answer["object"], answer["model"]) == ("list", NAME)


def test_base64_holds_the_same_bits(server, model):
    answer = embeddings(server, input=TEXTS, encoding_format="base64")
    rows = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in answer["data"]]
    assert np.array_equal(np.stack(rows), model.encode(TEXTS))


@pytest.mark.parametrize("dimensions", [1, 64, 100])
def test_dimensions_are_a_prefix_of_unit_length(server, model, dimensions):
    answer = embeddings(server, input="a text", dimensions=dimensions)
    expected = model.encode("a text", truncate_dim=dimensions)
    assert np.array_equal(np.float32(answer["data"][0]["embedding"]), expected)


def test_a_text_without_known_tokens_has_a_zero_vector(server):
    answer = embeddings(server, input=["", "a"])
    assert not any(answer["data"][0]["embedding"])
    assert any(answer["data"][1]["embedding"])


@pytest.mark.parametrize("members", [{"input": ["", "a"]}, {"input": "a", "dimensions": 1}])
def test_each_number_of_a_vector_has_a_point_or_an_exponent(server, members):
    for item in embeddings(server, **members)["data"]:
        assert {type(number) for number in item["embedding"]} == {float}


def test_tei_embeds_alike(server, model):
    for path in ("/embed", "/"):
        status, answer = server.post(path, {"inputs": TEXTS, "truncate": True})
        assert status == 200
        assert np.array_equal(np.float32(answer), model.encode(TEXTS, normalize_embeddings=True))
    status, answer = server.post("/embed", {"inputs": "a text", "normalize": False})
    expected = model.encode("a text", normalize_embeddings=False)
    assert np.array_equal(np.float32(answer), [expected])


def test_many_texts_take_a_thread_and_come_back_in_order(server, model):
    texts = [f"{word} {number}" for number in range(500) for word in ("king", "sea", "apple")]
    answer = embeddings(server, input=texts, encoding_format="base64")
    rows = [np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in answer["data"]]
    assert np.array_equal(np.stack(rows), model.encode(texts))


# --- models --------------------------------------------------------------------------------------


def test_the_models_are_listed_by_name(server):
    status, body = server.get("/v1/models")
    listed = json.loads(body)
    assert status == 200
    assert [item["id"] for item in listed["data"]] == [NAME, "other", "owner/model", "topics"]
    assert {item["object"] for item in listed["data"]} == {"model"}
    # The official client quotes a slash; others send it.
    for path in ("other", "owner/model", "owner%2Fmodel"):
        _, body = server.get(f"/v1/models/{path}")
        assert json.loads(body) in listed["data"][1:3]
    assert embeddings(server, model="owner/model", input="a")["model"] == "owner/model"


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../other", "models/minilm-en-small.staticemb", "other\x00", "é\ud800"],
)
def test_a_model_is_one_of_the_names_and_never_a_path(server, name):
    status, answer = server.post("/v1/embeddings", {"model": name, "input": "a"})
    assert status == 404
    assert answer["error"]["code"] == "model_not_found"
    assert NAME in answer["error"]["message"]


def test_a_request_without_a_model_gets_the_first(server):
    status, answer = server.post("/v1/embeddings", {"input": "a"})
    assert (status, answer["model"]) == (200, NAME)


# --- ranking and search --------------------------------------------------------------------------


def test_rerank_orders_by_cosine(server, model):
    texts = ["a blue ocean", "the queen of the land", "red fruit"]
    request = {"query": "a king", "texts": texts, "model": NAME, "return_text": True}
    status, answer = server.post("/rerank", request)
    cosines = model.similarity(model.encode(["a king"]), model.encode(texts))[0]
    assert status == 200
    assert [item["index"] for item in answer] == np.argsort(-cosines, kind="stable").tolist()
    assert [item["score"] for item in answer] == pytest.approx(sorted(cosines)[::-1], abs=1e-6)
    assert [item["text"] for item in answer] == [texts[item["index"]] for item in answer]


def test_rerank_with_an_index_counts_words_too(server):
    # Both texts have known words near the query; only the second has its word.
    request = {"query": "apples", "texts": ["sweet fruit", "the sea and apples", "a chair"]}
    status, answer = server.post("/rerank", request)
    assert status == 200
    assert answer[0]["index"] == 1
    assert all(0 <= item["score"] <= 1 for item in answer)
    assert server.post("/rerank", request | {"index": "docs"}) == (200, answer)


def test_search_finds_what_the_index_finds(server, index_path):
    with Index.open(index_path) as index:
        expected = index.search("the deep ocean", 2)
    status, answer = server.post("/search", {"query": "the deep ocean", "k": 2})
    assert status == 200
    assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in expected]
    assert answer["hits"][0]["score"] == expected[0].score
    assert answer["hits"][0]["metadata"] == {"year": 2021}
    status, answer = server.post("/search", {"query": "land", "filter": {"year": {"<": 2021}}})
    assert [hit["id"] for hit in answer["hits"]] == ["a"]


@pytest.mark.parametrize("head", ["topic", "tags", "price"])
def test_classify_predicts_what_the_model_predicts(server, classifier_path, head):
    model = StaticModel(classifier_path)
    texts = ["w1 w2", "w3", "w4 w4"]
    request = {"texts": texts, "model": "topics", "head": head, "probabilities": True}
    status, answer = server.post("/classify", request)
    assert status == 200, answer
    assert (answer["model"], answer["head"]) == ("topics", head)
    found = answer["predictions"]
    if head == "price":
        numbers = [[one["prediction"][name] for name in ("sport", "news")] for one in found]
        assert np.array_equal(np.float32(numbers), model.predict(texts, head))
        return
    assert [one["prediction"] for one in found] == model.classify(texts, head)
    probabilities = [[one["probabilities"][name] for name in ("sport", "news")] for one in found]
    assert np.array_equal(np.float32(probabilities), model.predict_proba(texts, head))


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"texts": "a"}, 404),  # the first model has no head
        ({"texts": "a", "model": "topics"}, 422),  # it has several
        ({"texts": "a", "model": "topics", "head": "/etc/passwd"}, 404),
        ({"texts": "a", "model": "topics", "head": "topic", "threshold": 2}, 422),
        ({"texts": [], "model": "topics", "head": "topic"}, 422),
        ({"texts": "a", "model": "topics", "head": "topic", "labels": ["x"]}, 422),
    ],
)
def test_a_classification_that_is_invalid_is_refused(server, members, status):
    found, answer = server.post("/classify", members)
    assert found == status, answer
    assert "staticemb" not in answer["error"]


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({}, 422),
        ({"query": 1}, 422),
        ({"query": "a", "k": 0}, 422),
        ({"query": "a", "k": True}, 422),
        ({"query": "a", "method": "words"}, 422),
        ({"query": "a", "filter": []}, 422),
        ({"query": "a", "filter": {"a": {"like": 1}}}, 422),
        ({"query": "a", "filter": {"a": "\ud800"}}, 422),
        ({"query": "a", "filter": {f"k{key}": None for key in range(1200)}}, 422),
        ({"query": "a", "vector_weight": 1e999}, 400),
        ({"query": "a", "vector_weight": 2}, 422),
        ({"query": "a", "top_k": 3}, 422),
        ({"query": "a" * 10_001}, 422),
        ({"query": "a", "index": "docs.db"}, 404),
    ],
)
def test_a_search_that_is_invalid_is_refused(server, members, status):
    found, answer = server.post("/search", members)
    assert found == status, answer
    assert answer["error_type"] == "Validation"


def test_an_index_without_full_text_says_so(tmp_path):
    path = tmp_path / "vectors.db"
    with Index.create(path, words=None) as index:
        index.add(DOCUMENTS)
    with serving("--index", path) as server:
        assert server.post("/search", {"query": "the deep ocean", "k": 1})[0] == 200
        status, answer = server.post("/search", {"query": "the deep ocean", "method": "lexical"})
        assert status == 422
        assert answer["error"].startswith("method: expected vector or hybrid")
        assert str(tmp_path) not in answer["error"]


def test_a_model_made_for_queries_embeds_no_documents(tmp_path):
    members = {"dimension": "4", "documents": "teacher", "teacher": "a/b"}
    optional = {"space.projection": np.ones((4, 8), np.float32)}
    table = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    key = {"space": json.dumps(members, separators=(",", ":"))}
    path = tmp_path / "queries.staticemb"
    write(path, Parts(table, word_level_tokenizer(6), optional=optional), Settings(optional=key))
    with serving(path) as server:
        for kind, expected in ((None, 200), ("query", 200), ("document", 400), ("passage", 400)):
            request = {"input": "w1 w2", "input_type": kind}
            status, answer = server.post("/v1/embeddings", request)
            assert status == expected
            assert status == 200 or answer["error"]["param"] == "input_type"


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": ["a", ["b"]]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [1, -1]}, "input"),
        ({"input": [1, True]}, "input"),
        ({"input": [[1], 2]}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 100_000}, "dimensions"),
        ({"input": "a", "dimensions": 1.5}, "dimensions"),
        ({"input": "a", "dimensions": "64"}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "model": 3}, "model"),
        ({"input": "a", "input_type": "image"}, "input_type"),
    ],
)
def test_openai_errors_have_their_form(server, members, param):
    status, answer = server.post("/v1/embeddings", members)
    assert status == 400
    error = answer["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"].startswith(f"{param}: ")
    assert "\n" not in error["message"]


def test_a_lone_surrogate_is_refused_with_the_number_of_its_text(server):
    body = b'{"input": ["a", "\\ud800"]}'
    status, _, answer = server.request(
        "POST", "/v1/embeddings", body, {"content-type": "application/json"}
    )
    assert status == 400
    assert "text 1" in json.loads(answer)["error"]["message"]


def test_token_arrays_are_never_the_models_own_ids(server):
    # Without tiktoken's file, which no test downloads, the answer names the client's setting.
    status, answer = server.post("/v1/embeddings", {"input": [[1, 2, 3]]})
    if status != 200:
        assert status == 400
        assert "check_embedding_ctx_length=False" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{}", 415),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/x-www-form-urlencoded"}, b"input=a", 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"{}", 415),
        ({"content-type": "application/json; charset=utf-8"}, b'{"input": "a"}', 200),
        ({"content-type": "application/json"}, b"", 400),
        ({"content-type": "application/json"}, b"\xff", 400),
        ({"content-type": "application/json"}, b'{"input": NaN}', 400),
        ({"content-type": "application/json"}, b'{"input": ' + b"9" * 5000 + b"}", 400),
        ({"content-type": "application/json"}, b"[" * 100_000, 400),
        ({"content-type": "application/json"}, b'{"input": "[[[[[[[[[[[[[[[[[[[[[[["}', 200),
        ({"content-type": "application/json"}, b'{"a":' * 20 + b"1" + b"}" * 20, 400),
        ({"content-type": "application/json"}, b'"input"', 400),
    ],
)
def test_bodies_are_json_of_limited_depth(server, headers, body, status):
    found, _, answer = server.request("POST", "/v1/embeddings", body, headers)
    assert found == status, answer[:300]
    json.loads(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 405),
        ("GET", "/v1/embeddings", 405),
        ("POST", "/health", 405),
        ("GET", "/nothing", 404),
        ("GET", "/v1/embeddings/", 404),
        ("GET", "/v1/models/../../etc/passwd", 404),
        ("GET", "//evil.example/v1/models", 404),
        ("OPTIONS", "/v1/embeddings", 405),
    ],
)
def test_other_paths_and_methods_are_refused_as_json(server, method, path, status):
    found, headers, body = server.request(method, path)
    assert found == status
    assert json.loads(body)["error"]
    assert ("allow" in headers) == (status == 405)
    assert not any(name.lower().startswith("access-control") for name in headers)


def test_no_answer_names_a_path_of_the_machine(server, index_path):
    answers = [
        server.get("/v1/models")[1],
        server.get("/metrics")[1],
        json.dumps(server.post("/v1/embeddings", {"model": "none", "input": "a"})[1]),
        json.dumps(server.post("/search", {"query": "a", "filter": {"a": {"like": 1}}})[1]),
    ]
    assert not [answer for answer in answers if str(index_path.parent) in answer]


# --- metrics and the command ---------------------------------------------------------------------


def test_metrics_count_requests_texts_and_tokens(server):
    def value(name):
        text = server.get("/metrics")[1]
        match = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        return float(match[1]) if match else 0.0

    texts = 'staticemb_texts_total{route="/embed"}'
    requests = 'staticemb_requests_total{route="/embed",status="200"}'
    before = value(texts), value(requests)
    server.post("/embed", {"inputs": ["a", "b", "c"]})
    assert (value(texts), value(requests)) == (before[0] + 3, before[1] + 1)
    server.get("/a-path-of-a-stranger")
    assert "stranger" not in server.get("/metrics")[1]
    assert server.get("/health") == (200, '{"status": "ok"}')


def test_keys_are_needed_but_for_health(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text("# for the web shop\nfirst-key\n\nsecond-key\n")
    with serving("--api-keys", file, environment={"STATICEMB_API_KEYS": "third-key"}) as server:
        for key in ("first-key", "second-key", "third-key"):
            assert server.get("/v1/models", authorization=f"Bearer {key}")[0] == 200
        for value in ("", "Bearer", "Bearer ", "Bearer first-keys", "Basic first-key", "first-key"):
            status, headers, body = server.request(
                "GET", "/v1/models", None, {"authorization": value}
            )
            assert status == 401
            assert headers["www-authenticate"] == "Bearer"
            assert json.loads(body)["error"]["code"] == "invalid_api_key"
        assert server.get("/metrics")[0] == 401
        assert server.get("/health")[0] == 200
        assert (
            server.get("/v1/models", authorization="Bearer first-key", host="a.example")[0] == 200
        )
        _, printed = server.stop()
    assert "-key" not in printed


def test_a_foreign_name_of_this_machine_is_refused(server):
    assert server.get("/v1/models", host="attacker.example")[0] == 403
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:80", "api.localhost"):
        assert server.get("/v1/models", host=host)[0] == 200, host


def test_limits_name_themselves(tmp_path):
    options = ["--max-texts", "3", "--max-characters", "100", "--max-body-bytes", "1000"]
    with serving(*options, "--allow-host", "proxy.example", "--log-requests") as server:
        for members, code in (
            ({"input": ["a"] * 4}, "too_many_texts"),
            ({"input": [[1]] * 4}, "too_many_texts"),
            ({"input": ["a" * 60, "b" * 60]}, "too_many_characters"),
            ({"input": "a" * 2000}, "body_too_large"),
        ):
            status, answer = server.post("/v1/embeddings", members)
            assert (status, answer["error"]["code"]) == (413, code)
        assert server.post("/embed", {"inputs": "a" * 101})[0] == 413
        for query, text, expected in (("a" * 50, "b" * 50, 200), ("a" * 60, "b" * 60, 413)):
            assert server.post("/rerank", {"query": query, "texts": [text]})[0] == expected
        assert server.get("/v1/models", host="proxy.example")[0] == 200
        status, printed = server.stop()
    assert status == 0
    logged = [line for line in printed.splitlines() if " POST /v1/embeddings " in line]
    assert len(logged) == 4
    assert re.fullmatch(r"\S+Z 127\.0\.0\.1 POST /v1/embeddings 413 \d+\.\d\dms", logged[0])
    assert "stopped by SIGTERM" in printed.splitlines()[-1]


def test_pages_of_allowed_origins_may_ask(tmp_path):
    with serving("--cors-origin", "https://shop.example") as server:
        asking = {"origin": "https://shop.example", "access-control-request-method": "POST"}
        status, headers, _ = server.request("OPTIONS", "/v1/embeddings", headers=asking)
        assert (status, headers["access-control-allow-origin"]) == (200, "https://shop.example")
        foreign = asking | {"origin": "https://evil.example"}
        status, headers, _ = server.request("OPTIONS", "/v1/embeddings", headers=foreign)
        assert "access-control-allow-origin" not in headers
