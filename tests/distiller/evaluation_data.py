"""A small folder of evaluation data of every kind, and models for it, made on the spot."""

import json

import numpy as np

ANIMALS = ["cat", "dog", "horse", "sheep", "cow", "goat"]
TOOLS = ["hammer", "saw", "drill", "wrench", "chisel", "pliers"]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), "utf-8")


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def make(folder):
    """Two topics: texts of one topic are alike, those of the other are not."""
    rng = np.random.default_rng(0)

    def sentence(words):
        return "a " + " and ".join(rng.choice(words, 3, replace=False))

    def labeled(count):
        return [
            (name, sentence(words))
            for _ in range(count)
            for name, words in (("animal", ANIMALS), ("tool", TOOLS))
        ]

    pairs = [
        (score, sentence(ANIMALS), sentence(words))
        for score, words in ((1, ANIMALS), (0, TOOLS)) * 8
    ]
    write(
        folder / "sts/topics-test.tsv",
        [(f"{5 * s + 0.1 * i:.1f}", a, b) for i, (s, a, b) in enumerate(pairs)],
    )
    write(
        folder / "wordsim/topics.tsv",
        [(9.5, "cat", "dog"), (0.5, "cat", "saw"), (8, "saw", "drill")],
    )
    write(folder / "pairs/topics-test.tsv", pairs)
    write(folder / "classification/topics-train.tsv", labeled(12))
    write(folder / "classification/topics-test.tsv", labeled(5))
    write(folder / "clustering/topics.tsv", labeled(10))
    documents = labeled(8)
    base = folder / "retrieval/topics"
    write_jsonl(
        base / "corpus.jsonl",
        [
            {"_id": f"d{i}", "title": label, "text": text}
            for i, (label, text) in enumerate(documents)
        ],
    )
    write_jsonl(
        base / "queries.jsonl", [{"_id": "q0", "text": "cat"}, {"_id": "q1", "text": "saw"}]
    )
    wanted = {"q0": "animal", "q1": "tool"}
    write(
        base / "qrels/test.tsv",
        [("query-id", "corpus-id", "score")]
        + [
            (query, f"d{i}", 1)
            for query, topic in wanted.items()
            for i, (label, _) in enumerate(documents)
            if label == topic
        ],
    )
    mixtures = ((3, 0), (3, 1), (2, 2), (1, 3), (0, 3))
    write(
        folder / "bitext/topics.tsv",
        [
            (" ".join(ANIMALS[:a] + TOOLS[:t]), " ".join(ANIMALS[-a or 6 :] + TOOLS[-t or 6 :]))
            for a, t in mixtures
        ],
    )
    return folder


def topics(texts):
    """A perfect model of this data: which topic's words a text has, then noise in two columns."""
    rows = []
    for text in texts:
        words = text.split()
        animal = sum(word in ANIMALS for word in words)
        tool = sum(word in TOOLS for word in words)
        noise = np.random.default_rng(list(text.encode())).normal(size=2) * 1e-3
        rows.append([animal - tool, animal + tool + 0.1, *noise])
    return np.array(rows)


def noise(texts):
    """A model that knows nothing."""
    return np.stack([np.random.default_rng(list(text.encode())).normal(size=16) for text in texts])
