"""The Lambda handler's answers, event by event."""

import base64
import json
import os
import sqlite3
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from end_to_end.lambda_events import HTTP, function_url, rest_api
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.file.added_heads import with_heads
from staticemb_distiller.file.head import Head
from staticemb_runtime import StaticModel
from staticemb_runtime.aws_lambda.embedding import MAX_PROMPT_CHARACTERS
from staticemb_runtime.aws_lambda.function import MAX_TEXTS, answer
from staticemb_runtime.aws_lambda.requests import MAX_RESPONSE_BYTES
from staticemb_runtime.encoding.decimals import nine_digits
from staticemb_runtime.errors import NotAnIndexError, TokenizerNotJsonError
from staticemb_runtime.search import Index
from strategies import word_level_tokenizer

DOCUMENTS = ["w1 w2 w2", "w3 w4", "w1 w5", "w2 w2 nothing else"]
TEXTS = ["w1 w2", "w3", "", "w1 w1 w4 unknown"]
DIM = 16


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.staticemb"
    table = np.random.default_rng(0).normal(size=(6, DIM)).astype("float32")
    settings = Settings(prefixes=(4,), unknown_token_id=0, damping=(1.0, 8))
    write(path, Parts(table, word_level_tokenizer(6)), settings)
    return path


@pytest.fixture(scope="module")
def model(path):
    return StaticModel.load(path)


def vectors_of(document):
    if document["encoding"] == "base64":
        raw = base64.b64decode(document["embeddings"], validate=True)
        dtype = np.dtype(document["dtype"]).newbyteorder("<")
        return np.frombuffer(raw, dtype).reshape(document["shape"])
    return np.array(document["embeddings"], document["dtype"]).reshape(document["shape"])


@pytest.fixture(scope="module")
def index(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "i.db"
    with Index.create(path, model, store_model=True) as index:
        index.add(DOCUMENTS, ids=list("abcd"), metadata=[{"n": n} for n in range(4)])
        yield index


@pytest.mark.parametrize("encoding", ["json", "base64"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"truncate_dim": 4},
        {"precision": "int8", "truncate_dim": 4},
        {"precision": "ubinary"},
        {"pooling": "mean", "normalize_embeddings": False},
        {"prompt": "w5 ", "truncate_dim": None},
    ],
)
def test_vectors_are_those_of_encode_bit_for_bit(model, options, encoding):
    document = answer(model, {"texts": TEXTS, "encoding": encoding, **options})
    sent = json.loads(json.dumps(document))
    np.testing.assert_array_equal(vectors_of(sent), model.encode(TEXTS, **options), strict=True)
    assert document["model"] == model.metadata.digest


