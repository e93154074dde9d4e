"""What computes on a GPU, on a device as strict as one: nothing is left behind on the CPU."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from distiller import teachers
from distiller import training_data as data
from distiller.pretend_device import DEVICE, pretend_device
from staticemb_distiller.fitting.conjugate_gradients import System
from staticemb_distiller.teacher import Teacher
from staticemb_distiller.teacher.encoder import unused_cuda
from staticemb_distiller.training import run
from staticemb_distiller.training.recipe import TrainingRecipe
from staticemb_runtime.format.reader import read

ROWS = {
    "pairs": lambda pair, place: pair,
    "triplets": lambda pair, place: (*pair, f"b0x0 f{place % 30}"),
    "scored": lambda pair, place: (*pair, place % 6),
    "labeled": lambda pair, place: (pair[0], place % 3),
}


@pytest.mark.parametrize(
    ("version", "present", "told"),
    [(None, False, False), ("12.6", True, False), ("12.6", False, True)],
)
def test_a_torch_with_cuda_where_there_is_none_is_told_of(monkeypatch, version, present, told):
    monkeypatch.setattr(torch.version, "cuda", version)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    hint = unused_cuda()
    assert (hint is not None) == told
    assert hint is None or "pip install" in hint


def test_the_device_is_as_strict_as_a_gpu():
    with pretend_device():
        there = torch.from_numpy(np.ones(3)).to(DEVICE)
        assert there.device.type == DEVICE
        for careless in (
            lambda: there.numpy(),
            lambda: there + torch.ones(3),
            lambda: torch.zeros(3, device=DEVICE) + torch.ones(3),
            lambda: torch.ones(3)[there.long()],
        ):
            with pytest.raises(RuntimeError, match=r"subclass|one device"):
                careless()
        there[:1] += 1
        assert there.cpu().tolist() == [2, 1, 1]


@pytest.fixture
def teacher(tmp_path):
    return teachers.build("bert", tmp_path / "teacher")


@pytest.mark.parametrize("kind", ROWS)
def test_training_there_makes_the_table_of_the_cpu(kind, teacher, tmp_path):
    pairs = data.pairs(np.random.default_rng(1), 300)
    rows = [ROWS[kind](pair, place) for place, pair in enumerate(pairs)]
    spec = data.source(tmp_path / "rows.tsv", kind, rows)
    recipe = TrainingRecipe(
        pairs=[spec],
        batch_size=50,
        epochs=1,
        held_out=60,
        mine=1,
        pull=0.1,
        length_power=1.2,
        whiten=0.1,
        teacher=str(teacher),
        teacher_weight=0.5,
        rotate=False,
        dtype="float32",
    )
    start = data.model(tmp_path / "start.staticemb", damping=(1.0, 16))
    found = {}
    for device in ("cpu", DEVICE):
        path = tmp_path / f"{device}.staticemb"
        with pretend_device():
            run.train_file(str(start), recipe, run.Places(path, device=device))
        found[device] = read(path).embeddings
    before = read(start).embeddings
    assert np.abs(found["cpu"] - before).max() > 0.05
    np.testing.assert_allclose(found[DEVICE], found["cpu"], atol=0.01)


@pytest.mark.parametrize("kind", teachers.KINDS)
def test_a_teacher_there_gives_the_vectors_of_the_cpu(kind, tmp_path):
    folder = teachers.build(kind, tmp_path)
    expected = Teacher.load(str(folder), device="cpu").encode(teachers.TEXTS)
    with pretend_device():
        found = Teacher.load(str(folder), device=DEVICE, dtype="float32").encode(teachers.TEXTS)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_system_there_is_solved_as_on_the_cpu():
    random = np.random.default_rng(7)
    counts = csr_matrix(random.multinomial(5, [1 / 40] * 40, 300).astype(np.float32) / 5)
    weights, penalty = random.random(300, np.float32), np.full(40, 0.1, np.float32)
    diagonal = counts.multiply(counts).T @ weights + penalty
    wanted, begin = random.standard_normal((2, 40, 12), np.float32)

    def solved(device):
        return System(counts, weights, penalty, diagonal, device).solve(wanted, begin, 40, 1e-6)

    with pretend_device():
        found = solved(DEVICE)
    np.testing.assert_allclose(found.table, solved("cpu").table, rtol=1e-3, atol=1e-4)
