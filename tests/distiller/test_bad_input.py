"""What cannot be right is refused in one line that says what goes where; nothing is passed over."""

import gzip
import io
import os
from pathlib import Path

import pytest
import zstandard

from distiller import tables, teachers
from staticemb_distiller import Recipe, distill
from staticemb_distiller.cli import main as cli
from staticemb_distiller.cli.knob_flags import flags_named
from staticemb_distiller.corpus.records import read_records
from staticemb_distiller.corpus.text_files import files_of, not_read
from staticemb_distiller.errors import (
    ConvertError,
    DistillerError,
    EvaluationError,
    OutputError,
    RecipeError,
    TextSourceError,
    VocabularyError,
)
from staticemb_distiller.evaluation import files
from staticemb_distiller.interop.convert import convert_folder
from staticemb_distiller.interop.export import export
from staticemb_distiller.interop.word_vectors import convert_word_vectors
from staticemb_distiller.output_file import check_folders, check_output
from staticemb_distiller.progress import Progress
from staticemb_distiller.publish.wheel import Names, build_wheel
from staticemb_distiller.recipe.knobs import as_flags
from staticemb_distiller.teacher.source import find
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_distiller.training.run import Places, train, train_file
from staticemb_distiller.training.sources import PairSource
from staticemb_distiller.vocabulary.build import read_words
from staticemb_runtime import StaticModel

LONG = "x" * 300


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return str(teachers.build("bert", tmp_path_factory.mktemp("bert")))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: distill("name", "out"),
            r"recipe: .*distill\(teacher, recipe, output\).*str 'out'",
        ),
        (lambda: distill("name", {"dims": 8}), "recipe: expected a Recipe or None"),
        (lambda: distill("name", Recipe), "recipe: expected a Recipe or None"),
        (lambda: distill(None), "teacher: expected .* found None"),
        (lambda: distill(b"name"), "teacher: expected .* the bytes"),
        (lambda: distill(["name"]), "teacher: expected .* the list"),
        (lambda: distill("name", None, 1), "output: expected a path"),
        (lambda: distill("name", Recipe(), None), "output: expected a path"),
        (lambda: distill("name", checkpoint=1), "checkpoint: expected a path"),
        (lambda: distill("name", teacher_cache=True), "teacher_cache: expected a path"),
        (lambda: distill("name", trust_remote_code="no"), "trust_remote_code: expected True or"),
        (lambda: convert_folder("a", 1), "path: expected a path"),
        (lambda: convert_folder(None, "a"), "source: expected a path"),
        (lambda: convert_word_vectors(1, "a"), "source: expected a path"),
        (lambda: export("a", 1, "model2vec"), "output: expected a path"),
        (lambda: export("a", "b", None), "to: expected a library's name"),
        (lambda: train("a", TrainingRecipe(pairs=("p.tsv",)), 1), "output: expected a path"),
        (
            lambda: train("a", TrainingRecipe(pairs=("p.tsv",)), checkpoint=1),
            "checkpoint: expected a path",
        ),
        (lambda: build_wheel("a", 1, Names("n", "1")), "folder: expected a path"),
        (lambda: build_wheel("a", Path(), "name"), "names: expected Names"),
        (lambda: train_file("a", "pairs.tsv", Places(Path("o"))), "recipe: expected a Training"),
        (lambda: train_file("a", TrainingRecipe(pairs=["p.tsv"]), "o"), "places: expected Places"),
        (lambda: train_file(3, TrainingRecipe(pairs=["p.tsv"]), "o"), "start: expected a path"),
    ],
)
def test_an_argument_of_another_type_is_a_type_error_that_says_what_goes_there(call, says):
    with pytest.raises(TypeError, match=says):
        call()


def test_export_to_no_library_names_those_there_are():
    with pytest.raises(ConvertError, match="model2vec, sentence-transformers, onnx, found 'torch'"):
        export("a", "b", "torch")


def test_a_teachers_path_may_be_a_path(teacher, tmp_path):
    recipe = Recipe(fit=["none"], dims=4)
    assert distill(Path(teacher), recipe, tmp_path / "m.staticemb", device="cpu").is_file()