@given(
    hnp.arrays("float32", 8, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
)
@example(np.array([0, -0.0, 1e-3, 0.00099999999, 1, 0.99999994, 3.4e38, 1e-45], "float32"))
def test_floats_are_spelled_short_and_read_back_the_same(values):
    spelled = json.loads(json.dumps(nine_digits(values).tolist()))
    np.testing.assert_array_equal(np.array(spelled, "float32"), values, strict=True)
    for number in spelled:
        if 1e-4 <= abs(number) < 1e9:
            assert len(repr(abs(number)).strip("0.").replace(".", "")) <= 9


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("event", HTTP)
def test_http_events_carry_the_request_in_their_body(model, event, encoded):
    request = {"texts": ["w1", "ünïcödé w2"], "truncate_dim": 4}
    response = answer(model, event(request, encoded=encoded))
    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "application/json"
    assert response["isBase64Encoded"] is False
    assert json.loads(response["body"]) == answer(model, request)


@pytest.mark.parametrize("encoding", ["json", "base64"])
def test_texts_without_a_known_token_are_listed(model, encoding):
    texts = ["w1", "", "unknown", "w2", " "]
    for options, empty in (
        ({}, [1, 2, 4]),
        ({"prompt": "w1 "}, []),
        ({"precision": "int8"}, [1, 2, 4]),
    ):
        document = answer(model, {"texts": texts, "encoding": encoding, **options})
        assert document["empty"] == empty
    assert answer(model, {"texts": ["w1"]})["empty"] == []


def test_a_long_prompt_is_refused_before_it_is_multiplied(model):
    # Five megabytes before each of a thousand texts: the request is smaller than Lambda's limit.
    request = {"texts": ["w1"] * MAX_TEXTS, "prompt": "w5 " * 1_700_000}
    assert len(json.dumps(request)) < 6 * 1024 * 1024
    tracemalloc.start()
    for reply in (answer(model, request), json.loads(answer(model, function_url(request))["body"])):
        error = reply["error"]
        assert (error["status"], error["code"]) == (413, "prompt_too_long")
        assert "at most 4096 characters, found 5100000" in error["message"]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50_000_000
    longest = {"texts": ["w1"] * 3, "prompt": "x" * (MAX_PROMPT_CHARACTERS - 1) + " "}
    assert answer(model, longest)["shape"] == [3, DIM]


def test_a_prompt_is_taken_by_its_name(tmp_path):
    parts = Parts(np.eye(6, DIM, dtype="float32"), word_level_tokenizer(6))
    prompts = {"query": "w5 ", "long": "w4 " * MAX_PROMPT_CHARACTERS}
    write(tmp_path / "named", parts, Settings(prompts=prompts))
    model = StaticModel(tmp_path / "named")
    for request in ({"prompt_name": "query"}, {"prompt_name": "long", "prompt": "w5 "}):
        found = vectors_of(answer(model, {"texts": TEXTS, **request}))
        np.testing.assert_array_equal(found, model.encode(TEXTS, prompt="w5 "))
    error = answer(model, {"texts": TEXTS, "prompt_name": "long"})["error"]
    assert (error["status"], error["code"]) == (413, "prompt_too_long")
    error = answer(model, {"texts": TEXTS, "prompt_name": "unheard"})["error"]
    assert error["status"] == 400
    assert "'long', 'query'" in error["message"]
    error = answer(model, {"texts": TEXTS, "prompt_name": ["query"]})["error"]
    assert error["status"] == 400


def test_no_texts_are_no_vectors(model):
    assert vectors_of(answer(model, {"texts": []})).shape == (0, DIM)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({}, "texts"),
        ({"texts": None}, "texts"),
        ({"texts": "w1"}, "expected an array, found a string"),
        ({"texts": ["w1", 2]}, "found an integer at 1"),
        ({"texts": ["w1", None]}, "found None at 1"),
        ({"texts": [{"a": 1}]}, "found an object at 0"),
        ({"texts": [], "truncate": 4}, "truncate_dim"),
        ({"texts": [], "truncate_dim": 0}, "1 to 16, found 0"),
        ({"texts": [], "truncate_dim": 17}, "1 to 16, found 17"),
        ({"texts": [], "truncate_dim": True}, "expected an integer, found true or false"),
        ({"texts": [], "truncate_dim": 4.0}, "expected an integer, found 4.0"),
        ({"texts": [], "normalize_embeddings": 1}, "true or false, found an integer"),
        ({"texts": [], "precision": "float16"}, "float16"),
        ({"texts": [], "precision": "int8", "normalize_embeddings": False}, "int8"),
        ({"texts": [], "pooling": "max"}, "max"),
        ({"texts": [], "encoding": "hex"}, "json or base64, found 'hex'"),
        ({"texts": ["w1 \ud800"]}, "surrogate"),
        ({"Records": []}, "Records"),
        ([], "found an array"),
        (None, "found None"),
        ("w1", "found a string"),
    ],
)
def test_a_bad_request_is_answered_with_400_and_a_reason(model, request_, says):
    error = answer(model, request_)["error"]
    assert error["status"] == 400
    assert says in error["message"]
    assert error["code"].replace("_", "").islower()
    for event in HTTP:
        response = answer(model, event(json.dumps(request_)))
        assert response["statusCode"] == 400
        assert json.loads(response["body"])["error"] == error


@pytest.mark.parametrize("event", HTTP)
@pytest.mark.parametrize(
    "body", ["", "{", "texts=w1", '{"texts": [NaN]}', "[" * 100_000, '{"texts": ["a]}']
)
def test_a_body_that_is_no_json_is_answered_with_400(model, event, body):
    response = answer(model, event(body))
    assert response["statusCode"] == 400
    assert json.loads(response["body"])["error"]["code"] == "not_json"


