"""An index as Parquet: every passage with its vector, of one state, whole or not at all."""

import json
import os
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staticemb_runtime import StaticModel, errors
from staticemb_runtime.cli.main import main
from staticemb_runtime.search import Index, export
from terminal import Terminal

parquet = pytest.importorskip("pyarrow.parquet")

TEXTS = [f"Apples number {n}. The sea is {n} meters deep." for n in range(300)]


@pytest.fixture(scope="module")
def model():
    return StaticModel()


@pytest.fixture
def path(tmp_path, model):
    with Index.create(tmp_path / "i.db", model, passage_characters=30) as index:
        metadata = [{"n": n, "ü": [None, 1.5]} for n in range(300)]
        ids = [f"d{n}" for n in range(300)]
        index.add(TEXTS, ids=ids, metadata=metadata, sources=["a.csv"] * 300)
        index.delete(ids[::7])
        index.add(["Without a source."], ids=["own"])
    return tmp_path / "i.db"


@pytest.mark.parametrize("group", [1, 100, 10_000])
def test_rows_are_the_passages_with_their_vectors(path, tmp_path, monkeypatch, group):
    monkeypatch.setattr(export, "_GROUP_PASSAGES", group)
    counts = []
    with Index.open(path) as index:
        expected = list(index.passages())
        documents = {document.id: document for document in index.documents()}
        assert index.export(tmp_path / "o.parquet", progress=counts.append) == len(expected)
        info = index.info()
    assert counts[-1] == len(expected)
    assert len(counts) == -(-len(expected) // group)
    table = parquet.read_table(tmp_path / "o.parquet")
    vectors = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    np.testing.assert_array_equal(vectors, [passage.vector for passage in expected], strict=True)
    rows = table.drop_columns(["embedding"]).to_pylist()
    for row, passage in zip(rows, expected, strict=True):
        document = documents[row["id"]]
        assert (row["id"], row["text"], row["source"]) == (
            passage.id,
            passage.text,
            document.source,
        )
        assert (row["passage"], row["start"], row["stop"]) == tuple(passage.span)
        assert json.loads(row["metadata"]) == document.metadata
    about = table.schema.metadata
    assert about[b"staticemb.vectors_digest"].decode() == info.vectors_digest
    assert sorted(file.name for file in tmp_path.iterdir()) == ["i.db", "o.parquet"]


@pytest.mark.parametrize("precision", ["float16", "bits"])
def test_other_precisions_and_lengths(tmp_path, model, precision):
    with Index.create(tmp_path / "i.db", model, precision=precision, truncate_dim=64) as index:
        index.add(TEXTS[:5])
        index.export(tmp_path / "o.parquet")
        expected = [passage.vector for passage in index.passages()]
    column = parquet.read_table(tmp_path / "o.parquet")["embedding"]
    assert column.type.list_size == 64
    np.testing.assert_array_equal(np.array(column.to_pylist(), np.float32), expected)


def test_an_empty_index_has_all_columns(tmp_path, model):
    with Index.create(tmp_path / "i.db", model) as index:
        assert index.export(tmp_path / "o.parquet") == 0
    table = parquet.read_table(tmp_path / "o.parquet")
    assert len(table) == 0
    assert table.column_names[-1] == "embedding"
    assert table.schema.field("embedding").type.list_size == model.dim


@settings(max_examples=20)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=5))
def test_any_text(tmp_path_factory, model, texts):
    folder = tmp_path_factory.mktemp("any")
    with Index.create(folder / "i.db", model) as index:
        index.add(
            texts,
            ids=[f"{n}\0é" for n in range(len(texts))],
            metadata=[{"t": texts[0]}] * len(texts),
        )
        index.export(folder / "o.parquet")
        expected = [passage.text for passage in index.passages()]
    table = parquet.read_table(folder / "o.parquet")
    assert table["text"].to_pylist() == expected
    assert json.loads(table["metadata"][0].as_py()) == {"t": texts[0]}


def test_the_rows_are_of_one_state(path, tmp_path, monkeypatch):
    """Another connection writes between the row groups; another thread searches meanwhile."""
    monkeypatch.setattr(export, "_GROUP_PASSAGES", 50)
    monkeypatch.setattr(export, "_PAGE", 10)
    with Index.open(path) as index, Index.open(path, mode="write") as writer:
        before = [(passage.id, passage.text) for passage in index.passages()]
        searched = threading.Event()

        def change(done):
            writer.add([f"changed {done}"], ids=["d299"])
            writer.delete(["d298", f"new{done - 50}"])
            writer.add(["new"], ids=[f"new{done}"])
            if not searched.is_set():
                thread = threading.Thread(target=lambda: (index.search("sea"), searched.set()))
                thread.start()
                assert searched.wait(60)

        index.export(tmp_path / "o.parquet", progress=change)
    table = parquet.read_table(tmp_path / "o.parquet")
    assert list(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True)) == before


def test_a_failed_export_leaves_the_old_file(path, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_GROUP_PASSAGES", 50)
    (tmp_path / "o.parquet").write_bytes(b"the old one")

    def stop(done):
        raise KeyboardInterrupt

    with Index.open(path) as index:
        with pytest.raises(KeyboardInterrupt):
            index.export(tmp_path / "o.parquet", progress=stop)
        assert (tmp_path / "o.parquet").read_bytes() == b"the old one"
        for name, error in (
            ("o.csv", errors.InvalidOptionError),
            ("nowhere/o.parquet", errors.OutputError),
        ):
            with pytest.raises(error, match=name):
                index.export(tmp_path / name)
        os.link(path, tmp_path / "link.parquet")
        with pytest.raises(errors.OutputError, match="another file"):
            index.export(tmp_path / "link.parquet")
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(errors.OutputError, match=r"staticemb-runtime\[parquet\]"):
            index.export(tmp_path / "p.parquet")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["i.db", "link.parquet", "o.parquet"]


def test_an_output_that_cannot_be_is_refused_before_any_progress(path):
    command = [sys.executable, "-m", "staticemb_runtime", "export", path, "-o", "o.csv"]
    with Terminal(command) as terminal:
        status, lines = terminal.finish()
    assert status == 2
    assert "expected a name ending in .parquet" in lines[0]


def test_the_command(path, tmp_path, capfd):
    assert main(["export", str(path), "-o", str(tmp_path / "o.parquet")]) == 0
    output, notes = capfd.readouterr()
    count = len(parquet.read_table(tmp_path / "o.parquet"))
    assert (output, notes.splitlines()[-1]) == ("", f"{tmp_path / 'o.parquet'}: {count} passages")
    for arguments, says in (
        ([str(path), "-o", str(tmp_path / "o.json")], "expected a name ending in .parquet"),
        ([str(tmp_path / "none.db"), "-o", str(tmp_path / "p.parquet")], "none.db"),
    ):
        assert main(["export", *arguments]) == 2
        _, notes = capfd.readouterr()
        assert says in notes
        assert len(notes.splitlines()) == 1
