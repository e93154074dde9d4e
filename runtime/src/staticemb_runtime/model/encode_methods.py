"""`encode` and its kin: the methods of `StaticModel` that turn texts into vectors.

They check what a call asks for; `Encoder` does the work. The overloads of `encode` stand here once
for all methods that take the same parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np

from ..encoding import peer_parameters
from ..encoding.empty_texts import EmptyTexts
from ..encoding.options import check_compatibility, check_count, check_workers, find_prompt
from ..encoding.peer_parameters import check_max_length, check_peers
from .encoder import BATCH_SIZE, LEAST_BATCH

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

_Function = TypeVar("_Function", bound="Callable[..., Any]")


def _with_the_types_of(template: _Function) -> Callable[[Callable[..., Any]], _Function]:
    """Declare that a method takes what another takes and returns what the other returns."""

    def declare(method: Any) -> Any:  # noqa: ANN401 - a function, and what it is declared to be
        method.__wrapped__ = template  # what inspect.signature reads
        return method

    return declare


class EncodeMethods:
    """The methods of `StaticModel` that give the vectors of texts."""

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
        request = self._encoder.request(truncate_dim, normalize_embeddings, precision, pooling)
        size = max(LEAST_BATCH, check_count("batch_size", batch_size))
        processes = check_workers(workers)
        if isinstance(sentences, str):
            return self._encoder.encode_one(sentences, request, prompt=prompt, empty=empty)
        return self._encoder.encode(
            sentences,
            request,
            prompt=prompt,
            batch_size=size,
            empty=empty,
            workers=processes,
            show_progress_bar=bool(show_progress_bar),
        )

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
