"""A model from the Hugging Face Hub, by id and revision (needs the extra `hub`).

`huggingface_hub` downloads and caches; it is imported only when a model is asked for by id. A
repository holds a static embedding file, or else the layout of model2vec or of
sentence-transformers' StaticEmbedding. Of these, settings, tokenizer and table are fetched and
nothing else: no pickle, no code. Each is compared with the digest that the Hub lists for it; a
static embedding file carries its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import DownloadError, ModelNotFoundError, StaticEmbError
from . import foreign_folder as peer_folder
from .installed import FILE_NAME

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def download(
    repo_id: str,
    *,
    revision: str | None = None,
    cache_folder: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """Bring a repository's model into the Hub's cache.

    Args:
        repo_id: `organization/name`.
        revision: a commit, tag or branch; a commit pins the content.
        cache_folder: where to keep it; the Hub's own cache by default.
        token: for private repositories.
        local_files_only: take it from the cache or fail, without touching the network.

    Returns:
        The static embedding file in the cache; the folder of another library's model where the
        repository holds no such file.

    Raises:
        ModelNotFoundError: no such repository or revision, or none of its files is a model.
        UnsupportedModelError: it holds a model that is more than a table, or a pickled one.
        InvalidConfigError: a settings file is malformed.
        DownloadError: the Hub cannot be reached or refuses, a file is not the one that the Hub
            lists, or huggingface_hub is not installed.
    """
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise DownloadError(
            f"{repo_id}: models from the Hub need huggingface_hub: "
            "pip install 'staticemb-runtime[hub]'"
        ) from None
    options = {"cache_dir": cache_folder, "token": token, "local_files_only": local_files_only}
    source = _Source(repo_id, revision, options)
    with _translated(source.name):
        return source.fetch(FILE_NAME) or _fetch_folder(source)


@dataclass(frozen=True)
class _Source:
    """A repository at a revision, and how to ask for it."""

    repo_id: str
    revision: str | None
    options: dict[str, Any]

    @property
    def name(self) -> str:
        return self.repo_id if self.revision is None else f"{self.repo_id} at {self.revision}"

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, whose files never change."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None

    def fetch(self, file: str) -> Path | None:
        """A file in the cache, brought there if need be; None: the repository has none."""
        from huggingface_hub import errors, hf_hub_download

        if self.pinned and self._known_absent(file):
            return None
        try:
            return Path(hf_hub_download(self.repo_id, file, revision=self.revision, **self.options))
        except errors.LocalEntryNotFoundError:
            if self._known_absent(file):
                return None
            raise
        except errors.EntryNotFoundError:  # which the client notes in the cache
            return None

    def _known_absent(self, file: str) -> bool:
        from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

        where = {"cache_dir": self.options["cache_dir"], "revision": self.revision}
        return try_to_load_from_cache(self.repo_id, file, **where) is _CACHED_NO_EXIST


@dataclass(frozen=True)
class _Listing:
    """What the Hub says that a commit holds: for each name a digest, or "" where it gives none."""

    commit: str
    digests: dict[str, str]

    def check(self, name: str, path: Path) -> None:
        """Compare a file with what is listed; one that differs leaves the cache.

        Raises:
            DownloadError: it differs.
        """
        expected = self.digests.get(name, "")
        if not expected:
            return
        # A large file is listed by its SHA-256, another by the name that git has for it.
        if len(expected) == 64:
            sha = hashlib.sha256()
        else:
            sha = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                sha.update(block)
        if sha.hexdigest() != expected:
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise DownloadError(
                f"{name}: expected the digest {expected}, as the Hub lists it, found "
                f"{sha.hexdigest()}: the download is damaged, and was removed from the cache"
            )


def _fetch_folder(source: _Source) -> Path:
    """The folder of another library's model, whole."""
    from huggingface_hub import errors

    if source.pinned or source.options["local_files_only"]:
        local = replace(source, options={**source.options, "local_files_only": True})
        try:
            return _collect(local, None)
        except errors.LocalEntryNotFoundError:
            if source.options["local_files_only"]:
                raise
    try:
        listing = _list(source)
    except errors.OfflineModeIsEnabled:
        return _collect(source, None)
    return _collect(replace(source, revision=listing.commit), listing)


def _list(source: _Source) -> _Listing:
    from huggingface_hub import HfApi

    info = HfApi(token=source.options["token"]).model_info(
        source.repo_id, revision=source.revision, files_metadata=True
    )
    if info.sha is None:
        raise DownloadError(f"{source.name}: expected the Hub to name a commit, found none")
    digests = {}
    for entry in info.siblings or []:
        large = entry.lfs.sha256 if entry.lfs is not None else None
        digests[entry.rfilename] = large or entry.blob_id or ""
    return _Listing(info.sha, digests)


def _collect(source: _Source, listing: _Listing | None) -> Path:
    """Fetch settings, then what they name; without a listing, from a cache that has it all."""

    def fetch(file: str) -> Path | None:
        path = source.fetch(file)
        if path is not None and listing is not None:
            listing.check(file, path)
        return path

    # All are asked for, also those that are not listed: the cache then knows that there are none.
    settings = [path for file in peer_folder.SETTINGS if (path := fetch(file)) is not None]
    if not settings:
        raise ModelNotFoundError(
            f"{source.name}: expected {FILE_NAME}, or the files of model2vec or "
            "sentence-transformers, found neither"
        )
    folder = settings[0].parent
    modules = peer_folder.read_modules(folder)
    for module in modules[1:] if modules else []:
        fetch(peer_folder.join(module.path, peer_folder.CONFIG))

    def exists(file: str) -> bool:
        return source.fetch(file) is not None if listing is None else file in listing.digests

    place = peer_folder.find_place(exists, modules, source.name)
    for file in peer_folder.TABLE_FILES:
        fetch(peer_folder.join(place, file))
    return folder


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """The client's errors as this package's."""
    from huggingface_hub import errors

    # Of what class the client's errors of transport are depends on its version; that of its HTTP
    # errors is derived from it.
    transport: tuple[type[Exception], ...] = (*errors.HfHubHTTPError.__bases__, OSError)
    try:
        yield
    except StaticEmbError:
        raise
    except errors.HFValidationError:
        raise ModelNotFoundError(
            f"{name}: expected a file, or a Hub id like organization/name, found neither"
        ) from None
    except errors.LocalEntryNotFoundError:
        raise DownloadError(
            f"{name}: not in the cache, and the Hub cannot be reached or is not to be asked"
        ) from None
    except errors.GatedRepoError:
        raise DownloadError(
            f"{name}: its owner lets in who has asked: log in with `hf auth login`"
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelNotFoundError(f"{name}: no such repository, or a private one") from None
    except errors.RevisionNotFoundError:
        raise ModelNotFoundError(f"{name}: no such revision") from None
    except transport as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DownloadError(f"{name}: the download failed: {first}") from None