@pytest.mark.parametrize("body", ["%%%", "gICA", "e30", None, 7])
def test_a_base64_body_that_is_none_is_answered_with_400(model, body):
    event = function_url({"texts": []}, encoded=True) | {"body": body}
    assert answer(model, event)["statusCode"] == 400


@pytest.mark.parametrize("event", HTTP)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_answered_with_405(model, event, method):
    response = answer(model, event({"texts": []}, method=method))
    assert (response["statusCode"], response["headers"]["allow"]) == (405, "POST")


def test_the_number_of_texts_is_limited(model):
    assert "error" not in answer(model, {"texts": ["w1"] * 5}, max_texts=5)
    error = answer(model, {"texts": ["w1"] * 6}, max_texts=5)["error"]
    assert (error["status"], error["code"]) == (413, "too_many_texts")
    assert "at most 5, found 6" in error["message"]


def test_an_answer_that_lambda_would_not_carry_is_refused(model):
    # Each vector of 16 float32 takes 64 bytes, which are 85 1/3 in base64.
    fits, too_many = MAX_RESPONSE_BYTES * 3 // 256 - 10, MAX_RESPONSE_BYTES * 3 // 256 + 10
    request = {"encoding": "base64", "texts": ["w1"] * fits}
    response = answer(model, function_url(request), max_texts=10**9)
    assert response["statusCode"] == 200
    assert len(json.dumps(response)) <= MAX_RESPONSE_BYTES
    request["texts"] = ["w1"] * too_many
    for reply in (
        answer(model, request, max_texts=10**9),
        json.loads(answer(model, rest_api(request), max_texts=10**9)["body"]),
    ):
        assert (reply["error"]["status"], reply["error"]["code"]) == (413, "response_too_large")


def test_a_broken_model_is_no_fault_of_the_request(tmp_path):
    path = tmp_path / "broken.staticemb"
    write(path, Parts(np.ones((2, 2), "float32"), word_level_tokenizer(2)), Settings())
    path.write_bytes(path.read_bytes().replace(b'{"version"', b'!"version"'))
    with pytest.raises(TokenizerNotJsonError):
        answer(StaticModel.load(path), {"texts": ["w1"]})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3)
    ),
    max_leaves=8,
)
_MEMBERS = ["texts", "truncate_dim", "precision", "encoding", "requestContext", "body", "http"]
_MEMBERS += ["query", "k", "filter", "method", "vector_weight"]
_MEMBERS += ["classify", "head", "threshold", "probabilities"]


@given(_JSON | st.dictionaries(st.sampled_from(_MEMBERS), _JSON))
def test_whatever_the_event_the_answer_is_a_document(model, index, event):
    reply = answer(model, event, index=index)
    if "statusCode" in reply:
        assert 200 <= reply["statusCode"] < 500
        reply = json.loads(reply["body"])
    assert len({"error", "embeddings", "hits"} & reply.keys()) == 1


