"""Folders in the layouts of large published models load, convert, and are cut and rounded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from staticemb_distiller.cli.main import main
from staticemb_runtime import StaticModel
from staticemb_runtime.format import read
from staticemb_runtime.loading import read_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import published_layouts
from published_layouts import LAYOUTS

pytest.importorskip("model2vec")
pytest.importorskip("sentence_transformers")

SHARE = 0.02
CLOSE = 1e-5


def peer_vectors(folder: Path, library: str, texts: list[str]) -> np.ndarray:
    if library == "model2vec":
        from model2vec import StaticModel as Model2Vec

        return Model2Vec.from_pretrained(folder).encode(texts)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(texts)


def difference(expected: np.ndarray, found: np.ndarray) -> float:
    assert expected.shape == found.shape
    return float(np.abs(expected - found).max() / np.abs(expected).max())


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request, tmp_path_factory) -> Path:
    return published_layouts.make(request.param, tmp_path_factory.mktemp("small"), share=SHARE)


@pytest.fixture(scope="module")
def texts(layout) -> list[str]:
    return [*published_layouts.texts(layout, 150), "", "Grüße, 北京! 123", "naïve ☃"]


def converted(folder: Path, output: Path, *options: str) -> StaticModel:
    assert main(["convert", str(folder), "-o", str(output), *options]) == 0
    return StaticModel.load(output, verify=True)


def test_the_folder_and_its_file_give_the_vectors_of_the_library(layout, texts, tmp_path):
    expected = peer_vectors(layout, LAYOUTS[layout.name].library, texts)
    assert np.abs(expected).max() > 0
    assert difference(expected, StaticModel.load(layout).encode(texts)) < CLOSE
    found = converted(layout, tmp_path / "whole.staticemb").encode(texts)
    assert difference(expected, found) < CLOSE


def test_texts_have_their_vectors_after_a_cut_to_their_tokens(layout, texts, tmp_path, capsys):
    whole = StaticModel.load(layout)
    # A word that the source does not know may be known after a cut.
    used = [text for text in texts[:60] if text and "[UNK]" not in whole.tokenize(text)]
    assert len(used) > 20
    file = tmp_path / "used.txt"
    file.write_text("\n".join(used), encoding="utf-8")
    cut = tmp_path / "cut.staticemb"
    model = converted(layout, cut, "--keep-used-in", str(file))
    kept, before = read(cut).n_token_ids, read_folder(layout).n_token_ids
    assert kept < 0.8 * before
    assert f"note: kept {kept:,} of {before:,} tokens" in capsys.readouterr().err
    assert difference(whole.encode(used), model.encode(used)) < CLOSE


@pytest.mark.parametrize(("dtype", "least"), [("float16", 1 - 1e-6), ("int8", 0.999)])
def test_rounded_tables_give_nearly_the_same_vectors(layout, texts, tmp_path, dtype, least, capsys):
    path = tmp_path / "rounded.staticemb"
    model = converted(layout, path, "--dtype", dtype)
    assert read(path).embeddings.dtype == dtype
    assert "mean cosine of " in capsys.readouterr().err
    expected, found = StaticModel.load(layout).encode(texts), model.encode(texts)
    known = expected.any(axis=1)
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    cosines = (expected * found).sum(axis=1)[known] / lengths[known]
    assert cosines.min() > least


# --- memory, at a smaller size ------------------------------------------------------------------

MAPPED = "potion-multilingual-128M"  # 500,353 tokens × 256
REDUCTIONS = {
    "whole": [],
    "float16": ["--dtype", "float16"],
    "int8": ["--dtype", "int8"],
    "cut, int8": ["--dtype", "int8", "--keep-used-in", "texts.txt"],
}
# The limit holds for what the process allocates after its imports; mapped files do not count.
MEASURED = """
import resource, sys
from pathlib import Path
import staticemb_distiller.interop.convert
from staticemb_distiller.cli.main import main

def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024

if limit := int(sys.argv[1]):
    resource.setrlimit(resource.RLIMIT_DATA, (status("VmData") + limit,) * 2)
code = main(sys.argv[2:])
print(status("VmHWM"))
sys.exit(code)
"""


def peak_of_conversion(folder: Path, options: list[str], limit: int = 0) -> int:
    """Convert a folder in a process of its own; return the most memory that it had."""
    output = folder.parent / "out.staticemb"
    command = [sys.executable, "-c", MEASURED, str(limit), "convert", folder.name]
    done = subprocess.run(
        [*command, "-o", output.name, *options],
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    output.unlink()
    return int(done.stdout)


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory):
    """A large table with a small vocabulary, so that the tokenizer's memory does not hide it."""
    folder = tmp_path_factory.mktemp("rows")
    made = published_layouts.make(MAPPED, folder, share=0.01, rows=150_000)
    (folder / "texts.txt").write_text("\n".join(published_layouts.texts(made, 500)), "utf-8")
    yield made
    shutil.rmtree(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize("options", REDUCTIONS.values(), ids=REDUCTIONS)
def test_no_reduction_copies_the_table(many_rows, options):
    table = 150_000 * 256 * 4
    assert peak_of_conversion(many_rows, options, limit=3 * table // 4) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("options", [REDUCTIONS["whole"], REDUCTIONS["cut, int8"]])
def test_the_memory_of_a_conversion_grows_linearly_with_the_tokens(options, tmp_path):
    peaks = []
    for share in (1 / 64, 1 / 16):  # 7,818 and 31,272 tokens
        folder = tmp_path / str(share)
        folder.mkdir()
        made = published_layouts.make(MAPPED, folder, share=share, rows=int(500_353 * share))
        texts = published_layouts.texts(made, 300)
        (folder / "texts.txt").write_text("\n".join(texts), "utf-8")
        peaks.append(peak_of_conversion(made, options))
    # A token has a kilobyte each in the mapped source and file, and its piece in the tokenizers.
    assert (peaks[1] - peaks[0]) / (500_353 * 3 / 64) < 8_000


# --- at full size -------------------------------------------------------------------------------

LARGE = "static-similarity-mrl-multilingual-v1"  # 105,879 × 1,024: 434 MB
# Mapped files do not count. The limit holds for what a process allocates.
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]),) * 2)
from staticemb_distiller.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = published_layouts.make(LARGE, tmp_path_factory.mktemp("large"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize("options", [[], ["--dtype", "int8"]], ids=["whole", "int8"])
def test_a_large_table_is_converted_without_a_copy_in_memory(large, tmp_path, options):
    output = tmp_path / "large.staticemb"
    layout = LAYOUTS[LARGE]
    limit = layout.tokens * layout.dim * 4
    command = [sys.executable, "-c", LIMITED, str(limit), "convert", str(large), "-o", str(output)]
    threads = {"OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, env={**os.environ, **threads}
    )
    assert done.returncode == 0, done.stderr
    text = "a text, and another one"
    expected, found = (StaticModel.load(path).encode(text) for path in (large, output))
    cosine = expected @ found / np.linalg.norm(expected) / np.linalg.norm(found)
    assert cosine > (0.999 if options else 1 - 1e-6)
    output.unlink()
