"""`staticemb-distiller wheel`: built, installed by pip, loaded by name."""

import base64
import csv
import email
import hashlib
import io
import os
import subprocess
import sys
import venv
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from staticemb_distiller.cli.main import main
from staticemb_distiller.errors import PublishError
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.publish.wheel import Names, build_wheel
from staticemb_runtime import StaticModel
from staticemb_runtime.errors import (
    AmbiguousModelError,
    DigestMismatchError,
    ModelNotFoundError,
    NotAModelError,
)
from strategies import word_level_tokenizer

HOSTILE = "someone/teacher\nRequires-Dist: evil\r\n\x1b[31m"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.staticemb"
    table = np.random.default_rng(0).normal(size=(6, 16)).astype("float32")
    provenance = {"teacher": HOSTILE, "license": "apache-2.0"}
    settings = Settings(prefixes=(4,), unknown_token_id=0, provenance=provenance)
    write(path, Parts(table, word_level_tokenizer(6)), settings)
    return path


@pytest.fixture(scope="module")
def wheel(path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return build_wheel(path, folder, Names("staticemb-model-Tiny.One", "1.0"))


def install(wheel, target):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)


@pytest.mark.slow
def test_pip_installs_it_and_load_finds_it(path, wheel, tmp_path):
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-index", "--no-deps", wheel], check=True)
    # The runtime and its dependencies are this process's own.
    inherited = [str(ROOT / "runtime" / "src"), *(entry for entry in sys.path if entry)]
    code = (
        "from staticemb_runtime import StaticModel\n"
        "model = StaticModel.load('Tiny.One', truncate_dim=4)\n"
        "print(model.metadata.digest, model.dim)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(inherited)}
    done = subprocess.run(
        [python, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == [StaticModel.load(path).metadata.digest, "4"], done.stderr
    subprocess.run([*pip, "uninstall", "-q", "-y", "staticemb-model-tiny-one"], check=True)
    assert not list(folder.rglob("*.staticemb"))


def test_it_holds_the_file_and_no_code(path, wheel):
    assert wheel.name == "staticemb_model_tiny_one-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        info = "staticemb_model_tiny_one-1.0.dist-info"
        names = ["METADATA", "WHEEL", "entry_points.txt", "RECORD"]
        inside = "staticemb_model_tiny_one/model.staticemb"
        assert archive.namelist() == [inside, *(f"{info}/{name}" for name in names)]
        assert archive.read(inside) == path.read_bytes()


def test_the_record_lists_every_member_with_its_digest(wheel):
    with zipfile.ZipFile(wheel) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (record,) = (name for name in members if name.endswith("/RECORD"))
    rows = {name: rest for name, *rest in csv.reader(io.StringIO(members[record].decode()))}
    assert rows.pop(record) == ["", ""]
    assert rows.keys() == members.keys() - {record}
    for name, (digest, size) in rows.items():
        raw = base64.urlsafe_b64decode(digest.removeprefix("sha256=") + "=")
        assert raw == hashlib.sha256(members[name]).digest()
        assert int(size) == len(members[name])


def test_what_the_file_says_stays_within_its_line(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata.get_all("Requires-Dist") == ["staticemb-runtime>=0.1"]
    assert metadata["License"] == "apache-2.0"
    assert metadata["Summary"].endswith("someone/teacher Requires-Dist: evil [31m")


def test_the_same_inputs_give_the_same_bytes(path, wheel, tmp_path):
    copy = tmp_path / "copy.staticemb"
    copy.write_bytes(path.read_bytes())
    again = build_wheel(copy, tmp_path, Names("staticemb-model-Tiny.One", "1.0"))
    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("name", ["LICENSE", "a,b.txt", 'say "yes"', "two\nlines", b"\xff.txt"])
def test_the_license_goes_along_whatever_its_name(path, tmp_path, name):
    text = tmp_path / os.fsdecode(name)
    text.write_text("do what you want")
    built = build_wheel(path, tmp_path, Names("some-model", "2"), text)
    with zipfile.ZipFile(built) as archive:
        assert archive.read("some_model-2.dist-info/licenses/LICENSE") == b"do what you want"
        record = archive.read("some_model-2.dist-info/RECORD").decode()
    assert sorted(row[0] for row in csv.reader(io.StringIO(record))) == sorted(archive.namelist())


def test_the_card_is_the_description_after_the_facts(path, tmp_path, capsys):
    card = tmp_path / "card.md"
    card.write_bytes("\ufeff# Limits\r\n\r\nName: evil\u2028日本語\r\n".encode())
    options = ["--name", "staticemb-model-multilingual", "--card", str(card), "-o", str(tmp_path)]
    assert main(["wheel", str(path), *options]) == 0
    with zipfile.ZipFile(capsys.readouterr().out.strip()) as archive:
        raw = archive.read("staticemb_model_multilingual-1.0.dist-info/METADATA")
        assert b"multilingual = staticemb_model_multilingual" in archive.read(
            "staticemb_model_multilingual-1.0.dist-info/entry_points.txt"
        )
    metadata = email.message_from_bytes(raw)
    assert metadata.get_all("Name") == ["staticemb-model-multilingual"]
    description = metadata.get_payload(decode=True).decode()
    assert description.index("- digest: ") < description.index("# Limits\n\nName: evil")
    assert description.endswith("日本語\n")
    card.write_bytes(b"\xff")
    assert main(["wheel", str(path), *options]) == 2
    assert "card.md: expected UTF-8, found byte 0xff at 0" in capsys.readouterr().err


def test_an_existing_path_comes_before_a_name(path, wheel, tmp_path, monkeypatch):
    install(wheel, tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    assert StaticModel.load("Tiny.One").dim == 16
    (tmp_path / "Tiny.One").mkdir()
    with pytest.raises(NotAModelError, match=r"model\.safetensors"):  # what a folder must hold
        StaticModel.load("Tiny.One")


def test_unknown_and_ambiguous_names_are_refused_with_what_there_is(
    path, wheel, tmp_path, monkeypatch
):
    install(wheel, tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(ModelNotFoundError, match=r"nothing: no such file.*installed:.*Tiny\.One"):
        StaticModel.load("nothing")
    with pytest.raises(ModelNotFoundError, match=r"no such file$"):
        StaticModel.load("some/path.staticemb")
    for name in ("multilingual", "staticemb-model-multilingual"):
        with pytest.raises(ModelNotFoundError, match=r"; pip install staticemb-model-multilingual"):
            StaticModel.load(name)
    other = build_wheel(path, tmp_path, Names("other", "1.0", "Tiny.One"))
    install(other, tmp_path / "site")
    with pytest.raises(AmbiguousModelError, match=r"other, staticemb-model-Tiny\.One"):
        StaticModel.load("Tiny.One")


def test_a_path_costs_no_look_at_installed_packages(path):
    code = (
        "import sys; from staticemb_runtime import StaticModel\n"
        f"StaticModel.load({str(path)!r})\n"
        "assert 'importlib.metadata' not in sys.modules"
    )
    subprocess.run([sys.executable, "-S", "-c", code], env=_no_site(), check=True)


def _no_site():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def test_the_command_prints_the_wheel(path, tmp_path, capsys):
    options = ["--name", "staticemb-model-x", "--version", "2026.1rc1", "-o", str(tmp_path)]
    assert main(["wheel", str(path), *options]) == 0
    built = tmp_path / "staticemb_model_x-2026.1rc1-py3-none-any.whl"
    assert capsys.readouterr().out == f"{built}\n"
    assert built.exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--name", "-x"], "name: expected letters"),
        (["--name", "a b"], "name: expected letters"),
        (["--name", "staticemb-model-"], "name: expected letters"),
        (["--name", "x", "--version", "1.0-beta"], "version: expected"),
        (["--name", "x", "--version", "../1"], "version: expected"),
        (["--name", "x", "--model-name", "a/b"], "model name: expected letters"),
        (["--name", "x", "--license-file", "nowhere"], "nowhere"),
    ],
)
def test_bad_options_are_one_clear_line(path, tmp_path, capsys, options, says):
    options = [f"--name={options[1]}", *options[2:]]
    assert main(["wheel", str(path), *options, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert says in error
    assert not list(tmp_path.rglob("*.whl"))


def test_a_broken_file_is_not_packed(path, tmp_path):
    broken = tmp_path / "broken.staticemb"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    broken.write_bytes(raw)
    with pytest.raises(DigestMismatchError):
        build_wheel(broken, tmp_path, Names("x", "1"))
    assert not list(tmp_path.rglob("*.whl"))


@given(st.text("aB1.-_", min_size=1, max_size=8), st.text("01.rc!dev", min_size=1, max_size=8))
def test_names_and_versions_are_refused_or_fit_a_file_name_that_pip_parses(name, version):
    from packaging.utils import canonicalize_name, parse_wheel_filename
    from packaging.version import Version

    try:
        names = Names(name, version, "m")
    except PublishError:
        return
    parsed, parsed_version, *_ = parse_wheel_filename(names.file)
    assert parsed == canonicalize_name(name)
    assert parsed_version == Version(version)
