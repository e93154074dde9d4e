"""Examples from every kind of file, tokenized as the runtime does, and what is wrong with them."""

import gzip
import io
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distiller.tables import write
from staticemb_distiller import errors
from staticemb_distiller.progress import Progress
from staticemb_distiller.training import tokenized
from staticemb_distiller.training.dataset import Texts
from staticemb_distiller.training.sources import PairSource
from staticemb_distiller.training.tokenized import prepare
from strategies import texts as any_texts
from strategies import word_level_tokenizer
from tokenizer_families import family_json
from word_tokenizers import open_tokenizer

ROWS = [
    ["what is it?", "a thing"],
    ['naïve, „quoted“, "and" 日本語', "with, commas"],
    ["third", "an answer"],
    ["a thing", "what is it?"],
]
TOKENIZER = word_level_tokenizer(50)


def made(folder, *specs, **knobs):
    sources = [PairSource.parse(str(spec)) for spec in specs]
    return prepare(sources, TOKENIZER, 0, None, folder / "prepared", **knobs)


def spelled(data, source=0):
    """The texts of each example."""
    return [data.read_texts(row) for row in data.examples[source].columns]


@pytest.mark.parametrize(
    "name",
    ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.csv.gz", "a.tsv", "a.tsv.gz", "a.parquet"],
)
def test_every_format_gives_the_same_examples(tmp_path, name):
    path = write(tmp_path / name, ["question", "answer"], ROWS)
    train, validation = made(tmp_path, path)
    assert spelled(train) == ROWS
    assert train.examples[0].kind == "pairs"
    assert len(validation.examples[0]) == 0
    assert len(train.texts) == 6  # two of the eight are there twice
    assert train.examples[0].columns[3].tolist() == train.examples[0].columns[0][::-1].tolist()


