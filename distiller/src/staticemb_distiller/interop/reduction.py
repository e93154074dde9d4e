"""Smaller tables of converted models: the tokens that a text uses, and smaller numbers.

The table may be mapped from a file: it is read in blocks, and never copied whole in float32.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from ..corpus.input_files import read_lines
from ..table.quantization import to_float16, to_int8
from ..vocabulary.build import build
from ..vocabulary.counting import count_ids
from .comparison import sample_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..table.parts import Parts

TableDtype = Literal["float32", "float16", "int8"]

_LINES = 200
_CHARACTERS = 1000
_BLOCK_ROWS = 8192


class KeptTokens(NamedTuple):
    """The tokens of a source that a file keeps.

    Attributes:
        ids: (K,) int64, their ids in the source, in the order of their ids in the file.
        tokenizer: the `tokenizer.json` of the file.
        texts: texts whose tokens are all kept and known: file and source give the same vectors.
    """

    ids: NDArray[np.int64]
    tokenizer: bytes
    texts: list[str]


def used_tokens(definition: bytes, files: Sequence[str], min_count: int) -> KeptTokens:
    """Find the tokens of a tokenizer that texts use.

    Kept as well are the unknown and the padding token, the single characters of kept pieces, and
    what the tokenizer's model needs to cut the texts as before.

    Args:
        definition: a `tokenizer.json` without truncation, padding and post-processor.
        files: text files.
        min_count: the least number of times that a kept token occurs.

    Raises:
        TextSourceError: a file cannot be read.
        VocabularyError: no token occurs so often, or the tokenizer's model cannot be cut.
    """
    tokenizer = Tokenizer.from_buffer(definition)
    counts = count_ids(read_lines(files), tokenizer)
    vocabulary = build(
        tokenizer, drop_pattern=None, counts=counts, min_count=min_count, prefix_space=False
    )
    ids = np.array([token_ids[0] for token_ids in vocabulary.token_ids], np.int64)
    known = set(ids.tolist())
    if vocabulary.unknown_token_id is not None:
        known.discard(int(ids[vocabulary.unknown_token_id]))
    texts = [line[:_CHARACTERS] for line in islice(read_lines(files), _LINES)]
    texts += sample_texts(vocabulary.tokenizer_json)
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    texts = [text for text, each in zip(texts, encoded, strict=True) if known.issuperset(each.ids)]
    return KeptTokens(ids, vocabulary.tokenizer_json, texts)


def cut_rows(parts: Parts, kept: KeptTokens) -> Parts:
    """Return the parts with the kept tokens and the rows that they use."""
    ids = kept.ids
    weights = None if parts.weights is None else parts.weights[ids]
    used, rows = ids, None
    if parts.rows is not None:
        used, places = np.unique(parts.rows[ids], return_inverse=True)
        rows = places.astype(np.uint16 if len(used) <= 1 << 16 else np.uint32)
    embeddings = parts.embeddings[used]
    return replace(
        parts, embeddings=embeddings, tokenizer=kept.tokenizer, weights=weights, rows=rows
    )


def round_rows(parts: Parts, dtype: TableDtype, *, normalize: bool) -> Parts:
    """Return the parts with the table in a number format.

    Args:
        parts: the parts; an int8 table's scale is all ones, as model2vec reads it.
        dtype: the number format.
        normalize: whether vectors have unit length, which cancels a factor of the whole table.

    Raises:
        TableError: the table's range is too large for float16.
    """
    table = parts.embeddings
    if table.dtype.name == dtype:
        return parts
    if dtype == "int8":
        integers, scale = to_int8(table)
        return replace(parts, embeddings=integers, scale=scale)
    if dtype == "float32" or table.dtype == np.int8:  # exact
        return replace(parts, embeddings=table.astype(dtype), scale=None)
    halves, exponent = to_float16(table)
    weights = parts.weights
    if exponent and not normalize:
        factors = np.ones(parts.n_token_ids, np.float32) if weights is None else weights
        weights = np.ldexp(factors, -exponent)
    return replace(parts, embeddings=halves, weights=weights)


def lost_rows(before: NDArray[Any], after: NDArray[Any]) -> int:
    """Count the rows that rounding made zero."""
    return sum(
        int(np.count_nonzero(before[block].any(axis=1) & ~after[block].any(axis=1)))
        for start in range(0, len(before), _BLOCK_ROWS)
        for block in [slice(start, start + _BLOCK_ROWS)]
    )
