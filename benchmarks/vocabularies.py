"""Files of ours, and of the peers, with large made-up vocabularies, 256 dimensions, int8."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import peers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from staticemb_distiller.file import Parts, Settings, write
from staticemb_distiller.file.pieces import with_pieces

_LETTERS = "abcdefghijklmnopqrstuvwxyzäöüéèñçабвгдежзиклмнопрст"


def words(folder: Path, count: int) -> Path:
    """Write a file with the words w0, w1, …, split at white space; w0 is the unknown token."""
    model = models.WordLevel({f"w{at}": at for at in range(count)}, unk_token="w0")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _write(folder / f"words-{count}.staticemb", tokenizer, Settings())


def unigram(folder: Path, count: int) -> Path:
    """Pieces in the manner of SentencePiece; XLM-R has 250,000."""
    settings = Settings(unknown_token_id=0)
    return _write(folder / f"unigram-{count}.staticemb", _unigram_tokenizer(count), settings)


def unigram_folder(folder: Path, count: int) -> Path:
    """The same pieces and rows in model2vec's layout, which has no scale."""
    tokenizer = _unigram_tokenizer(count).to_str().encode()
    return peers.write_folder(folder / f"unigram-{count}", _rows(count), tokenizer)


def _unigram_tokenizer(count: int) -> Tokenizer:
    rng = random.Random(0)
    pieces = {"<unk>": 0.0, "▁": -2.0} | dict.fromkeys(_LETTERS, -12.0)
    while len(pieces) < count:
        piece = "".join(rng.choices(_LETTERS, k=rng.randint(2, 9)))
        pieces.setdefault(("▁" if rng.random() < 0.6 else "") + piece, -rng.uniform(5, 14))
    tokenizer = Tokenizer(models.Unigram(list(pieces.items()), unk_id=0))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer


def _rows(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-127, 128, (count, 256), dtype=np.int8)


def _write(path: Path, tokenizer: Tokenizer, settings: Settings) -> Path:
    scale = np.full(256, 0.01, np.float32)
    rows = _rows(tokenizer.get_vocab_size())
    parts = Parts(rows, tokenizer.to_str().encode(), scale=scale)
    write(path, with_pieces(parts), settings)
    return path
