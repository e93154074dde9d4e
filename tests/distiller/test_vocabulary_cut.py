"""The promise of a cut: text whose pieces are all kept yields the same pieces as before."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from distiller.vocabulary_families import (
    FAMILIES,
    STRINGS,
    TEXTS,
    plain,
    random_bpe,
    random_unigram,
    random_wordpiece,
)
from staticemb_distiller.vocabulary import tokenizer_json as editing
from staticemb_distiller.vocabulary.build import build
from staticemb_distiller.vocabulary.counting import count_tokens


def pieces(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).tokens


def check_promise(tokenizer, keep, strings):
    """Cut to `keep` and compare; returns how many of the strings the promise covers."""
    document = editing.parse(tokenizer)
    keep = editing.close(document, keep)
    kept = {token for index, token in editing.all_tokens(document).items() if index in keep}
    cut = editing.load(editing.cut(document, keep))
    assert set(cut.get_vocab()) == kept
    assert sorted(cut.get_vocab().values()) == list(range(len(kept)))
    wordpiece = document["model"]["type"] == "WordPiece"
    covered = 0
    before = tokenizer.encode_batch(strings, add_special_tokens=False)
    after = cut.encode_batch(strings, add_special_tokens=False)
    for encoding, now in zip(before, after, strict=True):
        unknown = wordpiece and "[UNK]" in encoding.tokens
        if not unknown and keep.issuperset(encoding.ids):
            assert [cut.id_to_token(i) for i in now.ids] == [
                tokenizer.id_to_token(i) for i in encoding.ids
            ]
            covered += 1
    return covered


@pytest.mark.parametrize("family", [random_bpe, random_unigram, random_wordpiece])
def test_promise_for_random_tokenizers_and_every_short_string(family):
    covered = 0

    @settings(max_examples=60)
    @given(family(), st.data())
    def check(tokenizer, data):
        nonlocal covered
        ids = list(tokenizer.get_vocab().values())
        keep = data.draw(st.sets(st.sampled_from(ids), min_size=len(ids) // 3))
        covered += check_promise(tokenizer, keep, STRINGS)

    check()
    assert covered > 100  # usually some thousands; the draw decides


@pytest.mark.parametrize("name", FAMILIES)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4), more=st.integers(0, 2**32))
def test_promise_for_trained_tokenizers(name, texts, more):
    tokenizer = plain(FAMILIES[name])
    ids = np.array(sorted(tokenizer.get_vocab().values()))
    keep = set(ids[np.random.default_rng(more).random(len(ids)) < 0.2].tolist())
    for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
        keep.update(encoding.ids)
    covered = check_promise(tokenizer, keep, texts)
    assert covered == len(texts) or name == "wordpiece"


@settings(max_examples=30)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_promise_for_the_real_tokenizer(minilm_tokenizer, texts):
    tokenizer = plain(minilm_tokenizer)
    keep = {i for e in tokenizer.encode_batch(texts, add_special_tokens=False) for i in e.ids}
    check_promise(tokenizer, keep, texts)


@pytest.fixture(scope="module")
def minilm_tokenizer(minilm):
    return Tokenizer.from_file(str(minilm / "tokenizer.json"))


def test_bpe_keeps_what_its_pieces_are_merged_from_and_no_more():
    tokenizer = Tokenizer(
        models.BPE(
            {"a": 0, "b": 1, "c": 2, "d": 3, "ab": 4, "cd": 5, "abc": 6},
            [("a", "b"), ("c", "d"), ("ab", "c")],
        )
    )
    document = editing.parse(tokenizer)
    keep = editing.close(document, {6})
    cut = editing.cut(document, keep)
    assert cut["model"]["vocab"] == {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4}
    assert cut["model"]["merges"] == [["a", "b"], ["ab", "c"]]
    assert pieces(editing.load(cut), "abc") == ["abc"]


def test_bpe_follows_the_merges_that_happen_where_several_make_a_piece():
    # abc is merged from ab and c here, never from a and bc, though that pair has the lower rank.
    merges = [("a", "b"), ("d", "a"), ("b", "c"), ("a", "bc"), ("ab", "c")]
    known = {
        piece: index for index, piece in enumerate(["a", "b", "c", "d", "ab", "da", "bc", "abc"])
    }
    tokenizer = Tokenizer(models.BPE(known, merges))
    document = editing.parse(tokenizer)
    keep = editing.close(document, {known[piece] for piece in ("d", "da", "bc", "abc")})
    assert known["ab"] in keep
    cut = editing.load(editing.cut(document, keep))
    assert pieces(cut, "dabc") == pieces(tokenizer, "dabc") == ["d", "abc"]


def test_unigram_unknown_stays_as_unlikely_as_it_was():
    # Were the lowest score of the kept pieces that of an unknown, "x|bc" would beat "xb|c".
    scores = [("<unk>", 0.0), ("xb", -17.0), ("c", -17.0), ("bc", -1.0), ("rare", -40.0)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=0))
    document = editing.parse(tokenizer)
    cut = editing.load(editing.cut(document, editing.close(document, {1, 2, 3})))
    assert pieces(tokenizer, "xbc") == pieces(cut, "xbc") == ["xb", "c"]


def test_unigram_unknown_id_moves_with_its_piece():
    tokenizer = FAMILIES["unigram"]
    vocabulary = build(tokenizer)
    cut = Tokenizer.from_buffer(vocabulary.tokenizer_json)
    unknown = vocabulary.tokens.index("<unk>")
    assert vocabulary.unknown_token_id == unknown != tokenizer.token_to_id("<unk>")
    assert cut.encode("☃").ids[-1] == unknown


def test_a_corpus_keeps_its_own_pieces():
    for name, tokenizer in FAMILIES.items():
        corpus = ["the tokenizer walked", "nation and rationality"]
        tokenizer = plain(tokenizer)
        counts = count_tokens(corpus, tokenizer, prefix_space=False)
        vocabulary = build(tokenizer, counts=counts, prefix_space=False)
        cut = Tokenizer.from_buffer(vocabulary.tokenizer_json)
        assert len(vocabulary) < tokenizer.get_vocab_size() / 1.5, name
        for text in corpus:
            assert pieces(cut, text) == pieces(tokenizer, text), name


def test_words_of_seen_characters_stay_spellable():
    tokenizer = FAMILIES["wordpiece"]
    vocabulary = build(tokenizer, counts=count_tokens(["walked nation"], tokenizer))
    cut = Tokenizer.from_buffer(vocabulary.tokenizer_json)
    assert "[UNK]" in pieces(cut, "q")
    assert "[UNK]" not in pieces(cut, "nawdl lkdo")


def test_quarter_of_a_million_pieces_are_cut_to_one_language():
    rng = np.random.default_rng(0)
    alphabets = [[chr(first + i) for i in range(60)] for first in (0x61, 0x430, 0x4E00, 0xAC00)]
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    vocabulary += [(char, -9.0) for alphabet in alphabets for char in alphabet]
    first = len(vocabulary)
    rows = rng.integers(0, 60, (250_000, 6)).tolist()
    spelled = ("".join(map(alphabets[at % 4].__getitem__, row)) for at, row in enumerate(rows))
    words = list(dict.fromkeys("▁" * (at % 2) + word for at, word in enumerate(spelled)))
    vocabulary += zip(words, (-10 - 5 * rng.random(len(words))).tolist(), strict=True)
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    words = [piece.lstrip("▁") for piece, _ in vocabulary[first::4]]
    corpus = [" ".join(words[at : at + 50]) for at in range(0, len(words), 50)]
    one = build(tokenizer, counts=count_tokens(corpus, tokenizer))
    assert 50_000 < len(one) < 70_000
    cut = Tokenizer.from_buffer(one.tokenizer_json)
    for text in corpus[::50]:
        assert pieces(cut, text) == pieces(tokenizer, text)


def test_one_half_of_the_languages_is_cut_out(multilingual, minilm_tokenizer):
    lines = multilingual
    first, second = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    bert = plain(minilm_tokenizer)
    for tokenizer in (bert, *(FAMILIES[name] for name in ("roberta", "gemma", "unigram", "clip"))):
        keep = set(np.flatnonzero(count_tokens(first, tokenizer, prefix_space=False)).tolist())
        covered = check_promise(plain(tokenizer), keep, first[::3] + second[::3])
        assert covered > len(lines) / 8


def test_what_a_static_model_never_does_is_gone():
    for tokenizer in FAMILIES.values():
        document = json.loads(build(tokenizer).tokenizer_json)
        assert document["post_processor"] is document["truncation"] is document["padding"] is None
