"""From texts to a fitted table, with a teacher that can be checked by hand."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from staticemb_distiller.fitting.fit_texts import fit_table, order_by_budget
from staticemb_distiller.fitting.options import FitOptions
from staticemb_distiller.recipe.budget import Budget
from staticemb_distiller.vocabulary.token_ids import TokenIds

WORDS = [f"w{number}" for number in range(60)]


class Teacher:
    """The vector of a text is the mean of hidden rows, one for each word."""

    name, revision, dim = "toy", "1", 16

    def __init__(self):
        self.rows = np.random.default_rng(1).normal(size=(len(WORDS), self.dim))
        self.asked = 0

    def about(self):
        return {}

    def encode(self, texts, *, advance=None):
        self.asked += len(texts)
        known = [[int(word[1:]) for word in text.split() if word != "?"] for text in texts]
        return np.array([self.rows[row].mean(0) for row in known], np.float32)


@pytest.fixture
def tokenizer():
    made = Tokenizer(models.WordLevel({"[UNK]": 60} | {w: i for i, w in enumerate(WORDS)}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.enable_truncation(3)
    return made.to_str().encode()


@pytest.fixture
def texts():
    random = np.random.default_rng(2)
    return [" ".join(random.choice(WORDS, size=random.integers(2, 9))) for _ in range(1500)]


def run(texts, tokenizer, teacher, cache, **knobs):
    random = np.random.default_rng(3)
    noisy = np.concatenate(
        [teacher.rows + random.normal(size=teacher.rows.shape), np.ones((1, 16))]
    )
    return fit_table(
        texts, [1.0] * len(texts), teacher, tokenizer, 60, noisy.astype(np.float32), np.ones(61),
        cache=cache, **{"options": FitOptions(), **knobs},
    )  # fmt: skip


def test_tokens_are_those_of_the_whole_text_less_the_unknown(tokenizer):
    ids, lengths = TokenIds(tokenizer, 60)(["w1 x w2 w3 w4 w5", "", "x"])
    assert ids.tolist() == [1, 2, 3, 4, 5]
    assert lengths.tolist() == [5, 0, 0]


def test_a_teacher_that_is_a_table_is_found(texts, tokenizer, tmp_path):
    teacher = Teacher()
    found = run(
        texts, tokenizer, teacher, tmp_path, options=FitOptions(regularization=1e-3, rounds=8)
    )
    fresh = [f"w{n} w{n + 7} w{n + 20}" for n in range(30)]
    ids, _ = TokenIds(tokenizer, 60)(fresh)
    ours, theirs = found.rows[ids].reshape(30, 3, -1).mean(1), teacher.encode(fresh)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    assert np.min(np.sum(ours * theirs, axis=1) / norms) > 0.97
    squares = np.sum(found.vectors**2, axis=1)
    np.testing.assert_allclose(squares[:1500], 1, atol=1e-5)
    np.testing.assert_allclose(squares[1500:].sum(), 750, rtol=1e-4)  # tokens weigh half as much
    np.testing.assert_array_equal(
        found.counts[:60], [" ".join(texts).split().count(word) for word in WORDS]
    )


def test_a_second_fit_needs_no_teacher_and_is_the_same(texts, tokenizer, tmp_path):
    teacher = Teacher()
    first = run(texts, tokenizer, teacher, tmp_path)
    asked = teacher.asked
    again = run(texts, tokenizer, teacher, tmp_path)
    assert teacher.asked == asked
    np.testing.assert_array_equal(first.rows, again.rows)


def test_a_budget_goes_to_texts_with_new_words(tokenizer, tmp_path):
    teacher = Teacher()
    texts = ["w0 w1", "w1 w0", "w0 w1 w0"] * 50 + [f"w{n} w{n + 1}" for n in range(0, 60, 2)]
    found = run(texts, tokenizer, teacher, tmp_path, budget=Budget(texts=40))
    assert teacher.asked <= found.texts == 40
    assert np.all(found.counts[:60] > 0)


def test_a_budget_goes_to_weighty_texts_first(tokenizer, tmp_path):
    texts = [f"w{n} w{n + 1}" for n in range(0, 60, 2)] * 2
    ids, lengths = TokenIds(tokenizer, 60)(texts)
    weights = [1.0] * 30 + [3.0] * 30
    order = order_by_budget(ids, lengths, 61, weights, Budget(texts=20))
    assert np.all(order >= 30)


def test_a_unknown_token_has_no_row(texts, tokenizer, tmp_path):
    assert not run([*texts, "? w1"], tokenizer, Teacher(), tmp_path).rows[60].any()


def test_what_sets_ones_own_texts_apart_does_not_pass_for_their_words_meaning(tokenizer, tmp_path):
    random = np.random.default_rng(4)

    class Partial(Teacher):
        """Adds a direction of its own to texts that have a question mark."""

        def encode(self, texts, *, advance=None):
            marked = np.array([[text.endswith("?")] for text in texts])
            return np.asarray(super().encode(texts) + marked * self.rows.std(0), np.float32)

    # Half of the words stand in texts of one kind far more often than in the other's.
    def drawn(words, count):
        return [" ".join(random.choice(words, size=random.integers(3, 9))) for _ in range(count)]

    own = [f"{text} ?" for text in drawn(WORDS[:30] * 5 + WORDS, 700)]
    texts = [*own, *drawn(WORDS[30:] * 5 + WORDS, 700)]
    teacher = Partial()

    def likeness(own):
        rows = run(
            texts, tokenizer, teacher, tmp_path, own=own, options=FitOptions(regularization=0.01)
        ).rows[:60]
        right = teacher.rows - teacher.rows.mean(0)
        rows = rows - rows.mean(0)
        return np.sum(rows * right) / np.linalg.norm(rows) / np.linalg.norm(right)

    assert likeness(len(own)) > likeness(0)
