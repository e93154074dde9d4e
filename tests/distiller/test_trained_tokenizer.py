"""Tokenizers trained on texts: the same bytes in every process, and no text without tokens."""

import hashlib
import json
import random
import subprocess
import sys
from pydoc_data.topics import topics

import pytest
from tokenizers import Tokenizer

from staticemb_distiller.errors import VocabularyError
from staticemb_distiller.vocabulary import build
from staticemb_distiller.vocabulary.trained import trained_tokenizer

TEXTS = [part for topic in topics.values() for part in topic.split("\n\n")][:900]
TEXTS_WITHOUT_STOPS = [text.translate(dict.fromkeys(map(ord, ",.…"))) for text in TEXTS]
RUN = """
import hashlib, sys
from distiller.test_trained_tokenizer import TEXTS
from staticemb_distiller.vocabulary.trained import trained_tokenizer
print(hashlib.sha256(trained_tokenizer(TEXTS, sys.argv[1], 1200)).hexdigest())
"""


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_the_same_texts_give_the_same_bytes_in_every_process(kind):
    shuffled = [*TEXTS, *TEXTS[:50]]
    random.Random(0).shuffle(shuffled)
    found = {hashlib.sha256(trained_tokenizer(shuffled, kind, 1200)).hexdigest()}
    for _ in range(2):
        command = [sys.executable, "-c", RUN, kind]
        found.add(
            subprocess.run(
                command, capture_output=True, text=True, check=True, cwd="tests"
            ).stdout.strip()
        )
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_words_of_the_training_have_tokens_and_no_unknown_one(kind):
    made = trained_tokenizer(TEXTS, kind, 1200)
    tokenizer = Tokenizer.from_buffer(made)
    assert 800 < tokenizer.get_vocab_size() <= 1200
    unknown = build.build(tokenizer, drop_pattern=None).unknown_token_id
    words = sorted({word for text in TEXTS for word in text.split()})
    for word, encoding in zip(words, tokenizer.encode_batch(words), strict=True):
        known = [token for token, row in zip(encoding.tokens, encoding.ids, strict=True) if row]
        assert "".join(known).replace("##", "").lstrip("\u2581") == (
            tokenizer.normalizer.normalize_str(word)
        )
    assert unknown == 0
    # A word that the texts do not have is cut into pieces; frequent words are tokens.
    assert len(tokenizer.encode("functionality").tokens) > 1
    assert len(tokenizer.encode("The function").tokens) == 2
    assert tokenizer.decode(tokenizer.encode("the function").ids) == "the function"
    made = build.build(tokenizer, drop_pattern=None)
    assert len(made) == tokenizer.get_vocab_size()


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
@pytest.mark.parametrize("text", ["ቡና", "αβγ δε", "สวัสดี", " ", "βλέπω, ቡና. ☃"])
def test_a_text_of_unknown_characters_has_no_known_token(kind, text):
    tokenizer = Tokenizer.from_buffer(trained_tokenizer(TEXTS_WITHOUT_STOPS, kind, 1200))
    made = build.build(tokenizer, drop_pattern=None)
    assert set(tokenizer.encode(text).ids) <= {made.unknown_token_id}
    mixed = tokenizer.encode(f"{text} function").ids
    known = [row for row in mixed if row != made.unknown_token_id]
    assert known == tokenizer.encode("function").ids


def test_a_large_alphabet_leaves_room_for_words():
    letters = [chr(0x4E00 + number) for number in range(3000)]
    texts = [" ".join(letters[start : start + 30]) for start in range(0, 3000, 30)]
    texts += ["common words are kept", "common words are words"] * 20
    for kind in ("wordpiece", "unigram"):
        vocabulary = Tokenizer.from_buffer(trained_tokenizer(texts, kind, 400)).get_vocab()
        assert len(vocabulary) <= 400
        assert {"words", "\u2581words"} & vocabulary.keys()


def test_the_size_follows_the_amount_of_text():
    made = [
        Tokenizer.from_buffer(trained_tokenizer(texts)).get_vocab_size()
        for texts in (["a short text", "a longer text"], TEXTS)
    ]
    assert made[0] < 40
    assert 1000 < made[1] <= 4000


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
@pytest.mark.parametrize("texts", [["a"], ["a b"], ["\ud800"], ["!!!", "?"], ["日本"]])
def test_few_texts_give_a_tokenizer_or_a_clear_error(kind, texts):
    try:
        made = trained_tokenizer(texts, kind)
    except VocabularyError:
        return
    assert json.loads(made)["model"]["type"].lower() == kind
    assert Tokenizer.from_buffer(made).encode(texts[0].encode(errors="replace").decode()).ids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TEXTS, "bpe"), "expected wordpiece or unigram, found 'bpe'"),
        ((TEXTS, "unigram", 5), "tokenizer's size: expected at least 16 tokens"),
        (([], "wordpiece"), "found none"),
        (([" ", ""], "unigram"), "found none"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(VocabularyError, match=message):
        trained_tokenizer(*arguments)
