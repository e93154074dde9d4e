"""Code that comes with a model runs only where the call allows it; no pickle is read."""

import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from distiller import teachers
from staticemb_distiller import errors
from staticemb_distiller.cli import main as cli
from staticemb_distiller.distillation import distill
from staticemb_distiller.evaluation import load_model
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.recipe.recipe import Recipe
from staticemb_distiller.teacher import Teacher
from staticemb_distiller.training.checkpoint import TrainingCheckpoint
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_runtime.format.reader import read
from strategies import word_level_tokenizer


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return teachers.build("bert", tmp_path_factory.mktemp("honest"))


@pytest.fixture
def marker(tmp_path):
    """The file that hostile code would write."""
    return tmp_path / "marker"


@pytest.fixture
def hostile(honest, tmp_path, marker):
    """A teacher whose architecture is code of its own, which writes the marker."""
    folder = shutil.copytree(honest, tmp_path / "hostile")
    path = folder / "config.json"
    auto = {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}
    content = json.loads(path.read_text()) | {"model_type": "mine", "auto_map": auto}
    path.write_text(json.dumps(content))
    (folder / "mine.py").write_text(
        "from transformers import BertConfig, BertModel\n"
        f"open({str(marker)!r}, 'w').close()\n"
        "class Config(BertConfig):\n    model_type = 'mine'\n"
        "class Model(BertModel):\n    config_class = Config\n"
    )
    return folder


def run(*arguments) -> int:
    try:
        return cli.main(list(map(str, arguments)))
    except SystemExit as stop:
        return int(stop.code or 0)


def strangers(path: Path, recipe: str, **provenance) -> Path:
    """A static embedding file with that recipe."""
    facts = {"recipe": recipe, **provenance}
    parts = Parts(np.eye(8, 4, dtype="float32"), word_level_tokenizer(8))
    write(path, parts, Settings(provenance=facts))
    return path


SAID = 'trust_remote_code = true\ndims = 8\nfit = ["none"]\n'


@pytest.mark.parametrize("name", ["stranger.toml", "stranger.staticemb"])
def test_a_recipe_cannot_run_the_teachers_code(hostile, marker, tmp_path, capsys, name):
    stranger = tmp_path / name
    if name.endswith(".toml"):
        stranger.write_text(SAID)
    else:
        strangers(stranger, SAID)
    out = tmp_path / "o.staticemb"
    assert run("distill", hostile, "-o", out, "--recipe", stranger, "--device", "cpu") == 2
    warning, *_, error = capsys.readouterr().err.splitlines()
    assert warning.startswith("staticemb-distiller: warning: ")
    assert "trust_remote_code is ignored" in warning
    assert "--trust-remote-code" in error
    assert not marker.exists()
    assert not out.exists()


def test_the_call_can_and_no_file_says_so(hostile, marker, tmp_path):
    out = tmp_path / "o.staticemb"
    flags = ["--dims", "8", "--fit", "none", "--device", "cpu", "--quiet"]
    assert run("distill", hostile, "-o", out, *flags, "--trust-remote-code") == 0
    assert marker.exists()
    assert "trust_remote_code" not in json.dumps(read(out).metadata.extra)
    marker.unlink()
    recipe = Recipe(dims=8, fit=("none",))
    with pytest.raises(errors.UntrustedCodeError, match="trust_remote_code=True"):
        distill(str(hostile), recipe, tmp_path / "p.staticemb", device="cpu")
    assert not marker.exists()
    distill(str(hostile), recipe, tmp_path / "p.staticemb", device="cpu", trust_remote_code=True)
    assert "trust_remote_code" not in {entry.name for entry in dataclasses.fields(Recipe)}


@pytest.mark.parametrize("recipe", [Recipe, TrainingRecipe])
def test_a_recipe_made_in_python_has_no_such_knob(recipe):
    with pytest.raises(errors.RecipeError, match="no knob is called 'trust_remote_code'"):
        recipe.from_dict({"trust_remote_code": True})


def test_recipes_of_before_that_allowed_nothing_are_read_without_a_word(recwarn):
    assert Recipe.from_toml("trust_remote_code = false\ndims = 8") == Recipe(dims=8)
    assert not recwarn.list
    with pytest.warns(errors.RecipeWarning, match="trust_remote_code is ignored"):
        assert Recipe.from_toml("trust_remote_code = true\ndims = 8") == Recipe(dims=8)


@pytest.mark.parametrize("revision", ["refs/pr/7", "0123456789abcdef0123456789abcdef01234567"])
def test_consent_does_not_reach_a_revision_that_only_the_recipe_names(tmp_path, capsys, revision):
    stranger = strangers(tmp_path / "s.staticemb", "dims = 8", teacher_revision=revision)
    arguments = ["distill", "org/teacher", "-o", tmp_path / "o.staticemb", "--recipe", stranger]
    assert run(*arguments, "--trust-remote-code") == 2
    assert f"add --revision {revision}" in capsys.readouterr().err
    assert run(*arguments, "--trust-remote-code", "--revision", revision) == 2
    assert "org/teacher" in capsys.readouterr().err.splitlines()[-1]  # on to the Hub


