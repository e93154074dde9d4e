"""A collection whose teacher is known: its vectors are means of hidden rows, turned and noisy."""

import json

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from staticemb_distiller.file.space import space_parts
from staticemb_distiller.file.writer import Settings, write
from staticemb_distiller.table.parts import Parts
from staticemb_distiller.table.space import Space

WORDS, DIM = 400, 24
TOPICS = 12


def tokenizer(words=WORDS):
    """A tokenizer of the words w0, w1, …, whose unknown token has the id 0."""
    vocabulary = {"[UNK]": 0} | {f"w{number}": number for number in range(1, words)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made.to_str().encode()


class Hidden:
    """A teacher with a row for each word; it counts the texts that it encodes."""

    name, revision, dim, tokenizer = "hidden", "1", DIM, None

    def __init__(self, seed=0, offset=0.0, fails_after=None):
        random = np.random.default_rng(seed)
        self.rows = random.standard_normal((WORDS, DIM)).astype(np.float32)
        self.rows[0] = 0
        self.offset = np.float32(offset)
        self.encoded, self.fails_after = [], fails_after

    @property
    def provenance(self):
        return {"teacher": self.name, "teacher_revision": self.revision}

    def about(self, kind="document"):
        return {"teacher": self.name, "kind": kind}

    def encode(self, texts, *, kind="document", advance=None):
        if self.fails_after is not None and len(self.encoded) + len(texts) > self.fails_after:
            raise KeyboardInterrupt
        self.encoded += [(kind, text) for text in texts]
        vectors = np.zeros((len(texts), DIM), np.float32)
        for number, text in enumerate(texts):
            ids = [int(word[1:]) for word in text.split() if word[1:].isdigit()]
            vectors[number] = self.rows[ids].mean(0) if ids else 0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / np.where(norms > 0, norms, 1)
        vectors[:, 0] += self.offset
        return vectors


class TwoKinds(Hidden):
    """A teacher whose queries have another common direction, and other rows, than its documents."""

    def __init__(self):
        super().__init__()
        random = np.random.default_rng(3)
        self.query_rows = self.rows + 1.5 * random.standard_normal(self.rows.shape)
        self.query_rows[0] = 0

    def encode(self, texts, *, kind="document", advance=None):
        rows = self.rows
        if kind == "query":
            self.rows = self.query_rows.astype(np.float32)
        vectors = super().encode(texts, kind=kind, advance=advance)
        self.rows = rows
        vectors[:, 0] += 2
        vectors[:, 1] += 0.2 if kind == "query" else 0
        return vectors


def documents(count=300, seed=1, length=25):
    """Texts of words of a few topics."""
    random = np.random.default_rng(seed)
    topics = random.dirichlet(np.full(WORDS - 1, 0.05), TOPICS)
    return [
        " ".join(f"w{word + 1}" for word in random.choice(WORDS - 1, length, p=topics[topic]))
        for topic in random.integers(0, TOPICS, count)
    ]


def write_model(path, teacher=None, *, noise=1.0, space=True, width=DIM):
    """A file whose rows are the teacher's, with noise, and turned to other axes."""
    random = np.random.default_rng(5)
    teacher = teacher or Hidden()
    axes = np.linalg.qr(random.standard_normal((DIM, DIM)))[0][:, :width].astype(np.float32)
    rows = teacher.rows + noise * random.standard_normal(teacher.rows.shape).astype(np.float32)
    tensors, part = {}, {}
    if space:
        tensors, part = space_parts(Space("hidden", "1", axes))
    parts = Parts((rows @ axes).astype(np.float32), tokenizer(), optional=tensors)
    write(path, parts, Settings(unknown_token_id=0, optional=part))
    return path


def write_jsonl(path, texts, **columns):
    """Documents as JSON lines with a text and other columns."""
    rows = [
        {"text": text, **{name: values[number] for name, values in columns.items()}}
        for number, text in enumerate(texts)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
