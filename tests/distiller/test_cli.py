"""The command line in this process: flags become a recipe, faults become one line and status 2."""

import dataclasses

import numpy as np
import pytest

from distiller import teachers
from staticemb_distiller import __version__
from staticemb_distiller.cli import main as cli
from staticemb_distiller.cli.recipe import read_recipe
from staticemb_distiller.recipe.knobs import flag
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_runtime.format.reader import read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(teachers.build("bert", tmp_path_factory.mktemp("bert")))


@pytest.fixture
def run(capsys):
    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_flags_recipe_file_and_defaults_in_this_order(run, folder, tmp_path):
    (tmp_path / "r.toml").write_text('dims = 20\ndtype = "int8"\nseed = 3\nlimit = 100\n')
    out = tmp_path / "m.staticemb"
    status, _, _ = run(
        *["distill", folder, "-o", out, "--recipe", tmp_path / "r.toml", "--device", "cpu"],
        *["--dims", "8", "--prefixes", "4", "6", "--no-normalize", "--limit", "50", "--quiet"],
    )
    assert status == 0
    found = dataclasses.replace(read_recipe(out), revision=None)
    expected = Recipe(dims=8, dtype="int8", seed=3, prefixes=(4, 6), normalize=False, limit=50)
    assert found == expected.resolved()
    assert read(out).metadata.prefixes == (4, 6, 8)


def test_a_file_repeats_its_own_recipe(run, folder, tmp_path):
    first, second, third = (tmp_path / f"{name}.staticemb" for name in "abc")
    few = ["--limit", "50"]
    run("distill", folder, "-o", first, "--dims", "0.9", *few, "--quiet", "--device", "cpu")
    for source, target in ((first, second), (second, third)):
        command = ["distill", folder, "-o", target, "--recipe", source, "--quiet"]
        assert run(*command, "--device", "cpu")[0] == 0
    assert second.read_bytes() == third.read_bytes()


def test_the_printed_recipe_can_be_read(run, tmp_path):
    status, out, _ = run("recipe")
    assert status == 0
    assert Recipe.from_toml(out) == Recipe()
    (tmp_path / "r.toml").write_text(out)
    assert run("recipe", tmp_path / "r.toml")[1] == out


def test_progress_on_a_pipe_is_plain_lines_with_rate_and_nothing_on_standard_output(
    run, folder, tmp_path
):
    few = ["--limit", "50", "--device", "cpu"]
    _, out, err = run("distill", folder, "-o", tmp_path / "m", "--dims", "8", *few)
    assert out == ""
    assert "\r" not in err
    assert "\x1b" not in err
    assert "tokens/s" in err


def test_version(run):
    assert run("--version")[1] == f"staticemb-distiller {__version__}\n"


