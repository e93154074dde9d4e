"""`encode` and similar methods of `StaticModel`, which turn texts into vectors.

They check the parameters of a call; `Encoder` does the work. All methods with the parameters of
`encode` share its overloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

import numpy as np

from ..encoding import peer_parameters
from ..encoding.empty_texts import EmptyTexts
from ..encoding.options import check_compatibility, check_count, check_workers, find_prompt
from ..encoding.peer_parameters import check_max_length, check_peers, one_of_two
from ..errors import QueryOnlyError
from .encoder import BATCH_SIZE, LEAST_BATCH, LEAST_SHARED_BATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from ..encoding.empty_texts import OnEmpty
    from ..encoding.options import Options
    from ..encoding.peer_parameters import EncodePeers
    from ..encoding.vectors import Precision
    from ..format.metadata import Metadata, Pooling
    from .encoder import Encoder

    Vector = np.ndarray[tuple[int], np.dtype[np.float32]]
    Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]
    SignedVector = np.ndarray[tuple[int], np.dtype[np.int8]]
    SignedVectors = np.ndarray[tuple[int, int], np.dtype[np.int8]]
    UnsignedVector = np.ndarray[tuple[int], np.dtype[np.uint8]]
    UnsignedVectors = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

_NO_TEXTS: Any = None  # the default, as `inputs` may be passed in its place
# Defaults of `encode` that are known by their identity, which is faster than a check.
_WARN: Final = "warn"
_VALUE: Final = "sentence_embedding"


def slice_size(batch_size: int, workers: int) -> int:
    """Return how many texts are processed at a time.

    Raises:
        InvalidOptionError: `batch_size` is not an integer of at least 1.
    """
    # Small slices make threads wait for the interpreter's lock instead of computing.
    least = LEAST_BATCH if workers == 1 else LEAST_SHARED_BATCH
    return max(least, check_count("batch_size", batch_size))


_Function = TypeVar("_Function", bound="Callable[..., Any]")


def _with_the_types_of(template: _Function) -> Callable[[Callable[..., Any]], _Function]:
    """Declare that a method has the parameters and the return type of `template`."""

    def declare(method: Any) -> Any:  # noqa: ANN401 - any function, returned with another type
        method.__wrapped__ = template  # inspect.signature reads it
        return method

    return declare


class EncodeMethods:
    """The methods of `StaticModel` that return the vectors of texts."""

    metadata: Metadata
    _encoder: Encoder

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

    @overload
    def encode(
        self,
        *,  # the texts are passed as `inputs`, one of the options
        prompt_name: str | None = ...,
        prompt: str | None = ...,
        batch_size: int = ...,
        precision: Precision = ...,
        **options: Unpack[Options],
    ) -> NDArray[Any]: ...

    def encode(
        self,
        sentences: str | Iterable[str] = _NO_TEXTS,
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int = BATCH_SIZE,
        show_progress_bar: bool | None = False,
        output_value: str | None = _VALUE,
        precision: Precision = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: object = None,
        normalize_embeddings: bool | None = None,
        truncate_dim: int | None = None,
        *,
        pooling: Pooling | None = None,
        on_empty: OnEmpty | EmptyTexts = _WARN,
        workers: int | Literal["auto"] = 1,
        **peer: Unpack[EncodePeers],
    ) -> NDArray[Any]:
        """Embed texts.

        The bits of a text's vector do not depend on the other texts, `batch_size` or `workers`.

        Args:
            sentences: one text, or an ordered iterable of texts: a list, a generator, an array with
                one axis, a Series, a column, the lines of an open file. Tables, sets and
                dictionaries raise an error that names a replacement. By name also `inputs`.
            prompt_name: a name in `metadata.prompts`; that prompt is put before each text unless
                `prompt` is given. If the file has no such prompt, `query`, `document`, `passage`,
                `corpus`, `classification` and `clustering` mean no prompt.
            prompt: text to put before each text.
            batch_size: how many texts are processed at a time. Values below 256 (with several
                workers: below 4,096) are raised to that, which is faster and needs little more
                memory.
            show_progress_bar: whether to show progress on standard error.
            precision: `float32` or a smaller type; see `quantize`.
            normalize_embeddings: whether vectors get unit length; None: the file's setting.
            truncate_dim: the length of the vectors, ideally one of `prefixes`; None: `dim`.
            pooling: `mean` for the plain mean of a file with `damped_mean`; None: the file's
                setting.
            on_empty: how to treat texts without a known token, whose vectors are zero. Such texts
                are empty or blank, or all their words are unknown. `warn` counts them and issues at
                most one `EmptyTextWarning` per model; `raise` raises an error at the first one;
                `zero` accepts them. An `EmptyTexts` counts them for the caller. The tokens of a
                prompt count as tokens of the text. `warn` also issues at most one `LanguageWarning`
                per model, about texts in another language or alphabet than those of the file's
                languages; of a batch, some 32 texts are checked.
            workers: how many threads share the work, including the calling one; `auto`: one per
                core. At most one per core and one per batch is used. They share the model and its
                word cache, and end with the call.
            output_value: must be `sentence_embedding`.
            convert_to_numpy: must be True.
            convert_to_tensor: must be False.
            device: None or `cpu`.
            peer: other parameters of sentence-transformers and model2vec: `normalize`, and those
                that have no effect here. A parameter that would change the result raises an error
                that names a replacement.

        Returns:
            (n, d) for an iterable, (d,) for one text; float32, int8 or uint8 by `precision`. d is
            `truncate_dim`, or an eighth of it, rounded up, if bits are packed. Apart from the
            result a call needs constant memory; if the iterable has no length, the growing result
            may be copied.

        Raises:
            TypeError: `sentences` is not an ordered iterable, or an element or `prompt` is not a
                string.
            InvalidTextError: a text or the prompt holds a surrogate, or the tokenizer fails on a
                text.
            EmptyTextError: a text has no known token, and `on_empty` is `raise`.
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
            InvalidOptionError: another parameter has an invalid value.
            FormatError: the file's tokenizer is invalid, or does not fit its table.
            MissingPackageError: the file's tokenizer needs `tokenizers`, which is not installed.
            FileChangedError: the file was modified after it was loaded (see `load`).
        """
        # A query takes a few microseconds: it must not wait for checks of defaults.
        if prompt_name is not None:
            prompt = find_prompt(prompt, prompt_name, self.metadata.prompts)
        if (
            convert_to_tensor
            or not convert_to_numpy
            or output_value is not _VALUE
            or device is not None
        ):
            check_compatibility(
                output_value=output_value,
                convert_to_numpy=convert_to_numpy,
                convert_to_tensor=convert_to_tensor,
                device=device,
            )
        if peer:
            check_peers("encode", peer_parameters.ENCODE, peer)
            check_max_length(peer, self.metadata)
            if peer.get("normalize") is not None:
                normalize_embeddings = peer["normalize"]
            sentences = one_of_two(sentences, peer)
        if on_empty is not _WARN:
            on_empty = EmptyTexts.of(on_empty)
        request = self._encoder.request(truncate_dim, normalize_embeddings, precision, pooling)
        threads, size = 1, BATCH_SIZE
        if workers is not threads or batch_size is not size:
            threads = check_workers(workers)
            size = slice_size(batch_size, threads)
        if isinstance(sentences, str):
            return self._encoder.encode_one(sentences, request, prompt=prompt, on_empty=on_empty)
        return self._encoder.encode(
            sentences,
            request,
            prompt=prompt,
            batch_size=size,
            empty=EmptyTexts.of(on_empty),
            workers=threads,
            show_progress_bar=bool(show_progress_bar),
        )

    @_with_the_types_of(encode)
    def encode_query(
        self,
        sentences: str | Iterable[str] = _NO_TEXTS,
        prompt_name: str | None = None,
        prompt: str | None = None,
        *arguments: Any,  # noqa: ANN401 - the other parameters of encode
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Embed queries: `encode` with the file's prompt `query`, if it has one.

        An explicit `prompt` or `prompt_name` takes precedence.
        """
        if prompt is None and prompt_name is None:
            prompt_name = "query"
        return self.encode(sentences, prompt_name, prompt, *arguments, **options)

    @_with_the_types_of(encode)
    def encode_document(
        self,
        sentences: str | Iterable[str] = _NO_TEXTS,
        prompt_name: str | None = None,
        prompt: str | None = None,
        *arguments: Any,  # noqa: ANN401 - the other parameters of encode
        as_query: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Embed documents: `encode` with the file's prompt `document`, if it has one.

        An explicit `prompt` or `prompt_name` takes precedence. A prompt named `passage` or `corpus`
        is used only if its name is passed, as in sentence-transformers 6, where a model that
        defines no prompt `document` has an empty one. A file whose `space.documents` is `teacher`
        raises a `QueryOnlyError`: its teacher embeds documents, and `project` takes their vectors.
        `as_query=True` embeds them by the file's table all the same.
        """
        if not as_query and self._encoder.query_only:
            raise QueryOnlyError(
                "encode_document: the file is made for queries, and documents have the vectors of "
                f"{self._encoder.space.needed().space.teacher!r:.80}: pass them to project(), or "
                "pass as_query=True"
            )
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
        """Embed a stream of texts, of any length, in constant memory.

        Args:
            sentences: texts. At most `batch_size` of them are read ahead, with N > 1 workers at
                most 4 · N · `batch_size`; always by the thread that iterates over the result.
            prompt_name: as in `encode`.
            prompt: as in `encode`.
            batch_size: how many texts are read, and how many vectors returned, at a time.
            precision: as in `encode`.
            normalize_embeddings: as in `encode`.
            truncate_dim: as in `encode`.
            pooling: as in `encode`.
            on_empty: as in `encode`; `warn` warns at the first batch with such a text.
            workers: as in `encode`; the threads end with the iterator, or when it is closed.

        Returns:
            An iterator over arrays of 1 to `batch_size` vectors, in the order of the texts.

        Raises:
            TypeError, StaticEmbError: as `encode`. Invalid parameters raise at the call, invalid
                texts when the iterator reaches them.
        """
        prompt = find_prompt(prompt, prompt_name, self.metadata.prompts)
        request = self._encoder.request(truncate_dim, normalize_embeddings, precision, pooling)
        size = check_count("batch_size", batch_size)
        if isinstance(sentences, str):
            raise TypeError("sentences: expected an iterable of strings, found a string")
        return self._encoder.stream(
            sentences,
            request,
            prompt=prompt,
            batch_size=size,
            empty=EmptyTexts.of(on_empty),
            workers=check_workers(workers),
        )
