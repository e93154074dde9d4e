"""A model from the Hugging Face Hub, by id and revision (needs the extra `hub`).

`huggingface_hub` downloads and caches; it is imported only when a model is asked for by id.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .errors import DownloadError, ModelNotFoundError

FILE_NAME: Final = "model.staticemb"


def download(
    repo_id: str,
    *,
    revision: str | None = None,
    cache_folder: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """Bring a repository's static embedding file into the Hub's cache.

    Args:
        repo_id: `organization/name`.
        revision: a commit, tag or branch; a commit pins the content.
        cache_folder: where to keep it; the Hub's own cache by default.
        token: for private repositories.
        local_files_only: take it from the cache or fail, without touching the network.

    Returns:
        The file in the cache.

    Raises:
        ModelNotFoundError: no such repository or revision, or none of its files is a model.
        DownloadError: the Hub cannot be reached or refuses, or huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import errors, hf_hub_download
    except ImportError:
        raise DownloadError(
            f"{repo_id}: models from the Hub need huggingface_hub: "
            "pip install 'staticemb-runtime[hub]'"
        ) from None
    name = repo_id if revision is None else f"{repo_id} at {revision}"
    options: dict[str, Any] = {"revision": revision, "cache_dir": cache_folder, "token": token}
    try:
        return Path(
            hf_hub_download(repo_id, FILE_NAME, local_files_only=local_files_only, **options)
        )
    except errors.HFValidationError:
        raise ModelNotFoundError(
            f"{repo_id}: expected a file, or a Hub id like organization/name, found neither"
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
    except errors.EntryNotFoundError:
        raise ModelNotFoundError(f"{name}: expected a file {FILE_NAME}, found none") from None
    except (errors.HfHubHTTPError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DownloadError(f"{name}: the download failed: {first}") from None
