"""Models of other libraries become files that give their vectors."""

import gzip
import json

import numpy as np
import pytest
from tokenizers import Tokenizer

from peer_models import TEXTS, nest, save_model2vec, save_sentence_transformers, vectors_for
from staticemb_distiller.cli.main import main
from staticemb_distiller.errors import ConvertError, OutputError
from staticemb_distiller.interop.convert import convert_folder
from staticemb_distiller.interop.word_vectors import convert_word_vectors
from staticemb_runtime import StaticModel
from staticemb_runtime.format.reader import read
from tokenizer_families import families, family

from . import training_data

SHORT = [text for text in TEXTS if len(text) < 400]
CLOSE = 1e-5


@pytest.fixture(scope="module")
def wordpiece(minilm) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_truncation()
    return tokenizer


def difference(path, theirs) -> float:
    found = StaticModel.load(path, verify=True).encode(SHORT)
    return float(np.abs(found - theirs.encode(SHORT).astype(np.float32)).max())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": "float64"},
        {"dtype": "int8", "normalize": True},
        {"clusters": 50, "weights": np.linspace(0.1, 1, 30522)},
        {"max_length": None, "normalize": True},
    ],
    ids=["plain", "float64", "int8", "merged", "unlimited"],
)
def test_model2vec(tmp_path, wordpiece, options):
    theirs = save_model2vec(tmp_path / "theirs", wordpiece, **options)
    done = convert_folder(tmp_path / "theirs", tmp_path / "ours.staticemb")
    close = 1e-4 if options.get("dtype") == "int8" else CLOSE
    assert difference(done.path, theirs) < close
    assert bool(done.notes) == (options.get("max_length", 512) is not None)


@pytest.mark.parametrize("name", families())
def test_model2vec_of_every_tokenizer(tmp_path, name):
    tokenizer = Tokenizer.from_str(family(name).to_str())
    tokenizer.no_truncation()
    theirs = save_model2vec(tmp_path / "theirs", tokenizer)
    done = convert_folder(tmp_path / "theirs", tmp_path / "ours.staticemb")
    assert difference(done.path, theirs) < CLOSE


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_sentence_transformers(tmp_path, wordpiece, normalize, nested):
    theirs = save_sentence_transformers(tmp_path / "theirs", wordpiece, normalize=normalize)
    if nested:
        nest(tmp_path / "theirs")
    done = convert_folder(tmp_path / "theirs", tmp_path / "ours.staticemb")
    assert difference(done.path, theirs) < CLOSE


def test_a_shorter_length_is_what_the_file_has(tmp_path, wordpiece):
    theirs = save_sentence_transformers(tmp_path / "theirs", wordpiece, truncate_dim=8)
    done = convert_folder(tmp_path / "theirs", tmp_path / "ours.staticemb")
    assert read(done.path).metadata.dim == 8
    assert difference(done.path, theirs) < CLOSE
    whole = convert_folder(tmp_path / "theirs", tmp_path / "whole.staticemb", dim=24)
    assert read(whole.path).metadata.prefixes == (8, 24)


def test_the_card_of_a_folder_becomes_metadata(tmp_path, wordpiece):
    folder = tmp_path / "theirs"
    save_model2vec(folder, wordpiece)
    head = "base_model: org/teacher\nlanguage:\n- en\n- de\nlicense: mit\n"
    (folder / "README.md").write_text(f"---\n{head}---\n# a model\n")
    extra = read(convert_folder(folder, tmp_path / "ours.staticemb").path).metadata.extra
    assert extra["teacher"] == "org/teacher"
    assert extra["license"] == "mit"
    assert extra["languages"] == "en de"
    assert str(tmp_path) not in json.dumps(extra)
    head = "license: other\nlicense_name: gemma\nlanguage: [no, de]\n"
    (folder / "README.md").write_text(f"---\n{head}---\n")
    extra = read(convert_folder(folder, tmp_path / "ours.staticemb").path).metadata.extra
    assert (extra["license"], extra["languages"]) == ("gemma", "no de")
    for strange in ("---\n- [\n---\n", "---\n", "---\nlicense: 3\nlanguage: {a: b}\n---\n", "\xff"):
        (folder / "README.md").write_text(strange, "latin-1")
        convert_folder(folder, tmp_path / "ours.staticemb")


