"""Functions as teachers, teachers by name, and what is imported for each."""

import functools
import subprocess
import sys

import numpy as np
import pytest

from distiller.embedding_server import EmbeddingServer, vectors
from staticemb_distiller.errors import TeacherError
from staticemb_distiller.teacher.cached import cached_vectors
from staticemb_distiller.teacher.function import FunctionTeacher
from staticemb_distiller.teacher.open_teacher import open_teacher

TEXTS = [f"text {number}" for number in range(2500)]


def encode(texts):
    assert type(texts) is list
    return vectors(texts)


def with_kinds(texts, kind):
    return vectors([f"{kind}: {text}" for text in texts])


def test_a_function_is_a_teacher(tmp_path):
    teacher = open_teacher(encode)
    assert teacher.name == f"python:{__name__}.encode"
    assert (teacher.dim, teacher.tokenizer) == (6, None)
    assert teacher.provenance == {"teacher": teacher.name}
    seen = []
    np.testing.assert_array_equal(teacher.encode(tuple(TEXTS), advance=seen.append), vectors(TEXTS))
    assert sum(seen) == len(TEXTS)
    assert teacher.encode([]).shape == (0, 6)
    assert len(cached_vectors(teacher, TEXTS, tmp_path)) == len(TEXTS)
    assert open_teacher(teacher) is teacher
    for thing in (functools.partial(encode), lambda texts: vectors(texts)):
        assert "0x" not in FunctionTeacher(thing).name


def test_a_function_may_tell_queries_from_documents():
    teacher = FunctionTeacher(with_kinds)
    for kind in ("document", "query"):
        expected = vectors([f"{kind}: {text}" for text in TEXTS[:3]])
        np.testing.assert_array_equal(teacher.encode(TEXTS[:3], kind=kind), expected)
    assert teacher.about("query") != teacher.about("document")
    plain = FunctionTeacher(encode)
    assert plain.about("query") == plain.about("document")


def test_a_changed_function_gets_no_old_vectors(tmp_path):
    before = FunctionTeacher(encode, name="mine")
    after = FunctionTeacher(lambda texts: -encode(texts)[:, ::-1], name="mine")
    first = cached_vectors(before, TEXTS[:9], tmp_path)
    second = cached_vectors(after, TEXTS[:9], tmp_path)
    np.testing.assert_array_equal(first, -second[:, ::-1])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda texts: None, "expected an array of numbers|expected shape"),
        (lambda texts: "vectors", "expected an array of numbers"),
        (lambda texts: [[1.0]] * (len(texts) - 1), r"expected shape \(8, D\), found \(7, 1\)"),
        (lambda texts: [1.0] * len(texts), r"expected shape \(8, D\), found \(8,\)"),
        (lambda texts: [[]] * len(texts), r"expected shape \(8, D\), found \(8, 0\)"),
        (lambda texts: [[float("nan")]] * len(texts), "found NaN"),
        (lambda texts: [[1.0] * len(text) for text in texts], "expected an array of numbers"),
    ],
)
def test_other_results_of_a_function_are_refused(function, message):
    with pytest.raises(TeacherError, match=message):
        open_teacher(function)


def test_an_error_of_a_function_is_its_own():
    def broken(texts):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        open_teacher(broken)
    with pytest.raises(TeacherError, match=r"expected a folder.*found int"):
        open_teacher(5)


def test_an_open_sentence_transformer_is_no_function():
    """It can be called, but with features, not with texts."""

    class SentenceTransformer:
        def __call__(self, features):
            return features.get("input_ids")

        def encode(self, texts):
            return encode(texts)

    with pytest.raises(TeacherError, match="a teacher or a function, found SentenceTransformer"):
        open_teacher(SentenceTransformer())
    assert open_teacher(SentenceTransformer().encode).dim == open_teacher(encode).dim


def test_a_dimension_that_changes_is_refused():
    teacher = FunctionTeacher(lambda texts: np.ones((len(texts), 2 + (len(texts) == 3))))
    with pytest.raises(TeacherError, match=r"expected shape \(3, 2\), found \(3, 3\)"):
        teacher.encode(["a", "b", "c"])


RUN = """
import sys
import numpy as np

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "sentence_transformers"):
            raise AssertionError(f"imported {name}")

sys.meta_path.insert(0, Blocked())
import staticemb_distiller
from staticemb_distiller.teacher.open_teacher import open_teacher
from staticemb_distiller.teacher.cached import cached_vectors
from staticemb_distiller.corpus.vector_files import open_vectors
from staticemb_distiller.fitting.ridge_fit import count_matrix, fit
from staticemb_distiller.fitting.fit_recipe import fit_recipe
from staticemb_distiller.table.build import fitted_table
from staticemb_distiller.vocabulary.trained import trained_tokenizer
from staticemb_distiller.file.check import write_checked
import staticemb_distiller.distillation
from pathlib import Path

folder = Path(sys.argv[2])
cached_vectors(open_teacher(sys.argv[1]), ["a", "b"], folder / "cache")
open_teacher(lambda texts: np.ones((len(texts), 3)))
np.save(folder / "v.npy", np.ones((2, 3), np.float32))
(folder / "t.txt").write_text("a\\nb\\n")
assert open_vectors(folder / "t.txt", vectors=folder / "v.npy").dim == 3
counts = count_matrix(np.array([0, 1], np.int32), np.array([1, 1]), 2)
fit(counts, np.eye(2, dtype=np.float32), np.zeros((2, 2), np.float32))
"""


def test_no_other_teacher_than_a_sentence_transformer_imports_torch(tmp_path):
    server = EmbeddingServer()
    command = [sys.executable, "-c", RUN, server.spec, str(tmp_path)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    finally:
        server.close()
    assert (result.returncode, result.stderr) == (0, "")
