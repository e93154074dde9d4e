"""Whatever an output's name leads to, nothing is lost: files, links, FIFOs, devices, folders."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from distiller import training_data
from staticemb_distiller.cli import main as cli
from staticemb_distiller.errors import OutputError
from staticemb_distiller.evaluation import record
from staticemb_distiller.file import Parts, Settings, serialize, write
from staticemb_distiller.interop.export import export
from staticemb_distiller.interop.word_vectors import convert_word_vectors
from staticemb_distiller.output_file import atomic_file, check_output, sweep
from staticemb_distiller.publish.wheel import Names, build_wheel
from strategies import word_level_tokenizer

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes, links and FIFOs of POSIX")

DISTILLER = [sys.executable, "-m", "staticemb_distiller"]
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SECONDS = 60

PARTS = Parts(np.ones((4, 3), np.float32), word_level_tokenizer(4))
_HEADER, _TENSORS = serialize(PARTS, Settings())
MODEL = _HEADER + b"".join(tensor.tobytes() for tensor in _TENSORS)
WRITERS = {
    "model": (lambda path: write(path, PARTS, Settings()), MODEL),
    "report": (lambda path: record.save(path, "a report"), b"a report"),
}


@pytest.fixture(params=[*WRITERS, "convert"])
def writer(request, tmp_path_factory):
    """A function that writes a file, and the content that it writes."""
    if request.param in WRITERS:
        return WRITERS[request.param]
    folder = tmp_path_factory.mktemp("source")
    source = vectors(folder / "w.vec")
    convert_word_vectors(source, folder / "expected")
    return partial(convert_word_vectors, source), (folder / "expected").read_bytes()


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def vectors(path, rows=20):
    """Write word vectors as text."""
    path.write_text("".join(f"word{i} {i}.5 1 2\n" for i in range(rows)))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def reading(path):
    """Read all that is written to a FIFO, in a thread."""
    read_bytes = []
    thread = threading.Thread(target=lambda: read_bytes.append(path.read_bytes()), daemon=True)
    thread.start()
    return thread, read_bytes


@pytest.fixture
def device(tmp_path):
    """A node of the null device's numbers, of our own."""
    path = tmp_path / "node"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        with path.open("rb"):
            pass
    except OSError:
        pytest.skip("device nodes are not permitted here")
    return path


# --- kinds of targets -----------------------------------------------------------------------------


@pytest.mark.parametrize("held", [0o600, 0o640, 0o644, 0o755, 0o606])
def test_a_regular_file_keeps_its_mode_and_owner(tmp_path, writer, held):
    save, content = writer
    path = tmp_path / "out"
    path.write_text("old")
    path.chmod(held)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    owner = path.stat()
    with umask(0o022):
        save(path)
    assert (path.read_bytes(), mode(path), names(tmp_path)) == (content, held, ["out"])
    assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path, writer, mask):
    save, content = writer
    path = tmp_path / ("é" * 120)  # a temporary name must fit into 255 bytes, too
    with umask(mask):
        save(path)
    assert (path.read_bytes(), mode(path)) == (content, 0o666 & ~mask)
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("exists", [True, False])
def test_links_are_followed(tmp_path, writer, exists):
    save, content = writer
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    target = tmp_path / "c" / "target"
    if exists:
        target.write_text("old")
    (tmp_path / "b" / "link").symlink_to("../c/target")
    link = tmp_path / "a" / "link"
    link.symlink_to(tmp_path / "b" / "link")
    save(link)
    assert link.is_symlink()
    assert (tmp_path / "b" / "link").is_symlink()
    assert target.read_bytes() == content
    assert not target.is_symlink()
    assert [names(tmp_path / folder) for folder in "abc"] == [["link"], ["link"], ["target"]]


