"""Writing files: refusals, and nothing left behind when writing fails."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from staticemb_distiller.errors import OutputError
from staticemb_distiller.file import Parts, Settings, serialize, write
from staticemb_runtime.format.reader import read
from strategies import word_level_tokenizer


@pytest.fixture
def parts():
    return Parts(np.ones((4, 8), "float32"), word_level_tokenizer(4))


TESTS = Path(__file__).parent.parent
INT8 = np.ones((4, 8), "int8")
NAN = np.full((4, 8), np.nan, "float32")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"embeddings": np.ones((4, 8), "float64")}, "embeddings"),
        ({"embeddings": np.ones(8, "float32")}, "embeddings"),
        ({"embeddings": np.ones((0, 8), "float32")}, "embeddings"),
        ({"embeddings": NAN}, "embeddings"),
        ({"embeddings": INT8}, "scale"),
        ({"scale": np.ones(8, "float32")}, "scale"),
        ({"embeddings": INT8, "scale": np.zeros(8, "float32")}, "scale"),
        ({"weights": np.ones(5, "float32")}, "weights"),
        ({"weights": np.full(4, np.inf, "float32")}, "weights"),
        ({"rows": np.array([0, 1, 2, 4], "uint16")}, "rows"),
        ({"rows": np.array([0, 1, -1, 3], "int64")}, "rows"),
        ({"rows": np.array([0, 1, 2, 3], "int32")}, "rows"),
        ({"tokenizer": b"\xff"}, "tokenizer"),
        ({"tokenizer": b"[]"}, "tokenizer"),
        ({"tokenizer": word_level_tokenizer(5)}, "tokenizer"),
        ({"optional": {"bias": np.ones(2)}}, "'bias'"),
        ({"optional": {"head": np.ones(2)}}, "'head'"),
        ({"optional": {"head.größe": np.ones(2)}}, "größe"),
        ({"optional": {"head." + "a" * 65: np.ones(2)}}, "aaa"),
        ({"optional": {"head.a": np.ones(2, bool)}}, "head.a: .* bool"),
        ({"optional": {"head.a": np.ones(2, complex)}}, "head.a: .* complex"),
        ({"optional": {"head.a": np.array(1.0)}}, "head.a: .* axes"),
        ({"optional": {"head.a": np.ones((1, 1, 1, 1, 1))}}, "head.a: .* axes"),
        ({"optional": {"head.a": np.ones((0, 2))}}, "head.a: .* length 0"),
        ({"optional": {f"head.a{i}": np.ones(1) for i in range(1025)}}, "1024 tensors"),
    ],
)
def test_parts_that_no_reader_accepts_are_not_written(tmp_path, parts, changes, names):
    with pytest.raises(OutputError, match=names):
        write(tmp_path / "model.staticemb", replace(parts, **changes), Settings())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (Settings(prefixes=(0,)), "prefixes"),
        (Settings(prefixes=(9,)), "prefixes"),
        (Settings(damping=(17.0, 4)), "β"),
        (Settings(damping=(float("nan"), 4)), "β"),
        (Settings(damping=(1.0, 9)), "k"),
        (Settings(max_tokens=0), "max_tokens"),
        (Settings(unknown_token_id=4), "unknown_token_id"),
        (Settings(provenance={"dim": "8"}), "provenance"),
        (Settings(provenance={"languages": "en  de"}), "languages"),
        (Settings(provenance={"head.a": ""}), "provenance"),
        (Settings(optional={"heads": ""}), "'heads'"),
        (Settings(optional={"description": ""}), "'description'"),
        (Settings(prompts={"": "a"}), "prompts"),
        (Settings(prompts={"ä" * 129: "a"}), "prompts"),
        (Settings(prompts={"query": "a" * 16_385}), "prompts"),
        (Settings(prompts={"query": "\ud800"}), "prompts"),
        (Settings(prompts={"query": None}), "prompts"),
        (Settings(prompts={str(i): "" for i in range(257)}), "prompts"),
        (Settings(provenance={"recipe": "\ud800"}), "surrogate"),
        (Settings(provenance={"recipe": "x" * 2_000_000}), "header"),
    ],
)
def test_settings_that_no_reader_accepts_are_not_written(tmp_path, parts, settings, names):
    with pytest.raises(OutputError, match=names):
        write(tmp_path / "model.staticemb", parts, settings)
    assert list(tmp_path.iterdir()) == []


def test_a_description_cannot_pose_as_the_digest(tmp_path, parts):
    decoy = '","digest":"sha256:' + "0" * 64
    write(tmp_path / "m.staticemb", parts, Settings(provenance={"description": decoy}))
    back = read(tmp_path / "m.staticemb", verify=True)
    assert back.metadata.extra["description"] == decoy


@pytest.mark.parametrize("beta", [0.0, 1e-15, 0.1, 1.0, 12.345678901234567, 16.0])
def test_every_beta_has_a_canonical_spelling(tmp_path, parts, beta):
    write(tmp_path / "m.staticemb", parts, Settings(damping=(beta, 3)))
    assert read(tmp_path / "m.staticemb").metadata.damping_beta == pytest.approx(beta, abs=1e-15)


def test_the_data_begin_at_a_multiple_of_64(parts):
    start, _ = serialize(parts, Settings())
    assert len(start) % 64 == 0


def test_a_failed_write_leaves_what_was_there(tmp_path, parts):
    path = tmp_path / "model.staticemb"
    write(path, parts, Settings())
    before = path.read_bytes()
    with pytest.raises(OutputError):
        write(tmp_path / "no folder" / "model.staticemb", parts, Settings())
    with pytest.raises(OutputError):
        write(path, replace(parts, embeddings=NAN), Settings())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full's kin: a file size limit")
def test_a_full_disk_leaves_nothing(tmp_path):
    code = (
        "import resource, signal, sys, numpy as np\n"
        "from staticemb_distiller.file.writer import *\n"
        "from strategies import word_level_tokenizer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "parts = Parts(np.ones((1000, 1000), 'float32'), word_level_tokenizer(4))\n"
        "write(sys.argv[1], parts, Settings())\n"
    )
    path = tmp_path / "model.staticemb"
    run = subprocess.run(
        [sys.executable, "-c", code, path], cwd=TESTS, capture_output=True, text=True
    )
    assert "OutputError" in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_writer_leaves_no_file_at_the_destination(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from staticemb_distiller.file.writer import *\n"
        "from strategies import word_level_tokenizer\n"
        "parts = Parts(np.ones((50_000, 1000), 'float32'), word_level_tokenizer(4))\n"
        "print('ready', flush=True)\n"
        "write(sys.argv[1], parts, Settings())\n"
    )
    path = tmp_path / "model.staticemb"
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], cwd=TESTS, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    while process.poll() is None and not any(p.stat().st_size for p in tmp_path.iterdir()):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() in {0, -signal.SIGKILL}
    process.stdout.close()
    assert list(tmp_path.iterdir()), "killed before it wrote anything"
    # Either the rename was reached and the file is whole, or there is none under its name.
    if path.exists():
        read(path, verify=True)
