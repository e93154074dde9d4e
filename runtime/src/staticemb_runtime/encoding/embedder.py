"""The way from texts to vectors: tokenizer, table, pooling, unit length, precision."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..format.file_changes import ChangeGuard
from ..format.parts import ModelParts
from ..format.tokenizer_check import check_tokenizer
from ..tokenization.wordpiece import PlainWordPiece, are_plain, read_plain
from .batching import Slice, size_hint, slices
from .options import Request
from .pooling import pool
from .progress import Progress
from .table import EmbeddingTable
from .vectors import normalize, quantize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from ..tokenization.truncation import LimitedTokenizer
    from ..tokenization.word_tokenizer import WordTokenizer
    from .empty_texts import EmptyTexts


NO_TEXTS: Final[NDArray[np.int64]] = np.empty(0, np.int64)


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


class Block(NamedTuple):
    """The vectors of a slice.

    Attributes:
        vectors: (n, width).
        empty: (k,) the indices of the texts that have no token of the model, ascending; within the
            slice.
    """

    vectors: NDArray[Any]
    empty: NDArray[np.int64]


class Embedder:
    """The parts of a file, put to work; safe to use from several threads.

    Args:
        file: the parts.

    Attributes:
        file: the parts.
        table: its numbers.
    """

    def __init__(self, file: ModelParts) -> None:
        self.table = EmbeddingTable(file.embeddings, file.scale, file.weights, file.rows)
        self.file = file
        self._guard = ChangeGuard(file)
        self._tokenizer: WordTokenizer | LimitedTokenizer | None = None
        self._plain: PlainWordPiece | None = None
        self._asked = file.limits is not None  # whether the file's tokenizer is a plain one
        self._lock = threading.Lock()
        self._unlimited: Embedder | None = None

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
            InvalidTextError: a text holds a surrogate, or the tokenizer fails at it; the message
                names its index.
            FormatError: the file's tokenizer is none, or gives an id that has no row.
            FileChangedError: the file was written to since it was loaded.
        """
        self._guard.check()
        first = self._first_ids(some.texts)
        if first is not None:
            return first
        ids, lengths = self.tokenizer().encode(some.texts, start=some.start)
        if ids.size and ids.max() >= self.table.vocab_size:
            self._check()
        return ids, lengths

    def embed(self, some: Slice, request: Request) -> Block:
        """The vectors of a slice.

        Raises:
            InvalidTextError: a text holds a surrogate, or the tokenizer fails at it; the message
                names its index.
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
        empty = NO_TEXTS if lengths.all() else np.flatnonzero(lengths == 0)
        return Block(quantize(found, request.precision), empty)

    def without_limits(self) -> Embedder:
        """An embedder that uses all tokens of a text."""
        file = self.file
        if file.limits is None and file.metadata.max_tokens is None:
            return self
        with self._lock:
            if self._unlimited is None:
                metadata = file.metadata._replace(max_tokens=None)
                self._unlimited = Embedder(file._replace(metadata=metadata, limits=None))
            return self._unlimited

    def copy_tokenizer(self) -> Tokenizer:
        """A tokenizer of the `tokenizers` library that truncates as this model does.

        Raises:
            FormatError: the file's tokenizer is invalid.
        """
        from tokenizers import Tokenizer  # late: slow to import

        self.tokenizer()  # says what is wrong with the file
        tokenizer = Tokenizer.from_buffer(self.file.tokenizer)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        limits, most = self.file.limits, self.file.metadata.max_tokens
        if most is not None:
            end = limits is not None and limits.keep_end
            tokenizer.enable_truncation(most, direction="left" if end else "right")
        return tokenizer

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
            from ..tokenization.word_tokenizer import (
                WordTokenizer,  # slow to import, as is what it imports
            )

            if limits is not None:
                from ..tokenization.truncation import LimitedTokenizer  # only folders have them

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
        from ..format.tokenizer_library import check_readable  # late, as `words`

        check_tokenizer(self.file.tokenizer, self.file.n_token_ids, self.file.path)
        check_readable(self.file.tokenizer, self.file.path)


def token_vectors(
    embedder: Embedder,
    sentences: str | Iterable[str],
    *,
    prefix: int,
    batch_size: int,
    normalize_rows: bool = False,
    show_progress_bar: bool = False,
    empty: EmptyTexts | None = None,
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """The vectors of each text's tokens.

    Args:
        embedder: the model.
        sentences: one text, or an iterable of texts.
        prefix: the length of the vectors.
        batch_size: how many texts are worked on at a time.
        normalize_rows: whether each vector gets unit length.
        show_progress_bar: a line on standard error.
        empty: counts the texts without tokens.

    Returns:
        (tokens, prefix) for one text, a list of such arrays for an iterable.

    Raises:
        TypeError, StaticEmbError: as `slices` and `Embedder.ids` do.
    """
    single = isinstance(sentences, str)
    texts = [sentences] if isinstance(sentences, str) else sentences
    found: list[NDArray[np.float32]] = []
    with Progress(size_hint(texts), unit="texts", enabled=show_progress_bar) as progress:
        for some in slices(texts, batch_size):
            ids, lengths = embedder.ids(some)
            if empty is not None and not lengths.all():
                empty.add(some, np.flatnonzero(lengths == 0))
            rows = embedder.table.token_rows(ids, prefix)
            if normalize_rows:
                normalize(rows, in_place=True)
            found += np.split(rows, np.cumsum(lengths)[:-1])
            progress.advance(len(some.texts))
    return found[0] if single else found
