"""What is taken for texts, and what is refused with what to pass in its place."""

import enum
import io
import subprocess
import sys
import tempfile
import tracemalloc
from collections import OrderedDict, UserDict, deque

import numpy as np
import pandas as pd
import pytest

from runtime.test_model import DIM, save
from staticemb_runtime import StaticModel
from staticemb_runtime.encoding.batching import SLICE_CHARACTERS, slices
from staticemb_runtime.errors import InvalidTextError

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
datasets = pytest.importorskip("datasets")

WORDS = ["w1 w2", "w3", "w4 w4"]


class Kind(str, enum.Enum):
    """Its members are strings; `str()` of one is its name."""

    FIRST = "w1 w2"
    SECOND = "w3"
    THIRD = "w4 w4"


class LengthLess(list):
    def __len__(self):
        raise TypeError("no length here")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return StaticModel(save(tmp_path_factory.mktemp("model") / "model.staticemb"))


FUNCTIONS = {
    "encode": lambda model, texts: model.encode(texts),
    "encode_query": lambda model, texts: model.encode_query(texts),
    "encode_document": lambda model, texts: model.encode_document(texts),
    "encode_stream": lambda model, texts: list(model.encode_stream(texts)),
    "encode_tokens": lambda model, texts: model.encode_tokens(texts),
    "encode_as_sequence": lambda model, texts: model.encode_as_sequence(texts),
    "tokenize": lambda model, texts: model.tokenize(texts),
}
takes_texts = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def frame(columns: dict) -> pd.DataFrame:
    return pd.DataFrame(columns)


ACCEPTED = {
    "tuple": tuple,
    "generator": lambda texts: (text for text in texts),
    "map": lambda texts: map(str, texts),
    "deque": deque,
    "values of a dict": lambda texts: dict(enumerate(texts)).values(),
    "an ordered set of another kind": lambda texts: list(dict.fromkeys(texts)),
    "enumeration": lambda texts: Kind,
    "no length after all": LengthLess,
    "numpy str": np.array,
    "numpy objects": lambda texts: np.array(texts, object),
    "numpy strided": lambda texts: np.array([texts, texts]).T[:, 1],
    "pandas Series": pd.Series,
    "pandas Series of strings": lambda texts: pd.Series(texts, dtype="string"),
    "pandas categories": lambda texts: pd.Series(texts, dtype="category"),
    "pandas Series with labels": lambda texts: pd.Series(texts, index=range(7, 10)),
    "pandas column": lambda texts: frame({"text": texts, "n": 1})["text"],
    "pandas Index": pd.Index,
    "pandas array": pd.array,
    "polars Series": pl.Series,
    "polars column": lambda texts: pl.DataFrame({"text": texts})["text"],
    "pyarrow array": pa.array,
    "pyarrow large strings": lambda texts: pa.array(texts, pa.large_string()),
    "pyarrow dictionary": lambda texts: pa.array(texts).dictionary_encode(),
    "pyarrow chunks": lambda texts: pa.chunked_array([texts[:1], texts[1:]]),
    "pyarrow column": lambda texts: pa.table({"text": texts})["text"],
    "pyarrow scalars": lambda texts: list(pa.array(texts)),
    "datasets column": lambda texts: datasets.Dataset.from_dict({"text": texts})["text"],
}


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
@takes_texts
def test_texts_in_an_order_are_those_of_a_list(model, function, make):
    expected, found = function(model, WORDS), function(model, make(WORDS))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


