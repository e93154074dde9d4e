"""`StaticModel`: a static embedding file as an object that embeds text.

It composes the other modules and does no arithmetic of its own. Names and meanings of methods and
parameters are those of sentence-transformers wherever it has them.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

import numpy as np

from .compatibility import PeerNames
from .encoding import peer_parameters, vectors
from .encoding.batching import size_hint, slices
from .encoding.empty_texts import EmptyTexts
from .encoding.encoder import Embedder, Token, token_vectors
from .encoding.options import (
    check_compatibility,
    check_count,
    check_workers,
    find_prompt,
    make_request,
)
from .encoding.peer_parameters import check_max_length, check_peers
from .encoding.progress import Progress
from .loading.installed import check_path, locate
from .loading.path import open_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import TracebackType

    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self, Unpack

    from .encoding.batching import Slice
    from .encoding.empty_texts import OnEmpty
    from .encoding.encoder import Block
    from .encoding.options import Options, Request
    from .encoding.peer_parameters import ConstructorPeers, EncodePeers, PretrainedPeers
    from .encoding.vectors import Precision
    from .format.metadata import Metadata, Pooling
    from .format.parts import ModelParts
    from .parallel.workers import Workers

    Vector = np.ndarray[tuple[int], np.dtype[np.float32]]
    Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]
    SignedVector = np.ndarray[tuple[int], np.dtype[np.int8]]
    SignedVectors = np.ndarray[tuple[int, int], np.dtype[np.int8]]
    UnsignedVector = np.ndarray[tuple[int], np.dtype[np.uint8]]
    UnsignedVectors = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

_Function = TypeVar("_Function", bound="Callable[..., Any]")

BATCH_SIZE: Final = 1024
LEAST_BATCH: Final = 256
# What a model has of its own; whatever else is among its attributes is a program's.
_ATTRIBUTES: Final = frozenset(
    (
        "metadata",
        "_embedder",
        "_identity",
        "_lock",
        "_mapped",
        "_path",
        "_place",
        "_truncate_dim",
        "_warned",
        "_workers",
    )
)


def _with_the_types_of(template: _Function) -> Callable[[Callable[..., Any]], _Function]:
    """Declare that a method takes what another takes and returns what the other returns."""

    def declare(method: Any) -> Any:  # noqa: ANN401 - a function, and what it is declared to be
        method.__wrapped__ = template  # what inspect.signature reads
        return method

    return declare


class StaticModel(PeerNames):
    """A static embedding model; safe to use from several threads.

    What else its peers offer under names of their own, `PeerNames` holds.

    Args:
        model: as `path` in `load`.
        truncate_dim: as in `load`.
        verify: as in `load`.
        peer: other parameters of sentence-transformers' constructor, with the values that change
            nothing here; others are refused with what replaces them.

    Attributes:
        metadata: what the file says of itself.

    Raises:
        TypeError, StaticEmbError: as `load` does.
        InvalidOptionError: a parameter of sentence-transformers has a value that cannot be here.

    Example:
        >>> model = StaticModel()
        >>> model.encode(["a text", "another"]).shape == (2, model.dim)
        True
    """

    metadata: Metadata

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        truncate_dim: int | None = None,
        verify: bool = False,
        mmap: bool = True,
        **peer: Unpack[ConstructorPeers],
    ) -> None:
        if model is None:
            model = peer.pop("model_name_or_path", None)
        check_peers(type(self).__name__, peer_parameters.CONSTRUCTOR, peer)
        self._open(open_parts(locate(model), verify=verify, mmap=mmap), truncate_dim)

    @classmethod
    def from_parts(cls, file: ModelParts, *, truncate_dim: int | None = None) -> Self:
        """A model of a file that is open already; for this project's own packages.

        Raises:
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
        """
        model = cls.__new__(cls)
        model._open(file, truncate_dim)
        return model

    def _open(self, file: ModelParts, truncate_dim: int | None) -> None:
        self.metadata = file.metadata
        self._path = file.path
        self._place = os.path.abspath(file.path)  # the folder that a program works in may change
        self._identity = file.identity
        self._mapped = bool(file.mapped)
        self._embedder = Embedder(file)
        self._truncate_dim = vectors.check_dim(
            file.default_dim if truncate_dim is None else truncate_dim, file.metadata.dim
        )
        self._lock = threading.Lock()
        self._workers: Workers | None = None
        self._warned = False  # of empty texts

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        truncate_dim: int | None = None,
        verify: bool = False,
        mmap: bool = True,
    ) -> Self:
        """Open a static embedding file, or a folder of model2vec or sentence-transformers.

        It is memory-mapped: nothing is read before it is needed. What a folder may hold, and by
        whose rules texts then become vectors, `compat` says.

        Args:
            path: the file or the folder, or the bare name of a model that is installed as a wheel;
                None: the small English model that comes with this package.
            truncate_dim: the length of vectors where a call does not say another.
            verify: read it whole and check its numbers first, and a file's digest.
            mmap: False to read the file into memory instead. A mapped file must not be written to
                while the model is open: vectors would change, and a file that is cut short ends the
                process (SIGBUS). Each call looks for such a change and raises FileChangedError, but
                cannot prevent it. Replacing the file by another of its name, by a rename, is safe.

        Raises:
            TypeError: `path` is not a string, a path or None.
            ModelNotFoundError: there is no such file, and no installed model of that name.
            AmbiguousModelError: several installed packages have a model of that name.
            NotAModelError: the folder holds no model, or one that is more than a table; the path
                cannot be read, or is not that of a regular file or folder.
            InvalidConfigError: a settings file in the folder is malformed.
            FormatError: the file breaks the format; a subclass says how.
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
        """
        return cls(path, truncate_dim=truncate_dim, verify=verify, mmap=mmap)

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        token: str | bool | None = None,
        *,
        revision: str | None = None,
        truncate_dim: int | None = None,
        cache_folder: str | None = None,
        local_files_only: bool = False,
        **peer: Unpack[PretrainedPeers],
    ) -> Self:
        """Open a model of the Hugging Face Hub, or a local file as `load` does.

        A repository of model2vec or of sentence-transformers' StaticEmbedding opens as well. What
        came from the Hub is verified whole, each time it is opened.

        Args:
            model: a file, which touches no network; otherwise an id like `organization/name`.
            token: for private repositories.
            revision: a commit, tag or branch; a commit pins the content.
            truncate_dim: as in `load`.
            cache_folder: where downloads are kept; the Hub's own cache by default.
            local_files_only: use the cache alone.
            peer: other parameters of model2vec: `dimensionality`, which is its name for
                `truncate_dim`, and those that change nothing here.

        Raises:
            TypeError: `model` is not a string or a path.
            InvalidOptionError: a parameter of model2vec has a value that cannot be here; the
                message says what replaces it.
            ModelNotFoundError: there is no such repository, revision or file.
            DownloadError: the Hub cannot be reached or refuses, a file is not the one that it
                lists, or huggingface_hub is missing.
            NotAModelError: the repository's model is more than a table.
            InvalidConfigError: a settings file in it is malformed.
            FormatError: the file breaks the format, or is not the one that was uploaded.
        """
        check_peers("from_pretrained", peer_parameters.FROM_PRETRAINED, peer)
        if peer.get("dimensionality") is not None:
            truncate_dim = peer["dimensionality"]
        path = check_path(model)
        if os.path.exists(path):
            loaded = cls.load(path, truncate_dim=truncate_dim)
        else:
            from .loading.hub import download  # most programs never need it

            downloaded = download(
                path,
                revision=revision,
                cache_folder=cache_folder,
                token=token,
                local_files_only=local_files_only,
            )
            loaded = cls.load(downloaded, truncate_dim=truncate_dim, verify=True)
        check_max_length(peer, loaded.metadata)
        return loaded

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (type(self), self._place, self._truncate_dim, self._mapped)
        return _load, arguments, self._others() or None

    def __copy__(self) -> Self:
        """A model of the same open file: it can neither be missing now nor be another."""
        model = self.from_parts(self._embedder.file, truncate_dim=self._truncate_dim)
        model._place = self._place
        model.__dict__.update(self._others())
        return model

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        from copy import deepcopy  # slow to import, and here already where this is called

        model = self.__copy__()
        memo[id(self)] = model  # an attribute may lead back here
        model.__dict__.update(deepcopy(self._others(), memo))
        return model

    def _others(self) -> dict[str, Any]:
        """The attributes that a program has given to this model."""
        return {name: value for name, value in vars(self).items() if name not in _ATTRIBUTES}

    def __repr__(self) -> str:
        return f"StaticModel({self._path!r}, dim={self.dim})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes, if there are any; the model can still be used."""
        if self._workers is not None:
            self._workers.close()

    @property
    def dim(self) -> int:
        """The length of the vectors that `encode` gives by default."""
        return self._truncate_dim

    @property
    def prefixes(self) -> tuple[int, ...]:
        """The lengths that are good values for `truncate_dim`, ascending; the last is the whole."""
        return self.metadata.prefixes

    @overload
    def encode(  # type: ignore[overload-overlap]  # a string is an iterable of strings
        self,
        sentences: str,
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        *,
        precision: Literal["float32"] = ...,
        **options: Unpack[Options],
    ) -> Vector: ...

    @overload
    def encode(
        self,
        sentences: Iterable[str],
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        *,
        precision: Literal["float32"] = ...,
        **options: Unpack[Options],
    ) -> Vectors: ...

    @overload
    def encode(  # type: ignore[overload-overlap]  # a string is an iterable of strings
        self,
        sentences: str,
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        *,
        precision: Literal["int8", "binary"],
        **options: Unpack[Options],
    ) -> SignedVector: ...

    @overload
    def encode(
        self,
        sentences: Iterable[str],
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        *,
        precision: Literal["int8", "binary"],
        **options: Unpack[Options],
    ) -> SignedVectors: ...

    @overload
    def encode(  # type: ignore[overload-overlap]  # a string is an iterable of strings
        self,
        sentences: str,
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        *,
        precision: Literal["uint8", "ubinary"],
        **options: Unpack[Options],
    ) -> UnsignedVector: ...

    @overload
    def encode(
        self,
        sentences: Iterable[str],
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        *,
        precision: Literal["uint8", "ubinary"],
        **options: Unpack[Options],
    ) -> UnsignedVectors: ...

    @overload
    def encode(
        self,
        sentences: str | Iterable[str],
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        *,
        precision: Precision,
        **options: Unpack[Options],
    ) -> NDArray[Any]: ...

    def encode(
        self,
        sentences: str | Iterable[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool | None = False,
        output_value: str | None = "sentence_embedding",
        precision: Precision = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: object = None,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        *,
        pooling: Pooling | None = None,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: int | Literal["auto"] = 1,
        **peer: Unpack[EncodePeers],
    ) -> NDArray[Any]:
        """Embed texts.

        The vector of a text is the same bit for bit whatever it is embedded with, and whatever
        `batch_size` and `workers` are.

        Args:
            sentences: one text, or any iterable of texts in an order: a list, a generator, an array
                of one axis, a Series, a column, the lines of an open file. Tables, sets and
                dictionaries are refused with what to pass in their place.
            prompt_name: the name of one of `metadata.prompts`, which is put before each text where
                `prompt` is None. `query`, `document`, `passage`, `corpus`, `classification` and
                `clustering` are taken for no prompt where the file has none of that name.
            prompt: put before each text.
            batch_size: how many texts are worked on at a time. Fewer than 256 are taken for 256,
                which need hardly more memory and are faster.
            show_progress_bar: a line on standard error.
            precision: `float32`, or smaller: see `quantize`.
            normalize_embeddings: whether vectors get unit length; None: what the file says.
            truncate_dim: the length of the vectors; None: what the model was loaded with.
                `prefixes` names good ones.
            pooling: `mean` for the plain mean where the file says `damped_mean`; None: what the
                file says.
            on_empty: what to do about texts without a token that the model knows, whose vectors are
                zero: empty and blank ones, and those in a script or of words that it does not know.
                `warn` counts them and issues one `EmptyTextWarning` in the life of the model,
                `raise` makes the first one an error, `zero` accepts them; an `EmptyTexts` counts
                them for the caller. The tokens of a prompt are a text's own.
            workers: how many processes share the work, this one among them; `auto`: one a core. No
                more are started than there are cores, or batches of texts. The others are started
                by the first call that needs them and kept until `close` or the end of the program;
                each holds a word cache of its own. They pay off from some ten thousand texts on.
            output_value: `sentence_embedding`.
            convert_to_numpy: True.
            convert_to_tensor: False.
            device: None or `cpu`.
            peer: other parameters of sentence-transformers and model2vec: `normalize`, and those
                that change nothing here. What would change a result is refused with what replaces
                it.

        Returns:
            (n, d) for an iterable and (d,) for one text; d is `truncate_dim`, or an eighth of it,
            rounded up, where bits are packed; float32, int8 or uint8 by `precision`. Beside it a
            call needs constant memory, except that the result of an iterable without a length may
            be moved as it grows.

        Raises:
            TypeError: `sentences` is not an iterable of texts in an order, or an element or
                `prompt` is not a string.
            InvalidTextError: a text or the prompt holds a surrogate, or the tokenizer fails at a
                text.
            EmptyTextError: a text has no token that the model knows, and `on_empty` is `raise`.
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
            InvalidOptionError: another parameter has a value that it cannot have.
            FormatError: the file's tokenizer is invalid, or does not fit its table.
            FileChangedError: the file was written to since it was loaded (see `load`).
            WorkerError: a worker process could not be started, or died.
        """
        prompt = find_prompt(prompt, prompt_name, self.metadata.prompts)
        check_compatibility(
            output_value=output_value,
            convert_to_numpy=convert_to_numpy,
            convert_to_tensor=convert_to_tensor,
            device=device,
        )
        check_peers("encode", peer_parameters.ENCODE, peer)
        check_max_length(peer, self.metadata)
        if peer.get("normalize") is not None:
            normalize_embeddings = peer["normalize"]
        empty = EmptyTexts.of(on_empty)
        request = self._request(truncate_dim, normalize_embeddings, precision, pooling)
        size = max(LEAST_BATCH, check_count("batch_size", batch_size))
        processes = check_workers(workers)
        if isinstance(sentences, str):
            (some,) = slices([sentences], 1, prompt)
            block = self._embedder.embed(some, request)
            if len(block.empty):
                empty.add(some, block.empty)
                self._warn(empty, 1)
            vector: NDArray[Any] = block.vectors[0]
            return vector
        source = slices(sentences, size, prompt)
        total = size_hint(sentences)
        found = np.empty((total or 0, request.width), request.dtype)
        done = 0
        with (
            closing(self._blocks(source, request, processes)) as blocks,
            Progress(total, unit="texts", enabled=bool(show_progress_bar)) as progress,
        ):
            for some, block in blocks:
                if len(block.empty):
                    empty.add(some, block.empty)
                rows = block.vectors
                if done + len(rows) > len(found):
                    found.resize((done + len(rows)) * 5 // 4, request.width, refcheck=False)
                found[done : done + len(rows)] = rows
                done += len(rows)
                progress.advance(len(rows))
        if empty.count:
            self._warn(empty, done)
        if done < len(found):
            found.resize(done, request.width, refcheck=False)
        return found

    @_with_the_types_of(encode)
    def encode_query(
        self,
        sentences: str | Iterable[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        *arguments: Any,  # noqa: ANN401 - the others of encode
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Embed queries: `encode` with the file's prompt `query`, if it has one.

        Another `prompt` or `prompt_name` wins. Without prompts in the file it is `encode`.
        """
        if prompt is None and prompt_name is None:
            prompt_name = "query"
        return self.encode(sentences, prompt_name, prompt, *arguments, **options)

    @_with_the_types_of(encode)
    def encode_document(
        self,
        sentences: str | Iterable[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        *arguments: Any,  # noqa: ANN401 - the others of encode
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Embed documents: `encode` with the file's prompt `document`, if it has one.

        Another `prompt` or `prompt_name` wins. Without prompts in the file it is `encode`. A prompt
        that is called `passage` or `corpus` is used by that name only, as in sentence-transformers.
        """
        if prompt is None and prompt_name is None:
            prompt_name = "document"
        return self.encode(sentences, prompt_name, prompt, *arguments, **options)

    def encode_stream(
        self,
        sentences: Iterable[str],
        *,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = BATCH_SIZE,
        precision: Precision = "float32",
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        pooling: Pooling | None = None,
        on_empty: OnEmpty | EmptyTexts = "warn",
        workers: int | Literal["auto"] = 1,
    ) -> Iterator[NDArray[Any]]:
        """Embed texts without end in constant memory.

        Args:
            sentences: texts; with one worker no more than `batch_size` of them are read ahead.
            prompt_name: as in `encode`.
            prompt: as in `encode`.
            batch_size: how many texts are read, and how many vectors given, at a time.
            precision: as in `encode`.
            normalize_embeddings: as in `encode`.
            truncate_dim: as in `encode`.
            pooling: as in `encode`.
            on_empty: as in `encode`; `warn` warns at the first block with such a text.
            workers: as in `encode`.

        Returns:
            An iterator over arrays of 1 to `batch_size` vectors, in the order of the texts.

        Raises:
            TypeError, StaticEmbError: as `encode` does: for wrong parameters at the call, for wrong
                texts when they are reached.
        """
        prompt = find_prompt(prompt, prompt_name, self.metadata.prompts)
        request = self._request(truncate_dim, normalize_embeddings, precision, pooling)
        size = check_count("batch_size", batch_size)
        if isinstance(sentences, str):
            raise TypeError("sentences: expected an iterable of strings, found a string")
        empty = EmptyTexts.of(on_empty)
        source = slices(sentences, size, prompt)
        return self._stream(self._blocks(source, request, check_workers(workers)), empty)

    @overload
    def encode_tokens(  # type: ignore[overload-overlap]  # a string is an iterable of strings
        self,
        sentences: str,
        *,
        normalize_embeddings: bool = ...,
        truncate_dim: int | None = ...,
        on_empty: OnEmpty | EmptyTexts = ...,
    ) -> NDArray[np.float32]: ...

    @overload
    def encode_tokens(
        self,
        sentences: Iterable[str],
        *,
        normalize_embeddings: bool = ...,
        truncate_dim: int | None = ...,
        on_empty: OnEmpty | EmptyTexts = ...,
    ) -> list[NDArray[np.float32]]: ...

    def encode_tokens(
        self,
        sentences: str | Iterable[str],
        *,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        on_empty: OnEmpty | EmptyTexts = "warn",
    ) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """The vectors of each text's tokens, for late interaction or highlighting.

        Args:
            sentences: one text, or an iterable of texts.
            normalize_embeddings: whether each row gets unit length.
            truncate_dim: the length of the rows; None: what the model was loaded with.
            on_empty: as in `encode`; such a text has no rows.

        Returns:
            For each text (tokens, d) float32, whose rows stand as `tokenize` gives the tokens; a
            list of such arrays for an iterable, one array for one text.

        Raises:
            TypeError, StaticEmbError: as `encode` does.
        """
        prefix = vectors.check_dim(
            self._truncate_dim if truncate_dim is None else truncate_dim, self.metadata.dim
        )
        empty = EmptyTexts.of(on_empty)
        found = token_vectors(
            self._embedder,
            sentences,
            prefix=prefix,
            batch_size=BATCH_SIZE,
            normalize_rows=normalize_embeddings,
            empty=empty,
        )
        if empty.count:
            self._warn(empty, len(found) if isinstance(found, list) else 1)
        return found

    @overload
    def tokenize(self, sentences: str) -> list[str]: ...  # type: ignore[overload-overlap]

    @overload
    def tokenize(self, sentences: Iterable[str]) -> list[list[str]]: ...

    def tokenize(self, sentences: str | Iterable[str]) -> list[str] | list[list[str]]:
        """The spelling of each text's tokens, without those that the model drops.

        Returns:
            A list of strings for one text, a list of such lists for an iterable.

        Raises:
            TypeError, StaticEmbError: as `encode` does.
        """
        single = isinstance(sentences, str)
        found: list[list[str]] = []
        for some in slices([sentences] if single else sentences, BATCH_SIZE):
            self._embedder.ids(some)
            found += map(self._embedder.tokenizer().tokens, some.texts)
        return found[0] if single else found

    def explain(self, text: str) -> list[Token]:
        """What each token of a text brings to its vector.

        Raises:
            TypeError, StaticEmbError: as `encode` does.
        """
        (some,) = slices([text], 1)
        return self._embedder.explain(some)

    def similarity(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
        """The cosine of each vector of `a`, (n, d) or (d,), with each of `b`: (n, m) float32.

        Raises:
            TypeError: one side does not hold numbers but, for example, texts that were not encoded.
            InvalidDimensionError: the vectors' lengths differ; one side has other axes.
            InvalidOptionError: the vectors are uint8, whose zero is not 0 or whose bits are packed.
        """
        return vectors.similarity(a, b)

    def _request(
        self,
        truncate_dim: int | None,
        normalize_embeddings: bool | None,
        precision: Precision,
        pooling: Pooling | None,
    ) -> Request:
        return make_request(
            self.metadata,
            truncate_dim=self._truncate_dim if truncate_dim is None else truncate_dim,
            normalize_embeddings=normalize_embeddings,
            precision=precision,
            pooling=pooling,
        )

    def _blocks(
        self, source: Iterator[Slice], request: Request, workers: int
    ) -> Generator[tuple[Slice, Block], None, None]:
        """Each slice and its vectors, in order."""
        if workers > 1:
            # The method holds this model, whose end would end the workers, until the last block.
            return self._share().map(workers - 1, source, request, self._embed)
        return ((some, self._embed(some, request)) for some in source)

    def _embed(self, some: Slice, request: Request) -> Block:
        """The vectors of one slice, by this process."""
        return self._embedder.embed(some, request)

    def _stream(
        self, blocks: Generator[tuple[Slice, Block], None, None], empty: EmptyTexts
    ) -> Generator[NDArray[Any], None, None]:
        """The vectors of each slice, in order."""
        with closing(blocks):
            for some, (rows, indices) in blocks:
                if len(indices):
                    empty.add(some, indices)
                    self._warn(empty, some.start + len(some.texts))
                yield rows

    def _warn(self, empty: EmptyTexts, total: int) -> None:
        if empty.on_empty == "warn" and not self._warned:
            self._warned = True
            empty.warn(total)

    def _share(self) -> Workers:
        from .parallel.workers import Workers  # most programs never need them

        with self._lock:
            if self._workers is None:
                self._workers = Workers(self._place, self._identity, mmap=self._mapped)
                weakref.finalize(self, self._workers.close)
            return self._workers


def _load(kind: type[StaticModel], path: str, truncate_dim: int, mmap: bool) -> StaticModel:
    return kind.from_parts(open_parts(path, mmap=mmap), truncate_dim=truncate_dim)
