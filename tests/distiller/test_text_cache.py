"""The teacher's vectors on disk, and the choice of texts to spend its time on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from staticemb_distiller.corpus.coverage import order_by_coverage
from staticemb_distiller.corpus.generated import Lexicon, generate
from staticemb_distiller.errors import CacheError
from staticemb_distiller.teacher import cache as module
from staticemb_distiller.teacher.cache import TeacherCache

ABOUT = {"teacher": "toy", "revision": "1"}


class Teacher:
    """Vectors that depend on the text alone, a memory of what was asked, and a limit of calls."""

    def __init__(self, calls=10**9):
        self.asked, self.calls = [], calls

    def __call__(self, texts):
        if not self.calls:
            raise KeyboardInterrupt
        self.calls -= 1
        self.asked += texts
        return np.array([[len(text) + 1, sum(map(ord, text)), 1] for text in texts], np.float32)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(module, "_SHARD", 4)


TEXTS = [f"text {number}" for number in range(10)] + ["text 3", "text 0"]


def expected(texts):
    vectors = Teacher()(texts)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_vectors_are_the_teachers_made_unit(tmp_path):
    teacher = Teacher()
    found = TeacherCache(tmp_path, ABOUT, 3).encode(TEXTS, teacher)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected(TEXTS), atol=1e-3)
    assert sorted(teacher.asked) == sorted(set(TEXTS))


def test_a_second_fit_asks_for_new_texts_alone(tmp_path):
    first = TeacherCache(tmp_path, ABOUT, 3).encode(TEXTS, Teacher())
    teacher = Teacher()
    again = TeacherCache(tmp_path, ABOUT, 3).encode(["new", *reversed(TEXTS)], teacher)
    assert teacher.asked == ["new"]
    np.testing.assert_array_equal(again[1:], first[::-1])


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        TeacherCache(tmp_path, ABOUT, 3).encode(TEXTS, Teacher(calls=2))
    teacher = Teacher()
    found = TeacherCache(tmp_path, ABOUT, 3).encode(TEXTS, teacher)
    assert len(teacher.asked) == 2
    np.testing.assert_allclose(found, expected(TEXTS), atol=1e-3)


def test_processes_that_share_a_folder_do_not_overwrite_each_other(tmp_path):
    one, other = TeacherCache(tmp_path, ABOUT, 3), TeacherCache(tmp_path, ABOUT, 3)
    one.encode(TEXTS[:6], Teacher())
    other.encode(TEXTS[4:], Teacher())
    teacher = Teacher(calls=0)
    found = TeacherCache(tmp_path, ABOUT, 3).encode(TEXTS, teacher)
    np.testing.assert_allclose(found, expected(TEXTS), atol=1e-3)


def test_shards_named_by_their_number_alone_are_read(tmp_path):
    first = TeacherCache(tmp_path, ABOUT, 3)
    first.encode(TEXTS, Teacher())
    for shard in first.folder.glob("*.npz"):
        shard.rename(shard.with_name(f"{shard.stem.partition('-')[0]}.npz"))
    again = TeacherCache(tmp_path, ABOUT, 3)
    assert len(again) == 10
    assert again.encode([*TEXTS, "new"], Teacher(calls=1)).shape == (13, 3)


def test_another_revision_shares_nothing(tmp_path):
    TeacherCache(tmp_path, ABOUT, 3).encode(TEXTS, Teacher())
    assert len(TeacherCache(tmp_path, {**ABOUT, "revision": "2"}, 3)) == 0
    assert len(TeacherCache(tmp_path, ABOUT, 3)) == 10


def test_time_that_is_up_leaves_the_first_texts(tmp_path):
    cache = TeacherCache(tmp_path, ABOUT, 3)
    cache.encode(TEXTS[:5], Teacher())
    teacher = Teacher()
    found = cache.encode(TEXTS, teacher, seconds=0)
    assert teacher.asked == []
    assert found.shape == (5, 3)
    assert cache.encode(TEXTS, teacher, seconds=1e9).shape == (12, 3)


@pytest.mark.parametrize("rate", [0.5, 20, 1000])
def test_a_time_limit_is_met_whatever_the_teachers_speed(tmp_path, monkeypatch, rate):
    now = 0.0

    def slow(texts):
        nonlocal now
        now += len(texts) / rate
        return np.ones((len(texts), 3), np.float32)

    monkeypatch.setattr(module, "_SHARD", 8_192)
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    texts = [str(number) for number in range(30_000)]
    found = TeacherCache(tmp_path, ABOUT, 3).encode(texts, slow, seconds=20)
    assert abs(len(found) - max(32, 20 * rate)) <= 32
    assert len(list(tmp_path.glob("*/*.npz"))) < 12


def test_a_zero_vector_stays_zero(tmp_path):
    zeros = TeacherCache(tmp_path, ABOUT, 3).encode(
        ["a"], lambda texts: np.zeros((1, 3), np.float32)
    )
    assert not zeros.any()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"junk"])
def test_a_damaged_shard_is_named(tmp_path, damage):
    cache = TeacherCache(tmp_path, ABOUT, 3)
    cache.encode(TEXTS, Teacher())
    shard = sorted(cache.folder.glob("*.npz"))[1]
    shard.write_bytes(damage)
    with pytest.raises(CacheError, match=shard.name):
        TeacherCache(tmp_path, ABOUT, 3)


def test_vectors_of_another_length_are_refused(tmp_path):
    with pytest.raises(CacheError, match=r"expected \(1, 3\), found \(1, 2\)"):
        TeacherCache(tmp_path, ABOUT, 3).encode(["a"], lambda texts: np.ones((1, 2), np.float32))


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=12), st.integers(0, 15))
def test_an_order_is_a_choice_without_repeats(texts, budget):
    ids = np.array([token for text in texts for token in text], np.int32)
    lengths = np.array([len(text) for text in texts], np.int64)
    order = order_by_coverage(ids, lengths, 10, budget)
    assert len(set(order.tolist())) == len(order) == min(budget, len(texts))
    filled = lengths[order] > 0
    assert not np.any(filled[1:] & ~filled[:-1])  # texts without a token come last


def test_chosen_texts_cover_more_tokens_than_random_ones():
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, 2001)
    texts = random.choice(2000, size=(3000, 8), p=shares / shares.sum())
    order = order_by_coverage(texts.ravel().astype(np.int32), np.full(3000, 8), 2000, 300)
    assert len(np.unique(texts[order])) > 1.3 * len(np.unique(texts[:300]))
    assert len(np.unique(texts[order[:100]])) > 1.4 * len(np.unique(texts[:100]))


def test_words_follow_zipfs_law():
    words = Lexicon(tuple(f"w{rank}" for rank in range(1000)), ("ing", "s"))
    texts = [text.split() for text in generate(words, 20_000)]
    plain = [[word.strip("ings,.?") for word in text] for text in texts]
    drawn = np.bincount([int(word[1:]) for text in plain for word in text], minlength=1000)
    shares = 1 / (np.arange(1, 1001) + 2.7)
    heads = slice(0, 100)
    np.testing.assert_allclose(drawn[heads] / drawn.sum(), (shares / shares.sum())[heads], rtol=0.2)
    assert {len(text) for text in texts} == set(range(2, 14))
    glued = [word.strip(",.?") for text in texts for word in text if "s" in word or "ing" in word]
    assert 0.01 < len(glued) / drawn.sum() < 0.08
    assert all(int(word[1:].strip("ings")) >= 200 for word in glued)  # no function words
    ends = [text[-1][-1] for text in texts]
    assert ends.count(".") > ends.count("?") > 0 == ends.count(",")
    assert generate(words, 5) == generate(words, 5) != generate(words, 5, seed=1)


def pieces(kind):
    """Tokenizers of three families that have "the" as a word and "ing" only inside one."""
    if kind == "wordpiece":
        vocabulary = {"[UNK]": 0, "the": 1, "##ing": 2, "9": 3, "été": 4}
        made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
    elif kind == "unigram":
        scores = [("<unk>", 0.0), ("▁the", -1.0), ("ing", -2.0), ("▁", -3.0), ("▁été", -4.0)]
        made = Tokenizer(models.Unigram(scores, 0))
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
    else:
        tokens = ["Ġ", "t", "h", "e", "th", "the", "Ġthe", "i", "n", "g", "in", "Ã", "©"]
        tokens += ["Ã©", "Ã©t", "Ã©tÃ©", "ĠÃ©tÃ©"]
        merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("Ã", "©"), ("Ã©", "t")]
        merges += [("Ã©t", "Ã©"), ("Ġ", "Ã©tÃ©")]
        made = Tokenizer(models.BPE({token: n for n, token in enumerate(tokens)}, merges))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
    return made


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "bytes"])
def test_words_are_found_in_every_family(kind):
    found = Lexicon.of(pieces(kind))
    assert {"the", "été"} <= set(found.words)
    assert not {"ing", "", "▁the", "Ġthe", "##ing", "[UNK]"} & set(found.words)
    assert ("ing" if kind != "bytes" else "in") in found.pieces
    assert not set(found.words) & set(found.pieces)
    assert len(found.words) == len(set(found.words))


def test_the_most_frequent_words_come_first(minilm):
    words = Lexicon.of(Tokenizer.from_file(str(minilm / "tokenizer.json"))).words
    assert len(words) > 20_000
    assert set(words[:100]) > {"the", "of", "and", "to"}
