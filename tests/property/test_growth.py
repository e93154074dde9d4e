"""Every parser of bytes from outside takes time that grows linearly, whatever the bytes are.

Each case is measured at a size and at four times that size, with the size raised until the work can
be told from noise. A quadratic parser takes sixteen times as long at the larger one.
"""

import contextlib
import gc
import io
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from staticemb_distiller.corpus import records as distiller_records
from staticemb_distiller.corpus.sampling import passages
from staticemb_distiller.corpus.text_files import read_path
from staticemb_distiller.errors import DistillerError
from staticemb_distiller.evaluation import files as evaluation_files
from staticemb_distiller.evaluation.record import from_json
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.interop import word_vector_text
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import model_card
from staticemb_distiller.training.checkpoint import TrainingCheckpoint
from staticemb_distiller.training.recipe import TrainingRecipe
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
from staticemb_runtime.tokenization.wordpiece import read_plain

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance"))

from adapters import minimal

MOST = 8  # four is linear, sixteen quadratic
FIRST, LARGEST = 1 << 12, 1 << 18
CLEAR = 0.01  # seconds of work that noise does not hide
ERRORS = (StaticEmbError, DistillerError, minimal.Refused)


def seconds(call, argument):
    """The least CPU time of a few calls; refusals count like answers."""
    found = []
    gc.disable()
    try:
        for _ in range(3):
            before = time.process_time()
            with contextlib.suppress(*ERRORS):
                call(argument)
            found.append(time.process_time() - before)
            if found[0] > 0.5:
                break
    finally:
        gc.enable()
    return min(found)


def check_growth(call, make, largest=LARGEST):
    """Check that four times the input takes less than eight times as long."""
    size = FIRST
    small, large = (seconds(call, make(n)) for n in (size, 4 * size))
    while large < CLEAR and 16 * size <= largest:
        size *= 4
        small, large = large, seconds(call, make(4 * size))
    if large > MOST * small + CLEAR:  # once more: the machine may have been busy
        small, large = (seconds(call, make(n)) for n in (size, 4 * size))
    assert large <= MOST * small + CLEAR, f"{small:.3f} s at {size}, {large:.3f} s at 4 times that"


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
        check_growth(parser, "a".__mul__)


# --- JSON ---------------------------------------------------------------------------------------

