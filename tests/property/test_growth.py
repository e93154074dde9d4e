"""Every parser of the runtime and of the conformance suite takes time that grows linearly."""

import contextlib
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from growth import JSON, LARGEST, LINES, Files, check_growth, consume
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.aws_lambda import function as aws_lambda
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.format.header import parse_header
from staticemb_runtime.format.metadata import METADATA_KEYS, MetadataReader
from staticemb_runtime.format.safetensors_header import parse_json
from staticemb_runtime.format.tokenizer_check import check_tokenizer
from staticemb_runtime.loading import foreign_folder as peer_folder
from staticemb_runtime.loading import hub
from staticemb_runtime.records import forms as runtime_records
from staticemb_runtime.tokenization.bert_definition import read_bert
from strategies import word_level_tokenizer
from tokenizer_families import family_json
from unigram_designs import definition, opened

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance"))

from adapters import minimal

pytestmark = pytest.mark.serial
REFUSALS = (StaticEmbError, minimal.Refused)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.mark.parametrize("power", [1, 2])
def test_a_quadratic_parser_is_found_and_a_linear_one_is_not(power, monkeypatch):
    now = 0.0

    def parser(text):
        nonlocal now
        now += 1e-9 * len(text) ** power

    monkeypatch.setattr(time, "process_time", lambda: now)
    with (
        contextlib.nullcontext()
        if power == 1
        else pytest.raises(AssertionError, match="4 times that")
    ):
        check_growth(parser, "a".__mul__, ())


# --- JSON ---------------------------------------------------------------------------------------


def header(text):
    parse_header(text.encode(), 0, "f")


def tokenizer_with(text):
    """A tokenizer with the text as a member that nobody reads."""
    check_tokenizer(b'{"x":' + text.encode() + b"}", 1, "f")


JSON_PARSERS = {
    "header": lambda files: header,
    "safetensors": lambda files: lambda text: parse_json(text.encode(), "f"),
    "prompts": lambda files: lambda text: MetadataReader({"prompts": text}, "f")._prompts(),
    "tokenizer": lambda files: lambda text: check_tokenizer(text.encode(), 1, "f"),
    "tokenizer_member": lambda files: tokenizer_with,
    "wordpiece": lambda files: lambda text: read_bert(np.frombuffer(text.encode(), np.uint8), 1),
    "lambda": lambda files: (
        lambda text: aws_lambda.answer(
            None, {"requestContext": {"http": {"method": "POST"}}, "body": text}
        )
    ),
    "modules": lambda files: files.reading(
        "modules.json", lambda path: peer_folder.read_modules(path.parent)
    ),
    "model2vec": lambda files: files.reading(
        "config.json", lambda path: peer_folder.model2vec_settings(path.parent, root=True)
    ),
    "sentence_transformers": lambda files: files.reading(
        "config_sentence_transformers.json",
        lambda path: peer_folder.sentence_transformers_settings(path.parent, []),
    ),
    "runtime_lines": lambda files: files.reading(
        "a.jsonl", lambda path: consume(runtime_records.read_records(str(path)))
    ),
    "minimal_header": lambda files: lambda text: minimal.parse(text.encode()),
    "minimal_prompts": lambda files: lambda text: minimal.prompts_of({"prompts": text}),
    "minimal_tokenizer": lambda files: lambda text: minimal.check_tokenizer(text.encode(), 1),
}


@pytest.mark.parametrize("parser", JSON_PARSERS)
@pytest.mark.parametrize("text", JSON)
def test_json(files, parser, text):
    check_growth(JSON_PARSERS[parser](files), JSON[text], REFUSALS)


# --- lines, CSV and TSV -------------------------------------------------------------------------


def runtime_reading(form):
    return lambda files: files.reading(
        f"a.{form}", lambda path: consume(runtime_records.read_records(str(path)))
    )


LINE_PARSERS = {
    "runtime_text": runtime_reading("txt"),
    "runtime_csv": runtime_reading("csv"),
    "runtime_tsv": runtime_reading("tsv"),
    "runtime_jsonl": runtime_reading("jsonl"),
}


@pytest.mark.parametrize("parser", LINE_PARSERS)
@pytest.mark.parametrize("text", LINES)
def test_lines(files, parser, text):
    check_growth(LINE_PARSERS[parser](files), LINES[text], REFUSALS)


