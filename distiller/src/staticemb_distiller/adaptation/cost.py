"""What an adaptation costs elsewhere: texts of other subjects, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..corpus.generated import Lexicon, generate
from ..corpus.records import open_text, read_lines, reading
from ..errors import TextSourceError
from .agreement import best_documents, overlaps
from .pooled import text_vectors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ..vocabulary.token_ids import TokenIds

_SEQUENCES = 1_000


def changed_neighbors(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    betas: tuple[float, float],
    tokenizer_json: bytes,
    tokenize: TokenIds,
) -> float | None:
    """Compare the neighbors of generated sentences under two tables.

    Args:
        before: (V, D) the general rows.
        after: (V, H) the adapted rows.
        betas: β of both.
        tokenizer_json: The tokenizer whose words the sentences consist of.
        tokenize: The same tokenizer.

    Returns:
        The mean share of a sentence's ten nearest among 1,000 that both tables name, from 0 to 1;
        None if the vocabulary has no words.
    """
    from tokenizers import Tokenizer

    lexicon = Lexicon.of(Tokenizer.from_str(tokenizer_json.decode()))
    if not lexicon.words:
        return None
    ids, lengths = tokenize(generate(lexicon, _SEQUENCES))
    own = np.arange(_SEQUENCES)
    neighbors = []
    for rows, beta in zip((before, after), betas, strict=True):
        vectors = text_vectors(rows, ids, lengths, beta=beta)
        neighbors.append(best_documents(vectors, vectors, without=own))
    return float(overlaps(*neighbors).mean())


def similarity(
    rows: NDArray[np.float32], beta: float, pairs: SimilarityPairs, tokenize: TokenIds
) -> float:
    """Return Spearman's correlation of scores and cosines, from -1 to 1."""
    from ..evaluation.metrics import spearman

    left, right = (
        text_vectors(rows, *tokenize(texts), beta=beta) for texts in (pairs.left, pairs.right)
    )
    return spearman(pairs.scores, np.einsum("nd,nd->n", left, right))


class SimilarityPairs:
    """Pairs of sentences with a score of their similarity.

    Args:
        path: A file of lines: score, tab, sentence, tab, sentence.

    Raises:
        TextSourceError: The file cannot be read, or a line has another form.
    """

    def __init__(self, path: Path) -> None:
        scores: list[float] = []
        self.left: list[str] = []
        self.right: list[str] = []
        with reading(path), open_text(path) as file:
            for number, line in enumerate(read_lines(file, path), 1):
                cells = line.rstrip("\r\n").split("\t")
                try:
                    score, left, right = float(cells[0]), cells[1], cells[2]
                except (ValueError, IndexError):
                    raise TextSourceError(
                        f"{path}, line {number}: expected a score and two sentences between tabs, "
                        f"found {line.strip()!r:.60}"
                    ) from None
                scores.append(score)
                self.left.append(left)
                self.right.append(right)
        if len(scores) < 2:
            raise TextSourceError(f"{path}: expected pairs of sentences, found {len(scores)}")
        self.scores = np.array(scores)
