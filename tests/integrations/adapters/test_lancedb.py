"""LanceDB: tables that remember the function, with and without text in each row."""

import json

import numpy as np
import pytest

lancedb = pytest.importorskip("lancedb")

from lancedb.embeddings import EmbeddingFunctionConfig, get_registry
from lancedb.pydantic import LanceModel, Vector

from runtime.test_model import save
from staticemb_runtime.errors import SpaceMismatchError
from staticemb_runtime.integrations.lancedb import StaticModelTextEmbeddingFunction

from .passages import DOCUMENTS, EXPECTED


def table_of(database, function, name="passages"):
    class Passage(LanceModel):
        text: str | None = function.SourceField()
        vector: Vector(function.ndims()) = function.VectorField()

    return database.create_table(name, schema=Passage)


@pytest.fixture
def database(tmp_path):
    return lancedb.connect(tmp_path / "db")


def test_a_table_finds_and_remembers_the_function(database):
    function = get_registry().get("staticemb").create(truncate_dim=128)
    table_of(database, function).add([{"text": text} for text in DOCUMENTS])
    again = database.open_table("passages")
    for query, expected in EXPECTED.items():
        (found,) = again.search(query).metric("cosine").limit(1).to_list()
        assert found["text"] == expected
        assert len(found["vector"]) == 128
    stored = json.loads(again.schema.metadata[b"embedding_functions"])
    assert stored[0]["model"]["digest"] == function._opened.digest


def test_rows_without_text_have_no_vector(database):
    table = table_of(database, StaticModelTextEmbeddingFunction.create())
    rows = [{"text": text} for text in [*DOCUMENTS, None, "", "☃"]]
    with pytest.raises(RuntimeError, match="on_bad_vectors"):
        table.add(rows)
    table.add(rows, on_bad_vectors="null")
    assert table.count_rows("vector IS NULL") == 3
    found = table.search("a kitten naps on the couch").metric("cosine").limit(10).to_list()
    assert len(found) == len(DOCUMENTS)
    assert np.isfinite([row["_distance"] for row in found]).all()


def test_a_row_without_text_has_no_vector_where_the_file_has_a_prompt(tmp_path):
    path = save(tmp_path / "model.staticemb", prompts={"document": "w5 "})
    function = StaticModelTextEmbeddingFunction.create(name=str(path))
    null, some = function.generate_embeddings([None, "w1"])
    assert null is None
    assert some.any()


def test_a_table_refuses_a_file_with_other_vectors(database, tmp_path):
    path = save(tmp_path / "model.staticemb")
    function = StaticModelTextEmbeddingFunction.create(name=str(path))
    table_of(database, function).add([{"text": "w1 w2"}])
    save(path, damped=False)
    again = database.open_table("passages")
    with pytest.raises(SpaceMismatchError, match="expected the model whose digest is"):
        again.search("w1").to_list()
    with pytest.raises(SpaceMismatchError, match="expected the model whose digest is"):
        again.add([{"text": "w3"}])
    assert again.count_rows() == 1


def test_a_variable_stays_a_variable(tmp_path):
    registry = get_registry()
    path = save(tmp_path / "model.staticemb")
    registry.set_var("model", str(path))
    function = StaticModelTextEmbeddingFunction.create(name="$var:model")
    stored = registry.function_to_metadata(
        EmbeddingFunctionConfig(vector_column="v", source_column="t", function=function)
    )
    assert stored["model"]["name"] == "$var:model"
    moved = save(tmp_path / "moved.staticemb")
    registry.set_var("model", str(moved))
    again = StaticModelTextEmbeddingFunction.create(**stored["model"])
    assert again._opened.name == str(moved)


def test_functions_are_equal_where_their_settings_are():
    first, second = (StaticModelTextEmbeddingFunction.create() for _ in range(2))
    assert first == second
    assert first != StaticModelTextEmbeddingFunction.create(truncate_dim=64)
