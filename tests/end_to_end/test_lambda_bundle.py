"""`staticemb bundle-lambda`, and what it builds, run by AWS's own runtime client."""

import hashlib
import json
import platform
import shutil
import sqlite3
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from end_to_end.lambda_events import HTTP, function_url
from end_to_end.lambda_runtime_api import Function
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.aws_lambda import bundle
from staticemb_runtime.aws_lambda.bundle import is_needed, wheel_platforms
from staticemb_runtime.errors import InvalidOptionError
from staticemb_runtime.search import Index
from strategies import word_level_tokenizer

OWN_PYTHON = "{}.{}".format(*sys.version_info)
OWN_ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine())
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
TEXTS = ["w1 w2", "w3", "", "w1 w1 w4 unknown"]
DOCUMENTS = ["w1 w2 w2", "w3 w4", "w1 w5", "w2 w2 nothing else"]

like_lambda = pytest.mark.skipif(
    not (sys.platform == "linux" and OWN_ARCHITECTURE and sys.implementation.name == "cpython"),
    reason="Lambda's wheels run on Linux with glibc, on x86-64 or arm64",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.staticemb"
    table = np.random.default_rng(0).normal(size=(6, 16)).astype("float32")
    write(path, Parts(table, word_level_tokenizer(6)), Settings(unknown_token_id=0))
    return path


@pytest.fixture(scope="module")
def index(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "docs.db"
    with Index.create(path, model, store_model=True) as index:
        index.add(DOCUMENTS, ids=list("abcd"), metadata=[{"n": n} for n in range(4)])
    return path


def bundle_lambda(*arguments):
    command = [sys.executable, "-m", "staticemb_runtime", "bundle-lambda"]
    command += map(str, arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """AWS's runtime client, which Lambda has outside the bundle; it tells whether pip works."""
    folder = tmp_path_factory.mktemp("client")
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--target", str(folder), "awslambdaric"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no awslambdaric from the package index: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture(scope="module")
def built(model, index, client, tmp_path_factory):
    """A bundle for this machine's own architecture and Python, and what the command printed."""
    output = tmp_path_factory.mktemp("built") / "function.zip"
    options = ("-m", model, "--index", index, "--architecture", OWN_ARCHITECTURE)
    done = bundle_lambda(*options, "-o", output)
    assert done.returncode == 0, done.stderr
    return output, done


@pytest.fixture(scope="module")
def task(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(built[0]) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def function(task, client):
    function = Function(task, client)
    yield function
    function.close()


@like_lambda
@pytest.mark.slow
class TestInAwsRuntime:
    def test_events_of_every_kind_are_answered(self, function, model):
        expected = StaticModel.load(model).encode(TEXTS)
        document = function.invoke({"texts": TEXTS})
        print(f"init {function.init_seconds:.3f} s, first invocation {function.seconds:.4f} s")
        got = np.array(document["embeddings"], np.float32)
        np.testing.assert_array_equal(got, expected)
        for event in HTTP:
            for encoded in (False, True):
                response = function.invoke(event({"texts": TEXTS}, encoded=encoded))
                assert response["statusCode"] == 200
                assert json.loads(response["body"]) == document

    def test_a_bad_event_does_not_end_the_function(self, function):
        assert function.invoke({})["error"]["status"] == 400
        assert function.invoke(function_url("{"))["statusCode"] == 400
        assert "embeddings" in function.invoke({"texts": ["w1"]})

    def test_queries_are_answered_from_an_index_in_a_read_only_bundle(
        self, task, client, index, model
    ):
        assert not (task / "staticemb_runtime" / "cli").exists()
        with Index.open(task / "index.db", model) as copy:
            assert not copy.info().model_stored  # it lies beside the index
        with Index.open(index) as opened:
            expected = [hit.to_dict() for hit in opened.search("w1 w2", k=3)]
        (task / "index.db").chmod(0o444)
        task.chmod(0o555)
        before = sorted(path.name for path in task.iterdir())
        function = Function(task, client, obeys_modes=True)
        try:
            for _ in range(2):
                assert function.invoke({"query": "w1 w2", "k": 3})["hits"] == expected
            for event in HTTP:
                response = function.invoke(event({"query": "w1 w2", "k": 3}, encoded=True))
                assert json.loads(response["body"])["hits"] == expected
            assert function.invoke({"query": 7})["error"]["status"] == 400
            assert function.invoke({"texts": ["w1"]})["shape"] == [1, 16]
            assert sorted(path.name for path in task.iterdir()) == before
        finally:
            function.close()
            task.chmod(0o755)

    def test_a_model_that_cannot_be_loaded_fails_the_initialization(self, task, client):
        function = Function(task, client, wait=False, STATICEMB_MODEL="/nowhere.staticemb")
        kind, answer = function.api.answers.get(timeout=60)
        function.close()
        assert kind == "init error"
        assert json.loads(answer)["errorType"] == "ModelNotFoundError"

    def test_nothing_outside_the_bundle_is_loaded(self, task):
        code = (
            "import sys; standard = tuple(sys.path); sys.path.insert(0, sys.argv[1])\n"
            "from staticemb_runtime.aws_lambda import handler\n"
            "assert handler({'texts': ['w1']})['shape'] == [1, 16]\n"
            "files = {getattr(m, '__file__', None) or '' for m in list(sys.modules.values())}\n"
            "print(*sorted(f for f in files if f and not f.startswith((sys.argv[1], *standard))))"
        )
        command = [sys.executable, "-I", "-S", "-c", code, str(task)]
        done = subprocess.run(command, env={}, cwd=task, capture_output=True, text=True)
        assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr

    def test_all_code_is_compiled_and_never_checked_against_its_source(self, task):
        sources = list(task.rglob("*.py"))
        assert len(sources) > 100
        for source in sources:
            tag = sys.implementation.cache_tag
            compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
            (flags,) = struct.unpack("<I", compiled.read_bytes()[4:8])
            assert flags == 0b01, compiled

    def test_no_tests_stubs_or_headers_are_in_it(self, built):
        with zipfile.ZipFile(built[0]) as archive:
            names = archive.namelist()
        assert not [n for n in names if "/tests/" in n or n.endswith((".pyi", ".h", ".a"))]
        tops = {name.split("/")[0].split("-")[0].split(".libs")[0] for name in names}
        assert tops == {"index.db", "model.staticemb", "numpy", "staticemb_runtime", "tokenizers"}

    def test_all_of_numpy_that_it_holds_can_be_imported(self, task):
        code = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "import numpy, numpy.random, numpy.fft, numpy.ma, numpy.polynomial, numpy.linalg\n"
            "import numpy.rec, numpy.char, numpy.typing, tokenizers\n"
            "numpy.linalg.svd(numpy.random.default_rng(0).normal(size=(4, 4)))"
        )
        command = [sys.executable, "-I", "-S", "-c", code, str(task)]
        done = subprocess.run(command, env={}, cwd=task, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def test_the_same_inputs_give_the_same_bytes(self, built, model, index, tmp_path):
        output = tmp_path / "function.zip"
        options = ("-m", model, "--index", index, "--architecture", OWN_ARCHITECTURE)
        done = bundle_lambda(*options, "-o", output)
        assert done.returncode == 0, done.stderr
        digests = [hashlib.sha256(path.read_bytes()).digest() for path in (built[0], output)]
        assert digests[0] == digests[1]

    def test_sizes_are_printed(self, built):
        output, done = built
        with zipfile.ZipFile(output) as archive:
            unzipped = sum(info.file_size for info in archive.infolist())
        assert f"{unzipped:,}  bytes unzipped" in done.stdout
        assert f"{output.stat().st_size:,}  bytes zipped" in done.stdout
        assert "byte-compiled" in done.stdout

    def test_the_template_passes_cfn_lint(self, built):
        cfn_lint = shutil.which("cfn-lint", path=Path(sys.executable).parent)
        if cfn_lint is None:
            pytest.skip("cfn-lint is not installed")
        template = built[0].with_name("template.yaml")
        assert f"Runtime: python{OWN_PYTHON}" in template.read_text()
        done = subprocess.run([cfn_lint, str(template)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_a_bundle_holds_code_for_the_machine_asked_for(client, model, tmp_path, architecture):
    output = tmp_path / "function.zip"
    options = ("--architecture", architecture, "--python", "3.12", "-o", output)
    done = bundle_lambda("-m", model, *options)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(output) as archive:
        libraries = [n for n in archive.namelist() if n.endswith(".so") or ".so." in n]
        machines = {struct.unpack("<H", archive.read(n)[18:20])[0] for n in libraries}
        compiled = any(name.endswith(".cpython-312.pyc") for name in archive.namelist())
    assert machines == {ELF_MACHINES[architecture]}
    assert compiled == ("byte-compiled" in done.stdout) == ("no byte code" not in done.stderr)


def test_a_template_that_is_there_is_left_alone(model, tmp_path, monkeypatch, capsys):
    from staticemb_runtime.cli.main import main

    monkeypatch.setattr(bundle, "_download", lambda wheels, *rest: wheels.mkdir())
    (tmp_path / "template.yaml").write_text("mine")
    assert main(["bundle-lambda", "-m", str(model), "-o", str(tmp_path / "f.zip")]) == 0
    assert (tmp_path / "template.yaml").read_text() == "mine"
    said = capsys.readouterr()
    assert "stays as it is" in said.out
    assert "does not name python" in said.err


def test_the_same_index_gives_the_same_bytes(index, tmp_path, monkeypatch):
    from staticemb_runtime.cli.main import main

    monkeypatch.setattr(bundle, "_download", lambda wheels, *rest: wheels.mkdir())
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert main(["bundle-lambda", "--index", str(index), "-o", f"{tmp_path}/{name}/f.zip"]) == 0
    a, b = (tmp_path / name / "f.zip" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()
    with zipfile.ZipFile(a) as archive:
        assert {"index.db", "model.staticemb"} <= set(archive.namelist())


def test_an_index_that_does_not_fit_is_not_bundled(index, model, tmp_path, monkeypatch, capsys):
    from staticemb_runtime.cli.main import main

    monkeypatch.setattr(bundle, "_download", lambda wheels, *rest: wheels.mkdir())
    output = tmp_path / "f.zip"
    damaged = tmp_path / "damaged.db"
    shutil.copy(index, damaged)
    connection = sqlite3.connect(damaged)
    connection.execute("DELETE FROM passages")
    connection.commit()
    connection.close()
    other = tmp_path / "other.db"
    Index.create(other).close()
    gone = tmp_path / "gone.db"
    shutil.copy(model, tmp_path / "gone.staticemb")
    Index.create(gone, tmp_path / "gone.staticemb").close()
    (tmp_path / "gone.staticemb").unlink()
    for options, says in (
        (["--index", damaged], "passages and vectors differ"),
        (["--index", other, "--model", model], "the index holds vectors of"),
        (["--index", tmp_path / "none.db"], "none.db: expected a search index"),
        (["--index", model], "no search index"),
        (["--index", gone], "gone.staticemb: no such file"),
        (["--index", tmp_path / "f.zip"], "f.zip: expected"),
    ):
        assert main(["bundle-lambda", *map(str, options), "-o", str(output)]) == 2
        error = capsys.readouterr().err
        assert says in error
        assert len(error.splitlines()) == 1
        assert not output.exists()


def test_what_lambda_cannot_unpack_is_not_written(model, tmp_path, monkeypatch, capsys):
    from staticemb_runtime.cli.main import main

    monkeypatch.setattr(bundle, "_download", lambda wheels, *rest: wheels.mkdir())
    monkeypatch.setattr(bundle, "MAX_UNZIPPED", 10_000)
    assert main(["bundle-lambda", "-m", str(model), "-o", str(tmp_path / "f.zip")]) == 2
    assert "at most 10,000 bytes unzipped" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_pip_cannot_bring_is_one_clear_line(model, tmp_path):
    constraint = tmp_path / "constraints.txt"
    constraint.write_text("numpy==2.0.0\nnumpy==2.1.0\n")
    output = tmp_path / "out" / "f.zip"
    output.parent.mkdir()
    done = bundle_lambda("-m", model, "--constraint", constraint, "-o", output)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "pip download for manylinux_2_" in done.stderr
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--architecture", "riscv64"], "architecture: expected arm64 or x86_64"),
        (["--python", "3"], "python: expected a version like 3.13"),
        (["--python", "3.9"], "python: expected a version like 3.13"),
        (["-o", "function"], "--output: expected a name ending in .zip"),
        (["-o", "nowhere/function.zip"], "there is no folder nowhere"),
        (["-m", "nowhere.staticemb"], "nowhere.staticemb: no such file"),
    ],
)
def test_bad_options_are_one_clear_line(model, tmp_path, options, says):
    done = bundle_lambda("-m", model, "-o", tmp_path / "function.zip", *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_broken_model_is_not_bundled(model, tmp_path):
    broken = tmp_path / "broken.staticemb"
    raw = bytearray(model.read_bytes())
    raw[-1] ^= 1
    broken.write_bytes(raw)
    done = bundle_lambda("-m", broken, "-o", tmp_path / "function.zip")
    assert done.returncode == 2
    assert "digest_mismatch" in done.stderr
    assert not (tmp_path / "function.zip").exists()


def test_wheels_are_asked_for_that_lambdas_glibc_runs():
    assert wheel_platforms("x86_64", "3.12")[0] == "manylinux_2_34_x86_64"  # Amazon Linux 2023
    assert wheel_platforms("arm64", "3.11")[0] == "manylinux_2_26_aarch64"  # Amazon Linux 2
    with pytest.raises(InvalidOptionError):
        wheel_platforms("aarch64", "3.12")


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("numpy/__init__.py", True),
        ("numpy/linalg/_umath_linalg.cpython-313-x86_64-linux-gnu.so", True),
        ("numpy.libs/libscipy_openblas64_-4b78795a.so", True),
        ("numpy/testing/__init__.py", False),
        ("numpy/_core/tests/test_numeric.py", False),
        ("numpy/_core/_umath_tests.cpython-313-x86_64-linux-gnu.so", False),
        ("numpy/_core/_simd.cpython-313-x86_64-linux-gnu.so", False),
        ("numpy/_core/include/numpy/arrayobject.h", False),
        ("numpy/__init__.pyi", False),
        ("numpy/conftest.py", False),
        ("tokenizers/tokenizers.abi3.so", True),
        ("numpy-2.4.6.dist-info/METADATA", True),
        ("numpy-2.4.6.dist-info/licenses/LICENSE.txt", True),
        ("numpy-2.4.6.dist-info/RECORD", False),
        ("numpy/linalg/", False),
    ],
)
def test_what_nothing_loads_is_left_out(name, needed):
    assert is_needed(name) is needed
