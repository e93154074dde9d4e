"""Every parser of the distiller takes time that grows linearly, whatever the bytes are."""

import io

import numpy as np
import pytest
from tokenizers import Tokenizer

from growth import JSON, LINES, Files, check_growth, consume
from staticemb_distiller.corpus import records as distiller_records
from staticemb_distiller.corpus.sampling import passages
from staticemb_distiller.corpus.text_files import read_path
from staticemb_distiller.errors import DistillerError
from staticemb_distiller.evaluation import files as evaluation_files
from staticemb_distiller.evaluation.record import from_json
from staticemb_distiller.interop import word_vector_text
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import model_card
from staticemb_distiller.training.checkpoint import TrainingCheckpoint
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_runtime.errors import StaticEmbError
from strategies import word_level_tokenizer

pytestmark = pytest.mark.serial
REFUSALS = (StaticEmbError, DistillerError)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


# --- JSON ---------------------------------------------------------------------------------------


def checkpoint(path):
    """A checkpoint that says of itself what the file holds."""
    content = np.frombuffer(path.read_bytes(), np.uint8)
    kept = TrainingCheckpoint(path.parent / "kept", "mine")
    np.savez(kept.path, about=content)
    kept.load()


JSON_PARSERS = {
    "distiller_lines": lambda files: files.reading(
        "a.jsonl", lambda path: consume(distiller_records.read_records(path))
    ),
    "evaluation_lines": lambda files: files.reading(
        "a.jsonl", lambda path: consume(evaluation_files.jsonl(path, ()))
    ),
    "report": lambda files: files.reading("report.json", from_json),
    "checkpoint": lambda files: files.reading("about", checkpoint),
}


@pytest.mark.parametrize("parser", JSON_PARSERS)
@pytest.mark.parametrize("text", JSON)
def test_json(files, parser, text):
    check_growth(JSON_PARSERS[parser](files), JSON[text], REFUSALS)


# --- lines, CSV and TSV -------------------------------------------------------------------------


def text_passages(text):
    tokenizer = Tokenizer.from_str(word_level_tokenizer(3).decode())
    consume(passages([text if isinstance(text, str) else text.decode("latin-1")], tokenizer, 64))


def distiller_reading(name):
    return lambda files: files.reading(
        name, lambda path: consume(distiller_records.read_records(path))
    )


LINE_PARSERS = {
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
    check_growth(LINE_PARSERS[parser](files), LINES[text], REFUSALS)


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
    check_growth(kind.from_toml, TOML[text], REFUSALS)


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
        files.reading("README.md", lambda path: model_card.read_head(path.parent)),
        CARDS[text],
        REFUSALS,
    )
