"""Programs written for sentence-transformers and model2vec, run against `StaticModel`."""

import copy
import inspect
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from tokenizers import Tokenizer

from peer_models import TEXTS, save_model2vec, save_sentence_transformers
from runtime.test_model import DIM, save
from staticemb_runtime import StaticModel
from staticemb_runtime.encoding.peer_parameters import CONSTRUCTOR, ENCODE
from staticemb_runtime.errors import InvalidDimensionError, InvalidOptionError
from staticemb_runtime.model.peer_names import REPLACED
from tokenizer_families import family

# Every text of theirs has a token, so that no vector is zero and cosines are defined.
WORDS = [text for text in TEXTS if text.strip()]


def same(found, expected):
    """Whether two results are equal but for the rounding of sums and the type of the array."""
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(same, found, expected))
    if hasattr(expected, "numpy") or isinstance(expected, np.ndarray):
        expected = np.asarray(expected)
        assert isinstance(found, np.ndarray)
        assert found.shape == expected.shape
        if expected.dtype.kind != "f":
            return found.dtype == expected.dtype and np.mean(found == expected) > 0.98
        assert found.dtype == np.float32
        return np.allclose(found, expected, atol=2e-6 * max(1, np.abs(expected).max(initial=0)))
    return found == expected


# --- sentence-transformers ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sentence_transformers(tmp_path_factory):
    """The same folder, opened by both."""
    folder = tmp_path_factory.mktemp("st")
    theirs = save_sentence_transformers(folder, family("bert_uncased"))
    return StaticModel(str(folder), device="cpu"), theirs


def within(block, model):
    with block:
        inside = [model.truncate_dim, model.get_embedding_dimension(), model.encode(WORDS)]
    return [*inside, model.truncate_dim, model.encode(WORDS[0])]


