"""The part `space` of distilled files: the teacher's vectors become vectors of the file."""

import dataclasses

import numpy as np
import pytest

from staticemb_distiller.errors import OutputError
from staticemb_distiller.evaluation.load import load_model
from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.file.optional_names import optional_names
from staticemb_distiller.file.space import probe_vectors, read_space, space_parts
from staticemb_distiller.table.space import Space, unit
from staticemb_runtime import PROBE_TEXTS, StaticModel
from staticemb_runtime.errors import SpaceMismatchError
from staticemb_runtime.format import read
from strategies import word_level_tokenizer

torch = pytest.importorskip("torch")

from sentence_transformers.sentence_transformer import modules as st  # noqa: E402

from distiller import teachers  # noqa: E402 - it imports torch
from distiller.test_distill_fit import HELD_OUT, sentences  # noqa: E402
from staticemb_distiller.distillation import distill  # noqa: E402
from staticemb_distiller.recipe.recipe import Recipe  # noqa: E402
from staticemb_distiller.teacher import Teacher  # noqa: E402

WORDS = sorted({word for text in HELD_OUT for word in text.split()})


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    """A teacher without positions: its vectors of texts say most about the words themselves."""
    folder = teachers.build("t5", tmp_path_factory.mktemp("t5"), extra=[st.Normalize()])
    return Teacher.load(str(folder), device="cpu")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(sentences(1500, seed=1)), encoding="utf-8")
    return str(path)


@pytest.fixture
def make(t5, tmp_path):
    def make(**knobs):
        knobs = {"dims": 16, "dtype": "float32", "fit": ("none",), "pooling": "mean", **knobs}
        return distill(t5, Recipe(**knobs), tmp_path / "made.staticemb")

    return make


def cosines(a, b):
    return np.einsum("ij,ij->i", unit(a), unit(b))


@pytest.mark.parametrize("knobs", [{}, {"dims": "none"}, {"dtype": "int8"}, {"whiten": 0.3}])
def test_queries_by_the_table_compare_with_documents_by_the_teacher(make, t5, text, knobs):
    model = StaticModel.load(make(fit=[text], **knobs), verify=True)
    ours = model.encode_query(HELD_OUT)
    theirs = model.project(t5.encode(HELD_OUT))
    assert ours.shape == theirs.shape
    same, other = cosines(ours, theirs), cosines(ours, np.roll(theirs, 1, axis=0))
    assert same.mean() > 0.6
    assert same.mean() > other.mean() + 0.2
    nearest = (ours @ theirs.T).argmax(axis=1)
    assert (nearest == np.arange(len(ours))).mean() > 0.1  # by chance 0.005


def test_a_projection_is_the_tables_rotation(make, text):
    knobs = {"fit": [text], "whiten": 0.2, "length_power": 1.5}
    whole = read(make(dims="none", **knobs))
    table, before = np.array(whole.embeddings), read_space(whole)
    turned = read(make(dims=16, **knobs))
    rotation = np.linalg.lstsq(table, turned.embeddings, rcond=None)[0]
    expected = before.projection @ rotation
    np.testing.assert_allclose(read_space(turned).projection, expected, atol=5e-3)


def test_a_projection_without_whitening_keeps_the_teachers_cosines(make, t5, text):
    model = StaticModel.load(make(fit=[text], dims=32, whiten=0.0))
    theirs = unit(t5.encode(HELD_OUT))
    projected = model.project(t5.encode(HELD_OUT))
    np.testing.assert_allclose(projected @ projected.T, theirs @ theirs.T, atol=5e-3)


def test_a_classical_table_is_what_becomes_of_the_teachers_vectors_of_words(make, t5):
    # The row of a token is the teacher's vector of it, centered and rotated.
    model = StaticModel.load(make(dims=24))
    single = [word for word in WORDS if len(model.tokenize([word])[0]) == 1]
    assert len(single) > 10
    words = [f"{word}" for word in single]
    assert cosines(model.encode(words), model.project(t5.encode(words))).min() > 0.999
    assert read_space(read(make(dims=24))).offset.any()
    assert read_space(read(make(dims="none"))).offset is None


@pytest.mark.parametrize("knobs", [{"vectors_from": "input"}, {"teacher_pooling": "mean"}])
def test_tables_of_other_vectors_have_no_part(make, knobs):
    file = read(make(**knobs))
    assert read_space(file) is None
    assert StaticModel.from_parts(file).space is None


