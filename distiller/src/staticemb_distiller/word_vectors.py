"""Word vectors as text (GloVe, word2vec, fastText `.vec`), written as a static embedding file.

A row is a word and its numbers, between blanks. The first line of word2vec and fastText says how
many rows and how many numbers there are; GloVe has none. Rows are streamed to disk: memory holds
the words alone.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from staticemb_runtime.header import MAX_DIM, MAX_ROWS

from .convert import Converted, creator, write_compared
from .errors import ConvertError, WordVectorsError
from .write import Parts, Settings

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from staticemb_runtime import StaticModel

Tokens = Literal["words", "blanks"]
Dtype = Literal["float32", "float16"]

_LONGEST_LINE = 1 << 21
_CHECKED_WORDS = 1000


@dataclass
class _Table:
    """What was read: the words in order of their rows, and how many rows were dropped."""

    words: dict[str, int]
    dim: int
    repeated: int = 0


def convert_word_vectors(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    tokens: Tokens = "words",
    lowercase: bool | None = None,
    limit: int | None = None,
    normalize: bool = True,
    dtype: Dtype = "float32",
) -> Converted:
    """Write word vectors as a static embedding file with a word-level tokenizer.

    Words that the source does not hold are dropped from a text.

    Args:
        source: a text file in UTF-8, or one packed by gzip (`.gz`).
        path: the file to write.
        tokens: `words` cuts texts at blanks and around punctuation, `blanks` at blanks alone, for
            texts that are cut into words already.
        lowercase: whether texts are put in lower case; None: if no word of the source has an upper
            case letter.
        limit: how many rows to read; None: all.
        normalize: whether the file's vectors have unit length.
        dtype: of the rows.

    Raises:
        WordVectorsError: the source cannot be read, or a row is malformed; the message names the
            line.
        ConvertError: the file's vectors are not those of the source.
        WriteError, UnwritablePartsError: as `write`.
    """
    source, path = Path(source), Path(path)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            rows = Path(folder) / "rows"
            with rows.open("wb") as sink:
                table = _read(source, sink, limit, np.dtype(dtype))
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
            difference = write_compared(
                path,
                Parts(embeddings, tokenizer),
                settings,
                lambda model: _single_words(model, embeddings, words, normalize=normalize),
            )
    except OSError as error:
        raise ConvertError(f"{path}: could not be written: {error.strerror or error}") from error
    notes = []
    if table.repeated:
        notes.append(f"{table.repeated:,} rows of words that had a row already were dropped")
    return Converted(path, difference, tuple(notes))


def _read(source: Path, sink: IO[bytes], limit: int | None, dtype: np.dtype[np.float32]) -> _Table:
    """Copy the rows to `sink`, and one of zeros for words that the source does not hold."""
    lines = _lines(source)
    number, line = next(lines, (1, ""))
    fields = line.split(" ")
    expected_rows: int | None = None
    if len(fields) == 2 and all(field.isdecimal() for field in fields):
        expected_rows, dim = int(fields[0]), int(fields[1])
    else:
        dim = len(fields) - 1
    if not 1 <= dim <= MAX_DIM:
        _refuse(source, number, f"a word and 1 to {MAX_DIM} numbers", repr(line)[:60])
    table = _Table({}, dim)
    if expected_rows is None:
        _add(table, sink, dtype, (source, number, line))
    for number, line in lines:
        if limit is not None and len(table.words) + table.repeated >= limit:
            break
        _add(table, sink, dtype, (source, number, line))
    else:
        found = len(table.words) + table.repeated
        if expected_rows is not None and found != expected_rows:
            _refuse(source, number, f"{expected_rows} rows, as the first line says", str(found))
    if not table.words:
        _refuse(source, number, "a word and its numbers", "the end of the file")
    sink.write(np.zeros(dim, dtype).tobytes())
    return table


def _add(
    table: _Table, sink: IO[bytes], dtype: np.dtype[np.float32], at: tuple[Path, int, str]
) -> None:
    source, number, line = at
    # From the right: some of GloVe's words hold blanks.
    word, *numbers = line.rsplit(" ", table.dim)
    if len(numbers) != table.dim or not word:
        found = f"{len(line.split(' ')) - 1} numbers: {line[:60]!r}"
        _refuse(source, number, f"a word and {table.dim} numbers", found)
    try:
        with np.errstate(over="ignore"):  # infinite then, and refused below
            row = np.array(numbers, np.float32).astype(dtype, copy=False)
    except ValueError as error:
        _refuse(source, number, f"{table.dim} numbers", str(error))
    if not np.isfinite(row).all():
        at_fault = numbers[int(np.argmin(np.isfinite(row)))]
        _refuse(source, number, f"finite numbers within {dtype}", at_fault)
    if word in table.words:
        table.repeated += 1
        return
    if len(table.words) >= MAX_ROWS - 1:
        _refuse(source, number, f"at most {MAX_ROWS - 1} words", "more")
    table.words[word] = len(table.words)
    sink.write(row.tobytes())


def _lines(source: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers, without blanks at their end."""
    number = 0
    try:
        opener = gzip.open if source.suffix == ".gz" else open
        with opener(source, "rb") as file:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    _refuse(source, number, f"lines of less than {_LONGEST_LINE} bytes", "more")
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip(" \r\n")
                if text:
                    yield number, text.replace("\t", " ") if " " not in text else text
    except UnicodeDecodeError as error:
        _refuse(source, number, "UTF-8", f"byte {error.object[error.start]:#04x}")
    except (OSError, EOFError) as error:
        message = f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise WordVectorsError(message) from error


def _refuse(source: Path, number: int, expected: str, found: str) -> NoReturn:
    raise WordVectorsError(f"{source}, line {number}: expected {expected}, found {found}")


def _tokenizer(words: dict[str, int], tokens: Tokens, *, lowercase: bool) -> tuple[bytes, int]:
    """A word-level `tokenizer.json`, and the id that words it does not know get."""
    unknown = "[UNK]"
    while unknown in words:
        unknown = f"[{unknown}]"
    cut = "BertPreTokenizer" if tokens == "words" else "WhitespaceSplit"
    definition: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"} if lowercase else None,
        "pre_tokenizer": {"type": cut},
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
    """The rows of some words, and the vectors of these words as texts.

    Only words that the tokenizer leaves whole can be compared.

    Raises:
        ConvertError: it leaves none of them whole.
    """
    rng = np.random.default_rng(0)
    count = min(len(words), _CHECKED_WORDS)
    some = sorted(rng.choice(len(words), count, replace=False).tolist())
    pieces = model.tokenize([words[i] for i in some])
    whole = [i for i, found in zip(some, pieces, strict=True) if found == [words[i]]]
    if not whole:
        raise ConvertError(
            f"expected words that a text can hold, found none among {count}, such as "
            f"{words[some[0]]!r}: is each text cut as these words are? (--tokens, --lowercase)"
        )
    expected = rows[whole].astype(np.float64)
    if normalize:
        length = np.linalg.norm(expected, axis=1, keepdims=True)
        expected = np.divide(expected, length, out=expected, where=length > 0)
    return expected, model.encode([words[i] for i in whole])