JSON = {
    "unterminated_escaped_quotes": lambda n: '{"' + '\\"' * (n // 2) + "\\",
    "escaped_quotes": lambda n: '{"a":"' + '\\"' * (n // 2) + '"}',
    "backslashes": lambda n: '{"' + "\\" * (n + 1),
    "quotes": lambda n: '{"' + '"' * n,
    "empty_strings": lambda n: "{" + '"":"",' * (n // 6) + '"":""}',
    "open_arrays": lambda n: '{"a":' + "[" * n,
    "open_objects": lambda n: '{"a":' * (n // 5),
    "flat_array": lambda n: '{"a":[' + "0," * (n // 2) + "0]}",
    "many_keys": lambda n: json.dumps({f"k{i}": i for i in range(n // 12)}),
    "many_strings": lambda n: json.dumps({f"k{i}": "" for i in range(n // 12)}),
    "duplicate_keys": lambda n: "{" + '"a":1,' * (n // 6) + '"a":1}',
    "long_integer": lambda n: '{"a":' + "1" * n + "}",
    "long_negative": lambda n: '{"a":-' + "1" * n + "}",
    "long_fraction": lambda n: '{"a":0.' + "1" * n + "}",
    "long_exponent": lambda n: '{"a":1e' + "1" * n + "}",
    "many_integers": lambda n: '{"a":[' + ("9" * 400 + ",") * (n // 401) + "9]}",
    "newlines": lambda n: "{" + "\n" * n,
    "spaces_between": lambda n: '{"a"' + " " * n + ":1}",
    "padding": lambda n: "{}" + " " * n,
    "padding_then_garbage": lambda n: "{}" + " " * n + "x",
    "commas": lambda n: "{" + "," * n,
    "escapes": lambda n: '{"a":"' + "\\u00e4" * (n // 6) + '"}',
    "half_surrogates": lambda n: '{"a":"' + "\\ud800" * (n // 6) + '"}',
    "long_key": lambda n: '{"' + "k" * n + '":1}',
    "long_string": lambda n: '{"a":"' + "x" * n + '"}',
    "astral": lambda n: '{"a":"' + "🐈" * (n // 4) + '"}',
}


class Files:
    """A folder to write inputs to, each under a name of its own kind."""

    def __init__(self, folder):
        self.folder = folder

    def reading(self, name, read):
        """A parser of text that reads it out of a file."""

        def call(text):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            read(path)

        return call


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def header(text):
    parse_header(text.encode(), 0, "f")


def consume(iterable):
    for _ in iterable:
        pass


def checkpoint(path):
    """A checkpoint that says of itself what the file holds."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    kept = TrainingCheckpoint(path.parent / "kept", "mine")
    np.savez(kept.path, about=content)
    kept.load()


def tokenizer_with(text):
    """A tokenizer with the text as a member that nobody reads."""
    check_tokenizer(b'{"x":' + text.encode() + b"}", 1, "f")


JSON_PARSERS = {
    "header": lambda files: header,
    "safetensors": lambda files: lambda text: parse_json(text.encode(), "f"),
    "prompts": lambda files: lambda text: MetadataReader({"prompts": text}, "f")._prompts(),
    "tokenizer": lambda files: lambda text: check_tokenizer(text.encode(), 1, "f"),
    "tokenizer_member": lambda files: tokenizer_with,
    "wordpiece": lambda files: lambda text: read_plain(np.frombuffer(text.encode(), np.uint8), 1),
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
    "distiller_lines": lambda files: files.reading(
        "a.jsonl", lambda path: consume(distiller_records.read_records(path))
    ),
    "evaluation_lines": lambda files: files.reading(
        "a.jsonl", lambda path: consume(evaluation_files.jsonl(path, ()))
    ),
    "report": lambda files: files.reading("report.json", from_json),
    "checkpoint": lambda files: files.reading("about", checkpoint),
    "minimal_header": lambda files: lambda text: minimal.parse(text.encode()),
    "minimal_prompts": lambda files: lambda text: minimal.prompts_of({"prompts": text}),
    "minimal_tokenizer": lambda files: lambda text: minimal.check_tokenizer(text.encode(), 1),
}


@pytest.mark.parametrize("parser", JSON_PARSERS)
@pytest.mark.parametrize("text", JSON)
def test_json(files, parser, text):
    check_growth(JSON_PARSERS[parser](files), JSON[text])


# --- lines, CSV and TSV -------------------------------------------------------------------------

LINES = {
    "newlines": lambda n: "\n" * n,
    "returns": lambda n: "\r" * n,
    "returns_and_newlines": lambda n: "text\r\n" * (n // 6),
    "blank_lines": lambda n: "text\n" + " \n" * (n // 2),
    "one_line": lambda n: "text\n" + "x" * n,
    "one_line_that_is_not_utf8": lambda n: b"text\n" + b"x" * n + b"\xff",
    "lines_that_are_not_utf8": lambda n: b"text\n" * (n // 5) + b"\xff",
    "quotes": lambda n: "text\n" + '"' * (n + 1),
    "quoted_lines": lambda n: "text\n" + '"a""b"\n' * (n // 7),
    "unclosed_quotes": lambda n: "text\n" + '"a\n' * (n // 3),
    "unclosed_then_lines": lambda n: 'text\n"' + "a\n" * (n // 2),
    "commas": lambda n: "text\n" + "," * n,
    "tabs": lambda n: "text\n" + "\t" * n,
    "many_columns": lambda n: "text" + ",a" * (n // 2) + "\n",
    "many_tabs": lambda n: "text" + "\ta" * (n // 2) + "\n",
    "short_rows": lambda n: "text" + ",a" * (n // 4) + "\n" + "x\n" * (n // 4),
    "short_rows_of_tabs": lambda n: "text" + "\ta" * (n // 4) + "\n" + "x\n" * (n // 4),
    "same_columns": lambda n: "text" + ",text" * (n // 5) + "\n",
    "numbers": lambda n: "w" + " 1" * (n // 2) + "\n",
    "long_numbers": lambda n: "w " + "1" * n + "\n",
    "two_long_numbers": lambda n: "9" * (n // 2) + " " + "9" * (n // 2) + "\n",
    "words_of_blanks": lambda n: "3 1\n" + " " * n + "1\n",
    "same_words": lambda n: "w 1\n" * (n // 4),
    "many_words": lambda n: "".join(f"w{i} 1\n" for i in range(n // 8)),
    "nulls": lambda n: "text\n" + "\0" * n,
    "sentence_ends": lambda n: ". " * (n // 2),
    "dots": lambda n: "." * n,
    "abbreviations": lambda n: "Mr. " * (n // 4),
    "brackets": lambda n: "(" * n,
    "spaces": lambda n: "a" + " " * n + "b",
    "words": lambda n: "word " * (n // 5),
}


def text_passages(text):
    from tokenizers import Tokenizer

    from strategies import word_level_tokenizer

    tokenizer = Tokenizer.from_str(word_level_tokenizer(3).decode())
    consume(passages([text if isinstance(text, str) else text.decode("latin-1")], tokenizer, 64))


def runtime_reading(form):
    return lambda files: files.reading(
        f"a.{form}", lambda path: consume(runtime_records.read_records(str(path)))
    )


def distiller_reading(name):
    return lambda files: files.reading(
        name, lambda path: consume(distiller_records.read_records(path))
    )


LINE_PARSERS = {
    "runtime_text": runtime_reading("txt"),
    "runtime_csv": runtime_reading("csv"),
    "runtime_tsv": runtime_reading("tsv"),
    "runtime_jsonl": runtime_reading("jsonl"),
    "distiller_csv": distiller_reading("a.csv"),
    "distiller_tsv": distiller_reading("a.tsv"),
    "distiller_jsonl": distiller_reading("a.jsonl"),
    "distiller_text": lambda files: files.reading("a.txt", lambda p: consume(read_path(str(p)))),
    "distiller_folder": lambda files: files.reading(
        "folder/a.txt", lambda path: consume(read_path(str(path.parent)))
    ),
    "evaluation_tsv": lambda files: files.reading(
        "a.tsv", lambda path: consume(evaluation_files.tsv(path, ("text",)))
    ),
    "word_vectors": lambda files: files.reading(
        "a.vec", lambda path: word_vector_text.read_rows(path, io.BytesIO())
    ),
    "passages": lambda files: text_passages,
}


@pytest.mark.parametrize("parser", LINE_PARSERS)
@pytest.mark.parametrize("text", LINES)
def test_lines(files, parser, text):
    check_growth(LINE_PARSERS[parser](files), LINES[text])


# --- recipes and cards --------------------------------------------------------------------------

TOML = {
    "dotted_key": lambda n: "a" + ".a" * (n // 2) + " = 1",
    "dotted_table": lambda n: "[a" + ".a" * (n // 2) + "]",
    "dotted_keys": lambda n: "".join(f"a.b{i} = 1\n" for i in range(n // 10)),
    "tables": lambda n: "".join(f"[a{i}]\n" for i in range(n // 7)),
    "arrays_of_tables": lambda n: "[[a]]\n" * (n // 6),
    "open_arrays": lambda n: "a = " + "[" * n,
    "open_tables": lambda n: "a = " + "{a = " * (n // 5),
    "inline_table": lambda n: "a = {" + ", ".join(f"b{i} = 1" for i in range(n // 9)) + "}",
    "keys": lambda n: "".join(f"a{i} = 1\n" for i in range(n // 8)),
    "same_keys": lambda n: "a = 1\n" * (n // 6),
    "escapes": lambda n: 'a = "' + "\\n" * (n // 2) + '"',
    "quotes": lambda n: 'a = """' + '""a' * (n // 3),
    "unclosed": lambda n: 'a = "' + "x" * n,
    "line_ends": lambda n: "\r\n" * (n // 2),
    "comments": lambda n: "#\n" * (n // 2),
    "comment": lambda n: "#" * n,
    "integer": lambda n: "a = " + "1" * n,
    "underscores": lambda n: "a = 1" + "_1" * (n // 2),
    "fraction": lambda n: "a = 1." + "1" * n,
    "spaces": lambda n: "a =" + " " * n,
    "array": lambda n: "a = [" + "1, " * (n // 3) + "]",
    "continued": lambda n: 'a = """' + "\\\n " * (n // 3) + '"""',
}


@pytest.mark.parametrize("kind", [Recipe, TrainingRecipe])
@pytest.mark.parametrize("text", TOML)
def test_recipes(kind, text):
    check_growth(kind.from_toml, TOML[text])


CARDS = {
    "newlines": lambda n: "---\n" + "\n" * n,
    "returns": lambda n: "---\n" + "\r" * n,
    "spaces": lambda n: " " * n,
    "dashes": lambda n: "-" * n,
    "dashed_lines": lambda n: "---\n" * (n // 4),
    "open_lists": lambda n: "---\na: " + "[" * n + "\n---\n",
    "open_maps": lambda n: "---\na: " + "{" * n + "\n---\n",
    "lists": lambda n: "---\n" + "- " * (n // 2) + "\n---\n",
    "list": lambda n: "---\nlanguage:\n" + "- en\n" * (n // 5) + "---\n",
    "flow_list": lambda n: "---\nlanguage: [" + "a, " * (n // 3) + "]\n---\n",
    "keys": lambda n: "---\n" + "".join(f"k{i}: 1\n" for i in range(n // 8)) + "---\n",
    "indented": lambda n: "---\n" + "".join(" " * i + "a:\n" for i in range(int(n**0.5))) + "---\n",
    "quotes": lambda n: "---\na: '" + "''" * (n // 2) + "\n---\n",
    "escapes": lambda n: '---\na: "' + "\\n" * (n // 2) + "\n---\n",
    "anchors": lambda n: "---\n" + "".join(f"a{i}: &b{i} 1\n" for i in range(n // 12)) + "---\n",
    "references": lambda n: "---\na: &a [1]\nb: [" + "*a, " * (n // 4) + "]\n---\n",
    "merges": lambda n: (
        "---\na: &a {x: 1}\n"
        + "".join(f"b{i}: &b{i} {{<<: [*b{i - 1}, *b{i - 1}]}}\n" for i in range(1, n // 30))
        + "---\n"
    ),
    "comments": lambda n: "---\n" + "#\n" * (n // 2) + "---\n",
    "questions": lambda n: "---\n" + "? " * (n // 2) + "\n---\n",
    "integer": lambda n: "---\na: " + "1" * n + "\n---\n",
    "base_60": lambda n: "---\na: 1" + ":1" * (n // 2) + "\n---\n",
    "timestamp": lambda n: "---\na: 2001-01-01 " + " " * n + "\n---\n",
    "long_body": lambda n: "---\na: 1\n---\n" + "x\n" * (n // 2),
}


@pytest.mark.parametrize("text", CARDS)
def test_cards(files, text):
    check_growth(
        files.reading("README.md", lambda path: model_card.read_head(path.parent)), CARDS[text]
    )


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
    check_growth(call, lambda n: json.dumps(HEADERS[kind](n)))


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

    check_growth(first_text, definition, LARGEST // 4)


def test_modules_of_a_folder(files):
    module = {"type": "sentence_transformers.models.StaticEmbedding", "path": "a/" * 20}
    read = files.reading("modules.json", lambda path: peer_folder.read_modules(path.parent))
    check_growth(read, lambda n: json.dumps([module] * (n // 100)))


def test_a_listing_of_the_hub(monkeypatch, tmp_path):
    hub_client = pytest.importorskip("huggingface_hub")

    def listed(n):
        entries = [SimpleNamespace(rfilename=f"f{i}", lfs=None, blob_id="0" * 40) for i in range(n)]
        return SimpleNamespace(sha="0" * 40, siblings=entries)

    def read(info):
        monkeypatch.setattr(hub_client.HfApi, "model_info", lambda *args, **options: info)
        hub._list(hub._Source("a/b", None, {"token": None}))

    check_growth(read, lambda n: listed(n // 4))


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
    check_growth(call, MEMBERS[kind])