def test_help_names_every_knob(run):
    status, out, _ = run("distill", "--help")
    assert status == 0
    for name in Recipe.knob_types():
        assert flag(name) in out
    assert "distill" in run("--help")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["distill", "no/such/folder/teacher", "-o", "OUT"], "no/such/folder/teacher"),
        (["distill", "nobody/no-such-teacher", "-o", "OUT"], "nobody/no-such-teacher"),
        (["distill", "TEACHER", "-o", "OUT", "--dims", "33"], "--dims: expected at most 32"),
        (["distill", "TEACHER", "-o", "OUT", "--dims", "0"], "dims"),
        (["distill", "TEACHER", "-o", "OUT", "--dims", "many"], "dims"),
        (["distill", "TEACHER", "-o", "OUT", "--clusters", "few"], "clusters"),
        (
            ["distill", "TEACHER", "-o", "OUT", "--sif-coefficient", "0"],
            "--sif-coefficient: expected",
        ),
        (["distill", "TEACHER", "-o", "OUT", "--sif-coefficient", "1"], "strictly between"),
        (["distill", "TEACHER", "-o", "OUT", "--remove", ".*", "--dims", "4"], "every token"),
        (["distill", "TEACHER", "-o", "OUT", "--remove", "("], "regular expression"),
        (["distill", "TEACHER", "-o", "OUT", "--mode", "word"], "vocabulary"),
        (
            ["distill", "TEACHER", "-o", "OUT", "--mode", "word", "--vocabulary", "EMPTY"],
            "the vocabulary is empty",
        ),
        (
            ["distill", "TEACHER", "-o", "OUT", "--mode", "word", "--vocabulary", "BLANK"],
            "the vocabulary is empty",
        ),
        (["distill", "TEACHER", "-o", "OUT", "--mode", "word", "--vocabulary", "TWICE"], "twice"),
        (
            [
                "distill",
                "TEACHER",
                "-o",
                "OUT",
                "--mode",
                "word",
                "--vocabulary",
                "SHORT",
                "--dims",
                "8",
            ],
            "more than 8 tokens",
        ),
        (["distill", "TEACHER", "-o", "OUT", "--recipe", "no.toml"], "no.toml"),
        (
            ["distill", "TEACHER", "-o", "OUT", "--recipe", "fit_rounds.toml"],
            "fit_rounds.toml: keep_min_count: expected a number",  # as the file has it
        ),
        (
            ["distill", "TEACHER", "-o", "OUT", "--fit", "damping_dims.txt"],
            "error: damping_dims.txt:",  # a file's name is no flag
        ),
        (["distill", "TEACHER", "-o", "OUT", "--clip"], "--clip: only an int8 table"),
        (["distill", "TEACHER", "-o", "OUT", "--fit", "none", "--limit", "3"], "--limit: there is"),
        (
            ["distill", "TEACHER", "-o", "OUT", "--vectors-from", "input"],
            "needs --vectors-from output and --teacher-pooling teacher",
        ),
        (["distill", "TEACHER", "-o", "OUT", "--recipe", "EMPTY.staticemb"], "recipe"),
        (["distill", "TEACHER", "-o", "OUT", "--revision", "main"], "revision"),
        (["distill", "TEACHER", "-o", "OUT", "--device", "abacus"], "abacus"),
        (["distill", "TEACHER", "-o", "OUT", "--dtype", "float64"], "float64"),
        (["distill", "TEACHER", "-o", "no/such/folder/out"], "does not exist"),
        (["distill", "TEACHER"], "--output"),
        (["distil", "TEACHER"], "distil"),
        (["recipe", "no.staticemb"], "no.staticemb"),
    ],
)
def test_bad_input_is_one_clear_line_status_2_and_nothing_written(
    run, folder, tmp_path, monkeypatch, arguments, says
):
    monkeypatch.chdir(tmp_path)
    files = {
        "EMPTY": "",
        "BLANK": " \n\t\n",
        "TWICE": "cat\ncat\n",
        "SHORT": "cat\ndog\n",
        "EMPTY.staticemb": "",
        "fit_rounds.toml": "keep_min_count = 0\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    given = [folder if argument == "TEACHER" else argument for argument in arguments]
    extra = ["--quiet"] if arguments[:1] == ["distill"] else []
    status, out, err = run(*given, *extra)
    assert status == 2
    assert out == ""
    [line] = err.strip().splitlines()
    assert says in line
    assert line.startswith("staticemb-distiller: error: ")
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_quiet_hides_no_word_about_texts_that_are_left_out(run, tmp_path):
    texts = [f"a text about word{number}" for number in range(30)]
    vectors = np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32)
    vectors[7] = 0
    (tmp_path / "t.txt").write_text("".join(f"{text}\n" for text in texts))
    np.save(tmp_path / "v.npy", vectors)
    status, _, said = run(
        *["distill", "--vectors", tmp_path / "v.npy", "--text", tmp_path / "t.txt"],
        *["--tokenizer", "train:wordpiece", "-o", tmp_path / "m.staticemb", "--quiet"],
        *["--dims", "4"],
    )
    assert (status, said) == (
        0,
        "Left out: 1 of 30 texts, without a token or with a zero vector\n",
    )
