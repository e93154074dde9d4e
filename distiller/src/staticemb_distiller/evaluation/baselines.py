"""Baselines for static models: word counts (TF-IDF, BM25), word vectors and WordLlama."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvertError, EvaluationError, MissingPackageError
from ..interop.word_vector_text import read_rows
from . import scoring
from .models import FunctionModel, LexicalModel
from .scoring import Outcome
from .tasks import RetrievalTask, Task

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

NAMES = ("tfidf", "tfidf-characters", "bm25", "wordllama")
"""Baselines that are opened by a name, not from a file."""

_WORD = r"\w+"

WORD_VECTOR_ENDINGS = (".vec", ".txt", ".glove", ".vec.gz", ".txt.gz", ".glove.gz")


def tfidf_vectorizer() -> TfidfVectorizer:
    """Return scikit-learn's TF-IDF with the settings of the baseline, not yet fitted."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Words of one letter count as well: many texts of the tasks are a single word.
    return TfidfVectorizer(sublinear_tf=True, token_pattern=_WORD)


def characters_vectorizer() -> TfidfVectorizer:
    """Return TF-IDF of one to four characters, for languages whose words have no blanks too."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(1, 4))


class TfIdf(LexicalModel):
    """scikit-learn's TF-IDF of words, or of sequences of characters.

    The idf is counted on a task's training texts or documents; if it has neither, on all its texts.
    """

    def __init__(self, name: str = "tfidf", *, characters: bool = False) -> None:
        self.name = name
        self._vectorizer = characters_vectorizer if characters else tfidf_vectorizer
        self.facts: dict[str, Any] = {"kind": "tfidf", "sublinear_tf": True}
        if characters:
            self.facts["characters"] = "1 to 4"

    def outcomes(self, task: Task) -> list[Outcome]:
        """Return the metrics of a task of any kind."""
        return scoring.score(task, self.count(task.texts))

    def count(self, texts: Mapping[str, Sequence[str]]) -> dict[str, csr_matrix]:
        """Return the weights of the words (texts, words) of each part."""
        reference = next((part for part in ("train", "documents") if part in texts), None)
        fitted_on = chain(*texts.values()) if reference is None else texts[reference]
        vectorizer = self._vectorizer().fit(fitted_on)
        return {part: vectorizer.transform(each) for part, each in texts.items()}


class BM25(LexicalModel):
    """Okapi BM25 by the package bm25s: Lucene's variant, k1 = 1.5, b = 0.75, English stop words."""

    def __init__(self, name: str = "bm25") -> None:
        try:
            import bm25s
        except ImportError:
            raise MissingPackageError("the baseline bm25 needs `pip install bm25s`") from None
        self.name = name
        self.facts = {"kind": "bm25", "k1": 1.5, "b": 0.75, "stop_words": "en"}
        self._package: Any = bm25s
        self._last: tuple[RetrievalTask, scoring.PairScorer] | None = None

    def outcomes(self, task: Task) -> list[Outcome]:
        """Return the metrics of a retrieval task; empty for other tasks."""
        if not isinstance(task, RetrievalTask):
            return []
        return scoring.score_ranking(task, self.scores(task))

    def scores(self, task: RetrievalTask) -> scoring.PairScorer:
        """Return the scores of a task's documents for its queries; the last index is kept."""
        if self._last is None or self._last[0] is not task:
            self._last = task, self.count(task.texts)
        return self._last[1]

    def count(self, texts: Mapping[str, Sequence[str]]) -> scoring.PairScorer:
        """Index the documents; return the function that scores them for the queries."""
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        index = self._package.BM25(method="lucene", k1=1.5, b=0.75)
        tokenize = self._package.tokenize
        documents, queries = (
            tokenize(list(texts[p]), stopwords="en", return_ids=False, show_progress=False)
            for p in ("documents", "queries")
        )
        index.index(documents, show_progress=False)
        empty = np.zeros(len(documents), np.float32)

        def scores(start: int, stop: int) -> NDArray[np.float32]:
            return np.stack([index.get_scores(q) if q else empty for q in queries[start:stop]])

        return scores


class WordVectors(FunctionModel):
    """The mean of word vectors from a text file of GloVe, word2vec or fastText.

    A word is looked up as written, then in lower case; a word that the file lacks is dropped.

    Raises:
        EvaluationError: the file cannot be read, a row is malformed, or vectors have one number.
    """

    def __init__(self, path: Path, name: str) -> None:
        rows = io.BytesIO()
        try:
            read = read_rows(path, rows, strict=False)
        except ConvertError as error:
            raise EvaluationError(str(error)) from None
        if read.dim < 2:
            msg = f"{path}: expected at least 2 numbers for each word, found 1"
            raise EvaluationError(msg)
        self._index = read.words
        self._table = np.frombuffer(rows.getbuffer(), np.float32).reshape(-1, read.dim)
        super().__init__(
            name,
            self._mean,
            prefixes=(self._table.shape[1],),
            bytes=path.stat().st_size,
            facts={
                "kind": "word vectors",
                "dimension": self._table.shape[1],
                "max_tokens": None,
                "precision": "float32",
                "pooling": "mean",
            },
        )

    def _mean(self, texts: Sequence[str]) -> NDArray[np.float32]:
        out = np.zeros((len(texts), self._table.shape[1]), np.float32)
        for row, text in enumerate(texts):
            words = re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", text)
            ids = [self._index.get(word, self._index.get(word.lower(), -1)) for word in words]
            known = [i for i in ids if i >= 0]
            if known:
                out[row] = self._table[known].mean(axis=0)
        return out


def load(name: str, called: str | None = None) -> FunctionModel | LexicalModel:
    """Open a baseline by its name in `NAMES`.

    Args:
        name: One of `NAMES`.
        called: Its name in the report; None: `name`.

    Raises:
        MissingPackageError: its package is not installed.
    """
    if name.startswith("tfidf"):
        return TfIdf(called or name, characters=name == "tfidf-characters")
    if name == "bm25":
        return BM25(called or name)
    return _wordllama(called or name)


def _wordllama(name: str) -> FunctionModel:
    """Open the model in the wordllama package."""
    try:
        import wordllama
    except ImportError:
        raise MissingPackageError("the baseline wordllama needs `pip install wordllama`") from None
    folder = Path(wordllama.__file__).parent
    # The package looks for its tokenizer in a folder of another name than the one in the wheel. It
    # also looks in its cache, so the wheel's folder is given as the cache.
    model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
    files = [*folder.glob("weights/l2_supercat_256.*"), *folder.glob("tokenizers/l2_supercat_*")]

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        with np.errstate(invalid="ignore", divide="ignore"):
            # For a text without tokens, the package divides zero by zero.
            vectors: NDArray[np.float32] = model.embed(list(texts))
            return np.nan_to_num(vectors)

    return FunctionModel(
        name,
        embed,
        prefixes=(64, 128, 256),
        bytes=sum(file.stat().st_size for file in files) or None,
        facts={
            "kind": "wordllama",
            "dimension": 256,
            "max_tokens": None,
            "precision": str(model.embedding.dtype),
            "pooling": "mean",
        },
    )
