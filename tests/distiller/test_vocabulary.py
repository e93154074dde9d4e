"""The three modes: which tokens, how the teacher spells them, and what a text becomes."""

import json
import logging
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from distiller.vocabulary_families import CORPUS, FAMILIES, TEXTS, plain
from staticemb_distiller import errors
from staticemb_distiller.vocabulary.build import build, read_words

EVERY = pytest.mark.parametrize("name", FAMILIES)
SPELLING = [name for name in FAMILIES if name != "word_level"]
NEW = ["walkers", "newspapersit", "tokenwalk", "nationing"]
"""Words that every family that spells words has several pieces for."""


def read(vocabulary):
    return Tokenizer.from_buffer(vocabulary.tokenizer_json)


def pieces(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).tokens


def known(vocabulary, text):
    """The tokens of a text as a static model counts them: by id, without unknown ones."""
    ids = read(vocabulary).encode(text).ids
    return [vocabulary.tokens[i] for i in ids if i != vocabulary.unknown_token_id]


def check(vocabulary):
    """What the distiller relies on in every mode."""
    tokenizer = read(vocabulary)
    assert len(vocabulary.tokens) == len(vocabulary.token_ids) == len(vocabulary)
    assert tokenizer.get_vocab() == {token: i for i, token in enumerate(vocabulary.tokens)}
    assert all(vocabulary.token_ids)
    return vocabulary


# output


@EVERY
def test_output_feeds_each_token_as_itself(name):
    teacher = FAMILIES[name]
    vocabulary = check(build(teacher))
    assert vocabulary.token_ids == [[teacher.token_to_id(token)] for token in vocabulary.tokens]
    assert vocabulary.token_ids == sorted(vocabulary.token_ids)
    assert not {"[CLS]", "[SEP]", "[MASK]", "<s>", "</s>", "<mask>"} & set(vocabulary.tokens)
    assert not any(token.startswith("[unused") for token in vocabulary.tokens)