def test_what_no_file_can_say_is_refused(tmp_path):
    tokenizer = Tokenizer.from_str(family("word_level").to_str())
    tokenizer.enable_truncation(4, direction="left")
    save_sentence_transformers(tmp_path / "theirs", tokenizer)
    with pytest.raises(ConvertError, match="keeps its end"):
        convert_folder(tmp_path / "theirs", tmp_path / "ours.staticemb")
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_the_command(tmp_path, capsys):
    save_model2vec(tmp_path / "theirs", family("bert_uncased"))
    output = tmp_path / "ours.staticemb"
    assert main(["convert", str(tmp_path / "theirs"), "-o", str(output)]) == 0
    assert "its vectors are those of the source" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "none"), "-o", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "none" in error


# --- fewer tokens, smaller numbers ---------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("source", ["float32", "float16", "int8"])
def test_the_lengths_of_vectors_are_kept_in_every_number_format(tmp_path, wordpiece, source, dtype):
    rows = vectors_for(wordpiece)
    save_model2vec(tmp_path / "theirs", wordpiece, dtype=source, weights=np.full(len(rows), 1e-6))
    done = convert_folder(tmp_path / "theirs", tmp_path / "ours.staticemb", dtype=dtype)
    assert read(done.path).embeddings.dtype == dtype
    assert (done.cosine is None) == (source == dtype)
    expected = StaticModel.load(tmp_path / "theirs").encode(SHORT)
    found = StaticModel.load(done.path).encode(SHORT)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("name", families())
def test_a_cut_keeps_the_vectors_of_its_texts(tmp_path, name):
    tokenizer = Tokenizer.from_str(family(name).to_str())
    tokenizer.no_truncation()
    save_model2vec(tmp_path / "theirs", tokenizer)
    used = [text for text in SHORT[:4] if text.isprintable()]
    (tmp_path / "used.txt").write_text("\n".join(used), encoding="utf-8")
    files = [str(tmp_path / "used.txt")]
    done = convert_folder(tmp_path / "theirs", tmp_path / "cut.staticemb", keep_used_in=files)
    kept, before = read(done.path).n_token_ids, len(vectors_for(tokenizer))
    assert kept < before
    assert f"kept {kept:,} of {before:,} tokens" in done.notes
    theirs = StaticModel.load(tmp_path / "theirs")
    expected, found = theirs.encode(used), StaticModel.load(done.path).encode(used)
    assert np.abs(found - expected).max() < CLOSE


def test_a_cut_without_tokens_or_texts_is_refused(tmp_path, capsys):
    save_model2vec(tmp_path / "theirs", family("bert_uncased"))
    (tmp_path / "used.txt").write_text("the fox\n", encoding="utf-8")
    command = ["convert", str(tmp_path / "theirs"), "-o", str(tmp_path / "cut.staticemb")]
    used = ["--keep-used-in", str(tmp_path / "used.txt")]
    assert main([*command, *used, "--keep-min-count", "99"]) == 2
    assert "at least 99 times" in capsys.readouterr().err
    assert main([*command, "--keep-used-in", str(tmp_path / "none.txt")]) == 2
    assert "none.txt" in capsys.readouterr().err
    assert main([*command[:3], str(tmp_path / "used.txt"), *used]) == 2  # it would be replaced
    assert "used.txt" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs", "used.txt"]


def test_word_vectors_are_neither_cut_nor_int8(tmp_path, capsys):
    (tmp_path / "glove.txt").write_text(spell(), encoding="utf-8")
    command = ["convert", str(tmp_path / "glove.txt"), "-o", str(tmp_path / "w.staticemb")]
    assert main([*command, "--dtype", "int8"]) == 2
    assert "expected float32 or float16 for word vectors, found int8" in capsys.readouterr().err
    assert main([*command, "--keep-used-in", str(tmp_path / "glove.txt")]) == 2
    assert "keep_used_in" in capsys.readouterr().err


