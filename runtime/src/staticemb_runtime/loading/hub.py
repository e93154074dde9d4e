"""Downloads of models from the Hugging Face Hub, by id and revision (needs the extra `hub`).

`huggingface_hub` downloads and caches; it is imported only for a download. A repository holds a
static embedding file, or a folder of model2vec or of sentence-transformers' StaticEmbedding. Of
such a folder only the settings, the tokenizer and the table are fetched: no pickle, no code. Each
of these files is compared with the digest that the Hub lists; a static embedding file carries its
own digest.
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
from . import foreign_folder
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
    """Download a repository's model into the Hub's cache.

    Args:
        repo_id: `organization/name`.
        revision: a commit, tag or branch; a commit pins the content.
        cache_folder: the cache's folder; the Hub's own cache by default.
        token: the token for private repositories.
        local_files_only: take the model from the cache or fail, without using the network.

    Returns:
        The static embedding file in the cache, or the folder of another library's model if the
        repository holds no such file.

    Raises:
        ModelNotFoundError: the repository or the revision does not exist or holds no model.
        UnsupportedModelError: the model does more than average table rows, or is pickled.
        InvalidConfigError: a settings file is malformed.
        DownloadError: the Hub is unreachable or refuses the request, a file does not match its
            digest on the Hub, or huggingface_hub is not installed.
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
    """A repository at a revision, with the client's options."""

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
        """Return a file in the cache, downloaded if needed; None if the repository lacks it."""
        from huggingface_hub import errors, hf_hub_download

        if self.pinned and self._known_absent(file):
            return None
        try:
            return Path(hf_hub_download(self.repo_id, file, revision=self.revision, **self.options))
        except errors.LocalEntryNotFoundError:
            if self._known_absent(file):
                return None
            raise
        except errors.EntryNotFoundError:  # the client records the absence in the cache
            return None

    def _known_absent(self, file: str) -> bool:
        from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

        options = {"cache_dir": self.options["cache_dir"], "revision": self.revision}
        return try_to_load_from_cache(self.repo_id, file, **options) is _CACHED_NO_EXIST


@dataclass(frozen=True)
class _Listing:
    """The Hub's list of a commit's files: a digest for each name, or "" if the Hub gives none."""

    commit: str
    digests: dict[str, str]

    def check(self, name: str, path: Path) -> None:
        """Compare a file with its listed digest; remove the file from the cache if it differs.

        Raises:
            DownloadError: the file differs.
        """
        expected = self.digests.get(name, "")
        if not expected:
            return
        # A large file is listed by its SHA-256, any other file by its git blob id.
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
    """Fetch all files of another library's model and return their folder."""
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
        sha256 = entry.lfs.sha256 if entry.lfs is not None else None
        digests[entry.rfilename] = sha256 or entry.blob_id or ""
    return _Listing(info.sha, digests)


def _collect(source: _Source, listing: _Listing | None) -> Path:
    """Fetch the settings, then the files that they name; no listing: the cache must hold all."""

    def fetch(file: str) -> Path | None:
        path = source.fetch(file)
        if path is not None and listing is not None:
            listing.check(file, path)
        return path

    # Unlisted files are fetched too: the cache then records that they do not exist.
    settings = [path for file in foreign_folder.SETTINGS if (path := fetch(file)) is not None]
    if not settings:
        raise ModelNotFoundError(
            f"{source.name}: expected {FILE_NAME}, or the files of model2vec or "
            "sentence-transformers, found neither"
        )
    folder = settings[0].parent
    modules = foreign_folder.read_modules(folder)
    for module in modules[1:] if modules else []:
        fetch(foreign_folder.join(module.path, foreign_folder.CONFIG))

    def exists(file: str) -> bool:
        return source.fetch(file) is not None if listing is None else file in listing.digests

    table_folder = foreign_folder.find_place(exists, modules, source.name)
    for file in foreign_folder.TABLE_FILES:
        fetch(foreign_folder.join(table_folder, file))
    if foreign_folder.head_config(folder):
        fetch(foreign_folder.HEAD_FILE)
    return folder


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Translate the client's errors into this package's errors."""
    from huggingface_hub import errors

    # The class of the client's transport errors depends on its version. Its class of HTTP errors
    # derives from that class.
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
            f"{name}: not in the cache, and the Hub is unreachable or may not be used"
        ) from None
    except errors.GatedRepoError:
        raise DownloadError(
            f"{name}: a gated repository: request access, then log in with `hf auth login`"
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelNotFoundError(f"{name}: no such repository, or a private one") from None
    except errors.RevisionNotFoundError:
        raise ModelNotFoundError(f"{name}: no such revision") from None
    except transport as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DownloadError(f"{name}: the download failed: {reason}") from None
