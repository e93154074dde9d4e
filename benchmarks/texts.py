"""Texts for the benchmarks: real texts if the data folder is present, otherwise generated ones."""

from __future__ import annotations

import gzip
import json
import random

from harness import SHARED

KINDS = ("titles", "news", "posts")
_WORDS = {"titles": (5, 12), "news": (25, 55), "posts": (100, 900)}


def load(kind: str, count: int) -> tuple[list[str], str]:
    """Load texts of one kind.

    Args:
        kind: `titles` (about 8 words), `news` (paragraphs of about 40), `posts` (hundreds).
        count: the number of texts; a smaller source gives all its texts.

    Returns:
        The texts and the name of their source.
    """
    news = SHARED / "eval" / "clustering" / "agnews-test.tsv"
    posts = SHARED / "text" / "newsgroups.jsonl.gz"
    if kind == "posts" and posts.exists():
        with gzip.open(posts, "rt", encoding="utf-8") as file:
            found = [json.loads(line) for _, line in zip(range(count), file, strict=False)]
        return [row if isinstance(row, str) else row["text"] for row in found], "20 Newsgroups"
    if kind != "posts" and news.exists():
        rows = news.read_text(encoding="utf-8").splitlines()
        texts = [row.split("\t", 1)[1] for row in rows if "\t" in row]
        if kind == "titles":
            texts = [" ".join(text.split()[:8]) for text in texts]
        return texts[:count], "AG News"
    return generate(kind, count), "generated"


def generate(kind: str, count: int, seed: int = 0) -> list[str]:
    """Generate texts of made-up words by Zipf's law, with capitals and punctuation."""
    rng = random.Random(seed)
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er")]
    words = ["".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3, 4)))) for _ in range(50_000)]
    weights = [1 / (rank + 2.7) for rank in range(len(words))]
    low, high = _WORDS[kind]
    texts = []
    for _ in range(count):
        chosen = rng.choices(words, weights, k=rng.randint(low, high))
        for at in range(len(chosen)):
            if at == 0 or chosen[at - 1].endswith("."):
                chosen[at] = chosen[at].capitalize()
            if rng.random() < 0.08:
                chosen[at] += rng.choice((",", ",", ".", ";"))
        texts.append(" ".join(chosen) + ".")
    return texts