@pytest.mark.parametrize(("knob", "also"), [("fit", '"generated", '), ("text", "")])
def test_what_a_strangers_recipe_reads_is_printed(tmp_path, capsys, knob, also):
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret\n")
    recipe = f'{knob} = ["{secret}", {also}"hf:org/texts"]\n'
    stranger = strangers(tmp_path / "s.staticemb", recipe)
    arguments = ["distill", "no/teacher", "-o", tmp_path / "o.staticemb", "--recipe", stranger]
    assert run(*arguments, "--quiet") == 2
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"{stranger} names these inputs: {secret} hf:org/texts"
    run(*arguments, "--quiet", "--fit", "none")
    assert "names these inputs" not in capsys.readouterr().err


def test_other_commands_run_no_code_and_say_which_does(hostile, marker, tmp_path, capsys):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"cat {n}\tdog {n}\n" for n in range(8)))
    out = tmp_path / "o.staticemb"
    start = strangers(tmp_path / "start.staticemb", "dims = 4")
    for arguments in (
        ["train", hostile, "--pairs", pairs, "-o", out],
        ["train", start, "--pairs", pairs, "-o", out, "--teacher", hostile],
        ["evaluate", hostile, "--no-speed"],
    ):
        assert run(*arguments) == 2, arguments
        capsys.readouterr()
        assert not marker.exists()
        assert not out.exists()


class Hostile:
    """What writes the marker when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def pickle_weights(folder: Path, marker: Path) -> None:
    """Put a hostile pickle where the weights were."""
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Hostile(marker)}, folder / "pytorch_model.bin")


@pytest.fixture
def pickled(honest, tmp_path, marker):
    folder = shutil.copytree(honest, tmp_path / "pickled")
    pickle_weights(folder, marker)
    with pytest.raises(pickle.UnpicklingError):  # the pickle is one, and would be stopped by torch
        torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert marker.exists()
    marker.unlink()
    return folder


def test_pickled_weights_are_not_evaluated(pickled, marker):
    with pytest.raises(errors.EvaluationError, match=r"a pickle \(pytorch_model\.bin\)"):
        load_model(pickled)
    assert not marker.exists()


def test_what_is_no_pickle_of_weights_is_no_hindrance(honest, tmp_path):
    folder = shutil.copytree(honest, tmp_path / "exported")
    (folder / "openvino").mkdir()
    (folder / "openvino" / "openvino_model.bin").write_bytes(bytes(64))
    (folder / "training").mkdir()
    (folder / "training" / "training_args.bin").write_bytes(bytes(64))
    assert load_model(folder).encode(["a cat"]).shape == (1, 32)


def test_pickled_weights_teach_nothing(pickled, marker):
    with pytest.raises(errors.TeacherError, match="pickle"):
        Teacher.load(str(pickled), device="cpu")
    assert not marker.exists()


@pytest.mark.parametrize("settings", ["model_args", "model_kwargs"])
def test_a_folders_settings_cannot_ask_for_the_pickle(honest, tmp_path, marker, settings):
    folder = shutil.copytree(honest, tmp_path / "both")
    torch.save({"weights": Hostile(marker)}, folder / "pytorch_model.bin")
    path = folder / "sentence_bert_config.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(content | {settings: {"use_safetensors": False}}))
    expected = load_model(honest).encode(["a cat"])
    np.testing.assert_array_equal(load_model(folder).encode(["a cat"]), expected)
    np.testing.assert_allclose(
        Teacher.load(str(folder), device="cpu").encode(["a cat"]), expected, atol=1e-5
    )
    assert not marker.exists()


def test_a_modules_pickled_weights_are_not_read(tmp_path, marker):
    folder = teachers.build("bert", tmp_path, extra=[teachers.dense(32, 16)])
    (dense,) = (path for path in folder.iterdir() if "Dense" in path.name)
    pickle_weights(dense, marker)
    with pytest.raises(errors.EvaluationError, match="pickle"):
        load_model(folder)
    with pytest.raises(errors.TeacherError, match="pickle"):
        Teacher.load(str(folder), device="cpu")
    assert not marker.exists()


def test_a_module_outside_sentence_transformers_is_not_evaluated(honest, tmp_path, marker):
    folder = shutil.copytree(honest, tmp_path / "own")
    (folder / "mine.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    path = folder / "modules.json"
    entries = json.loads(path.read_text())
    entries[1]["type"] = "mine.Pooling"
    path.write_text(json.dumps(entries))
    with pytest.raises(errors.EvaluationError, match="the teacher's own code"):
        load_model(folder)
    assert not marker.exists()


def test_a_pickled_checkpoint_is_not_read(tmp_path, marker):
    kept = TrainingCheckpoint(tmp_path / "kept", ["identity"])
    kept.path.parent.mkdir(exist_ok=True)
    np.savez(kept.path.open("wb"), about=np.array([Hostile(marker)], object))
    with pytest.raises(errors.CacheError, match="damaged"):
        kept.load()
    assert not marker.exists()
