"""Small sets of examples in memory, for tests of training."""

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.table.quantization import to_int8
from staticemb_distiller.training.batches import Batch
from staticemb_distiller.training.dataset import Dataset, Examples, Texts
from staticemb_distiller.training.objective import Objective
from staticemb_distiller.training.workers import Workers

COLUMNS = {  # how a source of each kind names those of a table without a header
    "pairs": "anchor=1,positive=2",
    "triplets": "anchor=1,positive=2,negative=3",
    "scored": "anchor=1,positive=2,score=3",
    "labeled": "text=1,label=2",
}


def tokenized(random, count, tokens):
    """Texts of one to five random tokens."""
    lengths = random.integers(1, 6, count)
    ids = random.integers(tokens, size=lengths.sum()).astype(np.int32)
    return Texts(ids, np.concatenate([[0], np.cumsum(lengths)]))


def examples(kind, columns, scores=None, labels=None):
    """The examples of one source."""
    return Examples(kind, np.asarray(columns, np.int32), scores, labels, 1.0)


def dataset(texts, *sources):
    """A data set whose texts nobody has to spell."""
    return Dataset(texts, list(sources), np.empty(0, np.uint8), np.zeros(1, np.int64))


def batch(columns, scores=None, labels=None):
    """A batch of the first source."""
    return Batch(0, np.asarray(columns, np.int32), scores, labels)


def objective(bag, data, *, prefixes, temperature=0.1, guide=None, workers=None):
    """An objective in which all prefixes count the same."""
    weights = (1.0,) * len(prefixes)
    workers = workers or Workers()
    return Objective(bag, data, prefixes, weights, temperature, workers, guide, 0.5)


def pairs(random, count, topics=12):
    """Pairs of texts that share a topic: `topic` words on either side, and words of no meaning."""
    rows = []
    for _ in range(count):
        topic = random.integers(topics)
        sides = []
        for side in "ab":
            own = [f"{side}{topic}x{random.integers(3)}" for _ in range(2)]
            filler = [f"f{random.integers(30)}" for _ in range(2)]
            sides.append(" ".join(random.permutation([*own, *filler])))
        rows.append(tuple(sides))
    return rows


def words(topics=12):
    """Every word of `pairs`."""
    meant = [
        f"{side}{topic}x{number}" for side in "ab" for topic in range(topics) for number in range(3)
    ]
    return [*meant, *(f"f{number}" for number in range(30)), "[UNK]"]


def tokenizer(vocabulary):
    """The bytes of a tokenizer of whole words."""
    model = models.WordLevel({word: place for place, word in enumerate(vocabulary)}, "[UNK]")
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made.to_str().encode()


def model(path, dim=32, seed=0, damping=None, prefixes=(8, 32), dtype="float32"):
    """Write a static embedding file of random rows for the words of `pairs`."""
    vocabulary = words()
    rows = np.random.default_rng(seed).standard_normal((len(vocabulary), dim)).astype(np.float32)
    rows[-1] = 0
    scale = None
    if dtype == "int8":
        rows, scale = to_int8(rows)
    settings = Settings(
        prefixes=prefixes,
        damping=damping,
        unknown_token_id=len(vocabulary) - 1,
        provenance={"recipe": "dims = 32", "teacher": "somebody", "license": "mit"},
    )
    write(path, Parts(rows, tokenizer(vocabulary), scale), settings)
    return path


def source(path, kind, rows):
    """Write rows as TSV, and spell the source that they are."""
    return f"{save(path, rows)}::kind={kind},header=no,{COLUMNS[kind]}"


def save(path, rows):
    """Write rows as TSV without a header."""
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path