@pytest.mark.parametrize("name", [LONG, f"{LONG}/b", "a\0b", "a\udcffb\ud800"])
def test_a_name_that_no_file_can_have_is_an_error_of_this_package(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    vectors = tmp_path / "v.txt"
    vectors.write_text("cat 1 0\ndog 0 1\n")
    here = Path(name)
    calls = [
        lambda: distill(name, Recipe(fit=["none"])),
        lambda: distill("t", Recipe(), name),
        lambda: distill("t", Recipe(), "o", checkpoint=name),
        lambda: distill("t", Recipe(text=[name]), "o"),
        lambda: distill("t", Recipe(mode="word", vocabulary=name), "o"),
        lambda: convert_word_vectors(vectors, name),
        lambda: check_output(here),
        lambda: check_folders(here, here / "deeper"),
        lambda: files_of(name),
        lambda: read_words(name),
        lambda: find(name),
        lambda: Recipe.read(here),
    ]
    for call in calls:
        with pytest.raises(DistillerError) as caught:
            call()
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [vectors]


def test_an_empty_name_is_not_the_current_folder():
    with pytest.raises(DistillerError, match="empty name"):
        find("")


@pytest.mark.parametrize(
    "line",
    ['{"text": "a", "s": NaN}', '{"s": -Infinity}', '{"text": "a", "text": "b"}', "[1]", "{", "3"],
)
def test_json_lines_are_read_strictly(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "whole", "s": 1}}\n{line}\n')
    with pytest.raises(TextSourceError, match=r"a\.jsonl, line 2: expected"):
        list(read_records(path))
    with pytest.raises(EvaluationError, match=r"a\.jsonl, row 2: expected"):
        list(files.jsonl(path, ("text",)))


def test_evaluation_data_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "a"}\n')
    assert list(files.jsonl(path, ("text",))) == [(1, {"text": "a"})]


def test_parquet_with_two_columns_of_one_name_is_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    pyarrow_parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    pyarrow_parquet.write_table(pyarrow.table([["a"], ["b"]], names=["text", "text"]), path)
    with pytest.raises(TextSourceError, match=r"a\.parquet: .*'text' twice"):
        list(read_records(path))


def test_word_vectors_are_read_packed_by_zstandard(tmp_path):
    text = b"cat 1 0\ndog 0.5 1\nbird 0 1\n"
    results = []
    for name, content in (
        ("v.txt", text),
        ("v.txt.gz", gzip.compress(text)),
        ("v.vec.ZST", zstandard.compress(text)),
    ):
        (tmp_path / name).write_bytes(content)
        done = convert_word_vectors(tmp_path / name, tmp_path / f"{name}.staticemb")
        results.append(StaticModel.load(done.path).encode(["cat", "dog bird"]).tolist())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("damage", ["cut", "broken"])
def test_damaged_packed_word_vectors_are_an_error(tmp_path, suffix, damage):
    text = b"".join(b"w%d %d 1\n" % (n, n * n) for n in range(20000))
    packed = gzip.compress(text) if suffix == ".gz" else zstandard.compress(text)
    middle = len(packed) // 2
    content = packed[:middle]
    if damage == "broken":
        content += bytes(99) + packed[middle + 99 :]
    (tmp_path / f"v.txt{suffix}").write_bytes(content)
    with pytest.raises(ConvertError, match=r"v\.txt"):
        convert_word_vectors(tmp_path / f"v.txt{suffix}", tmp_path / "o")


def test_a_vocabulary_may_be_packed_and_its_faults_name_the_line(tmp_path):
    for name in ("v.txt.gz", "v.txt.zst"):
        tables.pack(tmp_path / name, "city\n\nNew York\n")
        assert read_words(tmp_path / name) == ["city", "New York"]
    (tmp_path / "latin.txt").write_bytes("ok\ncafé\n".encode("latin-1"))
    with pytest.raises(TextSourceError, match=r"latin\.txt, line 2: expected UTF-8"):
        read_words(tmp_path / "latin.txt")


def test_a_recipe_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "r.toml").write_bytes(b"\xef\xbb\xbfdims = 8\n")
    assert Recipe.read(tmp_path / "r.toml").dims == 8


def test_files_that_a_folder_holds_and_nobody_reads_are_counted(tmp_path, teacher):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("The cat sat on the mat.\n")
    (folder / ".hidden").write_text("x")
    place = str(folder)
    assert not_read(place, files_of(place)) == ""
    for name in ("b.docx", "c.xyz"):
        (folder / name).write_text("x")
    expected = f"{place}: 2 files are of an unsupported kind, the first: b.docx"
    assert not_read(place, files_of(place)) == expected
    stream = io.StringIO()
    recipe = Recipe(text=[place], fit=["generated::limit=40"], dims=4)
    with Progress(stream) as progress:
        distill(teacher, recipe, tmp_path / "o", device="cpu", progress=progress)
    assert stream.getvalue().count(expected) == 1
    (folder / "pairs.jsonl").write_text('{"anchor": "a", "positive": "b"}\n')
    found = not_read(place, PairSource.parse(place).files)
    assert found == f"{place}: 3 files are of an unsupported kind, the first: a.txt"


