"""The wheels as users get them: built, installed into bare environments, run as commands."""

import email
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime.loading.installed import DEFAULT_MODEL
from strategies import word_level_tokenizer

CODE_LIMIT = 420_000  # bytes of the download; a bundle for Lambda leaves out most of them
WHEEL_LIMIT = 5_400_000  # with the model, of 5 MB at most


def run(*command, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheels")
    for package in ("runtime", "distiller"):
        build = (sys.executable, "-m", "build", "--sdist", "--wheel", "--no-isolation")
        run(*build, "-o", out, ROOT / package)
    return {path.name.split("-")[0]: path for path in out.glob("*.whl")}


@pytest.fixture(scope="session")
def bare(wheels, tmp_path_factory):
    """The smallest install of the documentation: without what tokenizers needs to download."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, with_pip=True)
    bin_folder = folder / ("Scripts" if os.name == "nt" else "bin")
    python = bin_folder / ("python.exe" if os.name == "nt" else "python")
    pip = (python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt")
    run(*pip, "--no-deps", wheels["staticemb_runtime"], "numpy", "tokenizers")
    return bin_folder


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.staticemb"
    table = np.eye(4, 8, dtype="float32")
    write(path, Parts(table, word_level_tokenizer(4)), Settings(unknown_token_id=0))
    return path


def metadata(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_runtime_needs_numpy_and_tokenizers_and_nothing_else(wheels):
    needs = metadata(wheels["staticemb_runtime"]).get_all("Requires-Dist")
    always = [need for need in needs if "extra ==" not in need]
    assert sorted(need.split(">")[0] for need in always) == ["numpy", "tokenizers"]


@pytest.mark.parametrize(
    ("package", "license_expression"),
    [("staticemb_runtime", "MIT AND Apache-2.0"), ("staticemb_distiller", "MIT")],
)
def test_a_wheel_names_its_project_and_license(wheels, package, license_expression):
    about = metadata(wheels[package])
    links = dict(link.split(", ") for link in about.get_all("Project-URL"))
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= set(links)
    assert about["License-Expression"] == license_expression
    with zipfile.ZipFile(wheels[package]) as archive:
        names = archive.namelist()
    for file in about.get_all("License-File"):
        assert any(name.endswith(f".dist-info/licenses/{file}") for name in names)


@pytest.mark.parametrize("package", ["staticemb_runtime", "staticemb_distiller"])
def test_a_wheel_runs_everywhere_and_is_typed(wheels, package):
    assert wheels[package].name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheels[package]) as archive:
        names = archive.namelist()
    assert f"{package}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert metadata(wheels[package])["Requires-Python"] == ">=3.10"


def test_the_runtime_is_small(wheels):
    with zipfile.ZipFile(wheels["staticemb_runtime"]) as archive:
        code = sum(i.compress_size for i in archive.infolist() if i.filename.endswith(".py"))
    assert code < CODE_LIMIT
    assert wheels["staticemb_runtime"].stat().st_size <= WHEEL_LIMIT


def test_the_model_comes_with_its_card_recipe_and_license(wheels):
    wheel = wheels["staticemb_runtime"]
    (archive,) = wheel.parent.glob("staticemb_runtime-*.tar.gz")
    with tarfile.open(archive) as sdist:
        source = sdist.getnames()
    with zipfile.ZipFile(wheel) as members:
        names = members.namelist()
        licenses = [members.read(name) for name in names if ".dist-info/licenses/" in name]
    for ending in (".staticemb", ".md", ".toml"):
        name = f"staticemb_runtime/models/{DEFAULT_MODEL}{ending}"
        assert name in names
        assert any(path.endswith(f"/src/{name}") for path in source)
    assert any(b"Apache License" in text for text in licenses)


def test_import_loads_numpy_and_the_standard_library_alone(bare):
    code = (
        "import sys; before = set(sys.modules); from staticemb_runtime import *\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    loaded = run(bare / "python", "-I", "-c", code).split()
    assert set(loaded) == {"numpy", "staticemb_runtime"}


def test_embedding_adds_tokenizers_alone(bare, model):
    code = (
        "import sys; before = set(sys.modules); import staticemb_runtime\n"
        f"model = staticemb_runtime.StaticModel.load({str(model)!r})\n"
        "vector = model.encode('w1 w2 w9')\n"
        "assert vector.shape == (8,) and abs(float(vector[1]) - 0.5**0.5) < 1e-6\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    loaded = run(bare / "python", "-I", "-c", code).split()
    assert set(loaded) == {"numpy", "staticemb_runtime", "tokenizers"}


def test_the_command_is_installed(bare, model):
    lines = run(bare / "staticemb", "encode", "-m", model, "w1", "w2").splitlines()
    assert len(lines) == 2
    assert "tiny.staticemb" in run(bare / "staticemb", "info", model, "--verify")


def test_the_model_that_comes_along_works_at_once(bare):
    vector = json.loads(run(bare / "staticemb", "encode", "hello"))["embedding"]
    assert abs(sum(x * x for x in vector) - 1) < 1e-4
    assert f"{DEFAULT_MODEL}.staticemb" in run(bare / "staticemb", "info", "--verify")
    code = "from staticemb_runtime import StaticModel; print(StaticModel.load().encode('a').size)"
    assert int(run(bare / "python", "-I", "-c", code)) == len(vector)