def test_another_name_of_a_file_keeps_what_it_had(tmp_path, writer):
    save, content = writer
    (tmp_path / "kept").write_text("old")
    os.link(tmp_path / "kept", tmp_path / "out")
    save(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == content
    assert (tmp_path / "kept").read_text() == "old"


@pytest.mark.parametrize("linked", [False, True])
def test_a_fifo_is_written_through_and_stays(tmp_path, writer, linked):
    save, content = writer
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path = fifo
    if linked:
        path = tmp_path / "link"
        path.symlink_to(fifo)
    thread, got = reading(fifo)
    save(path)
    thread.join(SECONDS)
    assert got == [content]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert names(tmp_path) == (["fifo", "link"] if linked else ["fifo"])


def test_a_device_stays_a_device(device, writer):
    save, _ = writer
    before = device.stat()
    save(device)
    assert stat.S_ISCHR(device.stat().st_mode)
    assert device.stat().st_ino == before.st_ino
    assert names(device.parent) == ["node"]


def test_a_node_that_is_removed_meanwhile_does_not_come_back_as_a_file(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    thread, got = reading(fifo)
    with atomic_file(fifo) as temporary:
        fifo.unlink()
        temporary.write_bytes(b"all of it")
    thread.join(SECONDS)
    assert got == [b"all of it"]
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["new", "file", "link", "dangling", "fifo"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
def test_a_block_that_fails_changes_nothing(tmp_path, kind, error):
    path, target = tmp_path / "out", tmp_path / "target"
    if kind in ("file", "link"):
        target.write_text("old")
    if kind in ("link", "dangling"):
        path.symlink_to(target)
    elif kind == "file":
        target.rename(path)
    thread = None
    if kind == "fifo":
        os.mkfifo(path)
        thread, got = reading(path)
    before = names(tmp_path)
    with pytest.raises(error), atomic_file(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert names(tmp_path) == before
    if kind in ("file", "link"):
        assert path.read_text() == "old"
    if thread is not None:
        thread.join(SECONDS)
        assert got == [b""]


# --- the command ----------------------------------------------------------------------------------


def shell(line, folder, *arguments):
    return subprocess.run(
        ["bash", "-c", line, "bash", *DISTILLER, *arguments],
        cwd=folder,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "before"),
    [
        ('"$@" -o >(cat > got; touch done); while [ ! -e done ]; do sleep 0.05; done', b""),
        ('"$@" -o /dev/stdout > got', b""),
        ('"$@" -o /dev/fd/1 >> got', b"kept"),
        ('"$@" -o /dev/stdout | cat > got', b""),
        ('"$@" -o /dev/fd/7 7> got', b""),
    ],
)
def test_descriptors_of_the_shell_are_written_through(tmp_path, line, before):
    vectors(tmp_path / "w.vec")
    assert cli.main(["convert", str(tmp_path / "w.vec"), "-o", str(tmp_path / "expected")]) == 0
    (tmp_path / "got").write_bytes(before)
    done = shell(line, tmp_path, "convert", "w.vec")
    assert done.returncode == 0, done.stderr
    assert b" MB)" not in done.stderr  # the size of a pipe is not that of the model
    assert (tmp_path / "got").read_bytes() == before + (tmp_path / "expected").read_bytes()
    assert set(names(tmp_path)) <= {"done", "expected", "got", "w.vec"}


@pytest.mark.parametrize("number", STATUS)
def test_a_stopped_conversion_leaves_nothing(tmp_path, number):
    source, folder = tmp_path / "w.vec", tmp_path / "out"
    os.mkfifo(source)
    folder.mkdir()
    (folder / "m").write_text("old")
    process = subprocess.Popen(
        [*DISTILLER, "convert", source, "-o", folder / "m"], stderr=subprocess.PIPE
    )
    with source.open("w") as file:
        file.write("word 1 2 3\n" * 3)
        file.flush()
        end = time.monotonic() + SECONDS
        while len(names(folder)) < 2:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(number)
        process.send_signal(number)
        _, error = process.communicate(timeout=SECONDS)
    assert process.returncode == STATUS[number], error
    assert names(folder) == ["m"]
    assert (folder / "m").read_text() == "old"


@pytest.mark.parametrize("number", STATUS)
def test_a_stopped_writer_leaves_nothing(tmp_path, number):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from staticemb_distiller.output_file import atomic_file, atomic_folder\n"
        "from staticemb_distiller.cli.main import guarded\n"
        "def work():\n"
        "    with atomic_folder(Path('folder')) as folder, atomic_file(Path('file')) as file:\n"
        "        (folder / 'part').write_text('half')\n"
        "        file.write_text('half')\n"
        "        print('now', flush=True)\n"
        "        for _ in range(600): time.sleep(0.1)\n"  # a signal just before a sleep waits
        "sys.exit(guarded(work))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"now\n"
    assert len(names(tmp_path)) == 2
    process.send_signal(number)
    process.communicate(timeout=SECONDS)
    assert process.returncode == STATUS[number]
    assert names(tmp_path) == []


@pytest.mark.file_size_limit
@pytest.mark.parametrize("arguments", [["convert", "w.vec"], ["export", "m", "--to", "model2vec"]])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, arguments):
    resource = pytest.importorskip("resource")
    vectors(tmp_path / "w.vec", 2000)
    training_data.model(tmp_path / "m")
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [*DISTILLER, *arguments, "-o", "out/new"],
        cwd=tmp_path,
        capture_output=True,
        timeout=SECONDS,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == 2
    assert b"cannot be written" in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert names(tmp_path / "out") == []


# --- refused before the work ----------------------------------------------------------------------


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command that is refused, and check that nothing is changed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        everything = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        assert cli.main([str(argument) for argument in arguments]) == 2
        line = capsys.readouterr().err.strip()
        assert line.count("\n") == 0
        assert sorted(tmp_path.rglob("*")) == everything
        assert {path: path.read_bytes() for path in before} == before
        return line

    return run


SUBWORDS = ["--mode", "subword", "--vocabulary-size", "9"]
SPELLINGS = ["x.txt", "./x.txt", "folder/../x.txt", "link", "hard"]


@pytest.mark.parametrize("output", SPELLINGS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["distill", "no-teacher", "--text", "x.txt"],
        ["distill", "no-teacher", "--fit", "x.txt::weight=2"],
        ["distill", "no-teacher", "--mode", "word", "--fit", "none", "--vocabulary", "x.txt"],
        ["distill", "no-teacher", "--weighting", "counts", "--counts-from", "x.txt"],
        ["distill", "no-teacher", "--keep-used-in", "x.txt"],
        ["distill", "no-teacher", *SUBWORDS, "--vocabulary-from", "x.txt"],
        ["convert", "x.txt"],
    ],
)
def test_an_input_is_no_output(tmp_path, refused, arguments, output):
    vectors(tmp_path / "x.txt")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("x.txt")
    os.link(tmp_path / "x.txt", tmp_path / "hard")
    quiet = [] if arguments[0] == "convert" else ["--quiet"]
    assert "expected another file than the input" in refused(*arguments, "-o", output, *quiet)


def test_a_model_is_no_output_of_its_own_training(tmp_path, refused):
    training_data.model(tmp_path / "m.staticemb")
    (tmp_path / "m.log.jsonl").write_text('{"anchor": "a", "positive": "b"}\n')
    (tmp_path / "pairs.tsv").write_text("a\tb\n")
    same = "expected another file than the input"
    train = ["train", "m.staticemb", "--quiet", "--pairs"]
    assert same in refused(*train, "pairs.tsv", "-o", "m.staticemb")
    assert same in refused(*train, "pairs.tsv", "-o", "pairs.tsv")
    # The log that goes beside the model would replace them.
    assert same in refused(*train, "m.log.jsonl", "-o", "m.other")


def test_a_teachers_weights_are_no_output(tmp_path, refused):
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "model.safetensors").write_text("weights")
    output = "teacher/model.safetensors"
    same = "expected another file than the input"
    assert same in refused("distill", "teacher", "-o", output, "--quiet")
    assert same in refused("convert", "teacher", "-o", output)
    check_output(tmp_path / "teacher" / "model.staticemb")


