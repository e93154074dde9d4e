"""`Embedder`: texts to vectors by tokenizer, table, pooling, unit length and precision."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ..errors import InvalidTokenIdError, InvalidTokenizerError
from ..format.file_changes import ChangeGuard
from ..format.parts import ModelParts
from ..format.pieces import PART
from ..format.tokenizer_check import check_tokenizer
from ..tokenization.open_encoder import check_readable, open_encoder
from ..tokenization.word_tokenizer import WordTokenizer
from .batching import Batch, size_hint, slices
from .long_texts import Parameters
from .options import Request
from .pooling import Pooler
from .progress import Progress
from .table import EmbeddingTable, check_ids
from .vectors import normalize, quantize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from ..tokenization.truncation import LimitedTokenizer
    from .text_warnings import TextCounts


NO_TEXTS: Final[NDArray[np.int64]] = np.empty(0, np.int64)
_POOLERS: Final = 8  # each holds a buffer per thread


class Token(NamedTuple):
    """One token of a text.

    Attributes:
        piece: the token as a string.
        id: the token's id.
        row: the index of its row in the table.
        weight: the factor of its row.
        norm: the length of the weighted row.
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
        empty: (k,) the indices in the slice of the texts without a known token, ascending.
    """

    vectors: NDArray[Any]
    empty: NDArray[np.int64]


class Embedder:
    """The tokenizer and table of a file, to embed texts; safe to use from several threads.

    Args:
        file: the parts.

    Attributes:
        file: the parts.
        table: the rows, scale and weights of the file.
    """

    def __init__(self, file: ModelParts) -> None:
        self.table = EmbeddingTable(file.embeddings, file.scale, file.weights, file.rows)
        self.file = file
        self._guard = ChangeGuard(file)
        self._tokenizer: WordTokenizer | LimitedTokenizer | None = None
        self._lock = threading.Lock()
        self._unlimited: Embedder | None = None
        self._poolers: dict[tuple[Request, bool], Pooler] = {}

    def tokenizer(self) -> WordTokenizer | LimitedTokenizer:
        """Return the tokenizer, which the first call builds.

        Raises:
            FormatError: the file's tokenizer is invalid (SPEC section 7).
        """
        if self._tokenizer is None:
            with self._lock:
                if self._tokenizer is None:
                    self._tokenizer = self._build()
        return self._tokenizer

    @property
    def languages(self) -> str:
        """The languages that the file names, separated by blanks; "" if it names none."""
        return self.file.metadata.extra.get("languages", "")

    def check_file(self) -> None:
        """Check that the mapped file is as it was loaded.

        Raises:
            FileChangedError: it was written to or truncated.
        """
        self._guard.check()

    def ids(
        self, batch: Batch, *, shared: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Tokenize a slice.

        Args:
            batch: the slice.
            shared: whether several threads share the work.

        Returns:
            (N,) the concatenated token ids of all texts, and (n,) the number of ids of each text.

        Raises:
            InvalidTextError: a text holds a surrogate, or the tokenizer fails on it; the message
                names its index.
            FormatError: the file's tokenizer is invalid, or gives an id without a row.
            FileChangedError: the file was modified after it was loaded.
        """
        self._guard.check()
        try:
            ids, lengths = self.tokenizer().encode(batch.texts, start=batch.start, shared=shared)
        except InvalidTokenizerError:  # from an encoder that opens `tokenizers` only when needed
            self._check()  # raises FormatError
            raise
        if ids.size and ids.max() >= self.table.vocab_size:
            self._check()
            check_ids(ids, self.table.vocab_size)
        return ids, lengths

    def embed(
        self,
        batch: Batch,
        request: Request,
        out: NDArray[np.float32] | None = None,
        *,
        shared: bool = False,
    ) -> Block:
        """Embed a slice.

        Args:
            batch: the slice.
            request: the parameters.
            out: where to write vectors of float32; None: into a new array.
            shared: whether several threads share the work.

        Raises:
            InvalidTextError, FormatError, FileChangedError: as `ids`.
        """
        vectors, lengths = self.embed_counted(batch, request, out, shared=shared)
        return Block(vectors, NO_TEXTS if lengths.all() else np.flatnonzero(lengths == 0))

    def embed_counted(
        self,
        batch: Batch,
        request: Request,
        out: NDArray[np.float32] | None = None,
        *,
        shared: bool = False,
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Embed a slice; return its vectors, (n, width), and its texts' numbers of tokens, (n,).

        The parameters and errors are those of `embed`.
        """
        ids, lengths = self.ids(batch, shared=shared)
        vectors = self._pooler(request, shared=shared).many(ids, lengths, out)
        self._guard.check()
        return quantize(vectors, request.precision), lengths

    def embed_one(self, text: str, request: Request) -> tuple[NDArray[Any], int]:
        """Embed one text, with the bits of `embed` and a few calls of numpy.

        Returns:
            The vector, (width,), and the number of the text's known tokens.

        Raises:
            InvalidTextError, FormatError, FileChangedError: as `ids`.
        """
        if self._tokenizer is None:
            ids, _ = self.ids(Batch(0, [text]))
        else:
            self._guard.check_for_query()
            try:
                ids = self._tokenizer.encode_one(text)
            except InvalidTokenizerError:
                self._check()  # as in `ids`
                raise
        try:
            vector = self._pooler(request).one(ids)
        except InvalidTokenIdError:
            self._check()
            raise
        if request.precision != "float32":
            return quantize(vector, request.precision), len(ids)
        return vector, len(ids)

    def _pooler(self, request: Request, *, shared: bool = False) -> Pooler:
        key = request, shared
        pooler = self._poolers.get(key)
        if pooler is None:
            if len(self._poolers) >= _POOLERS:
                self._poolers.clear()
            beta = request.beta if request.pooling == "damped_mean" else 0.0
            parameters = Parameters(beta, request.dims, request.prefix, request.normalize)
            pooler = self._poolers[key] = Pooler(self.table, parameters, shared=shared)
        return pooler

    def without_limits(self) -> Embedder:
        """Return an embedder that uses all tokens of a text."""
        file = self.file
        if file.limits is None and file.metadata.max_tokens is None:
            return self
        with self._lock:
            if self._unlimited is None:
                metadata = file.metadata._replace(max_tokens=None)
                self._unlimited = Embedder(file._replace(metadata=metadata, limits=None))
            return self._unlimited

    def copy_tokenizer(self) -> Tokenizer:
        """Make a tokenizer of the `tokenizers` library that cuts texts at `max_tokens`.

        Raises:
            FormatError: the file's tokenizer is invalid.
        """
        from ..format.tokenizer_library import open_tokenizer  # late: slow to import

        self.tokenizer()  # raises FormatError if the tokenizer is invalid
        tokenizer = open_tokenizer(self.file.tokenizer)
        limits, max_tokens = self.file.limits, self.file.metadata.max_tokens
        if max_tokens is not None:
            keep_end = limits is not None and limits.keep_end
            tokenizer.enable_truncation(max_tokens, direction="left" if keep_end else "right")
        return tokenizer

    def explain(self, batch: Batch) -> list[Token]:
        """Return the tokens of a slice that holds one text.

        Raises:
            InvalidTextError, FormatError, FileChangedError: as `ids`.
        """
        ids, _ = self.ids(batch)
        table = self.table
        rows = ids if table.rows is None else table.rows[ids]
        weights = np.ones(len(ids)) if table.weights is None else table.weights[ids]
        norms = np.linalg.norm(table.token_rows(ids).astype(np.float64), axis=1)
        pieces = self.tokenizer().tokens(batch.texts[0])
        columns = (ids.tolist(), rows.tolist(), weights.tolist(), norms.tolist())
        return [Token(*values) for values in zip(pieces, *columns, strict=True)]

    def _build(self) -> WordTokenizer | LimitedTokenizer:
        metadata, limits = self.file.metadata, self.file.limits
        try:
            optional = None if PART in self.file.refused else self.file.optional
            encoder = open_encoder(self.file.tokenizer_view, self.file.n_token_ids, optional)
            if limits is not None:
                from ..tokenization.truncation import LimitedTokenizer  # late: folders only

                return LimitedTokenizer(encoder, limits)
            return WordTokenizer(
                encoder,
                unknown_token_id=metadata.unknown_token_id,
                max_tokens=metadata.max_tokens,
            )
        except Exception:
            self._check()  # raises FormatError if the file is the cause
            raise

    def _check(self) -> None:
        check_tokenizer(self.file.tokenizer, self.file.n_token_ids, self.file.path)
        check_readable(self.file)


def token_vectors(
    embedder: Embedder,
    sentences: str | Iterable[str],
    *,
    prefix: int,
    batch_size: int,
    normalize_rows: bool = False,
    show_progress_bar: bool = False,
    counts: TextCounts | None = None,
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """Return the vectors of each text's tokens.

    Args:
        embedder: the model.
        sentences: one text, or an iterable of texts.
        prefix: the length of the vectors.
        batch_size: how many texts are processed at a time.
        normalize_rows: whether each vector gets unit length.
        show_progress_bar: whether to show progress on standard error.
        counts: counts the empty and the foreign texts.

    Returns:
        (tokens, prefix) for one text, a list of such arrays for an iterable.

    Raises:
        TypeError, StaticEmbError: as `slices` and `Embedder.ids`.
    """
    single = isinstance(sentences, str)
    texts = [sentences] if isinstance(sentences, str) else sentences
    vectors: list[NDArray[np.float32]] = []
    with Progress(size_hint(texts), unit="texts", enabled=show_progress_bar) as progress:
        for batch in slices(texts, batch_size):
            ids, lengths = embedder.ids(batch)
            if counts is not None:
                counts.add(batch, np.flatnonzero(lengths == 0))
            rows = embedder.table.token_rows(ids, prefix)
            if normalize_rows:
                normalize(rows, in_place=True)
            vectors += np.split(rows, np.cumsum(lengths)[:-1])
            progress.advance(len(batch.texts))
    return vectors[0] if single else vectors
