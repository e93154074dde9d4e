"""Generated text: random sequences of words, of the tokenizer's vocabulary or of languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from .word_lists import word_list

GENERATED = "generated"
"""The name of the source of generated sequences."""
_SHORTEST, _LONGEST = 2, 13  # words of a sequence
_BLOCK = 240_000  # sequences drawn at a time
# Zipf-Mandelbrot: the most frequent words are rarer than 1 / rank. The distribution of pieces is
# flatter.
WORD_OFFSET, _PIECE_OFFSET = 3.7, 51.0
_GLUED = 0.08  # the share of words with a piece at their end
_NEVER_GLUED = 200  # the first ranks are function words, which get no piece
_COMMA, _STOP, _QUESTION = 0.05, 0.6, 0.08
_BARE = 0.25  # the share of sequences without pieces and punctuation, like queries
WITHOUT_BLANKS = {"ja": "、", "th": ",", "zh": "，"}  # languages without blanks, and their commas


@dataclass(frozen=True)
class Lexicon:
    """The words and pieces of generated sequences.

    Attributes:
        words: The tokens that are whole words, the most frequent first.
        pieces: Tokens that occur only inside words, the most frequent first, without marks.
    """

    words: tuple[str, ...]
    pieces: tuple[str, ...] = ()

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Lexicon:
        """Find the words and pieces of a tokenizer, in the order of their ids.

        Vocabularies list frequent tokens first, which is exact enough for `generate`. Many begin
        with the alphabet, so words of one letter are moved to the end. A token is a word if it
        consists of letters or digits, and its text after a space gives that token alone. For a
        token with a mark the text without a space is tried as well, because some tokenizers add the
        space.

        Args:
            tokenizer: The tokenizer; it is not changed.
        """
        plain = Tokenizer.from_str(tokenizer.to_str())
        plain.no_padding()
        plain.no_truncation()
        tokens = range(plain.get_vocab_size())
        spelled = [plain.decode([token]).strip().removeprefix("##") for token in tokens]
        candidates = [(token, text) for token, text in enumerate(spelled) if text.isalnum()]
        alone = plain.encode_batch([text for _, text in candidates], add_special_tokens=False)
        after = plain.encode_batch([f" {text}" for _, text in candidates], add_special_tokens=False)
        words: dict[str, None] = {}
        pieces: dict[str, None] = {}
        for (token, text), first, second in zip(candidates, alone, after, strict=True):
            marked = plain.id_to_token(token) != text
            if second.ids == [token] or (marked and first.ids == [token]):
                words[text] = None
            elif text.isalpha():
                pieces[text] = None
        ordered = sorted(words, key=lambda word: len(word) == 1)
        return cls(tuple(ordered), tuple(piece for piece in pieces if piece not in words))


def generate(lexicon: Lexicon, count: int, *, seed: int = 0) -> list[str]:
    """Draw sequences of words, each word by Zipf's law.

    A word of rank r = 1, 2, … has a probability proportional to 1 / (r + 2.7) (Mandelbrot, 1953).
    Some rarer words get a piece at their end, so that the fit learns pieces as well. Commas, full
    stops and question marks make sequences similar to sentences. A quarter of the sequences
    consists of words alone.

    Args:
        lexicon: Words, and pieces if there are any.
        count: The number of sequences to draw.
        seed: The seed of the random numbers.

    Returns:
        `count` texts, with words joined by a space. A larger `count` appends texts.

    >>> lexicon = Lexicon(("the", "of", "table"))
    >>> generate(lexicon, 9) == generate(lexicon, 10)[:9]
    True
    """
    texts: list[str] = []
    for block in range(-(-count // _BLOCK)):
        sequence = np.random.SeedSequence(seed, spawn_key=(block,) if block else ())
        block_count = min(_BLOCK, count - len(texts))
        texts += _block(lexicon, block_count, np.random.default_rng(sequence))
    return texts


def generate_in(languages: Sequence[str], count: int, *, seed: int = 0) -> list[str]:
    """Draw sequences of words of several languages by `generate`, in equal shares.

    A sequence has words of one language. The first letter of a sequence with punctuation is a
    capital. In Chinese, Japanese and Thai no blanks separate words.

    Args:
        languages: Codes of ISO 639-1; the first ones get one text more if `count` leaves a rest.
        count: The number of sequences to draw.
        seed: The seed of the random numbers. A language's texts do not depend on the others.

    Returns:
        `count` texts, language after language.

    Raises:
        TextSourceError: There is no word list for a language.
        MissingPackageError: `wordfreq` is not installed.
    """
    texts: list[str] = []
    for language, share in zip(languages, equal_shares(count, len(languages)), strict=True):
        language_seed = (seed << 64) + int.from_bytes(language.encode(), "big")
        drawn = generate(Lexicon(word_list(language)), share, seed=language_seed)
        texts += [written_in(text, language) for text in drawn]
    return texts


def equal_shares(count: int, parts: int) -> list[int]:
    """Divide a count; the first parts get one more if a rest is left.

    >>> equal_shares(8, 3)
    [3, 3, 2]
    """
    return [count // parts + (part < count % parts) for part in range(parts)]


def written_in(text: str, language: str) -> str:
    """Write a sequence as its language does."""
    comma = WITHOUT_BLANKS.get(language)
    if comma is not None:
        text = text.replace(", ", comma).replace(" ", "")
        return text if language == "th" else text.replace("?", "？").replace(".", "。")
    return text[0].upper() + text[1:] if text.endswith((".", "?")) else text


def _block(lexicon: Lexicon, count: int, random: np.random.Generator) -> list[str]:
    """Draw a whole block, and spell its first `count` texts, which do not depend on `count`."""
    lengths = random.integers(_SHORTEST, _LONGEST + 1, _BLOCK)
    total = int(lengths.sum())
    word_ranks = _by_rank(random, len(lexicon.words), total, WORD_OFFSET)
    bare = random.random(_BLOCK) < _BARE
    dressed = np.repeat(~bare, lengths)
    glued = np.zeros(total, bool)
    pieces = np.zeros(total, np.int64)
    if lexicon.pieces:
        glued = (random.random(total) < _GLUED) & (word_ranks >= _NEVER_GLUED) & dressed
        pieces = _by_rank(random, len(lexicon.pieces), total, _PIECE_OFFSET)
    commas = (random.random(total) < _COMMA) & dressed
    chances = np.where(bare, 1, random.random(_BLOCK))

    ends = np.cumsum(lengths)[:count]
    used = int(ends[-1])
    tails = [""] * used
    for index in np.flatnonzero(glued[:used]).tolist():
        tails[index] = lexicon.pieces[pieces[index]]
    for index in np.setdiff1d(np.flatnonzero(commas[:used]), ends - 1).tolist():
        tails[index] += ","
    for end, chance in zip(ends.tolist(), chances[:count].tolist(), strict=True):
        tails[end - 1] += "." if chance < _STOP else "?" if chance < _STOP + _QUESTION else ""
    ranks = word_ranks[:used].tolist()
    words = [lexicon.words[rank] + tail for rank, tail in zip(ranks, tails, strict=True)]
    return [
        " ".join(words[end - length : end])
        for end, length in zip(ends.tolist(), lengths[:count].tolist(), strict=True)
    ]


def _by_rank(
    random: np.random.Generator, choices: int, count: int, offset: float
) -> NDArray[np.int64]:
    shares = 1 / (np.arange(choices) + offset)
    ranks: NDArray[np.int64] = random.choice(choices, size=count, p=shares / shares.sum())
    return ranks
