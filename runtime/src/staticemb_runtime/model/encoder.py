"""`Encoder`: sends texts to the embedder, in one or several threads, and returns their vectors."""

from __future__ import annotations

import os
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..encoding.batching import Batch, size_hint, slices
from ..encoding.embedder import Block, Embedder
from ..encoding.options import make_request
from ..encoding.progress import Progress
from ..encoding.text_warnings import TextCounts, TextWarnings
from ..encoding.vectors import check_dim
from ..format.metadata import SPACE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from numpy.typing import NDArray

    from ..encoding.empty_texts import EmptyTexts, OnEmpty
    from ..encoding.file_space import FileSpace
    from ..encoding.options import Request
    from ..encoding.vectors import Precision
    from ..format.metadata import Pooling
    from ..format.parts import ModelParts
    from ..heads.file_heads import Heads

    After = Callable[[NDArray[np.float32]], NDArray[Any]]

BATCH_SIZE: Final = 2048
LEAST_BATCH: Final = 256
LEAST_SHARED_BATCH: Final = 4096  # with several threads
_REQUESTS: Final = 256


class Encoder:
    """A model's embedder and its defaults; safe to use from several threads.

    Args:
        file: the model's parts.
        truncate_dim: the default length of vectors; None: the file's own default.

    Attributes:
        embedder: embeds texts.
        dim: the default length of vectors.
        place: the absolute path of the file, which stays valid if the working folder changes.
        warnings: what the model has warned about.

    Raises:
        InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
    """

    def __init__(self, file: ModelParts, truncate_dim: int | None) -> None:
        self.embedder = Embedder(file)
        self.place = os.path.abspath(file.path)
        length = file.default_dim if truncate_dim is None else truncate_dim
        self.dim = check_dim(length, file.metadata.dim)
        self._requests: dict[tuple[Any, ...], Request] = {}
        self.warnings = TextWarnings(self.embedder.languages)

    @property
    def mapped(self) -> bool:
        """Whether the file is memory-mapped."""
        return bool(self.embedder.file.mapped)

    @cached_property
    def space(self) -> FileSpace:
        """The file's part `space`, read when it is first used."""
        from ..encoding.file_space import FileSpace  # late: most files and programs do without

        self.embedder.check_file()
        return FileSpace.of(self.embedder.file)

    @cached_property
    def heads(self) -> Heads:
        """The classifiers and regressors of the file, each read when it is first used."""
        from ..heads.file_heads import Heads  # late: most programs embed texts alone

        self.embedder.check_file()
        return Heads(self.embedder.file, self.place)

    @cached_property
    def query_only(self) -> bool:
        """Whether the file is made for queries alone."""
        return SPACE_KEY in self.embedder.file.metadata.extra and self.space.query_only

    def prefix(self, truncate_dim: int | None) -> int:
        """Return the length of a call's vectors.

        Raises:
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
        """
        length = self.dim if truncate_dim is None else truncate_dim
        return check_dim(length, self.embedder.file.metadata.dim)

    def request(
        self,
        truncate_dim: int | None,
        normalize_embeddings: bool | None,
        precision: Precision,
        pooling: Pooling | None,
    ) -> Request:
        """Make the request of a call; None stands for the model's setting.

        Raises:
            InvalidDimensionError, InvalidOptionError: as `make_request`.
        """
        if truncate_dim is None:
            truncate_dim = self.dim
        # The types tell True from 1, which are equal.
        key = (
            truncate_dim,
            truncate_dim.__class__,
            normalize_embeddings,
            normalize_embeddings.__class__,
            precision,
            pooling,
        )
        try:
            return self._requests[key]
        except (KeyError, TypeError):  # new, or no value of a valid type
            pass
        request = make_request(
            self.embedder.file.metadata,
            truncate_dim=truncate_dim,
            normalize_embeddings=normalize_embeddings,
            precision=precision,
            pooling=pooling,
        )
        if len(self._requests) >= _REQUESTS:
            self._requests.clear()
        self._requests[key] = request
        return request

    def encode_one(
        self,
        text: str,
        request: Request,
        *,
        prompt: str | None,
        on_empty: OnEmpty | EmptyTexts,
    ) -> NDArray[Any]:
        """Return the vector of one text, (width,)."""
        given = text
        if prompt is not None or type(text) is not str:
            (batch,) = slices([text], 1, prompt)
            text = batch.texts[0]
        vector, n_tokens = self.embedder.embed_one(text, request)
        if not n_tokens or not (given.isascii() or self.warnings.passes(given, on_empty)):
            counts = TextCounts(self.warnings, on_empty, prompt)
            counts.add(Batch(0, [text]), () if n_tokens else (0,))
            counts.warn(1)
        return vector

    def encode(
        self,
        texts: Iterable[str],
        request: Request,
        *,
        prompt: str | None,
        batch_size: int,
        empty: EmptyTexts,
        workers: int,
        show_progress_bar: bool,
    ) -> NDArray[Any]:
        """Return the vectors of texts, (n, width). The array grows if their number is unknown.

        Raises:
            TypeError, StaticEmbError: as `StaticModel.encode` for invalid texts.
        """
        if (
            type(texts) is list
            and len(texts) == 1
            and type(texts[0]) is str
            and not show_progress_bar
            and empty.foreign is None  # a program's counter counts texts in ASCII as well
        ):
            return self.encode_one(texts[0], request, prompt=prompt, on_empty=empty)[None]
        source = slices(texts, batch_size, prompt)
        total = size_hint(texts)
        counts = TextCounts(self.warnings, empty, prompt)
        vectors = np.empty((total or 0, request.width), request.dtype)
        final = None if total is None else vectors  # an array that is resized must have no views
        done = 0
        with (
            closing(self._blocks(source, request, workers, final)) as blocks,
            Progress(total, unit="texts", enabled=show_progress_bar) as progress,
        ):
            for batch, block in blocks:
                counts.add(batch, block.empty)
                rows = block.vectors
                if done + len(rows) > len(vectors):
                    length = (done + len(rows)) * 5 // 4
                    if total is None:
                        vectors.resize(length, request.width, refcheck=False)
                    else:  # the length was wrong, and other threads may write into the array
                        more = np.empty((length - len(vectors), request.width), request.dtype)
                        vectors = np.concatenate([vectors, more])
                if rows.base is not vectors:
                    vectors[done : done + len(rows)] = rows
                done += len(rows)
                progress.advance(len(rows))
        counts.warn(done)
        if done < len(vectors):
            vectors.resize(done, request.width, refcheck=False)
        return vectors

    def encode_counted(
        self, texts: list[str], request: Request, *, prompt: str | None
    ) -> tuple[NDArray[Any], int]:
        """Return the vectors of texts, (n, width), and the number of their known tokens.

        Raises:
            TypeError, StaticEmbError: as `StaticModel.encode` for invalid texts.
        """
        if len(texts) == 1 and prompt is None:
            vector, n_tokens = self.embedder.embed_one(texts[0], request)
            return vector[None], n_tokens
        vectors = np.empty((len(texts), request.width), request.dtype)
        n_tokens = 0
        for batch in slices(texts, BATCH_SIZE, prompt):
            rows, lengths = self.embedder.embed_counted(batch, request)
            vectors[batch.start : batch.start + len(rows)] = rows
            n_tokens += int(lengths.sum())
        return vectors, n_tokens

    def stream(
        self,
        texts: Iterable[str],
        request: Request,
        *,
        prompt: str | None,
        batch_size: int,
        empty: EmptyTexts,
        workers: int,
        after: After | None = None,
    ) -> Iterator[NDArray[Any]]:
        """Iterate over the vectors of texts, a batch at a time.

        Args:
            texts: the texts.
            request: the parameters.
            prompt: text to put before each text.
            batch_size: how many texts are read at a time.
            empty: counts the texts without a known token.
            workers: the maximum number of threads.
            after: applied to the vectors of each batch in its thread; the rows stay in order.

        Raises:
            TypeError, InvalidTextError: as `slices`, at the call; later for invalid texts.
        """
        blocks = self._blocks(slices(texts, batch_size, prompt), request, workers, after=after)
        return self._stream(blocks, TextCounts(self.warnings, empty, prompt))

    def _blocks(
        self,
        source: Iterator[Batch],
        request: Request,
        workers: int,
        vectors: NDArray[Any] | None = None,
        after: After | None = None,
    ) -> Generator[tuple[Batch, Block], None, None]:
        """Iterate over each slice and its vectors, in order.

        Args:
            source: the slices.
            request: the parameters.
            workers: the maximum number of threads.
            vectors: an array for the vectors of all texts. Those of float32 are written into it at
                once if it is long enough.
            after: as in `stream`.
        """
        shared = workers > 1
        direct = vectors is not None and request.precision == "float32"

        def embed(batch: Batch) -> Block:
            end = batch.start + len(batch.texts)
            if not direct or vectors is None or end > len(vectors):
                block = self.embedder.embed(batch, request, shared=shared)
                return block if after is None else Block(after(block.vectors), block.empty)
            return self.embedder.embed(batch, request, vectors[batch.start : end], shared=shared)

        if workers > 1:
            from ..encoding.threads import embed_slices  # late: most programs never need it

            return embed_slices(embed, source, workers)
        return ((batch, embed(batch)) for batch in source)

    def _stream(
        self, blocks: Generator[tuple[Batch, Block], None, None], counts: TextCounts
    ) -> Generator[NDArray[Any], None, None]:
        """Iterate over the vectors of each slice, in order."""
        with closing(blocks):
            for batch, (rows, indices) in blocks:
                counts.add(batch, indices)
                counts.warn(batch.start + len(batch.texts))
                yield rows