# --- headers, tokenizers, folders, listings ------------------------------------------------------


def values_of(**changes):
    """A header of right metadata with changes."""
    right = dict.fromkeys(("digest", "vectors_digest"), "sha256:" + "1" * 64)
    right |= {"format": "staticemb", "format_version": "1.0", "features": "", "dim": "2"}
    right |= {"prefixes": "2", "normalize": "true", "pooling": "mean", **changes}
    entry = {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}
    tokenizer = {"dtype": "U8", "shape": [2], "data_offsets": [8, 10]}
    return {"__metadata__": right, "embeddings": entry, "tokenizer": tokenizer}


def many(n, entry, name="head.x.a{}"):
    return values_of() | {name.format(i): entry for i in range(n // 60)}


HEADERS = {
    **{key: (lambda n, key=key: values_of(**{key: "1" * n})) for key in METADATA_KEYS},
    "list_of_languages": lambda n: values_of(languages="a " * (n // 2) + " "),
    "list_of_prefixes": lambda n: values_of(prefixes=" ".join(map(str, range(1, n // 6)))),
    "list_of_features": lambda n: values_of(features=" ".join(f"f{i:06}" for i in range(n // 8))),
    "fraction": lambda n: values_of(pooling="damped_mean", damping_beta="0." + "1" * n),
    "keys": lambda n: values_of(**{f"k{i}": "" for i in range(n // 10)}),
    "tensors": lambda n: many(n, {"dtype": "U8", "shape": [1], "data_offsets": [10, 10]}),
    "unknown_tensors": lambda n: many(n, {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                                      "b{}"),
    "bad_entries": lambda n: many(n, 1),
    "axes": lambda n: many(60, {"dtype": "U8", "shape": [2] * (n // 2), "data_offsets": [10, 11]}),
    "long_name": lambda n: many(60, {"dtype": "U8", "shape": [1], "data_offsets": [10, 11]},
                                "head" + ".a" * (n // 2)),
    "dotted_name": lambda n: many(60, {"dtype": "U8", "shape": [1], "data_offsets": [10, 11]},
                                  "head." + "a" * n),
}  # fmt: skip


@pytest.mark.parametrize("parser", ["runtime", "minimal"])
@pytest.mark.parametrize("kind", HEADERS)
def test_headers(kind, parser):
    def minimal_header(text):
        entries = minimal.parse(text.encode())
        values = entries.pop("__metadata__")
        minimal.check_version(values)
        minimal.check_tensors(entries, 10)
        minimal.check_metadata(values, minimal.ModelParts(b"", 0, values, entries))

    call = (
        minimal_header if parser == "minimal" else lambda text: parse_header(text.encode(), 10, "f")
    )
    check_growth(call, lambda n: json.dumps(HEADERS[kind](n)), REFUSALS)


WORDS = {
    "words": lambda n: [f"w{i}" for i in range(n // 8)],
    "prefixes": lambda n: ["a" * i for i in range(1, int((2 * n) ** 0.5))],
    "shared_prefix": lambda n: ["a" * (n // 3) + x for x in "bcd"],
    "long_word": lambda n: ["a" * n],
    "marks": lambda n: ["." * i for i in range(1, int((2 * n) ** 0.5))],
    "pieces": lambda n: [f"##w{i}" for i in range(n // 10)],
}


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("kind", WORDS)
def test_tokenizers(files, kind, added):
    """The first text that is embedded reads the whole definition."""

    def definition(n):
        words = WORDS[kind](n)
        vocabulary = {"[UNK]": 0} | {word: i for i, word in enumerate(words, 1)}
        tokens = [
            {"id": i, "content": word, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for word, i in vocabulary.items()
        ]  # fmt: skip
        model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                 "max_input_chars_per_word": 100, "vocab": vocabulary}  # fmt: skip
        members = {"version": "1.0", "truncation": None, "padding": None, "normalizer": None,
                   "added_tokens": tokens if added else [], "post_processor": None, "decoder": None,
                   "pre_tokenizer": {"type": "BertPreTokenizer"}, "model": model}  # fmt: skip
        folder = files.folder / str(n)
        folder.mkdir(exist_ok=True)
        parts = Parts(np.ones((len(vocabulary), 2), np.float32), json.dumps(members).encode())
        write(folder / "m.staticemb", parts, Settings())
        return folder / "m.staticemb"

    def first_text(path):
        StaticModel.load(path, verify=True).encode(["a text of w1 words."] * 3)

    check_growth(first_text, definition, REFUSALS, LARGEST // 4)


def test_modules_of_a_folder(files):
    module = {"type": "sentence_transformers.models.StaticEmbedding", "path": "a/" * 20}
    read = files.reading("modules.json", lambda path: peer_folder.read_modules(path.parent))
    check_growth(read, lambda n: json.dumps([module] * (n // 100)), REFUSALS)


def test_a_listing_of_the_hub(monkeypatch, tmp_path):
    hub_client = pytest.importorskip("huggingface_hub")

    def listed(n):
        entries = [SimpleNamespace(rfilename=f"f{i}", lfs=None, blob_id="0" * 40) for i in range(n)]
        return SimpleNamespace(sha="0" * 40, siblings=entries)

    def read(info):
        monkeypatch.setattr(hub_client.HfApi, "model_info", lambda *args, **options: info)
        hub._list(hub._Source("a/b", None, {"token": None}))

    check_growth(read, lambda n: listed(n // 4), REFUSALS)


MEMBERS = {
    "texts": lambda n: {"texts": ["a"] * (n // 4)},
    "long_text": lambda n: {"texts": ["word " * (n // 5)]},
    "long_word": lambda n: {"texts": ["a" * n]},
    "marks": lambda n: {"texts": ["." * n]},
    "accents": lambda n: {"texts": ["e" + "\u0301" * (n // 2)]},
    "not_strings": lambda n: {"texts": [[]] * (n // 3)},
    "nested": lambda n: {"texts": [["a"] * (n // 4)]},
    "members": lambda n: {f"k{i}": 1 for i in range(n // 10)},
    "encoding": lambda n: {"texts": ["a"], "encoding": "x" * n},
    "prompt": lambda n: {"texts": ["a"], "prompt": "x" * n},
}


@pytest.mark.parametrize("kind", MEMBERS)
def test_requests_to_lambda(kind):
    model = StaticModel.load()
    model.encode(["warm: ö"])
    call = lambda event: aws_lambda.answer(model, event, max_texts=1 << 20)  # noqa: E731
    check_growth(call, MEMBERS[kind], REFUSALS)


UNIGRAM_TEXTS = {
    "one_word": lambda n: "abc" * (n // 3),
    "words": lambda n: " ".join(f"w{i}" for i in range(n // 6)),
    "unknown": lambda n: "\u4eac" * n,
    "accents": lambda n: "e" + "\u0301" * n,
    "clusters": lambda n: "e\u0301" * (n // 2),
    "blanks": lambda n: " " * n,
    "markers": lambda n: "\u2581" * n,
    "long_pieces": lambda n: "x" * n,
}


@pytest.mark.parametrize("kind", UNIGRAM_TEXTS)
def test_texts_of_a_unigram_over_arrays(kind):
    pytest.importorskip("sentencepiece")
    vocabulary = [("<unk>", 0.0), ("\u2581", -3.0), *((c, -9.0) for c in "abcwe0123456789")]
    vocabulary += [("x" * i, -float(i)) for i in range(1, 256)]
    normalizer = json.loads(family_json("xlmr"))["normalizer"]
    encoder = opened(definition(vocabulary, normalizer=normalizer))
    check_growth(lambda text: encoder.texts([text]), UNIGRAM_TEXTS[kind], (), LARGEST // 4)


def test_vectors_of_a_teacher(tmp_path):
    projection = {"space.projection": np.eye(32, 8, dtype=np.float32)}
    spelling = '{"dimension":"32","documents":"table","teacher":"t"}'
    table = np.eye(4, 8, dtype=np.float32)
    parts = Parts(table, word_level_tokenizer(4), optional=projection)
    write(tmp_path / "made", parts, Settings(optional={"space": spelling}))
    model = StaticModel.load(tmp_path / "made")
    check_growth(model.project, lambda n: np.ones((n, 32), np.float32), ())
