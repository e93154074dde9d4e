"""The arithmetic of training: against plain loops, dense autograd and the runtime's pooling."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distiller.training_data import batch, dataset, examples, objective, tokenized
from staticemb_distiller.training.bag import Bag, RowAdam
from staticemb_distiller.training.dataset import Texts
from staticemb_distiller.training.losses import (
    Contrast,
    SupervisedContrast,
    false_negatives,
    matryoshka,
)
from staticemb_distiller.training.mining import hardest
from staticemb_distiller.training.ranking import ranks
from staticemb_distiller.training.schedule import learning_rate, next_validation
from staticemb_distiller.training.validation import validate
from staticemb_runtime.encoding import EmbeddingTable, pool


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def contrast_by_loops(queries, answers, negatives, texts, temperature):
    """InfoNCE both ways over unit vectors, with the rule of false negatives in plain words.

    Args:
        queries: (n, d).
        answers: (n, d).
        negatives: (n, m, d).
        texts: (n, 2 + m) numbers of the texts.
        temperature: As it says.
    """

    def one(query, own, others):
        logits = np.array([own, *others]) / temperature
        return np.log(np.exp(logits).sum()) - logits[0]

    n, m = negatives.shape[:2]
    there = back = 0.0
    for i in range(n):
        (query, answer), others, askers = texts[i, :2], [], []
        for j in range(n):
            if j != i and texts[j, 1] not in (query, answer) and texts[j, 0] != query:
                others.append(queries[i] @ answers[j])
            if j != i and texts[j, 0] not in (query, answer) and texts[j, 1] != answer:
                askers.append(answers[i] @ queries[j])
            others += [
                queries[i] @ negatives[j, k]
                for k in range(m)
                if texts[j, 2 + k] not in (query, answer)
            ]
        there += one(query, queries[i] @ answers[i], others)
        back += one(answer, queries[i] @ answers[i], askers)
    return (there + back) / (2 * n)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2), st.sampled_from([0.05, 0.5]))
def test_the_contrast_is_that_of_plain_loops_with_false_negatives_left_out(
    seed, negatives, temperature
):
    random = np.random.default_rng(seed)
    data = dataset(tokenized(random, 7, 12), examples("pairs", np.zeros((0, 2))))
    columns = random.integers(7, size=(6, 2 + negatives))
    rows = random.standard_normal((12, 8)).astype(np.float32)
    loss = objective(Bag(rows), data, prefixes=(3, 8), temperature=temperature)
    wanted = 0.0
    for width in (3, 8):
        vectors = unit(Bag(rows).vectors(*data.texts.take(np.arange(7))).numpy()[:, :width])
        picked = vectors[columns].astype(np.float64)
        wanted += contrast_by_loops(picked[:, 0], picked[:, 1], picked[:, 2:], columns, temperature)
    assert loss.value(batch(columns)) == pytest.approx(wanted / 2, rel=1e-4, abs=1e-4)


def test_a_query_is_contrasted_with_its_own_explicit_negative():
    queries, answers = torch.tensor([0, 1]), torch.tensor([2, 3])
    candidates, owners = torch.tensor([2, 3, 4, 2]), torch.tensor([0, 1, -1, -1])
    banned = false_negatives(queries, answers, candidates, owners, torch.arange(2))
    assert banned.tolist() == [[False, False, False, True], [False, False, False, False]]


def test_matryoshka_is_the_weighted_mean_over_unit_prefixes():
    vectors = torch.tensor([[3.0, 4.0, 0.0], [0.0, 5.0, 12.0]])

    def first_cosine(one):
        return one[0] @ one[1]

    found = matryoshka(first_cosine, [vectors], (2, 3), (3.0, 1.0))
    assert float(found) == pytest.approx((3 * 0.8 + 20 / 65) / 4)


def test_supervised_contrast_is_that_of_plain_loops_and_finite_without_mates():
    random = np.random.default_rng(0)
    vectors, labels = unit(random.standard_normal((6, 4))), np.array([0, 1, 0, 1, 2, 0])
    same = labels[:, None] == labels
    itself = np.eye(6, dtype=bool)
    total, count = 0.0, 0
    for i in range(6):
        mates = [j for j in range(6) if j != i and same[i, j]]
        logits = vectors[i] @ vectors.T / 0.2
        log = logits - np.log(np.exp(np.delete(logits, i)).sum())
        total -= np.mean(log[mates]) if mates else 0.0
        count += bool(mates)
    loss = SupervisedContrast(torch.tensor(same & ~itself), torch.tensor(itself), count, 0.2)
    found = loss(torch.tensor(vectors), torch.tensor(vectors))
    assert float(found) == pytest.approx(total / count, rel=1e-6)
    alone = torch.ones(1, 4, requires_grad=True)
    nothing = SupervisedContrast(torch.zeros(1, 1, dtype=bool), torch.ones(1, 1, dtype=bool), 0, 1)
    nothing(alone, alone).backward()
    assert torch.isfinite(alone.grad).all()


@pytest.mark.parametrize("damping", [None, (0.0, 2), (1.5, 2), (1.0, 4)])
def test_the_bag_pools_as_the_runtime_does(damping):
    random = np.random.default_rng(1)
    rows = random.standard_normal((9, 4)).astype(np.float32)
    rows[3] = 0
    ids = random.integers(9, size=20).astype(np.int32)
    offsets = np.array([0, 7, 7, 8, 20])
    beta, dims = damping or (0.0, 1)
    wanted = pool(
        EmbeddingTable(rows), ids, np.diff(offsets), pooling="damped_mean", beta=beta, dims=dims
    )
    found = Bag(rows, damping=damping).vectors(ids, offsets).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["pairs", "triplets", "scored", "labeled"])
def test_a_step_on_the_rows_of_a_batch_is_that_of_dense_autograd(kind):
    random = np.random.default_rng(2)
    data = dataset(tokenized(random, 10, 40), examples(kind, np.zeros((0, 2))))
    rows = random.standard_normal((40, 6)).astype(np.float32)
    columns = random.permutation(10)[:9].reshape(3, 3)[
        :, : {"triplets": 3, "labeled": 1}.get(kind, 2)
    ]
    given_batch = batch(
        columns,
        scores=np.array([0.1, 0.5, 0.9], np.float32) if kind == "scored" else None,
        labels=np.array([0, 1, 0], np.int32) if kind == "labeled" else None,
    )
    guide = unit(random.standard_normal((10, 5))).astype(np.float16)
    loss = objective(Bag(rows), data, prefixes=(2, 6), guide=guide)
    value, which, gradient = loss.gradient(given_batch)

    class Dense(Bag):
        def gather(self, ids):
            self.table.requires_grad_()
            return torch.arange(40), self.table, torch.from_numpy(ids)

        def pool(self, rows, places, offsets):
            parts = [places[a:b] for a, b in pairwise(offsets)]
            return torch.stack([rows[part.long()].mean(0) for part in parts])

    dense = objective(Dense(rows), data, prefixes=(2, 6), guide=guide)
    whole = dense._forward(given_batch)[0]
    whole.backward()
    wanted = dense.bag.table.grad
    assert value == pytest.approx(float(whole.detach()), rel=1e-5)
    np.testing.assert_allclose(gradient, wanted[which], atol=1e-5)
    untouched = np.setdiff1d(np.arange(40), which)
    assert len(untouched)
    assert not wanted[untouched].any()


def test_rows_move_as_under_torchs_adam_relative_to_their_length_and_others_stay():
    random = np.random.default_rng(3)
    sizes = torch.tensor([[1.0], [0.01], [1.0], [5.0], [1.0]])
    rows = sizes * torch.from_numpy(random.choice([-1.0, 1.0], (5, 3)).astype(np.float32))
    ours, theirs = rows.clone(), torch.nn.Parameter(torch.zeros(5, 3))
    optimizer, reference = RowAdam(ours), torch.optim.Adam([theirs], lr=0.01, eps=1e-12)
    which = torch.tensor([1, 3])
    for _ in range(4):
        gradient = torch.from_numpy(random.standard_normal((2, 3)).astype(np.float32))
        optimizer.step(which, gradient, 0.01)
        theirs.grad = torch.zeros(5, 3)
        theirs.grad[which] = gradient
        reference.step()
    moved = ((ours - rows) / sizes)[which]
    np.testing.assert_allclose(moved, theirs.detach()[which], atol=1e-5)
    assert torch.equal(ours[[0, 2, 4]], rows[[0, 2, 4]])


def test_a_full_pull_leads_back_to_the_start_and_a_small_one_holds():
    rows = torch.ones(3, 2)
    gradient = torch.full((1, 2), 5.0)
    moved = {}
    for pull in (0.0, 0.2, 1.0):
        table = rows.clone()
        optimizer = RowAdam(table, pull=pull)
        for _ in range(20):
            optimizer.step(torch.tensor([1]), gradient, 0.1)
        moved[pull] = float((table - rows).norm())
    assert moved[1.0] < 1e-6 < moved[0.2] < moved[0.0]


def test_the_gradient_does_not_run_through_banned_candidates():
    queries = torch.randn(1, 4, requires_grad=True)
    candidates = torch.randn(2, 4, requires_grad=True)
    loss = Contrast(torch.tensor([0]), torch.tensor([[False, True]]), 1, 0.1)
    loss(queries, candidates).backward()
    assert not candidates.grad[1].any()


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([0.6, 0.95]))
def test_mined_negatives_are_the_closest_texts_that_may_be_negatives(seed, count, margin):
    random = np.random.default_rng(seed)
    texts = tokenized(random, 12, 30)
    columns = np.unique(random.integers(12, size=(9, 2)).astype(np.int32), axis=0)
    bag = Bag(random.standard_normal((30, 6)).astype(np.float32))
    vectors = unit(bag.vectors(*texts.take(np.arange(12))).numpy())
    found = hardest(bag, texts, examples("pairs", columns), count=count, margin=margin)
    for (anchor, positive), negatives in zip(columns, found, strict=True):
        answers = {anchor, *columns[columns[:, 0] == anchor, 1]}
        most = margin * (vectors[anchor] @ vectors[positive])
        cosines = {
            other: vectors[anchor] @ vectors[other]
            for other in set(columns[:, 1]) - answers
            if abs(vectors[anchor] @ vectors[other] - most) > 1e-5
        }
        allowed = sorted((-cosine, other) for other, cosine in cosines.items() if cosine <= most)
        if len(cosines) == len(set(columns[:, 1]) - answers):  # none at the very margin
            chosen = set(negatives)
            if not allowed:
                assert chosen == {positive}
                continue
            # Which of two equally close texts is taken is left open.
            assert len(chosen) == len(allowed[:count])
            closest = [-cosine for cosine, _ in allowed[:count]]
            np.testing.assert_allclose(sorted(cosines[n] for n in chosen)[::-1], closest, atol=1e-5)


def test_ranks_count_from_one_and_a_tie_is_no_find():
    queries = torch.eye(3)[:2]
    candidates = torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0, 1.0], [1.0, 0, 0]])
    own = np.array([0, 2])
    assert ranks(queries, candidates, own, [[], []]).tolist() == [2, 4]
    assert ranks(queries, candidates, own, [[0, 3], [2, 1]]).tolist() == [1, 3]


def measured(kind, rows, columns, labels=None):
    """What a validation finds where text t is token t alone."""
    bag = Bag(np.asarray(rows, np.float32))
    texts = Texts(np.arange(len(rows), dtype=np.int32), np.arange(len(rows) + 1))
    labels = None if labels is None else np.asarray(labels, np.int32)
    held_out = dataset(texts, examples(kind, columns, labels=labels))
    others = dataset(texts, examples(kind, np.empty((0, len(columns[0])))))
    return validate(objective(bag, held_out, prefixes=(2,)), held_out, others, 9)


@pytest.mark.parametrize("columns", [[[0, 1], [0, 2], [3, 4]], [[0, 1], [2, 0], [3, 4]]])
def test_a_validation_holds_no_right_answer_against_another(columns):
    rows = [[1, 0], [1, -0.1], [1, 0.2], [0, 1], [0.1, 1]]
    assert measured("pairs", rows, columns).value == 1.0


def test_the_nearest_text_of_a_label_is_another_text():
    rows = [[1, 0], [0, 1], [0.9, 0.1]]
    columns, labels = [[0], [0], [1], [1]], [0, 0, 1, 1]
    assert measured("labeled", rows, columns, labels).value == 0.0
    assert measured("labeled", rows, [[0], [2], [1]], [0, 0, 1]).value == pytest.approx(2 / 3)
    assert measured("labeled", rows, [[0]], [0]).value == 0.0


@pytest.mark.parametrize("kind", ["pairs", "triplets", "scored", "labeled"])
def test_a_share_without_examples_has_no_loss(kind):
    random = np.random.default_rng(5)
    texts = tokenized(random, 6, 9)
    width = {"triplets": 3, "labeled": 1}.get(kind, 2)
    none = np.empty((0, width))
    scores, labels = np.empty(0, np.float32), np.empty(0, np.int32)
    bag = Bag(random.standard_normal((9, 4)).astype(np.float32), damping=(1.0, 2))
    guide = random.standard_normal((6, 3)).astype(np.float16)
    aim = objective(bag, dataset(texts, examples(kind, none)), prefixes=(2, 4), guide=guide)
    loss, which, gradient = aim.gradient(batch(none, scores, labels))
    assert (loss, len(which), len(gradient)) == (0.0, 0, 0)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_learning_rate_rises_falls_and_stays_positive(total, warmup):
    rates = [learning_rate(step, total, peak=0.3, warmup=warmup) for step in range(total)]
    assert 0 < min(rates) <= max(rates) <= 0.3
    top = int(np.argmax(rates))
    assert top <= warmup * total + 1
    tolerance = 1e-12
    assert all(a <= b + tolerance for a, b in pairwise(rates[: top + 1]))
    assert all(a + tolerance >= b for a, b in pairwise(rates[top:]))


@given(st.integers(1, 300), st.integers(1, 12))
def test_an_epoch_ends_in_a_validation_and_has_no_more_than_wanted(per_epoch, validations):
    done, made = 0, []
    while done < per_epoch:
        done = next_validation(done, per_epoch, validations)
        made.append(done)
    assert made[-1] == per_epoch
    assert len(made) == min(validations, per_epoch)
    gaps = np.diff([0, *made])
    assert gaps.max() - gaps.min() <= 1