REFUSED = {
    "DataFrame": (
        frame({"n": [1], "text": ["w1"]}),
        r"a table; pass one column, sentences\['text'\]",
    ),
    "DataFrame of one column": (frame({"body": ["w1"]}), r"sentences\['body'\]"),
    "df[[...]]": (frame({"text": ["w1"], "n": [1]})[["text"]], r"sentences\['text'\]"),
    "empty DataFrame": (frame({}), r"sentences\['text'\]"),
    "polars DataFrame": (pl.DataFrame({"body": ["w1"]}), r"sentences\['body'\]"),
    "polars LazyFrame": (pl.LazyFrame({"a": ["w1"]}), r"sentences\.collect\(\)\['text'\]"),
    "pyarrow Table": (pa.table({"body": ["w1"]}), r"sentences\['body'\]"),
    "pyarrow RecordBatch": (pa.record_batch({"text": ["w1"]}), r"sentences\['text'\]"),
    "Dataset": (datasets.Dataset.from_dict({"body": ["w1"]}), r"sentences\['body'\]"),
    "IterableDataset": (
        datasets.Dataset.from_dict({"text": ["w1"]}).to_iterable_dataset(),
        r"sentences\['text'\]",
    ),
    "DatasetDict": (datasets.DatasetDict(), "found DatasetDict"),
    "set": ({"w1"}, r"found set, which has no order; pass a list"),
    "frozenset": (frozenset(["w1"]), "found frozenset, which has no order"),
    "dict": ({"w1": 1}, r"found dict; pass list\(sentences\)"),
    "OrderedDict": (OrderedDict(w1=1), "found OrderedDict"),
    "UserDict": (UserDict(w1=1), "found UserDict"),
    "dict.keys()": ({"w1": 1}.keys(), r"found dict_keys, a set; pass list\(sentences\)"),
    "bytes": (b"w1", r"found bytes; pass bytes\(sentences\).decode\(\)"),
    "bytearray": (bytearray(b"w1"), "found bytearray"),
    "memoryview": (memoryview(b"w1"), "found memoryview"),
    "no axis": (np.array("w1"), r"an array of shape \(\); pass sentences.item\(\)"),
    "two axes": (np.array([["w1"]]), r"an array of shape \(1, 1\); pass .* sentences.ravel\(\)"),
    "fields": (np.array([("w1", 1)], [("body", "U9"), ("n", int)]), r"sentences\['body'\]"),
    "integer": (5, "found int"),
    "None": (None, "found NoneType"),
    "class": (list, "found type"),
}


@pytest.mark.parametrize(("value", "says"), REFUSED.values(), ids=REFUSED)
@takes_texts
def test_what_is_no_sequence_of_texts_is_refused_by_name(model, function, value, says):
    with pytest.raises(TypeError, match=f"^sentences: expected .*{says}"):
        function(model, value)


ELEMENTS = {
    "None": (["w1", None], r"text 1: .* found NoneType, a missing value \(None\); drop it"),
    "NaN": (["w1"] * 30 + [float("nan")], r"text 30: .* found float, a missing value \(nan\)"),
    "numpy NaN": ([np.float32("nan")], r"text 0: .* found float32, a missing value"),
    "pandas object": (pd.Series(["w1", None], dtype=object, index=[7, 8]), "text 1: .* missing"),
    "pandas string": (pd.Series(["w1", None], dtype="string"), r"text 1: .*NAType.*missing"),
    "pandas time": (pd.Series([pd.NaT]), r"text 0: .*NaTType.*missing"),
    "polars": (pl.Series(["w1", None]), "text 1: .* missing value"),
    "pyarrow": (pa.chunked_array([["w1"], [None]]), "text 1: .* missing value"),
    "pyarrow rows": (pa.array([{"text": "w1"}]), r"text 0: .*dict; pass \[element\['text'\]"),
    "masked": (np.ma.array(["w1", "w2"], mask=[0, 1]), "text 1: .* found MaskedConstant"),
    "rows": ([{"body": "w1"}], r"found dict; pass \[element\['body'\] for element in sentences\]"),
    "bytes": ([b"w1"], "text 0: .* found bytes; decode it"),
    "numpy bytes": (np.array([b"w1"]), "text 0: .* found bytes_; decode it"),
    "numbers": (np.array([1, 2]), "text 0: .* found int64"),
    "pairs": ([("w1", "w2")], "text 0: .* found tuple"),
    "items": ({"w1": "w2"}.items(), "text 0: .* found tuple"),
    "groups": (frame({"text": ["w1"]}).groupby("text"), "text 0: .* found tuple"),
    "arrays": ([np.array([1.0, 2.0])], "text 0: .* found ndarray"),
    "frames": ([frame({"text": ["w1"]})], "text 0: .* found DataFrame"),
}