# --- queries ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"k": 2},
        {"k": None, "filter": {"n": {">": 0}}},
        {"method": "lexical"},
        {"method": "vector", "vector_weight": 1},
        {"vector_weight": 0.5, "filter": {}},
    ],
)
def test_hits_are_those_of_search(model, index, options):
    request = {"query": "w1 w2", **options}
    expected = index.search(**{name: value for name, value in request.items() if value is not None})
    assert expected
    document = answer(model, request, index=index)
    assert json.loads(json.dumps(document)) == document
    assert document["model"] == model.metadata.digest
    assert [hit["id"] for hit in document["hits"]] == [hit.id for hit in expected]
    for found, hit in zip(document["hits"], expected, strict=True):
        assert found["metadata"] == hit.metadata
        assert found["passage"] == hit.passage._asdict()
        assert (found["score"], found["snippet"]) == (hit.score, hit.snippet)
        assert [tuple(mark) for mark in found["marks"]] == list(hit.marks)
    for event in HTTP:
        response = answer(model, event(request, encoded=True), index=index)
        assert response["statusCode"] == 200
        assert json.loads(response["body"]) == document


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"query": 7}, "query: expected a string, found an integer"),
        ({"query": ["w1"]}, "query: expected a string, found an array"),
        ({"query": "w1", "texts": ["w1"]}, "found texts and query"),
        ({"query": "w1", "k": 0}, "k: expected"),
        ({"query": "w1", "k": 1001}, "k: expected at most 1000, found 1001"),
        ({"query": "w1", "k": 2.0}, "k: expected an integer, found 2.0"),
        ({"query": "w1", "filter": ["n"]}, "filter: expected an object, found an array"),
        ({"query": "w1", "filter": {"n": {"~": 1}}}, "filter: expected one of"),
        ({"query": "w1", "filter": {'"': 1}}, "filter: expected keys"),
        ({"query": "w1", "method": "bm25"}, "method: expected hybrid or lexical or vector"),
        ({"query": "w1", "vector_weight": 2}, "vector_weight: expected a number from 0 to 1"),
        ({"query": "w1", "vector_weight": True}, "vector_weight: expected a number, found true"),
        ({"query": "w1", "vector_weight": "1"}, "vector_weight: expected a number, found a string"),
        ({"query": "w1", "candidates": 5}, "vector_weight, found 'candidates'"),
        ({"query": "w1 \ud800"}, "surrogate"),
    ],
)
def test_a_bad_query_is_answered_with_400_and_a_reason(model, index, request_, says):
    error = answer(model, request_, index=index)["error"]
    assert (error["status"], error["code"]) == (400, "invalid_request")
    assert says in error["message"]
    assert "\n" not in error["message"]


def test_a_function_without_an_index_says_how_to_get_one(model):
    error = answer(model, {"query": "w1"})["error"]
    assert error["status"] == 400
    assert "bundle-lambda --index" in error["message"]


def test_hits_that_lambda_would_not_carry_are_refused(model, tmp_path):
    with Index.create(tmp_path / "long.db", model) as index:
        index.add(["w1 " + "word " * 200_000] * 7)
        assert len(answer(model, {"query": "w1", "k": 2}, index=index)["hits"]) == 2
        error = answer(model, {"query": "w1"}, index=index)["error"]
    assert (error["status"], error["code"]) == (413, "response_too_large")


def test_a_damaged_index_is_no_fault_of_the_request(model, tmp_path):
    with Index.create(tmp_path / "i.db", model) as index:
        index.add(DOCUMENTS)
    connection = sqlite3.connect(tmp_path / "i.db")
    connection.execute("UPDATE passages SET start = 9, stop = 3")
    connection.commit()
    connection.close()
    with Index.open(tmp_path / "i.db", model) as index, pytest.raises(NotAnIndexError):
        answer(model, {"query": "w1"}, index=index)


def start(code, **variables):
    environment = {**os.environ, "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9", **variables}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_in_lambda_the_import_loads_and_warms_the_model(path):
    code = (
        "import sys, staticemb_runtime.aws_lambda.function as module\n"
        "assert 'tokenizers' in sys.modules\n"
        "assert module.handler({'texts': ['w1'] * 3}, None)['shape'] == [3, 16]\n"
        "assert module.handler({'texts': ['w1'] * 4})['error']['status'] == 413"
    )
    done = start(code, STATICEMB_MODEL=str(path), STATICEMB_MAX_TEXTS="3")
    assert done.returncode == 0, done.stderr


def test_in_lambda_the_import_opens_the_index_and_reads_its_vectors(path, index, tmp_path):
    index.publish(tmp_path / "i.db")
    code = (
        "import sys, staticemb_runtime.aws_lambda.function as module\n"
        "assert module._index()._searcher._table.documents.any()\n"
        "assert module.handler({'query': 'w1 w2', 'k': 1})['hits'][0]['id'] == 'a'\n"
        "assert module.handler({'texts': ['w1']})['shape'] == [1, 16]"
    )
    done = start(code, STATICEMB_MODEL=str(path), STATICEMB_INDEX=str(tmp_path / "i.db"))
    assert done.returncode == 0, done.stderr


def test_in_lambda_no_index_is_no_search(path):
    code = (
        "import sys; before = set(sys.modules)\n"
        "import staticemb_runtime.aws_lambda.function\n"
        "assert not {'sqlite3', 'staticemb_runtime.search'} & (set(sys.modules) - before)"
    )
    done = start(code, STATICEMB_MODEL=str(path))
    assert done.returncode == 0, done.stderr


