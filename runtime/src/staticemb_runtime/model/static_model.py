"""`StaticModel`: a static embedding file as an object that embeds text.

Methods and parameters have the names and meanings that they have in sentence-transformers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from ..encoding import peer_parameters, vectors
from ..encoding.peer_parameters import check_max_length, check_peers
from ..loading.installed import check_path, locate
from ..loading.path import open_parts
from .encode_methods import EncodeMethods
from .encoder import Encoder
from .head_methods import HeadMethods
from .peer_names import PeerNames
from .space_methods import SpaceMethods
from .token_methods import TokenMethods

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self, Unpack

    from ..encoding.peer_parameters import ConstructorPeers, PretrainedPeers
    from ..format.metadata import Metadata
    from ..format.parts import ModelParts

# All other attributes of a model were set by the program that uses it.
_ATTRIBUTES: Final = frozenset(("metadata", "_encoder", "_path"))


class StaticModel(EncodeMethods, TokenMethods, SpaceMethods, HeadMethods, PeerNames):
    """A static embedding model; safe to use from several threads.

    It also has the methods and attributes that programs for sentence-transformers and model2vec
    use, such as `similarity_pairwise` and `max_seq_length`. An attribute that it cannot offer
    raises an error that names a replacement.

    Args:
        model: as `path` in `load`.
        truncate_dim: as in `load`.
        verify: as in `load`.
        mmap: as in `load`.
        peer: other parameters of sentence-transformers' constructor. A value that would change
            results raises an error that names a replacement.

    Attributes:
        metadata: the file's settings.

    Raises:
        TypeError, StaticEmbError: as `load`.
        InvalidOptionError: a parameter of sentence-transformers has an unsupported value.

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
        """Make a model of a file that is already open; for this project's own packages.

        Raises:
            InvalidDimensionError: `truncate_dim` is below 1 or above the file's dimension.
        """
        model = cls.__new__(cls)
        model._open(file, truncate_dim)
        return model

    def _open(self, file: ModelParts, truncate_dim: int | None) -> None:
        self.metadata = file.metadata
        self._path = file.path
        self._encoder = Encoder(file, truncate_dim)

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

        A file is memory-mapped: nothing is read before it is needed. A model from a folder follows
        the rules of the library that saved it.

        Args:
            path: the file or folder, or the name of a model that is installed as a wheel; None: the
                small English model that comes with this package.
            truncate_dim: the default length of vectors.
            verify: whether to read the whole file first and check its numbers and its digest.
            mmap: False to read the file into memory. A mapped file must not be modified while the
                model is open: vectors would change, and a shortened file ends the process (SIGBUS).
                Each call checks for such a change and raises FileChangedError, but it cannot
                prevent the change; calls with one text check once a millisecond. Replacing the file
                by a rename is safe.

        Raises:
            TypeError: `path` is not a string, a path or None.
            ModelNotFoundError: there is no such file, and no installed model of that name.
            AmbiguousModelError: several installed packages have a model of that name.
            NotAModelError: the folder holds no model, or one that is more than a table; or the path
                cannot be read, or is neither a regular file nor a folder.
            InvalidConfigError: a settings file in the folder is malformed.
            FormatError: the file violates the format; the subclass tells how.
            MissingPackageError: `verify` is True, and the file's tokenizer needs `tokenizers`,
                which is not installed.
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
        """Open a model from the Hugging Face Hub, or a local file as `load` does.

        A repository of model2vec or of sentence-transformers' StaticEmbedding opens as well. A
        model from the Hub is read and verified whole each time it is opened.

        Args:
            model: a local file or folder, which needs no network, or an id like
                `organization/name`.
            token: the access token for private repositories.
            revision: a commit, tag or branch; a commit pins the content.
            truncate_dim: as in `load`.
            cache_folder: the folder for downloads; None: the Hub's own cache.
            local_files_only: whether to use the cache alone.
            peer: other parameters of model2vec: `dimensionality`, its name for `truncate_dim`, and
                those that have no effect here.

        Raises:
            TypeError: `model` is not a string or a path.
            InvalidOptionError: a parameter of model2vec has an unsupported value; the message names
                a replacement.
            ModelNotFoundError: there is no such repository, revision or file.
            DownloadError: the Hub cannot be reached or refuses the request, a file differs from the
                Hub's listing, or huggingface_hub is missing.
            NotAModelError: the repository's model is more than a table.
            InvalidConfigError: a settings file in the repository is malformed.
            FormatError: the file violates the format, or differs from the uploaded one.
        """
        check_peers("from_pretrained", peer_parameters.FROM_PRETRAINED, peer)
        if peer.get("dimensionality") is not None:
            truncate_dim = peer["dimensionality"]
        path = check_path(model)
        if os.path.exists(path):
            loaded = cls.load(path, truncate_dim=truncate_dim)
        else:
            from ..loading.hub import download  # late: most programs never need it

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
        encoder = self._encoder
        arguments = (type(self), encoder.place, encoder.dim, encoder.mapped)
        return _load, arguments, self._added_attributes() or None

    def __copy__(self) -> Self:
        """Copy the model without opening its file again: it may be gone or replaced by now."""
        model = self.from_parts(self._encoder.embedder.file, truncate_dim=self.dim)
        model._encoder.place = self._encoder.place
        model.__dict__.update(self._added_attributes())
        return model

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        from copy import deepcopy  # late: the caller of this method has imported it already

        model = self.__copy__()
        memo[id(self)] = model  # an attribute may refer to this model
        model.__dict__.update(deepcopy(self._added_attributes(), memo))
        return model

    def _added_attributes(self) -> dict[str, Any]:
        """Return the attributes that a program has set on this model."""
        return {name: value for name, value in vars(self).items() if name not in _ATTRIBUTES}

    def __repr__(self) -> str:
        return f"StaticModel({self._path!r}, dim={self.dim})"

    @property
    def dim(self) -> int:
        """The default length of the vectors that `encode` returns."""
        return self._encoder.dim

    @property
    def prefixes(self) -> tuple[int, ...]:
        """The recommended values of `truncate_dim`, ascending; the last is the full length."""
        return self.metadata.prefixes

    def similarity(self, embeddings1: ArrayLike, embeddings2: ArrayLike) -> NDArray[np.float32]:
        """Return the cosine of each vector of the one with each vector of the other.

        Args:
            embeddings1: (n, d) or (d,).
            embeddings2: (m, d) or (d,).

        Returns:
            (n, m) float32.

        Raises:
            TypeError: an argument does not hold numbers but, for example, texts.
            InvalidDimensionError: the vectors differ in length, or an argument has another number
                of axes.
            InvalidOptionError: an argument is uint8; its zero is not 0, or its bits are packed.
        """
        return vectors.similarity(embeddings1, embeddings2)


def _load(kind: type[StaticModel], path: str, truncate_dim: int, mmap: bool) -> StaticModel:
    return kind.from_parts(open_parts(path, mmap=mmap), truncate_dim=truncate_dim)
