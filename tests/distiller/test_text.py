"""Every format gives the same texts, samples are fair, passages fit the teacher."""

import gzip
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from distiller import tables
from staticemb_distiller.corpus.input_files import read_lines
from staticemb_distiller.corpus.sampling import TextSource, gather, passages, sample
from staticemb_distiller.corpus.text_files import read_path
from staticemb_distiller.errors import DistillerError, MissingPackageError, TextSourceError

TEXTS = ["A first text.", "naïve, „quoted“, and 日本語", 'with "quotes", commas\tand a tab', "last"]


@pytest.fixture(scope="module")
def tokenizer():
    letters = {chr(code): code for code in range(32, 1000)}
    split = Tokenizer(models.WordLevel(letters | {"?": 0}, unk_token="?"))
    split.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    return split


def read(place, **knobs):
    return list(TextSource(str(place), **knobs).documents())


def write(path, texts):
    """Write texts in the format that the name asks for, beside other columns where it has any."""
    if path.suffixes[0] == ".txt":
        return tables.pack(path, "".join(f"{text}\n\n" for text in texts))
    rows = [[number, text, "x"] for number, text in enumerate(texts)]
    return tables.write(path, ["number", "text", "other"], rows)


@pytest.mark.parametrize(
    "name",
    ["a.txt", "a.txt.gz", "a.txt.zst", "a.jsonl", "a.jsonl.gz", "a.csv", "a.tsv.gz", "a.parquet"],
)
def test_every_format_gives_the_same_texts(tmp_path, name):
    knobs = {} if name.startswith("a.txt") else {"columns": ("text",)}
    assert read(write(tmp_path / name, TEXTS), **knobs) == TEXTS