def test_a_file_of_a_folder_of_documents_is_no_output(tmp_path, refused):
    training_data.model(tmp_path / "m.staticemb")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.tsv").write_text("text\tlabel\nx\ta\ny\tb\n")
    (tmp_path / "v.jsonl").write_text("{}\n")
    output = ["-o", "docs/a.tsv", "--quiet"]
    same = "expected another file than the input"
    adapt = ["adapt", "m.staticemb", "--documents"]
    assert same in refused(*adapt, "docs", "--vectors", "v.jsonl", *output)
    assert same in refused(*adapt, "v.jsonl", "--vectors", "docs", *output)
    assert same in refused(*adapt, "v.jsonl", "--teacher", "docs", *output)
    fit_head = ["fit-head", "m.staticemb", "--data", "docs"]
    assert same in refused(*fit_head, *output)
    assert same in refused(*fit_head, "-o", "new", "--json", "docs/a.tsv")


def test_a_recipe_is_no_output(tmp_path, refused):
    (tmp_path / "r.toml").write_text("dims = 16\n")
    line = refused("distill", "no-teacher", "--recipe", "r.toml", "-o", "./r.toml")
    assert "expected another file than the input r.toml" in line


@pytest.mark.parametrize("flag", ["--json", "--markdown", "--html"])
def test_a_report_replaces_nothing_that_is_read(tmp_path, refused, flag):
    training_data.model(tmp_path / "m.staticemb")
    vectors(tmp_path / "w.txt")
    (tmp_path / "earlier.json").write_text("{}")
    (tmp_path / "data" / "sts").mkdir(parents=True)
    (tmp_path / "data" / "sts" / "task.tsv").write_text("a\tb\t1\n")
    same = "expected another file than the input"
    evaluate = ["evaluate", "name=m.staticemb", "w.txt", "--data", "data"]
    evaluate += ["--baseline", "earlier.json", flag]
    for output in ("m.staticemb", "w.txt", "earlier.json", "data/sts/task.tsv"):
        assert same in refused(*evaluate, output)
    other = "--html" if flag == "--json" else "--json"
    assert "found the same one" in refused(*evaluate, "new", other, "./new")
    (tmp_path / "old").touch()
    (tmp_path / "hard").hardlink_to(tmp_path / "old")
    assert "found the same one" in refused(*evaluate, "old", other, "hard")


