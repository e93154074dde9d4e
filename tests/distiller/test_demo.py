"""The demo: what it prints can be trusted, read on a pipe, and typed."""

import io

import pytest

import demo
from distiller import teachers
from staticemb_distiller.errors import DistillerError
from staticemb_runtime import StaticModel
from staticemb_runtime.cli.main import main as staticemb


def test_the_sentences_are_dozens_and_different():
    sentences = demo.read_sentences()
    assert 50 <= len(sentences) == len(set(sentences))
    assert not set(sentences) & set(demo.QUERIES)


def test_weights_that_are_not_the_real_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PACKAGE", "not_the_real_teacher")
    package = tmp_path / demo.PACKAGE
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "model" / "model.safetensors").write_bytes(b"not the real ones")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DistillerError, match="expected weights with SHA-256"):
        demo.packaged_teacher()


def test_the_real_teacher_is_found(minilm):
    assert demo.packaged_teacher() == str(minilm)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_tables_are_plain_on_a_pipe_and_boxed_on_a_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    printed = {}
    for name, stream in (("pipe", io.StringIO()), ("terminal", Terminal())):
        monkeypatch.setattr("sys.stdout", stream)
        screen = demo.Screen()
        screen.heading("Title")
        screen.table(["", "teacher"], [["size", "9 MB"]])
        printed[name] = stream.getvalue()
    assert printed["pipe"].isascii()
    assert "\x1b" not in printed["pipe"]
    assert "\x1b[1mTitle" in printed["terminal"]
    assert "┌" in printed["terminal"]
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    demo.Screen().heading("Title")
    assert "\x1b" not in stream.getvalue()


def test_the_demo_takes_any_teacher_and_what_it_advises_works(tmp_path, monkeypatch, capsys):
    teacher = teachers.build("bert", tmp_path / "made")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "_SECONDS_TO_MEASURE", 0.01)
    monkeypatch.setattr(demo, "_SEQUENCES", 200)
    assert demo.main([str(teacher)]) == 0
    out = capsys.readouterr().out
    for row in ("size on disk", "texts per second", "time to first vector", "agreement"):
        assert row in out
    assert all(query in out for query in demo.QUERIES)
    for command in demo.next_commands(demo.OUTPUT, str(teacher)):
        assert command in out
    assert StaticModel.load(demo.OUTPUT).dim == 32
    assert staticemb(["similarity", "-m", str(demo.OUTPUT), "the cat", "the dog"]) == 0


def test_a_missing_teacher_is_one_line_and_status_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert demo.main(["no/such/folder/teacher"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
