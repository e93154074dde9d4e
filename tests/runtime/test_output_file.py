"""Outputs of the runtime: devices, links, modes, and nothing lost when writing fails."""

import os
import stat
import threading
import zipfile

import pytest

from staticemb_runtime.aws_lambda import bundle
from staticemb_runtime.cli import bundle_lambda as bundle_command
from staticemb_runtime.errors import OutputError
from staticemb_runtime.records.output_file import is_stream, output_file, refuse_inputs, same_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, modes and nodes of POSIX")


def write(path, data=b"new", **options):
    with output_file(path, **options) as file:
        file.write(data)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o666 & ~umask
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
def test_a_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old")
    try:
        os.chown(path, 12345, 12346)
    except PermissionError:
        pytest.skip("only root gives files away")
    path.chmod(0o640)
    write(path)
    held = path.stat()
    assert (held.st_uid, held.st_gid, stat.S_IMODE(held.st_mode)) == (12345, 12346, 0o640)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("old", [b"old", None])
def test_a_failed_block_leaves_what_was_there(tmp_path, error, old):
    path = tmp_path / "out"
    if old is not None:
        path.write_bytes(old)

    def fail():
        with output_file(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert (path.read_bytes() if path.exists() else None) == old
    assert names(tmp_path) == ([] if old is None else ["out"])


@pytest.mark.parametrize("exists", [True, False])
def test_links_stay_and_their_target_is_written(tmp_path, exists):
    folder = tmp_path / "else"
    folder.mkdir()
    target = folder / "target"
    if exists:
        target.write_bytes(b"old")
    (tmp_path / "second").symlink_to("else/target")
    (tmp_path / "first").symlink_to("second")
    write(tmp_path / "first")
    assert target.read_bytes() == b"new"
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert names(tmp_path) == ["else", "first", "second"]
    assert names(folder) == ["target"]


def test_a_loop_of_links_is_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="a: cannot be written"):
        write(tmp_path / "a")
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("name", ["missing/out", "folder", "file/out"])
def test_names_that_lead_nowhere_are_errors(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=f"{name}: cannot be written"):
        write(tmp_path / name)
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("seek", [False, True])
def test_a_fifo_is_written_through(tmp_path, seek):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    reader.start()
    write(path, b"x" * 300_000, seek=seek)
    reader.join(30)
    assert got == [b"x" * 300_000]
    assert stat.S_ISFIFO(path.lstat().st_mode)
    assert names(tmp_path) == ["fifo"]


def test_a_device_stays_a_device(tmp_path):
    path = tmp_path / "null"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        path.open("wb").close()
    except PermissionError:
        pytest.skip("device nodes are not permitted here")
    link = tmp_path / "link"
    link.symlink_to("null")
    write(path)
    write(link, seek=True)
    assert stat.S_ISCHR(path.lstat().st_mode)
    assert names(tmp_path) == ["link", "null"]


def test_a_full_device_is_named(tmp_path):
    path = tmp_path / "full"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        path.open("wb").close()
    except PermissionError:
        pytest.skip("device nodes are not permitted here")
    with pytest.raises(OutputError, match="full: cannot be written: No space left"):
        write(path)
    assert stat.S_ISCHR(path.lstat().st_mode)


def test_a_descriptor_keeps_its_position_and_append_mode(tmp_path):
    path = tmp_path / "out"
    path.write_bytes(b"old ")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        assert is_stream(f"/dev/fd/{descriptor}")
        write(f"/dev/fd/{descriptor}", b"one ")
        write(f"/dev/fd/{descriptor}", b"two", seek=True)
        os.fstat(descriptor)  # the caller's own is still open
    finally:
        os.close(descriptor)
    assert path.read_bytes() == b"old one two"


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "\N{GRINNING FACE}" * 63])
def test_the_longest_names_are_written(tmp_path, name):
    write(tmp_path / name)
    assert names(tmp_path) == [name]


def test_an_output_that_is_an_input_is_refused_by_every_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "in.csv"
    path.write_bytes(b"text\n")
    (tmp_path / "link.csv").symlink_to("in.csv")
    os.link(path, tmp_path / "hard.csv")
    (tmp_path / "copy.csv").write_bytes(b"text\n")
    for name in ("in.csv", "./in.csv", str(path), "link.csv", "hard.csv"):
        assert same_file("in.csv", name)
        with pytest.raises(OutputError, match="found the same one"):
            refuse_inputs(name, ["other", "in.csv"])
    refuse_inputs("copy.csv", ["in.csv"])
    refuse_inputs("absent.csv", ["in.csv", "absent.csv"])


def test_a_bundle_is_written_by_the_same_rules(tmp_path):
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "member").write_bytes(b"data")
    zipped, template = tmp_path / "real.zip", tmp_path / "real.yaml"
    zipped.write_bytes(b"old")
    zipped.chmod(0o600)
    (tmp_path / "function.zip").symlink_to("real.zip")
    (tmp_path / "template.yaml").symlink_to("real.yaml")
    bundle._zip(stage, tmp_path / "function.zip")
    assert bundle_command._write_new(tmp_path / "template.yaml", "a: 1\n")
    assert zipfile.ZipFile(zipped).read("member") == b"data"
    assert stat.S_IMODE(zipped.stat().st_mode) == 0o600
    assert template.read_bytes() == b"a: 1\n"
    assert len(names(tmp_path)) == 5
    for write_missing in (
        lambda: bundle._zip(stage, tmp_path / "no" / "f.zip"),
        lambda: bundle_command._write_new(tmp_path / "no" / "t.yaml", ""),
    ):
        with pytest.raises(OutputError, match="cannot be written"):
            write_missing()
