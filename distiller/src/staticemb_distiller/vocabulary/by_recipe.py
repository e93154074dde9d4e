"""The vocabulary of a recipe, and the counts of its tokens in the recipe's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from ..corpus import input_files
from ..errors import VocabularyError
from .build import Vocabulary, build, read_words
from .counting import count_tokens, count_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..recipe.recipe import Recipe


def make_vocabulary(tokenizer: Tokenizer, recipe: Recipe) -> Vocabulary:
    """Make the vocabulary of a recipe.

    Args:
        tokenizer: The teacher's tokenizer.
        recipe: The knobs from `mode` to `keep_min_count`.

    Raises:
        VocabularyError: The vocabulary is empty, or cannot be made from this tokenizer.
        TextSourceError: A text file cannot be read.
    """
    words: list[str] | None = None
    if recipe.vocabulary is not None:
        words = read_words(recipe.vocabulary)
        if not words:
            raise VocabularyError(f"{recipe.vocabulary}: the vocabulary is empty")
    elif recipe.vocabulary_size is not None:
        words = count_words(
            input_files.read_lines(recipe.vocabulary_from),
            recipe.vocabulary_size,
            tokenizer=tokenizer,
            phrases=recipe.vocabulary_phrases,
            split=recipe.mode == "subword",
        )
    counts = None
    if recipe.keep_used_in:
        counts = count_tokens(input_files.read_lines(recipe.keep_used_in), tokenizer)
    return build(
        tokenizer,
        mode=recipe.mode,
        words=words,
        drop_pattern=recipe.remove or None,
        counts=counts,
        min_count=recipe.keep_min_count,
    )


def token_counts(vocabulary: Vocabulary, recipe: Recipe) -> NDArray[np.int64] | None:
    """Count the tokens in the text of `counts_from`: int64 (V,); None without such text."""
    if not recipe.counts_from:
        return None
    tokenizer = Tokenizer.from_str(vocabulary.tokenizer_json.decode())
    counted = count_tokens(input_files.read_lines(recipe.counts_from), tokenizer)
    counts = np.zeros(len(vocabulary), np.int64)
    counts[: len(counted)] = counted[: len(counts)]
    if vocabulary.unknown_token_id is not None:
        counts[vocabulary.unknown_token_id] = 0  # The runtime drops it before pooling.
    return counts