def test_the_part_names_the_teacher_and_holds_its_vectors_of_the_probe_texts(
    make, t5, text, folder
):
    model = StaticModel.load(make(fit=[text]))
    assert model.space == (t5.name, t5.revision, t5.dim, "table")
    found = read_space(read(make(fit=[text]))).probes
    np.testing.assert_allclose(found, unit(t5.encode(list(PROBE_TEXTS))), atol=2e-4)
    model.check_space(t5.encode(list(PROBE_TEXTS)))
    other = Teacher.load(str(folder), device="cpu")
    with pytest.raises(SpaceMismatchError):
        model.check_space(other.encode(list(PROBE_TEXTS)))


def test_two_tables_of_one_teacher_differ_in_space_unless_rotated_alike(make, text):
    one = StaticModel.load(make(fit=[text]))
    one.check_space(StaticModel.load(make(fit=[text], dtype="int8")))
    one.check_space(StaticModel.load(make(fit=[text], damping_beta=0.5, pooling="damped_mean")))
    with pytest.raises(SpaceMismatchError, match="cosines"):
        one.check_space(StaticModel.load(make()))
    with pytest.raises(SpaceMismatchError, match="length"):
        one.check_space(StaticModel.load(make(fit=[text], dims=15)))


# --- writing and reading ------------------------------------------------------------------------


def random_space(height=5, width=3, **changes):
    random = np.random.default_rng(0)
    given = Space(
        teacher="a/b",
        revision="1f",
        projection=random.normal(size=(height, width)).astype(np.float32),
        offset=random.uniform(-0.5, 0.5, height).astype(np.float32),
        probes=unit(random.normal(size=(8, height))),
        documents="teacher",
    )
    return dataclasses.replace(given, **changes)


def written(path, space):
    tensors, metadata = space_parts(space)
    width = tensors["space.projection"].shape[1]
    table = np.eye(4, width, dtype=np.float32)
    parts = Parts(table, word_level_tokenizer(4), optional=tensors)
    write(path, parts, Settings(optional=metadata))
    return read(path, verify=True)


@pytest.mark.parametrize(
    "changes", [{}, {"offset": None}, {"probes": None}, {"revision": ""}, {"documents": "table"}]
)
def test_what_is_written_is_read(tmp_path, changes):
    given = random_space(**changes)
    file = written(tmp_path / "made", given)
    assert file.refused == ()
    assert optional_names(file) == ("space",)
    found = read_space(file)
    assert (found.teacher, found.revision, found.documents) == (
        given.teacher,
        given.revision,
        given.documents,
    )
    for name in ("projection", "offset", "probes"):
        expected, tensor = getattr(given, name), getattr(found, name)
        if expected is None:
            assert tensor is None
        else:
            np.testing.assert_allclose(tensor, expected, atol=np.std(expected) / 200)


def test_the_runtime_projects_as_the_distiller_does(tmp_path):
    file = written(tmp_path / "made", random_space(documents="table"))
    vectors = np.random.default_rng(1).normal(size=(100, 5)) * np.logspace(-3, 3, 100)[:, None]
    vectors[7] = 0
    found = StaticModel.from_parts(file).project(vectors)
    np.testing.assert_allclose(found, read_space(file).project(vectors), atol=1e-6)
    assert not found[7].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": ""}, "a name"),
        ({"projection": np.zeros((5, 3), np.float32)}, "projection"),
        ({"projection": np.full((5, 3), np.nan, np.float32)}, "finite"),
        ({"projection": np.full((5, 3), 2.0**61, np.float32)}, "projection"),
        ({"offset": np.full(5, 1.5, np.float32)}, "offset"),
        ({"offset": np.zeros(4, np.float32)}, "offset"),
        ({"probes": np.ones((7, 5), np.float32)}, "probes"),
    ],
)
def test_a_space_against_the_specification_is_not_written(changes, message):
    with pytest.raises(OutputError, match=message):
        space_parts(random_space(**changes))


def test_a_malformed_part_is_read_as_none(tmp_path):
    tensors, metadata = space_parts(random_space())
    del tensors["space.projection"]
    table = np.eye(4, 3, dtype=np.float32)
    write(
        tmp_path / "made",
        Parts(table, word_level_tokenizer(4), optional=tensors),
        Settings(optional=metadata),
    )
    file = read(tmp_path / "made", verify=True)
    assert (read_space(file), file.refused) == (None, ("space",))


def test_a_teacher_without_a_vector_of_a_probe_text_has_no_probes():
    class Silent:
        def encode(self, texts):
            return np.array([[0.0 if text == "42" else 2.0, 0.0] for text in texts], np.float32)

    assert probe_vectors(Silent()) is None


def test_a_file_made_for_queries_is_evaluated_with_its_own_documents(tmp_path):
    path = tmp_path / "queries.staticemb"
    written(path, random_space(documents="teacher"))
    model = load_model(path)
    expected = StaticModel.load(path).encode_query(["w1 w2"])
    np.testing.assert_array_equal(model.encode_document(["w1 w2"]), expected)