def test_in_lambda_the_first_text_of_a_model_that_does_not_know_it_is_no_warning(path):
    done = start("import staticemb_runtime.aws_lambda.function", STATICEMB_MODEL=str(path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"STATICEMB_MODEL": "nowhere.staticemb"}, "ModelNotFoundError: nowhere.staticemb"),
        ({"STATICEMB_MAX_TEXTS": "many"}, "STATICEMB_MAX_TEXTS: expected an integer"),
        ({"STATICEMB_INDEX": "nowhere.db"}, "IndexNotFoundError: nowhere.db"),
    ],
)
def test_in_lambda_what_is_set_wrongly_fails_the_initialization(variables, says):
    done = start("import staticemb_runtime.aws_lambda.function", **variables)
    assert done.returncode == 1
    assert says in done.stderr.splitlines()[-1]


# --- labels ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier(path):
    random = np.random.default_rng(2)
    heads = [
        Head(name, kind, labels, random.normal(size=(len(labels), DIM)), np.zeros(len(labels)))
        for name, kind, labels in (
            ("topic", "softmax", ("billing", "größe")),
            ("tags", "sigmoid", ("a", "b", "c")),
            ("stars", "linear", ("stars",)),
        )
    ]
    with_heads(path, heads, path.with_name("heads.staticemb"))
    return StaticModel.load(path.with_name("heads.staticemb"))


@pytest.mark.parametrize("threshold", [None, 0.6, 1])
@pytest.mark.parametrize("name", ["topic", "tags"])
def test_labels_are_those_of_classify(classifier, name, threshold):
    request = {"classify": TEXTS, "head": name, "threshold": threshold}
    document = answer(classifier, request)
    assert json.loads(json.dumps(document)) == document
    assert (document["model"], document["head"]) == (classifier.metadata.digest, name)
    expected = classifier.classify(TEXTS, name, threshold=threshold, on_empty="zero")
    assert [row["prediction"] for row in document["predictions"]] == expected
    assert document["empty"] == [2]
    for event in HTTP:
        response = answer(classifier, event(request, encoded=True))
        assert json.loads(response["body"]) == document


def test_all_probabilities(classifier):
    request = {"classify": TEXTS, "head": "tags", "probabilities": True}
    rows = answer(classifier, request)["predictions"]
    scores = classifier.predict_proba(TEXTS, "tags", on_empty="zero")
    found = np.float32([list(row["probabilities"].values()) for row in rows])
    assert np.array_equal(found, scores)


def test_numbers_of_a_regressor(classifier):
    rows = answer(classifier, {"classify": TEXTS, "head": "stars"})["predictions"]
    found = np.float32([[row["prediction"]] for row in rows])
    assert np.array_equal(found, classifier.predict(TEXTS, "stars", on_empty="zero"))


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        ({"classify": "w1"}, "invalid_request", "classify: expected an array, found a string"),
        ({"classify": [7]}, "invalid_request", "classify: expected strings, found an integer at 0"),
        ({"classify": ["w1"]}, "request_head_missing", "('stars', 'tags', 'topic'), found None"),
        ({"classify": [], "head": "x"}, "request_head_missing", "found 'x'"),
        ({"classify": [], "head": "tags", "threshold": 2}, "invalid_request", "0 to 1 or None"),
        ({"classify": [], "head": "tags", "threshold": True}, "invalid_request", "a number"),
        ({"classify": [], "dim": 4}, "invalid_request", "members among classify, head"),
        ({"classify": ["w1"], "texts": ["w1"]}, "invalid_request", "found texts and classify"),
        ({"classify": ["\ud800"], "head": "tags"}, "request_text_invalid", "surrogate"),
    ],
)
def test_a_bad_request_of_labels_gets_a_reason(classifier, request_, code, says):
    error = answer(classifier, request_)["error"]
    assert (error["status"], error["code"]) == (400, code)
    assert says in error["message"]
    assert "\n" not in error["message"]


def test_too_many_texts_to_classify(classifier):
    error = answer(classifier, {"classify": ["w1"] * (MAX_TEXTS + 1), "head": "tags"})["error"]
    assert (error["status"], error["code"]) == (413, "too_many_texts")
