"""Faults of the command `staticemb` that were found by trying it as a stranger would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from staticemb_runtime.errors import InvalidTextError, ModelNotFoundError
from staticemb_runtime.loading.installed import DEFAULT_FILE, locate, model_files


def staticemb(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "staticemb_runtime", *arguments],
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def error_of(run):
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1), run.stderr
    return run.stderr.removeprefix("staticemb: error: ")


def test_an_output_never_replaces_a_model_in_a_folder(tmp_path):
    (tmp_path / "model").mkdir()
    own = tmp_path / "model" / "model.staticemb"
    shutil.copy(DEFAULT_FILE, own)
    (tmp_path / "link.jsonl").symlink_to(own)
    run = staticemb(tmp_path, "encode", "-m", "model", "-o", "link.jsonl", "a")
    assert "found the same one" in error_of(run)
    assert own.read_bytes() == Path(DEFAULT_FILE).read_bytes()


def test_the_files_of_a_model_are_known_by_every_name(tmp_path):
    assert list(model_files(None)) == list(model_files("minilm-en-small")) == [DEFAULT_FILE]
    for name in ("config.json", "model.safetensors", "vectors.npy"):
        (tmp_path / name).touch()
    names = sorted(Path(file).name for file in model_files(str(tmp_path)))
    assert names == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("which", ["model", "constraint"])
def test_a_bundle_never_replaces_what_it_is_made_of(tmp_path, which):
    shutil.copy(DEFAULT_FILE, tmp_path / "model.ZIP")
    (tmp_path / "pins.zip").write_text("numpy<3\n")
    output = {"model": "model.ZIP", "constraint": "pins.zip"}[which]
    arguments = ["-m", "model.ZIP", "--constraint", "pins.zip", "-o", output]
    assert "found the same one" in error_of(staticemb(tmp_path, "bundle-lambda", *arguments))


def test_a_template_of_any_bytes_stays(tmp_path):
    from staticemb_runtime.cli import bundle_lambda as bundle_command

    template = tmp_path / "template.yaml"
    template.write_bytes(b"\xff")
    assert not bundle_command._write_new(template, "a: 1\n")
    bundle_command._compare(template, ("arm64",))
    assert template.read_bytes() == b"\xff"
    (tmp_path / "folder").mkdir()
    assert not bundle_command._write_new(tmp_path / "folder", "a: 1\n")


def test_a_column_name_that_parquet_cannot_hold_is_one_line(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "in.jsonl").write_text('{"text": "a", "\\ud800": 1}\n')
    run = staticemb(tmp_path, "encode", "-i", "in.jsonl", "-o", "out.parquet")
    assert error_of(run).startswith("out.parquet, records 1 to 1: expected")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("buffered", ["", "1"])
def test_help_on_a_closed_output_is_an_error(tmp_path, buffered):
    line = f'"{sys.executable}" -m staticemb_runtime --help >&-'
    run = subprocess.run(
        ["bash", "-c", line],
        env=os.environ | {"PYTHONUNBUFFERED": buffered},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (run.returncode, run.stderr.count(b"\n")) == (2, 1)


@pytest.mark.parametrize("option", ["-i", "-o"])
def test_an_empty_file_name_is_named(tmp_path, option):
    arguments = ["a"] if option == "-o" else []
    assert "empty name" in error_of(staticemb(tmp_path, "encode", option, "", *arguments))


@pytest.mark.parametrize("command", ["similarity", "tokens"])
def test_texts_of_the_command_line_are_counted_from_one(tmp_path, command):
    texts = ["a"] * (command == "similarity")
    run = staticemb(tmp_path, command, *texts, "\udcff")
    assert error_of(run).startswith(f"text {len(texts) + 1}: expected valid Unicode")


@pytest.mark.parametrize("name", ["a\nb", "a b", "a\x1b[31m"])
def test_a_bare_name_is_looked_for_among_the_installed_models(name):
    with pytest.raises(ModelNotFoundError, match="no installed model of that name") as caught:
        locate(name)
    assert str(caught.value).isprintable()


def test_a_text_error_carries_its_index():
    error = InvalidTextError("expected this", index=3)
    assert (str(error), error.index, error.reason) == ("text 3: expected this", 3, "expected this")
