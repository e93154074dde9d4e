"""Ray Data on a local cluster of two workers: each row once, with the bits of one process."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from staticemb_runtime import StaticModel

ray = pytest.importorskip("ray")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
data = pytest.importorskip("ray.data")

from staticemb_runtime.bulk.ray import RayEmbedder, embed_dataset
from staticemb_runtime.errors import InvalidDimensionError

FILES, ROWS = 8, 250
TESTS = str(Path(__file__).resolve().parents[1])  # workers import the actor class of this module


@pytest.fixture(scope="module")
def cluster():
    path = os.pathsep.join([TESTS, os.environ["PYTHONPATH"]])
    for attempt in range(3):
        try:
            ray.init(
                num_cpus=3,
                include_dashboard=False,
                object_store_memory=200 << 20,
                log_to_driver=False,
                runtime_env={"env_vars": {"PYTHONPATH": path}},
            )
            break
        except Exception:  # a busy machine may take longer than Ray waits for a node
            ray.shutdown()
            if attempt == 2:
                raise
    data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def text_of(number):
    return None if number % 97 == 0 else f"document {number} about rivers and houses"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for file in range(FILES):
        numbers = range(file * ROWS, (file + 1) * ROWS)
        table = pa.table(
            {
                "id": pa.array(numbers, pa.int64()),
                "text": pa.array([text_of(n) for n in numbers], pa.large_string()),
                "kind": pa.array(["a"] * ROWS),
            }
        )
        pq.write_table(table, folder / f"{file}.parquet")
    return folder


def check_rows(table, **options):
    """Each row once, with the vector of a single process."""
    table = table.sort_by("id")
    numbers = table.column("id").to_pylist()
    assert numbers == list(range(FILES * ROWS))
    vectors = table.column("embedding").to_pylist()
    present = [n for n in numbers if text_of(n) is not None]
    assert [n for n in numbers if vectors[n] is not None] == present
    expected = StaticModel.load().encode([text_of(n) for n in present], **options)
    got = np.array([vectors[n] for n in present], expected.dtype)
    np.testing.assert_array_equal(got, expected)
    assert set(table.column("kind").to_pylist()) == {"a"}


def read(folder):
    return pa.concat_tables(
        [pq.read_table(path) for path in sorted(folder.rglob("*.parquet"))],
        promote_options="default",
    )


@pytest.mark.usefixtures("cluster")
def test_two_actors_write_each_row_once(source, tmp_path):
    dataset = data.read_parquet(f"file://{source}", override_num_blocks=FILES)
    embedded = embed_dataset(dataset, concurrency=2, precision="int8", truncate_dim=64)
    embedded.write_parquet(f"file://{tmp_path}/out", min_rows_per_file=500)
    table = read(tmp_path / "out")
    assert table.schema.field("embedding").type == pa.list_(pa.int8(), 64)
    check_rows(table, precision="int8", truncate_dim=64)
    sizes = [pq.read_metadata(path).num_rows for path in (tmp_path / "out").rglob("*.parquet")]
    assert max(sizes) >= 500
    assert len(sizes) <= FILES * ROWS / 500 + 2


class Killed(RayEmbedder):
    """An actor that is killed once, in the middle of its work."""

    def __init__(self, mark, **options):
        super().__init__(**options)
        self._mark = mark
        self._calls = 0

    def __call__(self, batch):
        self._calls += 1
        if self._calls == 2:
            try:
                os.close(os.open(self._mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


@pytest.mark.usefixtures("cluster")
def test_a_killed_worker_loses_no_row(source, tmp_path):
    mark = str(tmp_path / "killed")
    embedded = data.read_parquet(str(source), override_num_blocks=FILES).map_batches(
        Killed,
        fn_constructor_kwargs={"mark": mark},
        batch_format="pyarrow",
        batch_size=100,
        compute=data.ActorPoolStrategy(size=2),
    )
    embedded.write_parquet(str(tmp_path / "out"))
    assert Path(mark).exists()
    check_rows(read(tmp_path / "out"))


@pytest.mark.usefixtures("cluster")
def test_a_checkpoint_leaves_out_the_rows_that_are_done(source, tmp_path):
    checkpoint = pytest.importorskip("ray.data.checkpoint")
    context = data.DataContext.get_current()
    context.checkpoint_config = checkpoint.CheckpointConfig(
        id_column="id",
        checkpoint_path=str(tmp_path / "checkpoint"),
        delete_checkpoint_on_success=False,
    )
    try:
        half = sorted(map(str, source.glob("*.parquet")))[: FILES // 2]
        embed_dataset(data.read_parquet(half)).write_parquet(str(tmp_path / "out"))
        done = len(read(tmp_path / "out"))
        assert done == FILES * ROWS // 2
        embed_dataset(data.read_parquet(str(source))).write_parquet(str(tmp_path / "out"))
    finally:
        context.checkpoint_config = None
    check_rows(read(tmp_path / "out"))


@pytest.mark.usefixtures("cluster")
def test_paths_of_any_file_system_of_arrow(source):
    fsspec = pytest.importorskip("fsspec")
    pafs = pytest.importorskip("pyarrow.fs")
    local = pafs.PyFileSystem(pafs.FSSpecHandler(fsspec.filesystem("file")))
    dataset = data.read_parquet(str(source), filesystem=local)
    assert embed_dataset(dataset.limit(10), column="text").count() == 10


def test_invalid_options_are_refused_by_the_driver():
    with pytest.raises(InvalidDimensionError):
        embed_dataset(None, truncate_dim=9999)