@pytest.mark.parametrize(
    ("knobs", "python", "typed"),
    [
        (
            {"mode": "word"},
            'mode="word" needs vocabulary= or vocabulary_from=',
            "--mode word needs --vocabulary or --vocabulary-from,",
        ),
        ({"vocabulary": "v"}, 'mode="output" takes no vocabulary=', "--mode output takes no --voc"),
        ({"weighting": "counts"}, 'with weighting="counts", and only', "with --weighting counts"),
        ({"fit": ["a"], "text": ["b"]}, "found fit= a; .*name it in fit=", "name it in --fit"),
        ({"clip": True}, 'found dtype="float16"', "--clip: .*found --dtype float16"),
        (
            {"fit": ["none"], "limit": 3},
            'to limit with fit="none"',
            "--limit: .*to limit with --fit none",
        ),
    ],
)
def test_knobs_are_spelled_as_the_user_types_them(knobs, python, typed):
    with pytest.raises(RecipeError, match=python):
        Recipe(**knobs)
    with pytest.raises(RecipeError, match=typed), flags_named(Recipe):
        Recipe(**knobs)


@pytest.mark.parametrize(
    "text",
    [
        "Wrote dims=256.staticemb",
        "Reading text: a.jsonl::limit=5,weight=2",
        "mode=x/y: cannot be read",
        "'text=' is quoted",
    ],
)
def test_files_and_quoted_values_are_not_taken_for_knobs(text):
    assert as_flags(Recipe, text) == text


def test_notes_name_flags_and_hold_no_control_characters():
    stream = io.StringIO()
    with Progress(stream, spell=lambda text: as_flags(Recipe, text)) as progress:
        progress.note("store_weights= keeps them")
        progress.note("Loading a\x1b[2Jb\rc")
    assert stream.getvalue() == "--store-weights keeps them\nLoading a\\x1b[2Jb\\rc\n"


def test_a_dash_as_output_is_standard_output(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    vectors = tmp_path / "v.txt"
    vectors.write_text("cat 1 0\ndog 0 1\n")
    for output in ("-", "m.staticemb"):
        assert cli.main(["convert", "v.txt", "-o", output]) == 0
    assert capfdbinary.readouterr().out == Path("m.staticemb").read_bytes()
    assert not Path("-").exists()


@pytest.mark.parametrize(
    "call",
    [
        lambda: export("minilm-en-small", "-", "model2vec"),
        lambda: build_wheel("minilm-en-small", Path("-"), Names("n", "1")),
        lambda: distill("t", Recipe(), "o", checkpoint="-"),
    ],
)
def test_a_dash_is_no_folder(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="-: expected a folder"):
        call()
    assert not list(tmp_path.iterdir())


def test_a_report_on_standard_output_stands_there_alone(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = ["evaluate", "bm25", "--json", "-", "--no-speed"]
    assert cli.main(command) == 0
    out, err = capfd.readouterr()
    assert out.startswith("{")
    assert out.endswith("}\n")
    assert "bm25" in err
    assert not Path("-").exists()


def test_no_model_is_written_to_a_terminal(monkeypatch):
    monkeypatch.setattr(os, "isatty", lambda descriptor: True)
    for name in ("-", "/dev/stdout", "/dev/fd/1"):
        with pytest.raises(OutputError, match=rf"^{name}: expected a file or a pipe, found a term"):
            check_output(Path(name))
        check_output(Path(name), text=True)


@pytest.mark.parametrize("code", ["", "English", "e", "en_US", "en\n"])
def test_the_language_of_a_fit_is_a_code(code):
    with pytest.raises(RecipeError, match="fit_language"):
        Recipe(fit_language=(code,))
    assert Recipe(fit_language=("zh-Hans",)).fit_language == ("zh-Hans",)


def test_an_empty_vocabulary_is_named(tmp_path):
    (tmp_path / "words.txt").write_text("")
    teacher = teachers.build("bert", tmp_path / "teacher")
    recipe = Recipe(mode="word", vocabulary=str(tmp_path / "words.txt"), dims=4)
    with pytest.raises(VocabularyError, match=r"words.txt: the vocabulary is empty$"):
        distill(str(teacher), recipe, tmp_path / "m")
