"""What holds for each adapter: its vectors are the model's, however it is called."""

import asyncio
import copy
import json
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from runtime.test_model import DIM, make_texts, save
from runtime.test_space import MEMBERS, saved
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import (
    InvalidDimensionError,
    InvalidTextError,
    MissingPackageError,
    ModelNotFoundError,
    QueryOnlyError,
    SpaceMismatchError,
)

from .conftest import PROMPTS
from .frameworks import ASYNC, FRAMEWORKS, LISTS, STORED

TEXTS = ["w1 w2 w3", "w9", "w4 " * 400, "w7 w8", "w7 w8"]


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    found = FRAMEWORKS[request.param]
    pytest.importorskip(found.package)
    return found


@pytest.fixture
def adapter(framework, path):
    return framework.make(path)


def chosen(names):
    """The frameworks of these names alone."""
    return pytest.mark.parametrize("framework", names, indirect=True)


# --- vectors --------------------------------------------------------------------------------------


def test_vectors_are_those_of_the_model(framework, adapter, path):
    model = StaticModel(path)
    documents = framework.documents(adapter, TEXTS)
    np.testing.assert_array_equal(documents, model.encode_document(TEXTS))
    for text in TEXTS:
        np.testing.assert_array_equal(framework.query(adapter, text), model.encode_query(text))
    # The file's prompts are used, and differ.
    assert not np.allclose(documents[0], framework.query(adapter, TEXTS[0]))


def test_the_bundled_model_is_the_default(framework):
    adapter = framework.make()
    expected = StaticModel().encode_query("a text")
    np.testing.assert_array_equal(framework.query(adapter, "a text"), expected)


@chosen(LISTS)
def test_numbers_are_pythons_own(framework, adapter):
    for vector in [*framework.documents(adapter, TEXTS), framework.query(adapter, "w1")]:
        assert type(vector) is list
        assert {type(number) for number in vector} == {float}
        assert json.loads(json.dumps(vector)) == vector


@chosen(["chroma", "lancedb"])
def test_numbers_are_arrays_where_the_framework_takes_them(framework, adapter):
    for vector in [*framework.documents(adapter, TEXTS), framework.query(adapter, "w1")]:
        assert type(vector) is np.ndarray
        assert (vector.dtype, vector.shape) == (np.float32, (DIM,))


def test_a_batch_is_one_call(framework, adapter, monkeypatch):
    calls = []
    encode = StaticModel.encode

    def counted(self, *arguments, **options):
        calls.append(1)
        return encode(self, *arguments, **options)

    monkeypatch.setattr(StaticModel, "encode", counted)
    assert len(framework.documents(adapter, make_texts(500))) == 500
    assert len(calls) == 1


def test_a_prefix_on_request(framework, path):
    model = StaticModel(path)
    short = framework.make(path, truncate_dim=8)
    expected = model.encode_document(TEXTS, truncate_dim=8)
    np.testing.assert_array_equal(framework.documents(short, TEXTS), expected)
    assert len(framework.query(short, "w1")) == 8
    for dim in (0, DIM + 1):
        with pytest.raises(InvalidDimensionError):
            framework.make(path, truncate_dim=dim)


@chosen([*LISTS, "chroma"])
def test_an_open_model_is_taken(framework, path):
    model = StaticModel(path, truncate_dim=8)
    adapter = framework.make(model)
    np.testing.assert_array_equal(framework.query(adapter, "w1"), model.encode_query("w1"))
    assert len(framework.query(framework.make(model, truncate_dim=DIM), "w1")) == DIM


def test_a_model_that_is_not_there(framework, tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"no such file"):
        framework.make(tmp_path / "nothing.staticemb")
    with pytest.raises(ModelNotFoundError, match=r"StaticModel.from_pretrained"):
        framework.make("organization/name")


def test_a_file_for_queries_alone_embeds_no_documents(framework, tmp_path):
    members = {**MEMBERS, "documents": "teacher"}
    adapter = framework.make(saved(tmp_path / "model.staticemb", members=members))
    assert len(framework.query(adapter, "w1"))
    with pytest.raises(QueryOnlyError):
        framework.documents(adapter, TEXTS)


# --- texts that go wrong elsewhere ----------------------------------------------------------------


@chosen([*LISTS, "lancedb"])
def test_no_documents_give_no_vectors(framework, adapter):
    assert framework.documents(adapter, []) == []


@chosen([*LISTS, "chroma"])
@pytest.mark.parametrize("text", ["", " ", "\n", "☃"])
def test_a_text_without_known_tokens_has_the_zero_vector(framework, text, tmp_path):
    adapter = framework.make(save(tmp_path / "plain.staticemb"))
    documents = framework.documents(adapter, ["w1", text, "w2"])
    assert np.any(documents, axis=1).tolist() == [True, False, True]
    assert not np.any(framework.query(adapter, text))


@chosen(["langchain", "chroma", "lancedb"])
def test_one_text_is_no_list_of_its_characters(framework, adapter):
    if framework.module == "lancedb":  # which makes a list of it
        assert len(framework.documents(adapter, "w1 w2")) == 1
    else:
        with pytest.raises(TypeError, match="expected a list of strings, found a string"):
            framework.documents(adapter, "w1 w2")


@chosen(["langchain", "chroma"])
@pytest.mark.parametrize("wrong", [None, 3, b"w1", ["w1"], float("nan")])
def test_an_element_that_is_no_text_is_named(framework, adapter, wrong):
    with pytest.raises(TypeError, match="text 1: expected a string, found "):
        framework.documents(adapter, ["w1", wrong])
    with pytest.raises(TypeError, match="expected a string, found "):
        framework.query(adapter, wrong)


