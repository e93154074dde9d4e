"""Token vectors: the teacher's own, in the vocabulary's order, and never computed twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from distiller import teachers
from staticemb_distiller.errors import CacheError, TeacherError
from staticemb_distiller.teacher import Teacher
from staticemb_distiller.teacher import token_vectors as tokens
from staticemb_distiller.teacher.token_vectors import (
    Checkpoint,
    input_vectors,
    output_vectors,
    special_ids,
)


class Counting:
    """A teacher whose vector of a sequence tells the sequence, and that counts its work."""

    def __init__(self, fail_at=None):
        self.calls = 0
        self.fail_at = fail_at

    def encode_ids(self, sequences, *, pooling):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        return np.array([[len(ids), sum(ids), ids[0]] for ids in sequences], np.float32)

    def input_embeddings(self):
        return np.arange(40, dtype=np.float32).reshape(20, 2)


sequences = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=6), min_size=1, max_size=30)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(tokens, "BLOCK_TOKENS", 4)


@given(sequences)
def test_vectors_come_in_the_order_of_the_tokens(token_ids):
    done = []
    found = output_vectors(Counting(), token_ids, before=[7], after=[8, 9], advance=done.append)
    expected = [[len(ids) + 3, sum(ids) + 24, 7] for ids in token_ids]
    np.testing.assert_array_equal(found, expected)
    assert sum(done) == len(token_ids)


@given(sequences)
def test_input_vectors_are_the_means_of_the_pieces(token_ids):
    found = input_vectors(Counting(), token_ids)
    embeddings = Counting().input_embeddings()
    expected = [embeddings[ids].mean(axis=0) for ids in token_ids]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("fail_at", [1, 2, 4])
def test_a_run_that_was_broken_off_goes_on_where_it_stopped(tmp_path, fail_at):
    token_ids = [[i % 20] * (1 + i % 3) for i in range(15)]  # 4 blocks
    whole = output_vectors(Counting(), token_ids)
    with pytest.raises(KeyboardInterrupt):
        output_vectors(Counting(fail_at), token_ids, checkpoint=Checkpoint(tmp_path / "c", ["run"]))
    again = Counting()
    found = output_vectors(again, token_ids, checkpoint=Checkpoint(tmp_path / "c", ["run"]))
    np.testing.assert_array_equal(found, whole)
    assert again.calls == 4 - (fail_at - 1)


def test_a_damaged_block_is_made_again(tmp_path):
    token_ids = [[i] for i in range(12)]
    checkpoint = Checkpoint(tmp_path / "c", ["run"])
    whole = output_vectors(Counting(), token_ids, checkpoint=checkpoint)
    blocks = sorted((tmp_path / "c").glob("*.npy"))
    blocks[0].write_bytes(blocks[0].read_bytes()[:-5])
    np.save(blocks[1], np.zeros((3, 3), np.float32))
    again = Counting()
    np.testing.assert_array_equal(output_vectors(again, token_ids, checkpoint=checkpoint), whole)
    assert again.calls == 2


def test_a_pickle_in_a_checkpoint_is_never_opened(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", ["run"])
    np.save(tmp_path / "c" / "block-00000.npy", np.array([{"a": 1}]), allow_pickle=True)
    assert checkpoint.load(0, 1) is None


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    Checkpoint(tmp_path / "c", ["one"])
    with pytest.raises(CacheError, match="another teacher or recipe"):
        Checkpoint(tmp_path / "c", ["two"])


def test_a_folder_with_other_files_is_no_checkpoint(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(CacheError, match="empty folder"):
        Checkpoint(tmp_path, ["run"])
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_file_is_no_checkpoint(tmp_path):
    (tmp_path / "c").write_text("")
    with pytest.raises(CacheError, match="cannot be used"):
        Checkpoint(tmp_path / "c", ["run"])


def test_clearing_removes_what_the_checkpoint_made_and_nothing_else(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", ["run"])
    checkpoint.save(0, np.ones((1, 2), np.float32))
    (tmp_path / "c" / "notes.txt").write_text("mine")
    checkpoint.clear()
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (np.full((3, 2), np.nan, np.float32), "token 0 is not finite"),
        (np.ones((2, 2), np.float32), "expected 3"),
        (np.ones(3, np.float32), "expected 3"),
    ],
)
def test_vectors_that_are_none_are_refused(vectors, says):
    class Broken(Counting):
        def encode_ids(self, sequences, *, pooling):
            return vectors

    with pytest.raises(TeacherError, match=says):
        output_vectors(Broken(), [[1], [2], [3]])


@pytest.mark.parametrize("kind", teachers.KINDS)
def test_special_ids_are_what_the_tokenizer_puts_around_a_text(kind, tmp_path):
    tokenizer = Teacher.load(str(teachers.build(kind, tmp_path)), device="cpu").tokenizer
    before, after = special_ids(tokenizer)
    bare = tokenizer.encode("the cat", add_special_tokens=False).ids
    assert [*before, *bare, *after] == tokenizer.encode("the cat").ids


def test_a_tokenizer_that_adds_nothing_has_no_special_ids(minilm):
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    assert special_ids(tokenizer) == ([101], [102])
    tokenizer.post_processor = None
    assert special_ids(tokenizer) == ([], [])