@pytest.mark.parametrize(("value", "says"), ELEMENTS.values(), ids=ELEMENTS)
@takes_texts
def test_an_element_that_is_no_text_is_named_by_its_index(model, function, value, says):
    with pytest.raises(TypeError, match=says):
        function(model, value)


@takes_texts
def test_an_open_file_gives_its_lines_without_their_ends(model, function, tmp_path):
    # The tokenizer of this model knows no white space; others have tokens for line ends.
    file = tmp_path / "texts.txt"
    file.write_bytes(b"w1 w2\r\nw3\nw4 w4")
    expected = function(model, WORDS)
    opened = [
        file.open(newline=""),
        file.open(),
        io.StringIO(file.read_text()),
        tempfile.NamedTemporaryFile("w+", newline=""),  # noqa: SIM115 - closed below
    ]
    opened[-1].write(file.read_bytes().decode())
    opened[-1].seek(0)
    for lines in opened:
        with lines:
            found = function(model, lines)
            assert len(found) == len(expected)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    with (
        file.open("rb") as lines,
        pytest.raises(TypeError, match=r"bytes; .*open the file as text"),
    ):
        function(model, lines)


def test_line_ends_are_not_part_of_texts():
    (part,) = slices(io.StringIO("a\r\nb \n\nc\u2028d"), 10)
    assert part.texts == ["a", "b ", "", "c\u2028d"]


def test_no_library_is_imported_to_tell_what_texts_are():
    program = (
        "import sys\n"
        "from staticemb_runtime import StaticModel\n"
        "model = StaticModel()\n"
        "for texts in ({'a'}, {'a': 1}, 3):\n"
        "    try: model.encode(texts)\n"
        "    except TypeError: pass\n"
        "model.encode(iter(['a']))\n"
        "print({'pandas', 'polars', 'pyarrow', 'datasets', 'torch'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


# --- prompts --------------------------------------------------------------------------------------


def test_a_prompt_is_put_before_each_text_whatever_the_slices_are(model):
    prompt = "w5 " * 100_000  # a handful of texts a slice
    found = model.encode(WORDS * 10, prompt=prompt, on_empty="raise")
    expected = np.stack([model.encode(prompt + text) for text in WORDS])
    np.testing.assert_array_equal(found, np.tile(expected, (10, 1)))


def test_the_limit_of_a_slice_counts_the_prompt():
    prompt = "p" * (SLICE_CHARACTERS // 10)
    parts = [part.texts for part in slices(["text"] * 100, 1024, prompt)]
    assert all(sum(map(len, part)) <= SLICE_CHARACTERS for part in parts)
    assert sum(map(len, parts)) == 100
    longer = list(slices(["a", "b"], 1024, "p" * SLICE_CHARACTERS))
    assert [(part.start, len(part.texts)) for part in longer] == [(0, 1), (1, 1)]


def test_memory_does_not_grow_with_texts_times_prompt(model):
    prompt = "w5 " * 200_000

    def peak(count: int) -> int:
        texts = ["w1"] * count
        tracemalloc.start()
        assert len(model.encode(texts, prompt=prompt)) == count
        assert sum(map(len, model.encode_stream(texts, prompt=prompt))) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(1000) < 50 * len(prompt)  # all at once they would be 1,000 times its length


def test_a_surrogate_in_a_prompt_is_the_prompts(model):
    with pytest.raises(InvalidTextError, match=r"^prompt: .*U\+D800 at position 1"):
        model.encode(["w1"], prompt="a\ud800")


def test_an_enormous_batch_size_is_one_batch(model):
    assert model.encode(WORDS, batch_size=10**30).shape == (3, DIM)
    assert [len(block) for block in model.encode_stream(WORDS, batch_size=10**30)] == [3]
