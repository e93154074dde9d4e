"""The way from texts to vectors: tokenizer, table, pooling, unit length, precision."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .changes import ChangeGuard
from .errors import InvalidTextError
from .format import StaticFile
from .inputs import Slice, surrogate_error
from .pooling import pool
from .request import Request
from .table import Table
from .tokenizer_definition import check_tokenizer
from .vectors import quantize
from .wordpiece import PlainWordPiece, are_plain, read_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .text_limits import LimitedTokenizer
    from .words import WordTokenizer


class Token(NamedTuple):
    """One token of a text.

    Attributes:
        piece: its spelling in the vocabulary.
        id: its number.
        row: the row of the table that it uses.
        weight: the factor that its row is multiplied by.
        norm: the length of the vector that enters the pooling.
    """

    piece: str
    id: int
    row: int
    weight: float
    norm: float


class Embedder:
    """The parts of a file, put to work; safe to use from several threads.

    Args:
        file: the parts.

    Attributes:
        file: the parts.
        table: its numbers.
    """

    def __init__(self, file: StaticFile) -> None:
        self.table = Table(file.embeddings, file.scale, file.weights, file.rows)
        self.file = file
        self._guard = ChangeGuard(file)
        self._tokenizer: WordTokenizer | LimitedTokenizer | None = None
        self._plain: PlainWordPiece | None = None
        self._asked = file.limits is not None  # whether the file's tokenizer is a plain one
        self._lock = threading.Lock()

    def tokenizer(self) -> WordTokenizer | LimitedTokenizer:
        """The tokenizer, built when it is first asked for.

        Raises:
            FormatError: the file's tokenizer is none (SPEC section 7).
        """
        if self._tokenizer is None:
            with self._lock:
                if self._tokenizer is None:
                    self._plain, self._asked = None, True
                    self._tokenizer = self._build()
        return self._tokenizer

    def ids(self, some: Slice) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """(N,) token ids of all texts, one text after the other, and (n,) how many each has.

        Raises:
            InvalidTextError: a text holds a surrogate; the message names its index.
            FormatError: the file's tokenizer is none, or gives an id that has no row.
            FileChangedError: the file was written to since it was loaded.
        """
        self._guard.check()
        first = self._first_ids(some.texts)
        if first is not None:
            return first
        try:
            ids, lengths = self.tokenizer().encode(some.texts)
        except InvalidTextError:
            raise surrogate_error(some) from None
        if ids.size and ids.max() >= self.table.vocab_size:
            self._check()
        return ids, lengths

    def embed(self, some: Slice, request: Request) -> NDArray[Any]:
        """(n, width) vectors of n texts.

        Raises:
            InvalidTextError: a text holds a surrogate; the message names its index.
            FormatError: the file's tokenizer is none, or gives an id that has no row.
            FileChangedError: the file was written to since it was loaded.
        """
        ids, lengths = self.ids(some)
        found = pool(
            self.table,
            ids,
            lengths,
            pooling=request.pooling,
            beta=request.beta,
            dims=request.dims,
            prefix=request.prefix,
            unit=request.normalize,
        )
        if len(lengths) > 1:  # a single query should not pay for asking twice
            self._guard.check()
        return quantize(found, request.precision)

    def explain(self, some: Slice) -> list[Token]:
        """The tokens of a slice of one text.

        Raises:
            InvalidTextError, FormatError: as `ids` does.
        """
        ids, _ = self.ids(some)
        table = self.table
        rows = ids if table.rows is None else table.rows[ids]
        weights = np.ones(len(ids)) if table.weights is None else table.weights[ids]
        norms = np.linalg.norm(table.token_rows(ids).astype(np.float64), axis=1)
        pieces = self.tokenizer().tokens(some.texts[0])
        columns = (ids.tolist(), rows.tolist(), weights.tolist(), norms.tolist())
        return [Token(*values) for values in zip(pieces, *columns, strict=True)]

    def _first_ids(
        self, texts: Sequence[str]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
        """The ids of plain texts while there is no tokenizer; None once there must be one."""
        if self._tokenizer is not None or not are_plain(texts):
            return None
        with self._lock:
            if not self._asked:
                self._plain = read_plain(self.file.tokenizer_view, self.file.n_token_ids)
                self._asked = True
            plain = self._plain
        if plain is None:
            return None
        metadata = self.file.metadata
        return plain.encode(
            texts,
            unknown_token_id=metadata.unknown_token_id,
            max_tokens=metadata.max_tokens,
        )

    def _build(self) -> WordTokenizer | LimitedTokenizer:
        metadata, limits = self.file.metadata, self.file.limits
        try:
            from .words import WordTokenizer  # slow to import, as is what it imports

            if limits is not None:
                from .text_limits import LimitedTokenizer  # only folders have them

                return LimitedTokenizer(self.file.tokenizer, limits)
            return WordTokenizer(
                self.file.tokenizer,
                unknown_token_id=metadata.unknown_token_id,
                max_tokens=metadata.max_tokens,
            )
        except Exception:
            self._check()  # says what is wrong with the file, if it is the file
            raise

    def _check(self) -> None:
        check_tokenizer(self.file.tokenizer, self.file.n_token_ids, self.file.path)