@pytest.mark.parametrize(
    "outputs",
    [
        ("-o", "new", "--json", "./new"),
        ("-o", "new.staticemb", "--json", "r.x", "--html", "r.x"),
        ("-o", "m.staticemb", "--html", "new", "--json", "link"),
    ],
)
def test_a_head_and_its_reports_are_different_files(tmp_path, refused, outputs):
    training_data.model(tmp_path / "m.staticemb")
    (tmp_path / "link").symlink_to("new")
    (tmp_path / "d.tsv").write_text("a\tb\n")
    line = refused("fit-head", "m.staticemb", "--data", "d.tsv", *outputs)
    assert "found the same one" in line


def test_what_another_output_of_a_similar_name_writes_stays(tmp_path):
    with atomic_file(tmp_path / "state.npz") as temporary:
        sweep(tmp_path / "state")
        assert temporary.exists()


def test_a_wheel_replaces_nothing_that_goes_into_it(tmp_path):
    names_of = Names("staticemb-model-m", "1.0")
    path = tmp_path / names_of.file
    training_data.model(path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="another file than the input"):
        build_wheel(path, tmp_path, names_of)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "command",
    [
        ["distill", "no-teacher", "--quiet", "-o"],
        ["train", "m.staticemb", "--pairs", "p.tsv", "--quiet", "-o"],
        ["convert", "w.txt", "-o"],
        ["evaluate", "m.staticemb", "--json"],
        ["evaluate", "m.staticemb", "--html"],
    ],
)
def test_an_impossible_name_is_refused_before_the_work(tmp_path, refused, command):
    training_data.model(tmp_path / "m.staticemb")
    vectors(tmp_path / "w.txt")
    (tmp_path / "p.tsv").write_text("a\tb\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("no/such")
    (tmp_path / "loop").symlink_to("loop")
    assert "found a folder" in refused(*command, "folder")
    assert "does not exist" in refused(*command, "no/such")
    assert "does not exist" in refused(*command, "dangling")
    assert "Not a directory" in refused(*command, "w.txt/out")
    assert "cannot be written" in refused(*command, "loop")
    assert "cannot be written" in refused(*command, "x" * 300)
    assert "cannot be written" in refused(*command, "/dev/fd/99")


@pytest.mark.parametrize("flag", ["--checkpoint", "--teacher-cache"])
def test_an_impossible_folder_is_refused_before_the_work(tmp_path, refused, flag):
    (tmp_path / "file").write_text("old")
    distill = ["distill", "no-teacher", "--quiet", "-o", "out", flag]
    assert "expected a folder, found the file" in refused(*distill, "file")
    assert "expected a folder, found the file" in refused(*distill, "file/new")


def test_what_is_write_protected_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o444)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder").chmod(0o555)
    owned = os.geteuid() == 0
    try:
        if owned:
            os.chown(tmp_path / "file", 65534, 65534)
            os.chown(tmp_path / "folder", 65534, 65534)
            for parent in (tmp_path, *list(tmp_path.parents)[:3]):
                parent.chmod(0o755)
            os.seteuid(65534)
        for path in (tmp_path / "file", tmp_path / "folder" / "new"):
            if path.name == "file":
                with pytest.raises(OutputError, match="write-protected"):
                    check_output(path)
                with pytest.raises(OSError, match="write-protected"), atomic_file(path):
                    pass
            else:
                with pytest.raises(OutputError, match=r"folder .* is write-protected"):
                    check_output(path)
    finally:
        if owned:
            os.seteuid(0)
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path / "folder") == []