SENTENCE_TRANSFORMERS = {
    # The first example of its documentation, and the README.
    "encode": lambda m: m.encode(WORDS),
    "similarity": lambda m: m.similarity(m.encode(WORDS), m.encode(WORDS)),
    "similarity of two": lambda m: m.similarity(*m.encode(WORDS[:2])),
    # Semantic search: a query and documents.
    "query": lambda m: m.encode_query(WORDS[0]),
    "queries": lambda m: m.encode_query(WORDS),
    "documents": lambda m: m.encode_document(WORDS),
    "search": lambda m: m.similarity(m.encode_query(WORDS[0]), m.encode_document(WORDS)),
    "pairwise": lambda m: m.similarity_pairwise(m.encode(WORDS), m.encode(WORDS[::-1])),
    "pairwise of two": lambda m: m.similarity_pairwise(*m.encode(WORDS[:2])),
    # Parameters by name, as the reference of `encode` lists them.
    "prompt": lambda m: m.encode(WORDS, prompt="a prompt: "),
    "prompt of a query": lambda m: m.encode_query(WORDS, prompt="a prompt: "),
    "batch_size": lambda m: m.encode(WORDS, batch_size=2, show_progress_bar=False),
    "normalized": lambda m: m.encode(WORDS, normalize_embeddings=True),
    "not normalized": lambda m: m.encode(WORDS, normalize_embeddings=False),
    "truncated": lambda m: m.encode(WORDS, truncate_dim=8),
    # The names of version 6, and those before.
    "inputs": lambda m: m.encode(inputs=WORDS, prompt="a prompt: "),
    "inputs of one": lambda m: m.encode(inputs=WORDS[0]),
    "inputs of queries": lambda m: m.encode_query(inputs=WORDS),
    "inputs of documents": lambda m: m.encode_document(inputs=WORDS[0], batch_size=2),
    "sentences": lambda m: m.encode(sentences=WORDS),
    "sentences of queries": lambda m: m.encode_query(sentences=WORDS),
    "embeddings": lambda m: m.similarity(
        embeddings1=m.encode(WORDS), embeddings2=m.encode(WORDS[0])
    ),
    "pairs": lambda m: m.similarity_pairwise(
        embeddings1=m.encode(WORDS), embeddings2=m.encode(WORDS[::-1])
    ),
    "a block of shorter vectors": lambda m: within(m.truncate_embeddings(8), m),
    "a block of whole vectors": lambda m: within(m.truncate_embeddings(None), m),
    "an older block": lambda m: within(m.truncate_sentence_embeddings(truncate_dim=8), m),
    "binary": lambda m: m.encode(WORDS, precision="binary"),
    "ubinary": lambda m: m.encode(WORDS, precision="ubinary"),
    "device": lambda m: m.encode(WORDS, device="cpu", convert_to_numpy=True),
    "array": lambda m: m.encode(np.array(WORDS)),
    "tuple": lambda m: m.encode(tuple(WORDS)),
    "defaults said": lambda m: m.encode(
        WORDS,
        prompt_name=None,
        output_value="sentence_embedding",
        convert_to_tensor=False,
        pool=None,
        chunk_size=None,
    ),
    # The same by position.
    "positions": lambda m: m.encode(
        WORDS, None, "a prompt: ", 8, False, "sentence_embedding", "float32", True, False, "cpu",
        True, 8,
    ),
    "positions of a query": lambda m: m.encode_query(WORDS, None, "a prompt: ", 8),
    # Properties of the model.
    "dimension": lambda m: m.get_embedding_dimension(),
    "old dimension": lambda m: m.get_sentence_embedding_dimension(),
    "no truncate_dim": lambda m: m.truncate_dim,
    "similarity_fn_name": lambda m: m.similarity_fn_name,
    "device's name": lambda m: str(m.device),
    "ids": lambda m: m.tokenizer.encode(WORDS[0], add_special_tokens=False).ids,
    "vocabulary": lambda m: sorted(m.tokenizer.get_vocab().items()),
    "modes": lambda m: m.eval().to("cpu").cpu().float().train(False).encode(WORDS),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the peer, about a name it gave up
@pytest.mark.parametrize("call", SENTENCE_TRANSFORMERS.values(), ids=SENTENCE_TRANSFORMERS)
def test_calls_of_sentence_transformers(sentence_transformers, call):
    ours, theirs = sentence_transformers
    assert same(call(ours), call(theirs))


# Methods whose parameters cannot be the same, as their results are not.
OTHER_RESULTS = {"tokenize", "load"}


def shared_methods():
    """The names of public methods that both classes have."""
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from torch import nn

    of_torch = set(dir(nn.Sequential)) - {"to", "train", "eval", "cpu", "float"}
    names = set(dir(SentenceTransformer)) - of_torch - OTHER_RESULTS
    return [
        (getattr(StaticModel, name), getattr(SentenceTransformer, name))
        for name in sorted(names)
        if not name.startswith("_")
        and callable(getattr(SentenceTransformer, name))
        and hasattr(StaticModel, name)
    ]


def test_signatures_take_what_those_of_sentence_transformers_take():
    """Each parameter stands at the same place, or is taken by name; defaults change nothing."""
    methods = shared_methods()
    assert len(methods) >= 14
    for ours, theirs in methods:
        own = inspect.signature(ours).parameters
        places = list(own)
        known = set(own) | set(ENCODE) if ours.__name__.startswith("encode") else set(own)
        variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        for place, parameter in enumerate(inspect.signature(theirs).parameters.values()):
            name = parameter.name
            if parameter.kind in variable:
                continue
            assert name in known, f"{ours.__name__}: {name}"
            if name in own:
                assert places[place] == name, f"{ours.__name__}: {name}"
            if name in ENCODE and parameter.default is not parameter.empty:
                accepted, _ = ENCODE[name]
                assert accepted is None or parameter.default in accepted


def test_the_constructor_knows_each_parameter_of_sentence_transformers():
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    for name, parameter in inspect.signature(SentenceTransformer).parameters.items():
        if name not in ("model_name_or_path", "truncate_dim"):
            accepted, _ = CONSTRUCTOR[name]
            assert accepted is None or parameter.default in accepted, name


def test_texts_are_passed_under_one_name(model):
    for call in (model.encode, model.encode_query, model.encode_document):
        with pytest.raises(TypeError, match="'sentences' and as 'inputs'"):
            call("w1", inputs="w2")
        with pytest.raises(TypeError, match=r"expected .*strings, found None"):
            call()
        with pytest.raises(TypeError, match=r"expected .*strings, found None"):
            call(inputs=None)


def test_blocks_of_shorter_vectors_nest_and_end_with_an_error(model):
    def fail():
        with model.truncate_embeddings(3):
            assert model.dim == len(model.encode("w1")) == 3
            raise KeyError

    with model.truncate_embeddings(8):
        with pytest.raises(KeyError):
            fail()
        assert model.dim == pickle.loads(pickle.dumps(model)).dim == 8
    assert model.dim == DIM
    for dim in (0, DIM + 1):
        with pytest.raises(InvalidDimensionError):
            model.truncate_embeddings(dim).__enter__()
    assert model.dim == DIM


def test_a_shorter_model_says_so(sentence_transformers, tmp_path):
    ours, theirs = sentence_transformers
    theirs = copy.copy(theirs)
    theirs.truncate_dim = 8
    short = StaticModel(ours._path, truncate_dim=8)
    assert short.truncate_dim == theirs.truncate_dim == short.get_embedding_dimension() == 8
    assert same(short.encode(WORDS), theirs.encode(WORDS))


def test_the_constructor_takes_what_changes_nothing(sentence_transformers):
    ours, _ = sentence_transformers
    again = StaticModel(
        model_name_or_path=ours._path,
        device=None,
        trust_remote_code=True,
        local_files_only=True,
        backend="torch",
        similarity_fn_name="cosine",
        token=None,
        revision=None,
        prompts=None,
    )
    np.testing.assert_array_equal(again.encode(WORDS), ours.encode(WORDS))


def test_a_device_of_torch_is_understood(sentence_transformers):
    torch = pytest.importorskip("torch")

    ours, _ = sentence_transformers
    assert ours.encode(WORDS[0], device=torch.device("cpu")).any()
    assert ours.to(torch.device("cpu")) is ours
    with pytest.raises(InvalidOptionError, match="found 'cuda:1'"):
        ours.to(torch.device("cuda:1"))


# --- model2vec ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[True, False], ids=["normalized", "raw"])
def model2vec(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("m2v")
    theirs = save_model2vec(folder, family("bert_uncased"), normalize=request.param)
    return StaticModel.from_pretrained(folder), theirs


MODEL2VEC = {
    "encode": lambda m: m.encode(WORDS),
    "one": lambda m: m.encode(WORDS[0]),
    "progress": lambda m: m.encode(WORDS, show_progress_bar=True),
    "batch_size": lambda m: m.encode(WORDS, batch_size=3),
    "normalize": lambda m: m.encode(WORDS, normalize=True),
    "do not normalize": lambda m: m.encode(WORDS, normalize=False),
    "normalize by default": lambda m: m.encode(WORDS, normalize=None),
    "one process": lambda m: m.encode(WORDS, use_multiprocessing=False),
    "a threshold": lambda m: m.encode(WORDS, multiprocessing_threshold=2),
    "its own max_length": lambda m: m.encode(WORDS, max_length=m.max_length),
    "sequence": lambda m: m.encode_as_sequence(WORDS),
    "sequence of one": lambda m: m.encode_as_sequence(WORDS[0]),
    "sequence beyond max_length": lambda m: m.encode_as_sequence("the cat sat " * 1000),
    "sequence of nothing": lambda m: m.encode_as_sequence(["", "☃"]),
    "sequence, said": lambda m: m.encode_as_sequence(
        WORDS, max_length=None, batch_size=2, show_progress_bar=False, use_multiprocessing=False
    ),
    "dim": lambda m: m.dim,
    "max_length": lambda m: m.max_length,
    "tokenizer": lambda m: m.tokenizer.encode("the cat sat " * 1000, add_special_tokens=False).ids,
}


@pytest.mark.parametrize("call", MODEL2VEC.values(), ids=MODEL2VEC)
def test_calls_of_model2vec(model2vec, call):
    ours, theirs = model2vec
    assert same(call(ours), call(theirs))


@pytest.mark.parametrize(
    "options", [{}, {"dimensionality": 8}, {"token": None, "force_download": False}]
)
def test_from_pretrained_of_model2vec(model2vec, options):
    ours, theirs = model2vec
    ours = StaticModel.from_pretrained(ours._path, **options)
    theirs = type(theirs).from_pretrained(ours._path, **options)
    assert ours.dim == theirs.dim
    assert same(ours.encode(WORDS), theirs.encode(WORDS))
    assert same(ours.encode_as_sequence(WORDS), theirs.encode_as_sequence(WORDS))


def test_the_second_argument_of_from_pretrained_is_the_token(model2vec):
    ours, _ = model2vec
    assert StaticModel.from_pretrained(ours._path, None).dim == ours.dim
    assert StaticModel.from_pretrained(ours._path, "a token").dim == ours.dim


# --- what is refused ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return StaticModel(save(tmp_path_factory.mktemp("model") / "model.staticemb"))


REFUSED = {
    "tensors": (lambda m: m.encode("w1", convert_to_tensor=True), "torch.from_numpy"),
    "list of tensors": (lambda m: m.encode("w1", convert_to_numpy=False), "torch.from_numpy"),
    "token_embeddings": (
        lambda m: m.encode("w1", output_value="token_embeddings"),
        "encode_tokens",
    ),
    "everything": (lambda m: m.encode("w1", output_value=None), "encode_tokens"),
    "cuda": (lambda m: m.encode("w1", device="cuda"), "on the CPU alone"),
    "devices": (lambda m: m.encode("w1", device=["cpu", "cpu"]), "workers=N"),
    "pool": (lambda m: m.encode("w1", pool={"input": None}), "workers=N"),
    "chunk_size": (lambda m: m.encode("w1", chunk_size=8), "batch_size"),
    "max_length": (lambda m: m.encode("w1", max_length=8), "expected 300, .*cut the texts"),
    "no max_length": (lambda m: m.encode("w1", max_length=None), "expected 300, .*cut the texts"),
    "batch size second": (
        lambda m: m.encode(["w1"], 32),
        "second argument of encode: pass batch_size=",
    ),
    "query batch size": (
        lambda m: m.encode_query(["w1"], 32),
        "second argument of encode: pass batch_size=",
    ),
    "sequence": (lambda m: m.encode_as_sequence("w1", max_length=8), "cut the texts"),
    "training": (lambda m: m.train(), "staticemb-distiller train"),
    "to cuda": (lambda m: m.to("cuda"), "on the CPU alone"),
    "to a type": (lambda m: m.to(dtype="float16"), "a device alone"),
    "constructor: cuda": (lambda m: StaticModel(m._path, device="cuda"), "on the CPU alone"),
    "revision": (lambda m: StaticModel("a/b", revision="main"), "from_pretrained"),
    "cache_folder": (lambda m: StaticModel(cache_folder="."), "from_pretrained"),
    "token": (lambda m: StaticModel(token="t"), "from_pretrained"),
    "modules": (lambda m: StaticModel(modules=[1]), "a file or a folder"),
    "backend": (lambda m: StaticModel(backend="onnx"), "one backend"),
    "dot": (lambda m: StaticModel(similarity_fn_name="dot"), "a @ b.T"),
    "model_kwargs": (lambda m: StaticModel(model_kwargs={"a": 1}), "leave it out"),
    "quantize_to": (lambda m: StaticModel.from_pretrained(m._path, quantize_to="int8"), "convert"),
    "subfolder": (lambda m: StaticModel.from_pretrained(m._path, subfolder="a"), "the folder"),
    "normalize": (lambda m: StaticModel.from_pretrained(m._path, normalize=True), "to encode"),
    "loaded max_length": (lambda m: StaticModel.from_pretrained(m._path, max_length=9), "cut the"),
}


@pytest.mark.parametrize(("call", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_with_what_replaces_it(model, call, says):
    with pytest.raises(InvalidOptionError, match=says) as caught:
        call(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["token", "use_auth_token"])
def test_a_refused_token_is_not_repeated(name):
    with pytest.raises(InvalidOptionError) as caught:
        StaticModel("a/b", **{name: "hf_secret"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", [*REPLACED, "nothing_of_anybody"])
def test_attributes_that_are_not_here(model, name):
    assert not hasattr(model, name)
    with pytest.raises(
        AttributeError, match=f"^'StaticModel' object has no attribute '{name}'"
    ) as e:
        getattr(model, name)
    assert str(e.value).partition("; ")[2] == REPLACED.get(name, "")


def test_every_name_of_the_peers_is_here_or_is_replaced():
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("model2vec")
    from model2vec import StaticModel as Model2Vec
    from sentence_transformers import SentenceTransformer
    from torch import nn

    ignored = {  # adapters, constants of classes and what only the peer's own code calls
        "SUPPORTED_SIMILARITY_FN_NAMES", "active_adapter", "active_adapters",
        "check_peft_compatible_model", "clear_placement_cache", "default_huggingface_organization",
        "delete_adapter", "disable_adapters", "enable_adapters", "get_adapter_state_dict",
        "has_peft_compatible_model", "merge", "model_card_data_class", "model_type", "set_adapter",
    }  # fmt: skip
    names = set(dir(SentenceTransformer)) - set(dir(nn.Sequential)) | set(dir(Model2Vec))
    names = {name for name in names if not name.startswith("_")} - ignored
    assert {name for name in names if not hasattr(StaticModel, name)} <= set(REPLACED)
    assert not {name for name in REPLACED if hasattr(StaticModel, name)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_seq_length", 128),
        ("max_length", None),
        ("truncate_dim", 8),
        ("tokenizer", None),
        ("similarity_fn_name", "dot"),
        ("device", "cuda"),
        ("normalize", True),
        ("embedding", None),
        ("prompts", {"query": "q: "}),
    ],
)
def test_a_setting_that_would_do_nothing_cannot_be_set(model, name, value):
    with pytest.raises(AttributeError, match=f"StaticModel.{name} cannot be set; "):
        setattr(model, name, value)
    model.of_the_programs_own = 3  # other attributes are nobody's business
    assert model.of_the_programs_own == 3


def test_an_unknown_parameter_is_pythons_own_error(model):
    for call in (model.encode, model.encode_query, StaticModel, StaticModel.from_pretrained):
        with pytest.raises(
            TypeError, match=r"\(\) got an unexpected keyword argument 'btach_size'"
        ):
            call("w1", btach_size=8)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        model.encode_stream(["w1"], btach_size=8)


def test_max_seq_length_and_tokenizer_of_a_file(model):
    assert model.max_seq_length == model.get_max_seq_length() == model.metadata.max_tokens == 300
    assert isinstance(model.tokenizer, Tokenizer)
    assert model.tokenizer.encode("w1 w2").tokens == model.tokenize("w1 w2")
    assert len(model.tokenizer.encode("w1 " * 1000).ids) == len(model.tokenize("w1 " * 1000)) == 300
    model.tokenizer.add_tokens(["w1 w2"])  # a copy: the model stays what it is
    assert model.tokenize("w1 w2") == ["w1", "w2"]
    assert len(model.encode_as_sequence("w1 " * 1000)) == 1000


def test_pairwise_similarity_is_the_diagonal(model):
    a, b = model.encode(["w1", "w2 w3", "w9"]), model.encode(["w2", "w2 w3", "☃"])
    expected = np.diagonal(model.similarity(a, b))
    np.testing.assert_allclose(model.similarity_pairwise(a, b), expected, atol=1e-6)


def test_copies_and_pickles_are_models(model):
    for made in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(made.encode("w1"), model.encode("w1"))


def test_no_peer_is_imported():
    program = (
        "import sys\n"
        "from staticemb_runtime import StaticModel\n"
        "model = StaticModel(device='cpu').to('cpu').eval()\n"
        "rows = model.encode_as_sequence('a')\n"
        "model.similarity_pairwise(model.encode('a', None, 'b '), rows[0])\n"
        "for option in ({'convert_to_tensor': True}, {'device': 'cuda'}):\n"
        "    try: model.encode('a', **option)\n"
        "    except ValueError: pass\n"
        "peers = {'torch', 'model2vec', 'sentence_transformers', 'transformers'}\n"
        "print(peers & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


# --- types ----------------------------------------------------------------------------------------

TYPED = """
from collections.abc import Iterable
from typing import Literal
import numpy as np
from staticemb_runtime import StaticModel

model = StaticModel("model.staticemb")
texts: list[str] = []
precision: Literal["float32", "int8"] = "int8"
def any_texts(texts: str | Iterable[str]) -> None:
    reveal_type(model.encode(texts))                              # float32
reveal_type(model.encode("a"))                                    # 1 float32
reveal_type(model.encode(texts))                                  # 2 float32
reveal_type(model.encode(texts, None, "p", 8, workers=2))         # 2 float32
reveal_type(model.encode(texts, precision="int8"))                # 2 int8
reveal_type(model.encode("a", precision="binary"))                # 1 int8
reveal_type(model.encode("a", precision="uint8"))                 # 1 uint8
reveal_type(model.encode(texts, precision="ubinary"))             # 2 uint8
reveal_type(model.encode(texts, precision=precision))             # Any
reveal_type(model.encode(inputs=texts))                           # Any
reveal_type(model.encode_query("a"))                              # 1 float32
reveal_type(model.encode_document(texts, precision="ubinary"))    # 2 uint8
reveal_type(model.encode_tokens("a"))                             # float32
reveal_type(model.encode_as_sequence("a"))                        # float32
reveal_type(model.similarity_pairwise([1.0], [1.0]))              # float32
vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]] = model.encode(texts)
model.encode(texts, precision="int4")                             # wrong
model.encode(texts, pooling="max")                                # wrong
model.encode(texts, on_empty="ignore")                            # wrong
model.encode(texts, btach_size=3)                                 # wrong
model.encode_query(texts, 32)                                     # wrong
model.embedding                                                   # wrong
StaticModel(3)                                                    # wrong
StaticModel("a", devise="cpu")                                    # wrong
"""


def test_types_say_what_comes_out(tmp_path):
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, check=False)
    said = {}
    for line in done.stdout.splitlines():
        place, _, message = line.partition(": ")
        if place.startswith(str(program)) and " note: Possible" not in message:
            said.setdefault(int(place.rpartition(":")[2]), message)
    floats = "numpy.dtype[numpy.floating[numpy._typing._nbit_base._32Bit]]"
    for number, line in enumerate(TYPED.splitlines(), 1):
        expected = line.partition("# ")[2].split()
        if not expected:
            assert number not in said, said
        elif expected == ["wrong"]:
            assert said[number].startswith("error: "), line
        else:
            revealed = said[number]
            assert revealed.startswith("note: Revealed type is "), line
            if expected == ["Any"]:
                assert "numpy.dtype[Any]" in revealed
            elif expected[-1] == "float32":
                assert floats in revealed
            else:
                sign = "signedinteger" if expected[-1] == "int8" else "unsignedinteger"
                assert f"numpy.dtype[numpy.{sign}[numpy._typing._nbit_base._8Bit]]" in revealed
            if expected[0] in "12":
                axes = ", ".join(["int"] * int(expected[0]))
                assert f"ndarray[tuple[{axes}], " in revealed


def test_a_model_of_one_dimension_name_for_all(model):
    assert model.dim == model.get_embedding_dimension() == DIM
    with pytest.raises(InvalidDimensionError):
        StaticModel.from_pretrained(model._path, dimensionality=DIM + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.get_sentence_embedding_dimension() == DIM
