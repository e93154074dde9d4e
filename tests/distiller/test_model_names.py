"""Commands and functions open a model by the same names: a file, or a model that is installed."""

import subprocess
import sys

import numpy as np
import pytest

from staticemb_distiller import errors
from staticemb_distiller.cli import main as cli
from staticemb_distiller.evaluation import load_model
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.interop.convert import convert_folder
from staticemb_distiller.interop.export import export
from staticemb_distiller.progress import Progress
from staticemb_distiller.publish.wheel import Names, build_wheel
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_distiller.training.start import open_start
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import ModelNotFoundError
from staticemb_runtime.format.reader import read
from staticemb_runtime.loading.installed import DEFAULT_MODEL
from strategies import word_level_tokenizer

RECIPE = TrainingRecipe(pairs=["pairs.tsv"])


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A model `tiny` as a wheel brings it."""
    source = tmp_path / "tiny.staticemb"
    table = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    settings = Settings(
        normalize=True, unknown_token_id=0, provenance={"recipe": 'dims = 8\nfit = ["none"]'}
    )
    write(source, Parts(table, word_level_tokenizer(20)), settings)
    wheel = build_wheel(source, tmp_path / "wheels", Names("staticemb-model-tiny", "1.0"))
    site = tmp_path / "site"
    command = [sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)]
    subprocess.run(command, check=True)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path / "wheels")
    return read(source).metadata.digest


def run(*arguments) -> int:
    try:
        return cli.main(list(map(str, arguments)))
    except SystemExit as stop:
        return int(stop.code or 0)


def test_functions_open_installed_models(installed, tmp_path):
    assert StaticModel.load("tiny").metadata.digest == installed
    assert load_model("tiny").facts["digest"] == installed
    assert load_model("tiny").name == "tiny"
    start = open_start("tiny", RECIPE, progress=Progress(quiet=True))
    assert installed in start.provenance["x-start"]
    export("tiny", tmp_path / "out", "model2vec")
    convert_folder(tmp_path / "out", tmp_path / "back.staticemb")
    wheel = build_wheel("tiny", tmp_path / "again", Names("staticemb-model-other", "1.0"))
    assert wheel.exists()


def test_commands_open_installed_models(installed, tmp_path, capsys):
    assert run("recipe", "tiny") == 0
    assert "dims = 8" in capsys.readouterr().out
    assert run("evaluate", "tiny", "--tasks", "sts", "--no-speed") == 0
    assert "| tiny |" in capsys.readouterr().out
    out = tmp_path / "out"
    assert run("export", "tiny", "--to", "sentence-transformers", "-o", out) == 0
    assert run("wheel", "tiny", "--name", "staticemb-model-b", "-o", tmp_path / "w") == 0
    capsys.readouterr()
    assert run("convert", "tiny", "-o", tmp_path / "x.staticemb") == 2
    assert "is a static embedding file already" in capsys.readouterr().err
    arguments = ["distill", "no/teacher", "-o", tmp_path / "y.staticemb", "--recipe", "tiny"]
    assert run(*arguments) == 2
    assert "no/teacher" in capsys.readouterr().err


def test_the_bundled_model_has_a_name_everywhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("recipe", DEFAULT_MODEL) == 0
    assert "vocabulary_size" in capsys.readouterr().out
    digest = StaticModel.load().metadata.digest
    assert load_model(DEFAULT_MODEL).facts["digest"] == digest
    assert run("wheel", DEFAULT_MODEL, "--name", "staticemb-model-copy", "-o", "w") == 0
    start = open_start(DEFAULT_MODEL, RECIPE, progress=Progress(quiet=True))
    assert digest in start.provenance["x-start"]


def test_a_file_of_that_name_comes_first(installed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = np.eye(20, 4, dtype="float32")
    write(tmp_path / "tiny", Parts(other, word_level_tokenizer(20)), Settings())
    assert StaticModel.load("tiny").dim == 4
    assert open_start("tiny", RECIPE, progress=Progress(quiet=True)).rows.shape[1] == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["recipe", "absent"],
        ["evaluate", "absent", "--no-speed"],
        ["export", "absent", "--to", "onnx", "-o", "out"],
        ["wheel", "absent", "--name", "staticemb-model-x"],
        ["push", "absent", "org/name"],
        ["convert", "absent", "-o", "x.staticemb"],
        ["train", "absent", "--pairs", "pairs.tsv", "-o", "x.staticemb"],
        ["distill", "no/teacher", "--recipe", "absent", "-o", "x.staticemb"],
        ["fit-head", "absent", "--data", "pairs.tsv", "-o", "x.staticemb"],
        ["adapt", "absent", "--documents", "pairs.tsv", "--teacher", "t", "-o", "x.staticemb"],
        ["index", "pairs.tsv", "--model", "absent", "--teacher", "t", "-o", "x.db"],
    ],
)
def test_a_name_that_is_nothing_is_looked_for_here_first(
    installed, tmp_path, monkeypatch, capsys, arguments
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    (tmp_path / "pairs.tsv").write_text("a\tb\nc\td\ne\tf\n")
    before = sorted(tmp_path.rglob("*"))
    assert run(*arguments) == 2
    (line,) = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("staticemb")
    ]
    assert "absent: no" in line
    assert f"no installed model of that name (installed: {DEFAULT_MODEL}, tiny)" in line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-small-en-v1.5"]
)
def test_a_teachers_name_is_told_to_be_distilled(name):
    with pytest.raises(ModelNotFoundError, match=f"staticemb-distiller distill {name} -o"):
        StaticModel.load(name)


def test_adapt_wants_no_teacher_either(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs.txt").write_text("a\nb\n")
    arguments = ["--documents", "docs.txt", "--teacher", "t", "-o", "x.staticemb"]
    assert run("adapt", "BAAI/bge-small-en-v1.5", *arguments) == 2
    error = capsys.readouterr().err
    assert "staticemb-distiller distill BAAI/bge-small-en-v1.5 -o" in error
    assert "none: no model, only --tokenizer" in error


@pytest.mark.parametrize("name", ["folder/absent", "a/b.staticemb", "a/b/c", "./absent"])
def test_a_path_is_not_taken_for_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelNotFoundError) as raised:
        StaticModel.load(name)
    assert "distill" not in str(raised.value)


def test_a_teachers_error_stays_where_its_folder_is_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        errors.TeacherNotFoundError, match=r"neither modules\.json nor config\.json"
    ):
        open_start(str(tmp_path / "empty"), RECIPE, progress=Progress(quiet=True))


def test_push_looks_for_the_file_before_it_asks_for_a_token(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert run("push", tmp_path / "absent.staticemb", "org/name") == 2
    assert "absent.staticemb: no such file" in capsys.readouterr().err
