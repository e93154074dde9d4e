"""Documents, queries, vectors and a model, generated or of real sentences, in one folder.

`model.staticemb`, `documents.txt` with a document a line, `vectors.npy` (n, D) float32 and
`queries.json`: a list of queries for each way to search and each length.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Final

import harness
import numpy as np
from numpy.typing import NDArray

WORDS: Final = 40  # of a document
DIMENSION: Final = 256
WAYS: Final = ("hybrid", "lexical", "vector")  # each has queries of its own: no way warms another
LENGTHS: Final = (1, 3, 8, 20)  # words of a query, without the common ones
QUESTION: Final = "question"  # the length of a question as people write them
_VOCABULARY: Final = 50_000
_COMMON: Final = 150  # words that count as the commonest
_QUERIES: Final = 100
_TOPICS, _TOPIC_WORDS = 1_000, 200
_BLOCK: Final = 10_000
_DECAY: Final = 0.2  # the deviation of dimension d of the bundled model falls as d to the -0.2
_RANK: Final = 2.7  # Zipf's law as in texts.py: the frequency of a word is 1 / (rank + 2.7)


def generate(folder: Path, documents: int) -> None:
    """Generate documents: half of the words by Zipf's law, half of one of a thousand topics."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    from staticemb_distiller.file.writer import Settings, write
    from staticemb_distiller.table.parts import Parts
    from staticemb_distiller.table.quantization import to_int8

    random = np.random.default_rng(0)
    names = made_up(_VOCABULARY)
    shares = 1 / (np.arange(_VOCABULARY) + _RANK)
    shares /= shares.sum()
    rows = random.standard_normal((_VOCABULARY + 1, DIMENSION)).astype(np.float32)
    rows *= np.arange(1, DIMENSION + 1, dtype=np.float32) ** -_DECAY
    rows[1:] *= (1e-3 / (1e-3 + shares))[:, None].astype(np.float32)  # SIF: rare words weigh most
    vocabulary = {"[UNK]": 0} | {name: number for number, name in enumerate(names, start=1)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    integers, scale = to_int8(rows)  # as the files that `distill` writes
    rows = integers * scale
    parts = Parts(integers, tokenizer.to_str().encode(), scale)
    write(folder / "model.staticemb", parts, Settings(unknown_token_id=0))
    cumulative = np.cumsum(shares)
    array = np.array(names, object)
    vectors = np.lib.format.open_memmap(
        folder / "vectors.npy", "w+", np.float32, (documents, DIMENSION)
    )
    topics = random.integers(_COMMON, _VOCABULARY, (_TOPICS, _TOPIC_WORDS))
    kept: list[NDArray[np.int64]] = []  # documents that queries are of
    with (folder / "documents.txt").open("w", encoding="utf-8") as file:
        for first in range(0, documents, _BLOCK):
            count = min(_BLOCK, documents - first)
            ids = np.searchsorted(cumulative, random.random((count, WORDS)))
            ids = np.minimum(ids, _VOCABULARY - 1)
            about = topics[
                random.integers(0, _TOPICS, (count, 1)), random.integers(0, _TOPIC_WORDS, ids.shape)
            ]
            ids = np.where(random.random(ids.shape) < 0.5, about, ids)
            kept.append(ids[: max(1, 4 * _QUERIES * _BLOCK // max(documents, _BLOCK))])
            file.writelines(" ".join(words) + "\n" for words in array[ids].tolist())
            means = rows[ids + 1].mean(axis=1)
            vectors[first : first + count] = means / np.linalg.norm(means, axis=1, keepdims=True)
    vectors.flush()
    rare = [np.unique(row[row >= _COMMON]) for row in np.concatenate(kept)]
    rare = [row for row in rare if len(row) >= max(LENGTHS)]
    queries: dict[str, dict[str, list[str]]] = {way: {} for way in WAYS}
    for asked in queries.values():
        for length in LENGTHS:
            chosen = random.permutation(len(rare))[:_QUERIES].tolist()
            ids = [
                [*random.integers(0, 20, 3), *random.choice(rare[place], length, replace=False)]
                for place in chosen
            ]
            asked[str(length)] = [" ".join(array[row].tolist()) for row in ids]
    (folder / "queries.json").write_text(json.dumps(queries), encoding="utf-8")


def made_up(count: int) -> list[str]:
    """Make distinct words of syllables, the shortest first."""
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "or")]
    words = [a + b for a in syllables for b in syllables]
    words += [a + b for a in words for b in syllables]
    return words[:count]


def sentences(folder: Path) -> int:
    """Take the sentences and questions of ../shared, and the bundled model.

    Returns:
        The number of sentences.
    """
    from staticemb_runtime import StaticModel
    from staticemb_runtime.loading.installed import DEFAULT_MODEL, locate

    with gzip.open(harness.SHARED / "text" / "cc.txt.gz", "rt", encoding="utf-8") as file:
        texts = file.read().splitlines()
    texts = texts[: harness.fewer(len(texts), 2_000)]
    path = harness.SHARED / "tune" / "retrieval" / "squad-sentences" / "queries.jsonl"
    questions = [json.loads(line)["text"] for line in path.open(encoding="utf-8")]
    shutil.copy(locate(DEFAULT_MODEL), folder / "model.staticemb")
    (folder / "documents.txt").write_text("\n".join(texts), encoding="utf-8")
    np.save(folder / "vectors.npy", StaticModel().encode(texts, on_empty="zero"))
    queries = {
        way: {QUESTION: questions[place * _QUERIES : (place + 1) * _QUERIES]}
        for place, way in enumerate(WAYS)
    }
    (folder / "queries.json").write_text(json.dumps(queries), encoding="utf-8")
    return len(texts)
