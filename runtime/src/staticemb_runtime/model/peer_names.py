"""The attributes and methods of `StaticModel` that sentence-transformers and model2vec define.

Each has the same effect as in those libraries, or raises an error that names a replacement. None is
ignored if that would change a result.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn, overload

from ..encoding.embedder import token_vectors
from ..encoding.options import check_count
from ..encoding.peer_parameters import (
    CONVERT,
    EXPORT,
    LIMIT,
    ON_CPU,
    POOL,
    PROMPT,
    TO_HUB,
    TORCH,
    check_device,
)
from ..encoding.vectors import similarity_pairwise
from ..errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from tokenizers import Tokenizer
    from typing_extensions import Self

    from ..format.metadata import Metadata
    from .encoder import Encoder

# Attributes and methods that `StaticModel` does not have, and their replacements.
REPLACED: Final = {
    "add_adapter": TORCH,
    "base_model_name": "metadata.extra describes the file's origin",
    "bfloat16": CONVERT,
    "compile": "nothing is compiled here: leave it out",
    "config": "metadata holds the settings",
    "cuda": ON_CPU,
    "default_prompt_name": PROMPT,
    "double": CONVERT,
    "dtype": "precision= sets the type of results; `staticemb info` names the type of the table",
    "embedding": "encode_tokens(texts) gives the vectors of the tokens",
    "embedding_dtype": "`staticemb info` names the type of the table",
    "encode_multi_process": POOL,
    "evaluate": "`staticemb-distiller evaluate` measures a file",
    "fit": TORCH,
    "forward": "encode(texts)",
    "get_backend": "there is one backend: leave it out",
    "get_model_kwargs": "encode takes no parameters of the model",
    "get_sentence_features": "encode(texts)",
    "gradient_checkpointing_enable": TORCH,
    "half": CONVERT,
    "is_singular_input": "isinstance(texts, str)",
    "language": "metadata.extra describes the file's origin",
    "load_adapter": TORCH,
    "median_token_length": "tokenizer.get_vocab() holds the tokens",
    "modalities": "there is one modality, text",
    "model_card_data": "metadata.extra describes the file's origin",
    "normalize": "metadata.normalize is the file's setting; pass normalize_embeddings= to encode",
    "old_fit": TORCH,
    "parameters": TORCH,
    "preprocess": "encode(texts), or tokenizer for the ids",
    "processor": "tokenizer",
    "prompts": "metadata.prompts holds the file's prompts; pass prompt= to encode for another",
    "push_to_hub": TO_HUB,
    "save": EXPORT,
    "save_pretrained": EXPORT,
    "save_to_hub": TO_HUB,
    "set_pooling_include_prompt": "a prompt's tokens are pooled like the text's",
    "smart_batching_collate": TORCH,
    "start_multi_process_pool": POOL,
    "state_dict": TORCH,
    "stop_multi_process_pool": POOL,
    "supports": "there is one modality, text",
    "token_mapping": "explain(text) names each token's row",
    "tokens": "tokenizer.get_vocab() holds the tokens",
    "transformers_model": "there is no transformer here",
    "unk_token_id": "metadata.unknown_token_id",
    "vocabulary_quantization": "`staticemb info` names the rows and the token ids",
    "weights": "explain(text) names each token's weight",
}
# Attributes that these libraries let a program set.
_SETTINGS: Final = {
    "device": ON_CPU,
    "max_length": LIMIT,
    "max_seq_length": LIMIT,
    "similarity_fn_name": "similarity() gives cosines; a @ b.T gives dot products",
    "tokenizer": "a file's tokenizer is fixed; make another file with `staticemb-distiller`",
    "truncate_dim": "load the model with truncate_dim=D, or pass it to encode",
}


class PeerNames:
    """The attributes and methods of `StaticModel` named as in other libraries.

    As in sentence-transformers, methods that set a device or a mode return the model. The only
    device is the CPU, the only mode is prediction.
    """

    metadata: Metadata
    _encoder: Encoder

    @property
    def dim(self) -> int:
        """The default length of the vectors that `encode` returns."""
        raise NotImplementedError

    def get_embedding_dimension(self) -> int:
        """Return `dim`; the name in sentence-transformers."""
        return self.dim

    def get_sentence_embedding_dimension(self) -> int:
        """Return `dim`; the name in sentence-transformers before version 6."""
        return self.dim

    @property
    def truncate_dim(self) -> int | None:
        """`dim` if it is below the file's dimension, else None."""
        return None if self.dim == self.metadata.dim else self.dim

    @property
    def max_seq_length(self) -> int | None:
        """How many tokens of a text are used; None: all of them."""
        return self.metadata.max_tokens

    def get_max_seq_length(self) -> int | None:
        """Return `max_seq_length`."""
        return self.max_seq_length

    @property
    def max_length(self) -> int | None:
        """The same as `max_seq_length`; the name in model2vec."""
        return self.max_seq_length

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer as an object of the `tokenizers` library.

        It keeps `max_seq_length` tokens of a text, unknown ones included, which the model drops,
        and does not pad. The model calls it with `add_special_tokens=False`. It is a copy: changing
        it does not change the model.

        Raises:
            FormatError: the file's tokenizer is invalid.
            MissingPackageError: `tokenizers` is not installed.
        """
        return self._encoder.embedder.copy_tokenizer()

    @property
    def device(self) -> str:
        """`cpu`."""
        return "cpu"

    @property
    def similarity_fn_name(self) -> str:
        """`cosine`, the function of `similarity`."""
        return "cosine"

    @contextmanager
    def truncate_embeddings(self, truncate_dim: int | None) -> Iterator[None]:
        """Change `dim` within a `with` block.

        It changes for all threads: where several use the model, pass `truncate_dim` to `encode`.

        Args:
            truncate_dim: the default length of vectors; None: the file's dimension.

        Raises:
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
        """
        encoder, dim = self._encoder, self._encoder.dim
        encoder.dim = encoder.prefix(self.metadata.dim if truncate_dim is None else truncate_dim)
        try:
            yield
        finally:
            encoder.dim = dim

    def truncate_sentence_embeddings(
        self, truncate_dim: int | None
    ) -> AbstractContextManager[None]:
        """The same as `truncate_embeddings`; the name before version 6."""
        return self.truncate_embeddings(truncate_dim)

    def similarity_pairwise(
        self, embeddings1: ArrayLike, embeddings2: ArrayLike
    ) -> NDArray[np.float32]:
        """Return the cosine of each vector with the one at the same index.

        Args:
            embeddings1: (n, d) or (d,).
            embeddings2: the same shape.

        Returns:
            (n,) float32, or () for two single vectors.

        Raises:
            TypeError, StaticEmbError: as `similarity`.
            InvalidDimensionError: also if the numbers of vectors differ.
        """
        return similarity_pairwise(embeddings1, embeddings2)

    @overload
    def encode_as_sequence(  # type: ignore[overload-overlap]  # a string is an iterable of strings
        self,
        sentences: str,
        *,
        max_length: None = ...,
        batch_size: int = ...,
        show_progress_bar: bool = ...,
        use_multiprocessing: bool = ...,
        multiprocessing_threshold: int = ...,
    ) -> NDArray[np.float32]: ...

    @overload
    def encode_as_sequence(
        self,
        sentences: Iterable[str],
        *,
        max_length: None = ...,
        batch_size: int = ...,
        show_progress_bar: bool = ...,
        use_multiprocessing: bool = ...,
        multiprocessing_threshold: int = ...,
    ) -> list[NDArray[np.float32]]: ...

    def encode_as_sequence(
        self,
        sentences: str | Iterable[str],
        *,
        max_length: None = None,
        batch_size: int = 1024,
        show_progress_bar: bool = False,
        use_multiprocessing: bool = True,
        multiprocessing_threshold: int = 10_000,
    ) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return the vectors of all tokens of each text; a method of model2vec.

        Unlike `encode_tokens`, it does not cut texts at the model's `max_tokens`.

        Args:
            sentences: one text, or an iterable of texts.
            max_length: must be None.
            batch_size: how many texts are processed at a time.
            show_progress_bar: whether to show progress on standard error.
            use_multiprocessing: has no effect.
            multiprocessing_threshold: has no effect.

        Returns:
            As `encode_tokens`.

        Raises:
            TypeError, StaticEmbError: as `encode`.
        """
        if max_length is not None:
            raise InvalidOptionError(f"max_length: expected None, found {max_length!r}; {LIMIT}")
        return token_vectors(
            self._encoder.embedder.without_limits(),
            sentences,
            prefix=self.dim,
            batch_size=check_count("batch_size", batch_size),
            show_progress_bar=show_progress_bar,
        )

    def eval(self) -> Self:
        """Return the model."""
        return self

    def train(self, mode: bool = True) -> Self:
        """Return the model if `mode` is False.

        Raises:
            InvalidOptionError: `mode` is True.
        """
        if mode:
            raise InvalidOptionError(f"train: expected mode=False, found {mode!r}; {TORCH}")
        return self

    def cpu(self) -> Self:
        """Return the model."""
        return self

    def float(self) -> Self:
        """Return the model, which computes in float32."""
        return self

    def to(self, device: object = None, **options: object) -> Self:
        """Return the model if `device` is the CPU.

        Raises:
            InvalidOptionError: `device` is another device, or `options` is not empty.
        """
        if options:
            raise InvalidOptionError(f"to: expected a device alone, found {', '.join(options)}")
        check_device(device)
        return self

    if not TYPE_CHECKING:  # a type checker must not accept every attribute name

        def __getattr__(self, name: str) -> NoReturn:
            instead = f"; {REPLACED[name]}" if name in REPLACED else ""
            kind = type(self).__name__
            raise AttributeError(f"{kind!r} object has no attribute {name!r}{instead}")

        def __setattr__(self, name: str, value: object) -> None:
            if name in _SETTINGS or name in REPLACED:
                instead = _SETTINGS.get(name) or REPLACED[name]
                raise AttributeError(f"{type(self).__name__}.{name} cannot be set; {instead}")
            super().__setattr__(name, value)