# --- folders --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.staticemb"
    training_data.model(path)
    return path


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027])
def test_an_exports_files_have_the_modes_of_the_umask(tmp_path, model, mask):
    with umask(mask):
        export(model, tmp_path / "out", "sentence-transformers")
    assert names(tmp_path) == ["out"]
    for path in (tmp_path / "out", *(tmp_path / "out").rglob("*")):
        assert mode(path) == (0o777 if path.is_dir() else 0o666) & ~mask, path


@pytest.mark.parametrize("linked", [False, True])
def test_an_empty_folder_stays_the_same_folder(tmp_path, model, linked):
    target = tmp_path / "out"
    target.mkdir(mode=0o750)
    before = target.stat()
    path = target
    if linked:
        path = tmp_path / "link"
        path.symlink_to(target)
    export(model, path, "model2vec")
    assert (target.stat().st_ino, mode(target)) == (before.st_ino, 0o750)
    assert path.is_symlink() == linked
    assert "model.safetensors" in names(target)
    assert not [name for name in names(target) if name.endswith(".tmp")]


def test_a_link_to_no_folder_gets_its_folder(tmp_path, model):
    (tmp_path / "link").symlink_to("made")
    export(model, tmp_path / "link", "model2vec")
    assert (tmp_path / "link").is_symlink()
    assert "model.safetensors" in names(tmp_path / "made")


def test_an_export_replaces_nothing(tmp_path, model, refused):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("old")
    command = ["export", model, "--to", "model2vec", "-o"]
    assert "expected a new or an empty folder" in refused(*command, "full")
    assert "expected a new or an empty folder" in refused(*command, "full/file")
    assert "expected a new or an empty folder" in refused(*command, model)
    assert "expected a folder" in refused(*command, "full/file/new")


def test_a_killed_writers_remains_are_found_whatever_the_name(tmp_path):
    for name in ("[ab]*.npz", "é" * 120):
        path = tmp_path / name
        kept = []
        with atomic_file(path) as temporary:
            temporary.write_text("new")
            kept.append(temporary.name)
        (tmp_path / kept[0]).write_text("left")
        sweep(path)
        assert names(tmp_path) == [name]
        path.unlink()
