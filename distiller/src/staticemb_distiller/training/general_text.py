"""The agreement of two tables on general text: how far a training has moved what it was not about.

General texts are sequences of words of the model's own vocabulary, drawn by Zipf's law. They cost
no data, and hardly one of them is a text of the examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..corpus.generated import Lexicon, generate
from ..evaluation.metrics import spearman
from ..vocabulary.token_ids import TokenIds
from .bag import Bag
from .dataset import Texts
from .ranking import unit_vectors

_TEXTS = 2_000
_PAIRS = 100_000
_SEED = 1  # the fit's own sequences have seed 0 by default


@dataclass(frozen=True, eq=False)
class GeneralText:
    """General texts, and the cosines of pairs of them under a table.

    Attributes:
        texts: The texts, tokenized.
        pairs: (2, P) int64 text numbers.
        cosines: (P,) float32, the cosines under the table.
        damping: As for `Bag`.
    """

    texts: Texts
    pairs: NDArray[np.int64]
    cosines: NDArray[np.float32]
    damping: tuple[float, int] | None

    def agreement(self, rows: NDArray[np.float32]) -> float:
        """Return Spearman's correlation of the pairs' cosines under another table.

        Args:
            rows: (V, D) float32.
        """
        return spearman(self.cosines, _cosines(rows, self.damping, self.texts, self.pairs))


def general_text(
    rows: NDArray[np.float32],
    damping: tuple[float, int] | None,
    tokenizer_json: bytes,
    unknown_token_id: int | None,
) -> GeneralText | None:
    """Draw general texts and compute their cosines; return None if the vocabulary has no words.

    Args:
        rows: (V, D) float32, the table.
        damping: As for `Bag`.
        tokenizer_json: The bytes of the table's `tokenizer.json`.
        unknown_token_id: The id that is dropped.
    """
    texts = _texts(tokenizer_json, unknown_token_id)
    if texts is None:
        return None
    random = np.random.default_rng(_SEED)
    first = random.integers(len(texts), size=_PAIRS)
    second = (first + random.integers(1, len(texts), size=_PAIRS)) % len(texts)
    pairs = np.stack([first, second])
    return GeneralText(texts, pairs, _cosines(rows, damping, texts, pairs), damping)


@lru_cache(maxsize=1)  # a trial and its training need the same texts, which take a second or two
def _texts(tokenizer_json: bytes, unknown_token_id: int | None) -> Texts | None:
    lexicon = Lexicon.of(Tokenizer.from_str(tokenizer_json.decode()))
    if not lexicon.words:
        return None
    generated = generate(lexicon, _TEXTS, seed=_SEED)
    ids, lengths = TokenIds(tokenizer_json, unknown_token_id)(generated)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Texts(ids, offsets)


def _cosines(
    rows: NDArray[np.float32],
    damping: tuple[float, int] | None,
    texts: Texts,
    pairs: NDArray[np.int64],
) -> NDArray[np.float32]:
    vectors = unit_vectors(Bag(rows, damping=damping), texts, np.arange(len(texts))).numpy()
    cosines: NDArray[np.float32] = np.einsum("ij,ij->i", vectors[pairs[0]], vectors[pairs[1]])
    return cosines
