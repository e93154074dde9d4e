"""`StaticModel`: a static embedding file as an object that embeds text.

It opens a model and composes the other modules. Names and meanings of methods and parameters are
those of sentence-transformers wherever it has them.
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
from .peer_names import PeerNames
from .token_methods import TokenMethods

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self, Unpack

    from ..encoding.peer_parameters import ConstructorPeers, PretrainedPeers
    from ..format.metadata import Metadata
    from ..format.parts import ModelParts

# What a model has of its own; whatever else is among its attributes is a program's.
_ATTRIBUTES: Final = frozenset(("metadata", "_encoder", "_path"))


class StaticModel(EncodeMethods, TokenMethods, PeerNames):
    """A static embedding model; safe to use from several threads.

    `EncodeMethods` and `TokenMethods` hold what it does with texts, `PeerNames` what its peers
    offer under names of their own.

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
            from ..loading.hub import download  # most programs never need it

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
        return _load, arguments, self._others() or None

    def __copy__(self) -> Self:
        """A model of the same open file: it can neither be missing now nor be another."""
        model = self.from_parts(self._encoder.embedder.file, truncate_dim=self.dim)
        model._encoder.place = self._encoder.place
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
        self._encoder.close()

    @property
    def dim(self) -> int:
        """The length of the vectors that `encode` gives by default."""
        return self._encoder.dim

    @property
    def prefixes(self) -> tuple[int, ...]:
        """The lengths that are good values for `truncate_dim`, ascending; the last is the whole."""
        return self.metadata.prefixes

    def similarity(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
        """The cosine of each vector of `a`, (n, d) or (d,), with each of `b`: (n, m) float32.

        Raises:
            TypeError: one side does not hold numbers but, for example, texts that were not encoded.
            InvalidDimensionError: the vectors' lengths differ; one side has other axes.
            InvalidOptionError: the vectors are uint8, whose zero is not 0 or whose bits are packed.
        """
        return vectors.similarity(a, b)


def _load(kind: type[StaticModel], path: str, truncate_dim: int, mmap: bool) -> StaticModel:
    return kind.from_parts(open_parts(path, mmap=mmap), truncate_dim=truncate_dim)
