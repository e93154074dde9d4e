"""Conversion of word vectors (GloVe, word2vec, fastText `.vec`) to a static embedding file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arguments import check_path
from ..errors import ConvertError
from ..file.writer import Settings
from ..output_file import check_output, reported
from ..scratch_folder import scratch_folder
from ..table.parts import Parts
from .convert import Converted, creator, write_compared
from .word_vector_text import read_rows

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from staticemb_runtime import StaticModel

Tokens = Literal["words", "blanks"]
FloatDtype = Literal["float32", "float16"]

_CHECKED_WORDS = 1000


def convert_word_vectors(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    tokens: Tokens = "words",
    lowercase: bool | None = None,
    limit: int | None = None,
    normalize: bool = True,
    dtype: FloatDtype = "float32",
) -> Converted:
    """Write word vectors as a static embedding file with a word-level tokenizer.

    Words that the source lacks are dropped from a text.

    Args:
        source: a text file in UTF-8, plain or compressed by gzip (`.gz`) or Zstandard (`.zst`).
        path: the file to write.
        tokens: `words` splits texts at blanks and around punctuation, `blanks` at blanks only, for
            texts that are already split into words.
        lowercase: whether texts are lowercased; None: they are if no word of the source has an
            uppercase letter.
        limit: the number of rows to read; None: all.
        normalize: whether the file's vectors have unit length.
        dtype: the dtype of the rows.

    Raises:
        ConvertError: the source cannot be read, a row is malformed (the message names the line),
            or the vectors of file and source differ.
        OutputError: as in `check_output` and `write`.
    """
    check_path("source", source)
    check_path("path", path)
    source, path = Path(source), Path(path)
    check_output(path, [source])
    with reported(path, ConvertError), scratch_folder(path) as folder:
        rows = folder / "rows"
        with rows.open("wb") as sink:
            table = read_rows(source, sink, limit=limit, dtype=dtype)
            # The row of unknown words.
            sink.write(np.zeros(table.dim, dtype).tobytes())
        shape = (len(table.words) + 1, table.dim)
        embeddings = np.memmap(rows, dtype, "r", shape=shape)
        if lowercase is None:
            lowercase = all(word == word.lower() for word in table.words)
        tokenizer, unknown = _tokenizer(table.words, tokens, lowercase=lowercase)
        settings = Settings(
            normalize=normalize,
            unknown_token_id=unknown,
            provenance={
                "creator": creator(),
                "description": f"Converted from {source.name}, word vectors",
            },
        )
        words = list(table.words)
        difference, _ = write_compared(
            path,
            Parts(embeddings, tokenizer),
            settings,
            lambda model: _single_words(model, embeddings, words, normalize=normalize),
        )
    notes = []
    if table.repeated:
        notes.append(f"{table.repeated:,} rows of words that had a row already were dropped")
    return Converted(path, difference, tuple(notes))


def _tokenizer(words: dict[str, int], tokens: Tokens, *, lowercase: bool) -> tuple[bytes, int]:
    """Return a word-level `tokenizer.json`, and the id of unknown words."""
    unknown = "[UNK]"
    while unknown in words:
        unknown = f"[{unknown}]"
    splitter = "BertPreTokenizer" if tokens == "words" else "WhitespaceSplit"
    definition: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"} if lowercase else None,
        "pre_tokenizer": {"type": splitter},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {**words, unknown: len(words)},
            "unk_token": unknown,
        },
    }
    spelled = json.dumps(definition, ensure_ascii=False, separators=(",", ":"))
    return spelled.encode("utf-8"), len(words)


def _single_words(
    model: StaticModel, rows: NDArray[np.float32], words: list[str], *, normalize: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the rows of up to 1,000 random words, and the vectors of these words as texts.

    Only words that the tokenizer does not split can be compared.

    Raises:
        ConvertError: the tokenizer splits all of them.
    """
    rng = np.random.default_rng(0)
    count = min(len(words), _CHECKED_WORDS)
    sample = sorted(rng.choice(len(words), count, replace=False).tolist())
    token_lists = model.tokenize([words[i] for i in sample])
    whole = [i for i, tokens in zip(sample, token_lists, strict=True) if tokens == [words[i]]]
    if not whole:
        raise ConvertError(
            f"expected words that the tokenizer does not split, found none among {count}, such as "
            f"{words[sample[0]]!r}: check --tokens and --lowercase"
        )
    expected = rows[whole].astype(np.float64)
    if normalize:
        length = np.linalg.norm(expected, axis=1, keepdims=True)
        expected = np.divide(expected, length, out=expected, where=length > 0)
    return expected, model.encode([words[i] for i in whole])