def test_a_static_embedding_file_is_not_taken_for_word_vectors(tmp_path, capsys):
    training_data.model(tmp_path / "m.staticemb")
    for options in ([], ["--dtype", "int8"], ["--keep-used-in", str(tmp_path / "m.staticemb")]):
        command = ["convert", str(tmp_path / "m.staticemb"), "-o", str(tmp_path / "o.staticemb")]
        assert main([*command, *options]) == 2
        assert "a static embedding file already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.staticemb"]


# --- word vectors ----------------------------------------------------------------------------

WORDS = ["the", "cat", "sat", "don't", ".", "e-mail", "naïve", "東京"]
ROWS = np.random.default_rng(0).standard_normal((len(WORDS), 5)).astype(np.float32)


def spell(words=WORDS, rows=ROWS, *, header=False, end="\n") -> str:
    lines = [f"{len(words)} {rows.shape[1]}"] if header else []
    numbers = (" ".join(map(repr, row.tolist())) for row in rows)
    lines += [f"{word} {line}" for word, line in zip(words, numbers, strict=True)]
    return "".join(line + end for line in lines)


@pytest.mark.parametrize("name", ["glove.txt", "word2vec.txt", "cc.en.5.vec", "glove.txt.gz"])
def test_word_vectors(tmp_path, name):
    header = name.startswith(("word2vec", "cc"))
    content = spell(header=header, end=" \n" if name.endswith("vec") else "\n").encode()
    source = tmp_path / name
    source.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    done = convert_word_vectors(source, tmp_path / "w.staticemb", normalize=False)
    model = StaticModel.load(done.path, verify=True)
    found = model.encode(["The CAT zzz sat.", "東京", "zzz", "", "cat cat the"])
    expected = [
        ROWS[[0, 1, 2, 4]].mean(0),
        ROWS[7],
        0 * ROWS[0],
        0 * ROWS[0],
        ROWS[[1, 1, 0]].mean(0),
    ]
    assert np.allclose(found, expected, atol=1e-6)
    assert model.encode("cat", normalize_embeddings=True) @ ROWS[1] == pytest.approx(
        np.linalg.norm(ROWS[1])
    )


def test_texts_that_are_cut_already(tmp_path):
    (tmp_path / "w.txt").write_text(spell())
    done = convert_word_vectors(tmp_path / "w.txt", tmp_path / "w.staticemb", tokens="blanks")
    model = StaticModel.load(done.path)
    assert model.tokenize("the e-mail don't . cat.") == ["the", "e-mail", "don't", "."]


def test_case_is_kept_where_a_word_has_it(tmp_path):
    (tmp_path / "w.txt").write_text(spell(["The", "cat"], ROWS[:2]))
    output = tmp_path / "w.staticemb"
    convert_word_vectors(tmp_path / "w.txt", output)
    assert StaticModel.load(output).tokenize("The the CAT cat") == ["The", "cat"]
    (tmp_path / "w.txt").write_text(spell(["the", "cat"], ROWS[:2]))
    convert_word_vectors(tmp_path / "w.txt", output, lowercase=False)
    assert StaticModel.load(output).tokenize("The the CAT cat") == ["the", "cat"]


def test_words_with_blanks_and_words_twice(tmp_path):
    words = ["the", ". . .", "cat", "the", "[UNK]"]
    (tmp_path / "w.txt").write_text(spell(words, ROWS[:5]))
    done = convert_word_vectors(tmp_path / "w.txt", tmp_path / "w.staticemb", normalize=False)
    model = StaticModel.load(done.path)
    assert np.allclose(model.encode("the"), ROWS[0])
    assert np.allclose(model.encode("cat"), ROWS[2])
    assert "1 rows" in done.notes[0]