def test_columns_are_joined(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text(
        '{"title": "T", "body": "B"}\n{"title": "", "body": "C"}\n{"title": null, "body": "D"}'
    )
    assert read(path, columns=("title", "body")) == ["T B", "C", "D"]


def test_the_only_text_needs_no_name(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 1, "body": "B"}\n"bare"\n')
    assert read(path) == ["B", "bare"]


def test_each_file_of_a_folder_is_a_document(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.md").write_text("wrapped\nline\n\nsecond paragraph\n")
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / ".hidden.txt").write_text("no")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    write(tmp_path / "c.jsonl", ["three"])
    assert read(tmp_path, columns=("text",)) == [
        "one two",
        "three",
        "wrapped line",
        "second paragraph",
    ]


def broken_gzip():
    return gzip.compress(b"a line\n" * 1000, mtime=0)[:-20]


@pytest.mark.parametrize(
    ("name", "data", "knobs", "says"),
    [
        ("a.jsonl", b'{"a": "x", "b": "y"}\n', {}, "single column of text"),
        ("a.jsonl", b'{"a": "x"}\n', {"columns": ("text",)}, "expected a column 'text', found a"),
        ("a.jsonl", b'{"a": 3}\n', {"columns": ("a",)}, "found int"),
        ("a.jsonl", b'{"a": "x"}\nnot json\n', {}, "line 2: expected JSON"),
        ("a.jsonl", b"[1]\n", {}, "expected a JSON object, found list"),
        ("a.jsonl", b"[" * 100_000, {}, "expected JSON"),
        ("a.csv", b"a,b\nx,y\n", {"columns": ("c",)}, "expected a column 'c', found a, b"),
        ("a.csv", b"text\none\ntwo, cut\n", {}, "line 3: expected 1 columns.*found 2"),
        ("a.tsv", b"id\ttext\n1\ta\tb\n", {"columns": ("text",)}, "line 2: expected 2 .*found 3"),
        ("a.txt", b"good\n\xff\xfe\n", {}, "expected UTF-8, found byte 0xff"),
        ("a.txt", b"id\ttext\n", {"columns": ("text",)}, "a column 'text', found plain text"),
        ("a.txt.gz", b"not gzip", {}, "cannot be read"),
        ("a.txt.gz", broken_gzip(), {}, "cannot be read"),
        ("a.parquet", b"PAR1not parquet", {}, "expected Parquet"),
        ("a.exe", b"MZ", {}, "expected a name without suffix"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, data, knobs, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TextSourceError, match=says) as error:
        read(tmp_path / name, **knobs)
    assert name in str(error.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(TextSourceError, match="found neither"):
        read(tmp_path / "absent.txt")
    with pytest.raises(TextSourceError, match="found none"):
        read(tmp_path)


def test_an_endless_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("staticemb_distiller.corpus.records._LONGEST_LINE", 100)
    (tmp_path / "a.txt").write_text("x" * 1000)
    with pytest.raises(TextSourceError, match="expected lines"):
        read(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("name", "package"),
    [("a.parquet", "pyarrow"), ("a.txt.zst", "zstandard"), ("hf:x/y", "datasets")],
)
def test_a_missing_package_is_named(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name.replace("/", "")).write_bytes(b"")
    place = name if name.startswith("hf:") else tmp_path / name
    with pytest.raises(MissingPackageError, match=f"install {package}"):
        read(place)


def test_a_data_set_in_the_hubs_form(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "train.jsonl", TEXTS)
    assert read(f"hf:{tmp_path / 'set'}") == TEXTS
    with pytest.raises(TextSourceError, match="'body'"):
        read(f"hf:{tmp_path / 'set'}", columns=("body",))
    with pytest.raises(TextSourceError, match="cannot be read"):
        read(f"hf:{tmp_path / 'set'}", split="absent")


def test_a_source_is_read_from_its_spec():
    full = "hf:a/b::column=title+text,weight=2.5,limit=7,split=test,config=en,revision=abc"
    assert TextSource.parse(full) == TextSource(
        "hf:a/b", ("title", "text"), weight=2.5, limit=7, split="test", config="en", revision="abc"
    )
    assert TextSource.parse("C:\\docs", limit=9) == TextSource("C:\\docs", limit=9)
    for bad in [
        "",
        "::limit=3",
        "a::limit=x",
        "a::limit=0",
        "a::weight=-1",
        "a::size=3",
        "a::limit",
    ]:
        with pytest.raises(TextSourceError):
            TextSource.parse(bad)


@given(st.lists(st.text(max_size=3)), st.integers(1, 9), st.integers(0, 3), st.randoms())
def test_a_sample_depends_on_the_set_of_texts_alone(texts, limit, seed, random):
    first = sample(texts, limit, seed=seed)
    random.shuffle(texts)
    assert sample(texts + texts, limit, seed=seed) == first
    assert len(first) == len(set(first)) == min(limit, len(set(texts)))
    assert set(first) <= set(texts)
    assert sorted(sample(texts, seed=seed)) == sorted(set(texts))


def test_every_text_is_as_likely_as_any_other():
    texts = [str(number) for number in range(20)]
    drawn = Counter(text for seed in range(2000) for text in sample(texts, 5, seed=seed))
    first = Counter(sample(texts, 5, seed=seed)[0] for seed in range(2000))
    assert all(400 < drawn[text] < 600 for text in texts)  # 500 expected, 10 standard deviations
    assert all(50 < first[text] < 160 for text in texts)  # 100 expected: the order is random, too


SENTENCES = "Dr. Who came at 3.5 p.m. today. Then he left! Why? Nobody knows, e.g. Mr. X. " * 4


def test_passages_end_where_sentences_do(tokenizer):
    found = list(passages([SENTENCES], tokenizer, 500, characters=60))
    assert " ".join(found) == SENTENCES.strip()
    assert all(len(passage) <= 60 and passage[-1] in ".!?" for passage in found)


@given(st.lists(st.text("ab .\n!é日", max_size=200), max_size=4), st.integers(1, 40))
def test_passages_lose_nothing_and_fit(documents, most):
    words = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    found = list(passages(documents, words, most))
    together = "".join("".join(documents).split())
    assert "".join("".join(found).split()) == together
    assert all(passage.strip() == passage and passage for passage in found)
    assert all(len(words.encode(passage).ids) <= most for passage in found)


def test_the_teacher_reads_every_passage_whole(minilm):
    teacher = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    teacher.no_truncation()
    teacher.no_padding()
    endless = "unbreakable" * 300 + " word" * 700
    found = list(passages([endless, SENTENCES], teacher, 254))
    assert all(len(teacher.encode(text, add_special_tokens=False).ids) <= 254 for text in found)
    assert "".join("".join(found).split()) == "".join((endless + SENTENCES).split())


def test_sources_share_no_text(tmp_path, tokenizer):
    mine = write(tmp_path / "mine.txt", ["shared", "mine"])
    other = write(tmp_path / "other.txt", ["shared", "a", "b", "c", "d"])
    sources = [TextSource(str(mine), weight=3), TextSource(str(other), limit=3)]
    first, second = gather(sources, tokenizer, 100)
    assert set(first) == {"mine", "shared"}
    assert len(second) == 3
    assert "shared" not in second
    with pytest.raises(DistillerError, match="found no new text"):
        gather([sources[0], sources[0]], tokenizer, 100)


def test_no_text_at_all_makes_sequences_of_the_teachers_words(minilm):
    teacher = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    (texts,) = gather([TextSource("generated", limit=500)], teacher, 254)
    assert len(texts) > 450  # the shortest sequences come twice
    assert gather([TextSource("generated", limit=500)], teacher, 254) == [texts]
    assert "the" in " ".join(texts).split()


def test_an_open_quote_is_an_error_that_names_its_line(tmp_path):
    path = tmp_path / "U.CSV"
    path.write_text('text\none\n"two, never closed\nthree\n')
    with pytest.raises(TextSourceError, match=r"U\.CSV, line 3: expected CSV"):
        list(read_path(str(path)))


def test_a_header_that_names_a_column_twice_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,text\none,two\n")
    with pytest.raises(TextSourceError, match=r"a\.csv, line 1: .*'text' twice"):
        list(read_path(str(path)))


def test_a_zst_file_that_is_cut_off_is_an_error(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "a.txt.ZST"
    whole = zstandard.ZstdCompressor().compress(b"a line of text\n" * 50_000)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TextSourceError, match="cannot be read"):
        list(read_path(str(path)))


@pytest.mark.parametrize("name", ["words.csv", "words.xyz", "words.PARQUET"])
def test_lines_are_read_from_text_by_name_alone(tmp_path, name):
    path = tmp_path / name
    path.write_text("one\n")
    with pytest.raises(
        TextSourceError, match=r"expected a file of one text per line: a name .*\.txt"
    ):
        list(read_lines([str(path)]))


def test_packed_lines_are_read_and_a_wrong_byte_is_named_by_its_line(tmp_path):
    packed = tmp_path / "words.TXT.GZ"
    packed.write_bytes(gzip.compress(b"one\n\n two \n"))
    assert list(read_lines([str(packed)])) == ["one", "two"]
    latin = tmp_path / "words"
    latin.write_bytes(b"one\n" * 8499 + b"caf\xe9\n")
    with pytest.raises(TextSourceError, match=r"words, line 8500: expected UTF-8, found byte 0xe9"):
        list(read_lines([str(latin)]))
