"""Tokenizers trained on texts, for teachers that give no tokenizer.

The trainers of `tokenizers` break ties in the order of their hash tables, which differs from
process to process. Here the same texts give the same bytes: WordPiece gets its alphabet in a fixed
order, from which all later ids follow; for Unigram, scores are rounded and put in order.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from ..corpus.sampling import sample
from ..corpus.surrogates import without_surrogates
from ..errors import VocabularyError
from .tokenizer_json import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

TrainedKind = Literal["wordpiece", "unigram"]

SMALLEST, LARGEST = 2_000, 32_000
_WORDS_PER_TOKEN = 50
_SAMPLE = 100_000  # distinct texts; more change little, and take time and memory
_ALPHABET_SHARE = 0.25  # of the vocabulary
_UNKNOWN = "[UNK]"
_PREFIX = "##"
_SPACE = "\u2581"
_WORD_SHARE = 0.25  # Unigram: the share of the vocabulary that frequent words may take
_WORD_COUNT = 3  # the least count of such a word
_STEP = 1e-4  # Unigram: the trainer's difference between the scores of rare characters
_DIGITS = 6


def trained_tokenizer(
    texts: Iterable[str], kind: TrainedKind = "wordpiece", size: int | None = None
) -> bytes:
    """Train a tokenizer on texts.

    Args:
        texts: The texts; they are read once. Of many, a sample of distinct texts is used, which
            does not depend on their order.
        kind: "wordpiece": words in lower case without accents are cut at punctuation, as by BERT;
            for languages that put spaces between words. "unigram": as by SentencePiece, in lower
            case; for other languages too.
        size: The most tokens; None: one for every 50 words, from 2,000 to 32,000.

    Returns:
        A `tokenizer.json`, UTF-8. The same texts give the same bytes.

    Raises:
        VocabularyError: `kind` is unknown, `size` is below 16, or the texts have no words.

    Example:
        >>> made = trained_tokenizer(["a rose is a rose", "Roses are red."], size=40)
        >>> Tokenizer.from_buffer(made).encode("A Rose").tokens
        ['a', 'rose']
    """
    if kind not in ("wordpiece", "unigram"):
        raise VocabularyError(f"kind: expected wordpiece or unigram, found {kind!r}")
    if size is not None and size < 16:
        raise VocabularyError(f"the tokenizer's size: expected at least 16 tokens, found {size}")
    whole = (without_surrogates(text) for text in texts if text.strip())
    sampled = sample(whole, _SAMPLE)
    if not sampled:
        raise VocabularyError("expected texts to train a tokenizer on, found none")
    size = usual_size(sampled) if size is None else size
    tokenizer = _wordpiece(sampled, size) if kind == "wordpiece" else _unigram(sampled, size)
    return dump(json.loads(tokenizer.to_str()))


def usual_size(texts: Iterable[str]) -> int:
    """Return the size of a vocabulary by the amount of text.

    >>> usual_size(["many words"] * 100_000)
    4000
    """
    words = sum(text.count(" ") + 1 for text in texts)
    return min(max(words // _WORDS_PER_TOKEN, SMALLEST), LARGEST)


def _wordpiece(texts: Sequence[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    cut = tokenizer.pre_tokenizer.pre_tokenize_str
    alphabet = _alphabet(texts, tokenizer.normalizer, size)
    # Punctuation is a word of its own, and never continues one.
    inside = [_PREFIX + character for character in alphabet if len(cut("a" + character)) == 1]
    first = [_UNKNOWN, *alphabet, *inside]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=2,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        special_tokens=first,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    document: dict[str, Any] = json.loads(tokenizer.to_str())
    document["added_tokens"] = []  # The trainer makes the alphabet special.
    document["model"]["vocab"] = dict(vocabulary)
    return Tokenizer.from_buffer(dump(document))


def _unigram(texts: Sequence[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    alphabet = set(_alphabet(texts, tokenizer.normalizer, size))
    normalized = [tokenizer.normalizer.normalize_str(text) for text in texts]
    rare = {c for text in normalized for c in set(text) if c not in alphabet and not c.isspace()}
    if rare:  # The trainer would keep them all.
        blanks = str.maketrans(dict.fromkeys(rare, " "))
        normalized = [" ".join(text.translate(blanks).split()) for text in normalized]
    trainer = trainers.UnigramTrainer(
        vocab_size=size - int(size * _WORD_SHARE),
        special_tokens=[_UNKNOWN],
        unk_token=_UNKNOWN,
        show_progress=False,
    )
    try:
        tokenizer.train_from_iterator(normalized, trainer)
    except BaseException as error:
        # The trainer panics, and no class of exception tells a panic from an interruption.
        if type(error).__name__ != "PanicException":
            raise
        raise VocabularyError("too few texts to train a Unigram tokenizer on") from error
    document = json.loads(tokenizer.to_str())
    pieces = [(piece, score) for piece, score in document["model"]["vocab"] if piece != _UNKNOWN]
    if not pieces:
        raise VocabularyError("too few texts to train a Unigram tokenizer on")
    # The trainer numbers rare characters in no order: they all get the lowest score.
    lowest = min(score for _, score in pieces)
    even = [
        (piece, lowest if len(piece) == 1 and _on_a_step(score - lowest) else score)
        for piece, score in pieces
    ]
    even += _whole_words(normalized, {piece for piece, _ in pieces}, size - 1 - len(pieces))
    scores = {piece: round(score, _DIGITS) for piece, score in even}
    ordered = sorted((-score, piece) for piece, score in scores.items() if piece != _SPACE)
    # A blank alone says nothing. As the unknown token it is dropped, so that a text of unknown
    # characters, which begins with one, has no known token.
    blank = [_SPACE, scores.get(_SPACE, round(lowest, _DIGITS))]
    vocabulary = [blank, *([piece, -score] for score, piece in ordered)]
    document["model"] |= {"vocab": vocabulary, "unk_id": 0}
    document["added_tokens"] = []
    return Tokenizer.from_buffer(dump(document))


def _whole_words(
    texts: Iterable[str], pieces: AbstractSet[str], most: int
) -> list[tuple[str, float]]:
    """Return the most frequent words that are no pieces, with the logarithms of their shares.

    The trainer makes pieces of strings that occur in several distinct words. So it never makes a
    piece of a word that is part of no other, however frequent it is.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text.split())
    total = sum(counts.values())
    words = [
        (-count, word)
        for word, count in counts.items()
        if count >= _WORD_COUNT and word.isalnum() and _SPACE + word not in pieces
    ]
    return [(_SPACE + word, math.log(-count / total)) for count, word in sorted(words)[:most]]


def _on_a_step(difference: float) -> bool:
    steps = difference / _STEP
    return abs(steps - round(steps)) < 1e-5


def _alphabet(texts: Iterable[str], normalizer: normalizers.Normalizer, size: int) -> list[str]:
    """Return the most frequent characters of normalized texts, sorted by code point."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    usual = [(-count, character) for character, count in counts.items() if not character.isspace()]
    if not usual:
        raise VocabularyError("expected texts with words to train a tokenizer on, found none")
    most = max(8, int(size * _ALPHABET_SHARE))
    return sorted(character for _, character in sorted(usual)[:most])