def test_the_first_rows_alone(tmp_path):
    (tmp_path / "w.vec").write_text(spell(header=True))
    done = convert_word_vectors(tmp_path / "w.vec", tmp_path / "w.staticemb", limit=3)
    assert read(done.path).embeddings.shape == (4, 5)


LINES = spell(header=True).splitlines(keepends=True)
FAULTS = {
    "number": ([*LINES[:3], "sat 1 2 x 4 5\n"], 4),
    "too_few": ([*LINES[:3], "sat 1 2 3 4\n"], 4),
    "no_word": ([*LINES[:3], " 1 2 3 4 5\n"], 4),
    "infinite": ([*LINES[:3], "sat 1 2 inf 4 5\n"], 4),
    "nan": ([*LINES[:2], "sat 1 2 nan 4 5\n"], 3),
    "too_large": ([*LINES[:2], "sat 1 2 1e39 4 5\n"], 3),
    "rows_missing": (LINES[:-1], 8),
    "rows_more": ([*LINES, "dog 1 2 3 4 5\n"], 10),
    "no_rows": (["0 5\n"], 1),
    "no_numbers": (["the\n", "cat\n"], 1),
    "empty": ([], 1),
    "dimension": (["8 99999999999\n"], 1),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path, name):
    lines, number = FAULTS[name]
    (tmp_path / "bad.vec").write_text("".join(lines))
    with pytest.raises(ConvertError, match=rf"bad\.vec, line {number}: expected .*, found"):
        convert_word_vectors(tmp_path / "bad.vec", tmp_path / "w.staticemb")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.vec"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2\ncat \xff 2\n", "line 2: expected UTF-8, found byte 0xff"),
        (b"the" + b" 1" * (1 << 20) + b" 1" * 9, "line 1: expected lines of less than"),
    ],
)
def test_bytes_that_are_no_text(tmp_path, content, message):
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(ConvertError, match=message):
        convert_word_vectors(tmp_path / "bad.txt", tmp_path / "w.staticemb")


def test_a_damaged_archive(tmp_path):
    (tmp_path / "bad.vec.gz").write_bytes(gzip.compress(spell().encode() * 50)[:-20])
    with pytest.raises(ConvertError, match="cannot be read"):
        convert_word_vectors(tmp_path / "bad.vec.gz", tmp_path / "w.staticemb")


def test_word_vectors_by_the_command(tmp_path, capsys):
    (tmp_path / "w.txt").write_text(spell())
    output = tmp_path / "w.staticemb"
    arguments = ["convert", str(tmp_path / "w.txt"), "-o", str(output), "--dtype", "float16"]
    assert main([*arguments, "--no-normalize", "--limit", "4"]) == 0
    file = read(output)
    assert file.embeddings.dtype == np.float16
    assert len(file.embeddings) == 5
    assert not file.metadata.normalize
    (tmp_path / "w.txt").write_text("the 1 2\ncat 1\n")
    assert main(arguments) == 2
    assert "w.txt, line 2" in capsys.readouterr().err


def test_rows_that_the_tokenizer_has_no_place_for(tmp_path):
    from safetensors.numpy import save_file

    tokenizer = family("word_level")
    save_model2vec(tmp_path / "theirs", tokenizer)
    rows = vectors_for(tokenizer)
    save_file({"embeddings": rows[:-1].copy()}, tmp_path / "theirs" / "model.safetensors")
    with pytest.raises(Exception, match="expected ids") as caught:
        convert_folder(tmp_path / "theirs", tmp_path / "ours.staticemb")
    assert not isinstance(caught.value, OutputError)


def test_a_file_that_was_there_stays_until_the_new_one_is_right(tmp_path):
    output = tmp_path / "w.staticemb"
    (tmp_path / "w.txt").write_text(spell())
    convert_word_vectors(tmp_path / "w.txt", output)
    before = output.read_bytes()
    (tmp_path / "w.txt").write_text(spell(["a-b", "c-d"], ROWS[:2]))
    with pytest.raises(ConvertError, match="words that the tokenizer does not split"):
        convert_word_vectors(tmp_path / "w.txt", output)
    assert output.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.staticemb", "w.txt"]