def test_an_invalid_text_is_one_error_at_once(framework, adapter, monkeypatch):
    # LanceDB asks a remote model again, after a while.
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("an attempt more"))
    with pytest.raises(InvalidTextError, match=r"text 1: .*surrogate"):
        framework.documents(adapter, ["w1", "\ud800"])
    with pytest.raises(InvalidTextError):
        framework.query(adapter, "\ud800")


# --- copies, threads and asynchronous calls -------------------------------------------------------


@pytest.mark.parametrize("how", ["copy", "deepcopy", "pickle"])
def test_copies_give_the_same_vectors(framework, adapter, how):
    made = {
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    }[how](adapter)
    expected = framework.documents(adapter, TEXTS)
    np.testing.assert_array_equal(framework.documents(made, TEXTS), expected)
    np.testing.assert_array_equal(framework.query(made, "w1"), framework.query(adapter, "w1"))


@chosen(["langchain"])
def test_another_process_takes_the_adapter(framework, adapter):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        found = processes.submit(adapter.embed_documents, TEXTS).result()
    np.testing.assert_array_equal(found, framework.documents(adapter, TEXTS))


def test_threads_share_an_adapter(framework, adapter):
    lists = [make_texts(40, seed) for seed in range(16)]
    expected = [framework.documents(framework.make(adapter_path(adapter)), t) for t in lists]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda texts: framework.documents(adapter, texts), lists))
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


def adapter_path(adapter):
    """The model's file, which every adapter holds."""
    return getattr(adapter, "document", adapter)._opened.name


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(one, other)


@chosen(ASYNC)
def test_asynchronous_calls_give_the_same_vectors(framework, adapter):
    async def together():
        queries = (framework.query_async(adapter, text) for text in TEXTS)
        return await asyncio.gather(framework.documents_async(adapter, TEXTS), *queries)

    documents, *queries = asyncio.run(together())
    np.testing.assert_array_equal(documents, framework.documents(adapter, TEXTS))
    for text, query in zip(TEXTS, queries, strict=True):
        np.testing.assert_array_equal(query, framework.query(adapter, text))


@chosen(ASYNC)
def test_documents_do_not_block_the_event_loop(framework, adapter, monkeypatch):
    threads = []
    encode = StaticModel.encode

    def noted(self, *arguments, **options):
        threads.append(threading.get_ident())
        return encode(self, *arguments, **options)

    monkeypatch.setattr(StaticModel, "encode", noted)
    asyncio.run(framework.documents_async(adapter, TEXTS))
    asyncio.run(framework.query_async(adapter, "w1"))
    assert len(threads) == 2
    assert threading.get_ident() not in threads


# --- what a framework stores ----------------------------------------------------------------------


@chosen(STORED)
def test_a_stored_adapter_comes_back(framework, path):
    for adapter in (framework.make(path), framework.make(path, truncate_dim=8), framework.make()):
        config = json.loads(json.dumps(framework.config(adapter)))
        again = framework.load(config)
        expected = framework.documents(adapter, TEXTS)
        np.testing.assert_array_equal(framework.documents(again, TEXTS), expected)
        assert framework.config(again) == framework.config(adapter)


@chosen(STORED)
def test_a_stored_path_does_not_depend_on_the_folder(framework, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    config = framework.config(framework.make(path.name))
    monkeypatch.chdir("/")
    assert len(framework.query(framework.load(config), "w1")) == DIM


@chosen(STORED)
def test_the_bundled_model_is_stored_by_its_name(framework):
    assert "minilm-en-small" in json.dumps(framework.config(framework.make()))
    assert "site-packages" not in json.dumps(framework.config(framework.make()))
    for model in (StaticModel(), StaticModel("minilm-en-small")):
        if framework.module != "lancedb":
            assert framework.config(framework.make(model)) == framework.config(framework.make())


@chosen(["llama_index", "chroma", "lancedb"])
def test_a_model_of_another_digest_is_refused(framework, path):
    config = framework.config(framework.make(path))
    save(path, damped=False, prompts=PROMPTS)  # the same name, other vectors
    with pytest.raises(SpaceMismatchError, match=r"expected the model whose digest is 'sha256:"):
        framework.load(config)
    save(path, prompts=PROMPTS)
    assert len(framework.query(framework.load(config), "w1")) == DIM


def test_adapters_share_an_open_model_until_its_file_is_replaced(framework, path):
    def model():
        made = framework.make(path)
        return getattr(made, "document", made)._opened.model

    first = model()
    assert model() is first
    save(path, damped=False, prompts=PROMPTS)
    second = model()
    assert second is not first
    assert second.metadata.pooling != first.metadata.pooling


# --- imports --------------------------------------------------------------------------------------


def test_a_missing_framework_is_named_with_its_extra(framework):
    program = (
        "import sys\n"
        f"sys.modules[{framework.package.partition('.')[0]!r}] = None\n"
        "from staticemb_runtime.errors import MissingPackageError\n"
        "try:\n"
        f"    import staticemb_runtime.integrations.{framework.module}\n"
        "except MissingPackageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    extra = framework.module.replace("_", "-")
    assert done.stdout.endswith(f"pip install 'staticemb-runtime[{extra}]'\n")
    assert done.stdout.count("\n") == 1
    assert issubclass(MissingPackageError, ImportError)


def test_the_package_imports_no_framework():
    program = (
        "import sys, staticemb_runtime.integrations\n"
        "from staticemb_runtime import StaticModel\n"
        "from staticemb_runtime.integrations.opened_model import OpenedModel\n"
        "OpenedModel.open(None).queries(['a'])\n"
        "print([name for name in sys.modules if name.partition('.')[0] in "
        "{'langchain_core', 'llama_index', 'haystack', 'chromadb', 'lancedb', 'pydantic'}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
