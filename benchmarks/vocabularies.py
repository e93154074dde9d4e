"""Write static embedding files with large generated vocabularies: 256 dimensions, int8."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from staticemb_distiller.file import Parts, Settings, write

_LETTERS = "abcdefghijklmnopqrstuvwxyzäöüéèñçабвгдежзиклмнопрст"


def words(folder: Path, count: int) -> Path:
    """Write a file with the words w0, w1, …, split at white space; w0 is the unknown token."""
    model = models.WordLevel({f"w{at}": at for at in range(count)}, unk_token="w0")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _write(folder / f"words-{count}.staticemb", tokenizer, Settings())


def unigram(folder: Path, count: int) -> Path:
    """Write a file with random pieces in SentencePiece's form; XLM-R has 250,000 of them."""
    rng = random.Random(0)
    pieces = {"<unk>": 0.0, "▁": -2.0} | dict.fromkeys(_LETTERS, -12.0)
    while len(pieces) < count:
        piece = "".join(rng.choices(_LETTERS, k=rng.randint(2, 9)))
        pieces.setdefault(("▁" if rng.random() < 0.6 else "") + piece, -rng.uniform(5, 14))
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    path = folder / f"unigram-{count}.staticemb"
    return _write(path, tokenizer, Settings(unknown_token_id=0))


def _write(path: Path, tokenizer: Tokenizer, settings: Settings) -> Path:
    count = tokenizer.get_vocab_size()
    table = np.random.default_rng(0).integers(-127, 128, (count, 256), dtype=np.int8)
    scale = np.full(256, 0.01, np.float32)
    write(path, Parts(table, tokenizer.to_str().encode(), scale=scale), settings)
    return path