@EVERY
def test_the_same_arguments_give_the_same_bytes(name):
    one, two = (build(FAMILIES[name], mode="subword", words=[*NEW, "new york"]) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("name", ["wordpiece", "clip", "real"])
def test_output_equals_model2vec(name, request):
    skeletoken = pytest.importorskip("skeletoken")
    model2vec = pytest.importorskip("model2vec.tokenizer")
    teacher = FAMILIES[name] if name != "real" else request.getfixturevalue("minilm_tokenizer")
    logging.disable(logging.WARNING)
    original = skeletoken.TokenizerModel.from_tokenizer(teacher).prune_added_tokens()
    theirs = model2vec.clean_and_create_vocabulary(
        original.deep_copy(), [], re.compile(r"\[unused\d+\]")
    )
    logging.disable(logging.NOTSET)
    ours = build(teacher)
    assert ours.tokens == theirs.sorted_vocabulary
    their_tokenizer = theirs.to_tokenizer()
    their_tokenizer.no_padding()
    their_tokenizer.no_truncation()
    for text in CORPUS[:8]:
        assert read(ours).encode(text).ids == their_tokenizer.encode(text).ids


@pytest.fixture(scope="module")
def minilm_tokenizer(minilm):
    return Tokenizer.from_file(str(minilm / "tokenizer.json"))


def test_the_first_word_is_like_the_others():
    teacher = FAMILIES["roberta"]
    assert pieces(teacher, "walked") != pieces(teacher, " walked")
    assert pieces(read(build(teacher)), "walked") == pieces(teacher, " walked")
    assert pieces(read(build(teacher, prefix_space=False)), "walked") == pieces(teacher, "walked")


@given(text=TEXTS)
def test_a_byte_level_step_behind_a_split_stays_as_it_is(text):
    teacher = FAMILIES["qwen"]
    if "   " not in text:  # an added token of blanks is dropped
        assert pieces(read(build(teacher)), text) == pieces(teacher, text)


def test_added_tokens_of_the_user_stay_and_blank_ones_go():
    tokens = build(FAMILIES["qwen"]).tokens
    assert "<think>" in tokens
    assert "   " not in tokens
    assert "▁kept by its user" in build(FAMILIES["unigram"]).tokens


def test_pattern_drops_what_begins_with_a_match_but_never_the_unknown_token():
    tokens = build(FAMILIES["wordpiece"], drop_pattern=r"##|\[").tokens
    assert "[UNK]" in tokens
    assert "[PAD]" not in tokens
    assert "[unused0]" not in tokens
    assert not any(token.startswith("##") for token in tokens)
    assert "[unused0]" in build(FAMILIES["wordpiece"], drop_pattern=None).tokens


def test_rare_tokens_go():
    teacher = FAMILIES["wordpiece"]
    counts = np.zeros(teacher.get_vocab_size(), np.int64)
    counts[[teacher.token_to_id(token) for token in ("token", "city")]] = [5, 4]
    tokens = set(build(teacher, counts=counts, min_count=5).tokens)
    assert "token" in tokens
    assert "city" not in tokens


# word


@EVERY
def test_word_looks_words_up_and_drops_the_rest(name):
    words = ["walker", "New York", "the", "city", "e-mail"]
    vocabulary = check(build(FAMILIES[name], mode="word", words=words))
    lowered = name in ("wordpiece", "clip", "word_level")
    text = "(the walker) likes New  York, the New Yorker and every E-mail, e-mails or CITY."
    found = known(vocabulary, text.replace("New  York", "New York"))
    spelled = {word for word in words if word in vocabulary.tokens}
    expected = ["the", "walker", "New York", "the"]
    expected += ["e-mail"] * lowered + ["city"] * lowered
    assert found == [word for word in expected if word in spelled]
    assert vocabulary.tokens[vocabulary.unknown_token_id] == "[UNK]"
    assert vocabulary.tokens[:-1] == [word for word in words if word in spelled]


@EVERY
def test_word_feeds_the_teacher_the_word_as_it_stands_in_a_text(name):
    teacher = FAMILIES[name]
    vocabulary = build(teacher, mode="word", words=["national", "the city"])
    for word, ids in zip(vocabulary.tokens[:-1], vocabulary.token_ids, strict=False):
        inside = plain(teacher).encode(f"is {word}", add_special_tokens=False).ids
        assert inside[-len(ids) :] == ids


def test_word_keeps_the_normalizer():
    vocabulary = build(FAMILIES["wordpiece"], mode="word", words=["Café", "cafe", "naive"])
    assert vocabulary.tokens == ["cafe", "naive", "[UNK]"]
    assert known(vocabulary, "CAFÉ café naïve") == ["cafe", "cafe", "naive"]


def test_word_skips_what_the_teacher_cannot_spell(caplog):
    vocabulary = build(FAMILIES["wordpiece"], mode="word", words=["☃☃", "city", "[CLS]", "\u200b"])
    assert vocabulary.tokens == ["city", "[UNK]"]
    assert "☃☃" in caplog.text


# subword


@pytest.mark.parametrize("name", SPELLING)
def test_subword_yields_one_token_for_each_given_word(name):
    teacher = plain(FAMILIES[name])
    vocabulary = check(build(teacher, mode="subword", words=NEW))
    for word in NEW:
        assert len(teacher.encode(f" {word}", add_special_tokens=False).ids) > 1
        before, found, after = (
            known(vocabulary, text) for text in ("of the", f"of the {word} is", "the is")
        )
        assert found[: len(before)] == before
        assert len(found) == len(before) + 1 + len(after) - len(known(vocabulary, "the"))
        assert word in found[len(before)]
        ids = vocabulary.token_ids[vocabulary.tokens.index(found[len(before)])]
        assert ids == teacher.encode(f"a {word}", add_special_tokens=False).ids[-len(ids) :]


@pytest.mark.parametrize("name", ["roberta", "qwen", "gemma", "clip"])
@settings(max_examples=60)
@given(text=TEXTS)
def test_subword_changes_no_other_word_of_a_bpe_text(name, text):
    if not any(word in text.lower() for word in NEW):
        assert pieces(SUBWORDS[name], text) == pieces(OUTPUTS[name], text)


@settings(max_examples=60)
@given(text=TEXTS)
def test_subword_changes_only_words_that_begin_with_a_new_one_in_wordpiece(text):
    if not any(word in text.lower() for word in NEW):
        assert pieces(SUBWORDS["wordpiece"], text) == pieces(OUTPUTS["wordpiece"], text)


UNIGRAM_NEW = ["tokenwalk", "token", "walk", "tok", "singwalked", "newspapersit", "newspaper"]


@settings(max_examples=200)
@given(words=st.lists(st.sampled_from([*UNIGRAM_NEW, "the", "ing", "s", "x"]), max_size=6))
def test_subword_in_unigram_keeps_the_best_score_and_joins(words):
    """Taken apart again, the pieces score as well as the best pieces without the new words."""
    text = " ".join("".join(words[at : at + 3]) for at in range(0, len(words), 3))
    vocabulary = BUILT_UNIGRAM
    scores = dict(json.loads(FAMILIES["unigram"].to_str())["model"]["vocab"])
    spelling = dict(zip(vocabulary.tokens, vocabulary.token_ids, strict=True))
    before = pieces(OUTPUTS["unigram"], text)
    after = pieces(read(vocabulary), text)
    apart = [FAMILIES["unigram"].id_to_token(i) for token in after for i in spelling[token]]
    assert "".join(apart) == "".join(before)
    assert sum(map(scores.get, apart)) == pytest.approx(sum(map(scores.get, before)), abs=1e-3)
    assert len(after) <= len(before)


def test_subword_prefers_the_longest_of_nested_words_in_unigram():
    for words in (UNIGRAM_NEW, UNIGRAM_NEW[::-1]):
        tokenizer = read(build(FAMILIES["unigram"], mode="subword", words=words))
        for word in UNIGRAM_NEW:
            assert pieces(tokenizer, word) == ["▁" + word]


@EVERY
def test_phrases_are_found_whole_and_leave_the_rest_alone(name):
    words = ["New York", "covid-19"] if name != "word_level" else ["new york"]
    vocabulary = check(build(FAMILIES[name], mode="subword", words=words))
    base = OUTPUTS[name]
    found = known(vocabulary, "the New York city")
    rest = [pieces(base, "the"), pieces(base, "a city")[len(pieces(base, "a")) :]]
    assert found[: len(rest[0])] == rest[0]
    assert found[len(rest[0]) + 1 :] == rest[1]
    assert found[len(rest[0])].lower() == "new york"
    assert "new york" not in [t.lower() for t in known(vocabulary, "New Yorkers; Anew York")]


def test_a_dropped_subword_comes_back_as_the_subword_it_was():
    for name in ("wordpiece", "roberta", "unigram"):
        teacher = FAMILIES[name]
        counts = np.zeros(teacher.get_vocab_size(), np.int64)
        counts[teacher.encode("the city is", add_special_tokens=False).ids] = 1
        word = next(
            token
            for token in teacher.get_vocab()
            if re.fullmatch("[Ġ▁]?[a-z]{4,}", token) and (name == "wordpiece" or token[0] in "Ġ▁")
        )
        vocabulary = check(build(teacher, mode="subword", words=[word.strip("Ġ▁")], counts=counts))
        at = vocabulary.tokens.index(word)
        assert vocabulary.token_ids[at] == [teacher.token_to_id(word)]
        assert pieces(read(vocabulary), word.strip("Ġ▁")) == [word]


def test_a_token_the_teacher_never_yields_for_its_word_is_preferred_when_given():
    scores = [("<unk>", 0.0), ("▁ab", -20.0), ("▁a", -2.0), ("b", -3.0), ("c", -4.0)]
    teacher = Tokenizer(models.Unigram([*scores, ("rare", -30.0)], unk_id=0))
    teacher.pre_tokenizer = pre_tokenizers.Metaspace()
    assert pieces(teacher, "ab") == ["▁a", "b"]
    vocabulary = check(build(teacher, mode="subword", words=["ab"]))
    assert pieces(read(vocabulary), "ab abc") == ["▁ab", "▁ab", "c"]
    assert vocabulary.token_ids[vocabulary.tokens.index("▁ab")] == [2, 3]


def test_pieces_that_merging_never_makes_are_not_looked_up():
    teacher = Tokenizer(
        models.BPE({"a": 0, "b": 1, "c": 2, "Ġ": 3, "Ġa": 4, "Ġbc": 5, "bc": 6}, [("Ġ", "a")])
    )
    teacher.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    vocabulary = check(build(teacher, mode="subword", words=["abc"]))
    assert pieces(read(vocabulary), "abc bc") == ["Ġabc", "Ġ", "b", "c"]


# bad input


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"mode": "words"}, errors.VocabularyError),
        ({"mode": "output", "words": ["a"]}, errors.VocabularyError),
        ({"mode": "word"}, errors.VocabularyError),
        ({"mode": "subword"}, errors.VocabularyError),
        ({"mode": "word", "words": []}, errors.VocabularyError),
        ({"mode": "subword", "words": [" ", "\t\n", "\u3000"]}, errors.VocabularyError),
        ({"mode": "word", "words": ["city", "the", " city "]}, errors.VocabularyError),
        ({"mode": "word", "words": ["☃", "☀"]}, errors.VocabularyError),
        ({"drop_pattern": "(["}, errors.VocabularyError),
        ({"drop_pattern": ""}, errors.VocabularyError),
        ({"drop_pattern": ".*"}, errors.VocabularyError),
        ({"counts": np.zeros(3, np.int64)}, errors.VocabularyError),
        ({"counts": np.zeros((400, 1), np.int64)}, errors.VocabularyError),
        ({"counts": np.zeros(400, np.int64)}, errors.VocabularyError),
        ({"counts": np.ones(400, np.int64), "min_count": 2}, errors.VocabularyError),
    ],
)
def test_bad_input_has_an_error_of_its_own_and_one_line(arguments, error):
    with pytest.raises(error) as caught:
        build(FAMILIES["wordpiece"], **arguments)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_file_of_words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffcity\r\n\r\n  New York \n東京\n".encode())
    assert read_words(path) == ["city", "New York", "東京"]
    path.write_bytes(b"city\nnew \xff york\n")
    with pytest.raises(errors.TextSourceError, match="line 2: expected UTF-8, found byte 0xff"):
        read_words(path)
    with pytest.raises(errors.TextSourceError, match=r"none\.txt"):
        read_words(tmp_path / "none.txt")


SUBWORDS = {name: read(build(FAMILIES[name], mode="subword", words=NEW)) for name in SPELLING}
OUTPUTS = {name: read(build(teacher)) for name, teacher in FAMILIES.items()}
BUILT_UNIGRAM = build(FAMILIES["unigram"], mode="subword", words=UNIGRAM_NEW)


@pytest.mark.parametrize(
    "model",
    [
        models.WordPiece({"a": 0, "##b": 1}, unk_token="[UNK]"),
        models.WordLevel({"a": 0}, unk_token="[UNK]"),
        models.Unigram([("a", 0.0)], unk_id=None),
    ],
)
def test_a_tokenizer_that_needs_an_unknown_token_is_refused(model):
    with pytest.raises(errors.VocabularyError, match="expected an unk_"):
        build(Tokenizer(model))