@pytest.mark.parametrize(
    ("header", "row", "knobs", "kind", "texts", "target"),
    [
        (None, ["a", "b"], "", "pairs", ["a", "b"], None),
        (None, ["a", "b", "c", "d"], "", "triplets", ["a", "b", "c", "d"], None),
        (None, ["2.5", "a", "b"], "", "scored", ["a", "b"], 2.5),
        (None, ["a", "b", "2.5"], "", "scored", ["a", "b"], 2.5),
        (None, ["7", "a"], "", "labeled", ["a"], "7"),
        (None, ["x", "a"], "kind=labeled", "labeled", ["a"], "x"),
        (None, ["7", "8"], "kind=pairs", "pairs", ["7", "8"], None),
        (None, ["a", "b", "c"], "kind=pairs", "pairs", ["a", "b"], None),
        (None, ["a", "b", "c"], "anchor=3,positive=1", "pairs", ["c", "a"], None),
        (["title", "body"], ["a", "b"], "header=yes", "pairs", ["a", "b"], None),
        (["Question", "id", "Answer"], ["a", "7", "b"], "", "pairs", ["a", "b"], None),
        (["id", "x", "y"], ["7", "a", "b"], "anchor=y,positive=x", "pairs", ["b", "a"], None),
        (["anchor", "positive", "negative"], list("abc"), "", "triplets", list("abc"), None),
        (["negative_1", "negative_2", "query", "positive"], list("cdab"), "", "triplets",
         list("abcd"), None),
        (["q", "p", "n", "m"], list("abcd"), "anchor=q,positive=p,negative=m+n", "triplets",
         list("abdc"), None),
        (["sentence1", "sentence2", "score"], ["a", "b", "3"], "", "scored", ["a", "b"], 3.0),
        (["sentence1", "sentence2", "label"], ["a", "b", "1"], "", "scored", ["a", "b"], 1.0),
        (["sentence1", "sentence2", "score"], ["a", "b", "3"], "kind=pairs", "pairs", ["a", "b"],
         None),
        (["label", "text"], ["x", "a"], "", "labeled", ["a"], "x"),
        (["title", "intent"], ["a", "x"], "", "labeled", ["a"], "x"),
        (["l", "t"], ["x", "a"], "text=t,label=l", "labeled", ["a"], "x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_columns_are_recognized_or_told(tmp_path, suffix, header, row, knobs, kind, texts, target):
    path = write(tmp_path / f"a{suffix}", header, [row, row])
    layout, found = PairSource.parse(f"{path}::{knobs}").read()
    read = next(found)
    assert layout.kind == kind
    assert list(read.texts) == texts
    assert target == (read.label if kind == "labeled" else read.score)
    assert len(list(found)) == 1
    assert kind in str(layout)


def test_what_was_taken_is_said(tmp_path):
    path = write(tmp_path / "a.tsv", None, ROWS)
    said = io.StringIO()
    made(tmp_path, path, progress=Progress(said))
    assert "pairs: anchor = column 1, positive = column 2" in said.getvalue()
    assert "a.tsv: 4 examples" in said.getvalue()


def test_quotes_in_tsv_are_characters_unless_they_enclose_a_cell(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('"An open quote\tb\n"Whole ""cell"""\td\n"A" then\t5" wide\n', "utf-8")
    assert spelled(made(tmp_path, path)[0]) == [
        ['"An open quote', "b"],
        ['Whole "cell"', "d"],
        ['"A" then', '5" wide'],
    ]


def test_a_folder_and_a_limit(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "b.csv", ["anchor", "positive"], ROWS[2:])
    write(tmp_path / "in" / "a.jsonl", ["anchor", "positive"], ROWS[:2])
    (tmp_path / "in" / "README.md").write_text("not an example")
    assert spelled(made(tmp_path, tmp_path / "in")[0]) == ROWS
    assert spelled(made(tmp_path, f"{tmp_path / 'in'}::limit=3")[0]) == ROWS[:3]


def test_a_data_set_in_the_hubs_form(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "train.jsonl", ["query", "answer"], ROWS)
    assert spelled(made(tmp_path, f"hf:{tmp_path / 'set'}")[0]) == ROWS


def test_a_source_is_read_from_its_spec():
    source = PairSource.parse(
        "hf:a/b::kind=scored,anchor=x,positive=y,score=z,range=-1..1,weight=2,limit=7,split=test,"
        "config=en,revision=abc"
    )
    roles = {"anchor": ("x",), "positive": ("y",), "score": ("z",)}
    assert source == PairSource(
        "hf:a/b", "scored", roles, (-1.0, 1.0), weight=2.0, limit=7, split="test", config="en",
        revision="abc",
    )  # fmt: skip
    assert PairSource.parse("a.tsv", limit=9).limit == 9


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("a.tsv::kind=couples", "kind: expected one of pairs, triplets, scored, labeled"),
        ("a.tsv::column=x", "expected KEY=VALUE with one of anchor"),
        ("a.tsv::anchor=x", "expected anchor and positive, or text and label, found anchor"),
        ("a.tsv::anchor=x,positive=y,kind=triplets", "expected anchor, positive, negative"),
        ("a.tsv::anchor=x+z,positive=y", "expected one column as anchor, found x, z"),
        ("a.tsv::range=5", "range: expected LOW..HIGH, like 0..5, found '5'"),
        ("a.tsv::range=nan..5", "range: expected"),
        ("a.tsv::range=5..0", "range: expected"),
        ("a.tsv::header=maybe", "header: expected yes or no"),
        ("a.tsv::weight=0", "above 0"),
        ("::weight=1", "expected a file"),
    ],
)
def test_a_misspelled_source_is_refused(spec, says):
    with pytest.raises(errors.DistillerError, match=says):
        PairSource.parse(spec)


def test_examples_with_an_empty_text_are_left_out_and_counted(tmp_path):
    rows = ["cat\tdog", "\thorse", "cow\t \t", "sheep\tgoat", "saw\t"]
    rows[2] = "cow\t "
    (tmp_path / "a.tsv").write_text("".join(f"{row}\n" for row in rows))
    (tmp_path / "b.tsv").write_text("cat\tdog\nsheep\tgoat\n")
    stream = io.StringIO()
    with_empty, _ = made(
        tmp_path / "x", str(tmp_path / "a.tsv"), progress=Progress(stream, quiet=True)
    )
    without, _ = made(tmp_path / "y", str(tmp_path / "b.tsv"))
    for part in ("columns", "kind"):
        np.testing.assert_array_equal(
            getattr(with_empty.examples[0], part), getattr(without.examples[0], part)
        )
    said = "3 examples dropped, the first: "
    where = "a.tsv, line 2: expected text in column '1', found none"
    assert any(said in line and where in line for line in stream.getvalue().splitlines())


@pytest.mark.parametrize(
    ("name", "data", "knobs", "error", "says"),
    [
        ("a.tsv", b"a\tb\n \tc\n", "", errors.TrainingError,
         "a.tsv, line 2: expected text in column '1', found none"),
        ("a.jsonl", b'{"anchor": "a", "positive": null}\n', "", errors.TrainingError,
         "line 1: expected text in column 'positive', found none"),
        ("a.jsonl", b'{"anchor": "a", "positive": "b"}\n{"anchor": "a", "positive": null}\n', "",
         errors.TrainingError, "line 2: expected text in column 'positive', found none"),
        ("a.tsv", b"a\nb\n", "", errors.TrainingError,
         "a.tsv, line 1: expected 2 columns of text, found 1"),
        ("a.tsv", b"text\na\nb\n", "", errors.TrainingError, "expected 2 columns of text"),
        ("a.tsv", b"a\tb\n", "kind=triplets", errors.TrainingError,
         "expected 3 columns of text for triplets, found 2"),
        ("a.tsv", b"a\tb\nc\td\n", "kind=scored", errors.TrainingError,
         "expected a column with a score"),
        ("a.tsv", b"a\tb\nc\td\te\n", "", errors.TextSourceError,
         "a.tsv, line 2: expected 2 columns as in the first row, found 3"),
        ("a.csv", b"a,b\nc\n", "", errors.TextSourceError, "line 2: .* found 1"),
        ("a.tsv", b"a\tb\na\tb\n\na\tb\n", "", errors.TrainingError,
         "the same text of column '1' in all 3"),
        ("a.tsv", b"a\tyes\nb\tyes\nyes\tc\n", "", errors.TrainingError, "column '2'"),
        ("a.tsv", b"a\tb\n", "", errors.TrainingError, "two examples or more, found 1"),
        ("a.tsv", b"", "", errors.TrainingError, "a.tsv: expected examples, found none"),
        ("a.tsv", b"anchor\tpositive\n", "", errors.TrainingError, "found none"),
        ("a.tsv", b"1\ta\tb\nx\tc\td\n", "", errors.TrainingError,
         "line 2: expected a finite score in column '1', found 'x'"),
        ("a.tsv", b"1\ta\tb\nnan\tc\td\n", "", errors.TrainingError, "found 'nan'"),
        ("a.tsv", b"1\ta\tb\n1e999\tc\td\n", "", errors.TrainingError, "found '1e999'"),
        ("a.jsonl", b'{"anchor": "a", "positive": "b", "score": true}\n', "", errors.TrainingError,
         "line 1: expected a finite score in column 'score', found True"),
        ("a.jsonl", b'{"anchor": "a", "positive": "b", "score": 1' + b"0" * 400 + b"}\n", "",
         errors.TrainingError, "expected a finite score"),
        ("a.tsv", b"1\ta\tb\n7\tc\td\n", "range=0..5", errors.TrainingError,
         "line 2: expected a score of 0 to 5, found 7"),
        ("a.tsv", b"3\ta\tb\n3\tc\td\n", "", errors.TrainingError, "that differ, found 3 alone"),
        ("a.tsv", b"text\tlabel\na\tx\nb\ty\nc\ty\n", "", errors.TrainingError,
         "a.tsv, line 2: expected two examples or more of label 'x', found one"),
        ("a.tsv", b"text\tlabel\na\tx\nb\tx\n", "", errors.TrainingError, "found only 'x'"),
        ("a.tsv", b"text\tlabel\na\tx\nb\t \n", "", errors.TrainingError,
         "line 3: expected a label"),
        ("a.tsv", b"a\tb\nc\t\xff\n", "", errors.TextSourceError,
         "a.tsv, line 2: expected UTF-8, found byte 0xff"),
        ("a.csv", b"a,b\n" * 9000 + b"c,\xc3\n", "", errors.TextSourceError, "line 9001"),
        ("a.jsonl.gz", gzip.compress(b'{"a": "b", "c": "d"}\n"\xe4"\n', mtime=0), "",
         errors.TextSourceError, "line 2: expected UTF-8, found byte 0xe4"),
        ("a.csv", b"question,answer\na,b\n", "anchor=quest,positive=answer",
         errors.TextSourceError, "line 2: expected a column 'quest', found question, answer"),
        ("a.csv", b"one,two\na,b\n", "anchor=quest,positive=two", errors.TextSourceError,
         "expected a column 'quest', found one, two"),
        ("a.jsonl", b'{"a": "x", "b": "y"}\n{"a": "x"}\n', "", errors.TextSourceError,
         "line 2: expected a column 'b', found a"),
        ("a.jsonl", b'{"anchor": "x", "positive": ["y"]}\n', "anchor=anchor,positive=positive",
         errors.TextSourceError, "line 1: expected text in column 'positive', found list"),
        ("a.jsonl", b'{"id": "7", "url": "u", "title": "t", "body": "b"}\n', "",
         errors.TrainingError, "line 1: the columns are ambiguous"),
        ("a.jsonl", b"[1, 2]\n", "", errors.TextSourceError, "expected a JSON object, found list"),
        ("a.jsonl.zst", b"not zstd", "", errors.TextSourceError, "cannot be read"),
        ("a.parquet", b"PAR1", "", errors.TextSourceError, "expected Parquet"),
        ("a.txt", b"a\tb\n", "", errors.TextSourceError, "found plain text"),
    ],
)  # fmt: skip
def test_bad_data_is_named(tmp_path, name, data, knobs, error, says):
    if name.endswith((".zst", ".parquet")):
        pytest.importorskip("zstandard" if name.endswith(".zst") else "pyarrow")
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(error, match=says) as raised:
        made(tmp_path, f"{path}::{knobs}")
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == data


def test_a_parquet_file_without_the_column_is_named(tmp_path):
    path = write(tmp_path / "a.parquet", ["x", "y"], ROWS)
    with pytest.raises(errors.TextSourceError, match="row 1: expected a column 'z', found x, y"):
        made(tmp_path, f"{path}::anchor=x,positive=z")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    path = write(tmp_path / "a.tsv", None, ROWS)
    (tmp_path / "prepared").write_text("a file")
    with pytest.raises(errors.CacheError, match="prepared"):
        made(tmp_path, path)


@pytest.mark.parametrize(
    ("scores", "knobs", "expected"),
    [
        ([0, 5, 2.5], "", [0, 1, 0.5]),
        ([1, 5, 3], "", [0, 1, 0.5]),
        ([0.2, 0.9, 0.5], "", [0.2, 0.9, 0.5]),
        ([1, 3, 2], "range=0..5", [0.2, 0.6, 0.4]),
        ([-1, 1, 0], "", [0, 1, 0.5]),
    ],
)
def test_scores_are_scaled(tmp_path, scores, knobs, expected):
    rows = [[f"a{n}", f"b{n}", score] for n, score in enumerate(scores)]
    path = write(tmp_path / "a.tsv", ["sentence1", "sentence2", "score"], rows)
    found = made(tmp_path, f"{path}::{knobs}")[0].examples[0]
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)
    assert found.kind == "scored"


def test_labels_are_numbered(tmp_path):
    rows = [["x", "a"], ["y", "b"], ["x", "c"], ["y", "d"]]
    path = write(tmp_path / "a.tsv", ["label", "text"], rows)
    found = made(tmp_path, path)[0].examples[0]
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.columns.shape == (4, 1)


def test_a_label_may_be_a_number_with_a_point(tmp_path):
    """A column with a gap, as pandas writes it: whole numbers as 1.0."""
    path = tmp_path / "a.jsonl"
    labels = enumerate(("1.0", "2", "1", "2.0"))
    path.write_text("".join(f'{{"text": "t{n}", "label": {label}}}\n' for n, label in labels))
    found = made(tmp_path, path)[0].examples[0]
    assert found.labels.tolist() == [0, 1, 0, 1]


# --- texts -----------------------------------------------------------------------------------


def test_equal_texts_are_one_across_sources(tmp_path):
    one = write(tmp_path / "a.tsv", None, [["a", " b "], ["c", "e"]])
    other = write(tmp_path / "b.jsonl", ["query", "answer"], [["b", "c\n"], ["d", "a"]])
    train, _ = made(tmp_path, one, f"{other}::weight=2.5")
    assert len(train.texts) == 5
    assert [examples.weight for examples in train.examples] == [1, 2.5]
    assert [spelled(train, source) for source in (0, 1)] == [
        [["a", "b"], ["c", "e"]],
        [["b", "c"], ["d", "a"]],
    ]


@pytest.mark.parametrize("name", ["bert_uncased", "gpt2", "xlmr"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_ids_are_those_of_the_runtime(tmp_path, name, data):
    rows = data.draw(
        st.lists(st.tuples(any_texts(), any_texts()), min_size=2, max_size=8).filter(
            lambda rows: all(text.strip() for row in rows for text in row)
        )
    )
    most = data.draw(st.none() | st.integers(1, 9))
    definition = family_json(name)
    unknown = data.draw(st.sampled_from([None, 1, 5]))
    path = write(tmp_path / "a.jsonl", ["anchor", "positive"], [*rows, ["x", "y"], ["z", "w"]])
    source = PairSource.parse(str(path))
    train, _ = prepare([source], definition, unknown, most, tmp_path / "prepared")
    numbers = np.arange(len(train.texts))
    again = open_tokenizer(definition, unknown_token_id=unknown, max_tokens=most)
    ids, lengths = again.encode(train.read_texts(numbers))
    assert train.texts.ids.tolist() == ids.tolist()
    assert np.diff(train.texts.offsets).tolist() == lengths.tolist()
    written = {text.strip() for row in [*rows, ["x", "y"], ["z", "w"]] for text in row}
    assert set(train.read_texts(numbers)) == written


@given(st.lists(st.lists(st.integers(0, 99), max_size=5), min_size=1, max_size=9), st.data())
def test_take_is_slicing(texts, data):
    ids = np.array([i for text in texts for i in text], np.int32)
    offsets = np.cumsum([0, *map(len, texts)])
    numbers = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=12))
    found, bounds = Texts(ids, offsets).take(np.array(numbers, np.int32))
    assert bounds[0] == 0
    assert found.dtype == np.int32
    cut = [found[begin:end].tolist() for begin, end in pairwise(bounds)]
    assert cut == [texts[number] for number in numbers]


# --- held out --------------------------------------------------------------------------------


def anchored(tmp_path, n=400):
    rows = [[f"w{number // 3}", f"positive {number}"] for number in range(n)]
    return write(tmp_path / "a.tsv", None, rows), rows


@pytest.mark.parametrize(("held_out", "least", "most"), [(0, 0, 0), (0.25, 90, 100), (60, 55, 60)])
def test_no_anchor_is_on_both_sides_and_nothing_is_lost(tmp_path, held_out, least, most):
    path, rows = anchored(tmp_path)
    train, validation = made(tmp_path, path, held_out=held_out)
    assert least <= len(validation.examples[0]) <= most
    assert not {a for a, _ in spelled(train)} & {a for a, _ in spelled(validation)}
    assert sorted(spelled(train) + spelled(validation)) == sorted(rows)


@pytest.mark.parametrize(("n", "least", "most"), [(1900, 0, 0), (2400, 110, 120)])
def test_few_examples_are_all_trained_on_unless_asked_for(tmp_path, n, least, most):
    path, _ = anchored(tmp_path, n)
    assert least <= len(made(tmp_path, path, held_out=None)[1].examples[0]) <= most


def test_what_is_held_out_hangs_on_seed_and_anchor_alone(tmp_path):
    path, rows = anchored(tmp_path)
    same = [spelled(made(tmp_path, path, held_out=0.3, seed=seed)[1]) for seed in (1, 1, 2)]
    assert same[0] == same[1] != same[2]
    write(path, None, rows[::-1])
    assert sorted(spelled(made(tmp_path, path, held_out=0.3, seed=1)[1])) == sorted(same[0])


def test_no_pair_is_on_both_sides_whichever_way_round(tmp_path):
    pairs = [[f"q{number}", f"a{number}"] for number in range(300)]
    turned = [pair[::-1] for pair in pairs]
    one, other = (write(tmp_path / f"{n}.tsv", None, r) for n, r in enumerate((pairs, turned)))
    train, validation = made(tmp_path, one, other, held_out=0.2)
    kept = [frozenset(pair) for source in (0, 1) for pair in spelled(validation, source)]
    trained = [frozenset(pair) for source in (0, 1) for pair in spelled(train, source)]
    assert 100 < len(kept) <= 120
    assert not set(kept) & set(trained)
    # Nothing else is lost: each pair is in training twice, or not at all.
    assert len(trained) == 2 * len(set(trained)) == 2 * (300 - len(set(kept)))


def test_scores_and_labels_are_held_out_with_their_texts(tmp_path):
    rows = [[f"t{number}", number % 5] for number in range(200)]
    labels = write(tmp_path / "a.tsv", ["text", "label"], rows)
    scored = write(
        tmp_path / "b.tsv", ["anchor", "positive", "score"], [["a" + a, a, s] for a, s in rows]
    )
    for data in made(tmp_path, labels, scored, held_out=0.4):
        assert len(data.examples[0]) > 40
        numbers = [int(text[1:]) for (text,) in spelled(data)]
        assert data.examples[0].labels.tolist() == [number % 5 for number in numbers]
        numbers = [int(text[1:]) for _, text in spelled(data, 1)]
        np.testing.assert_allclose(data.examples[1].scores, [n % 5 / 4 for n in numbers])


# --- memory ----------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr(tokenized, "_BLOCK_ROWS", 250)
    peaks = []
    for n in (1_000, 6_000):
        path = tmp_path / f"{n}.tsv"
        with path.open("w") as file:
            for number in range(n):
                file.write(f"w{number % 50} {number:0500}\tw3 {number:x} {'w1 w2 ' * 80}\n")
        tracemalloc.start()
        train, _ = made(tmp_path, path, held_out=100)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(train.texts) == 2 * n
    # The second file has 5 MB and 10,000 texts more; these may take 100 bytes each.
    assert peaks[1] - peaks[0] < 1_000_000
