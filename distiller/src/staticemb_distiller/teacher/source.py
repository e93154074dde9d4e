"""The source of a teacher: a local folder, or an id on the Hugging Face Hub at a commit."""

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..corpus.digests import listing_sha256
from ..errors import HubUnavailableError, TeacherNotFoundError
from ..path_checks import exists, is_folder
from .model_card import license_and_languages

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
# The files that determine vectors: weights, settings, tokenizer files, and the teacher's code.
_CONTENT = ("*.safetensors", "*.json", "*.txt", "*.model", "*.py", "*.jinja")
_EXPORTS = ("onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*", "checkpoint-*/*")


@dataclass(frozen=True)
class TeacherSource:
    """A teacher's folder on this machine, and its origin.

    Attributes:
        name: The Hub id, or the local folder's name.
        folder: The folder of the teacher's files.
        revision: The commit hash on the Hub; `sha256:` and the content's digest for a local folder.
        license: The license in the model card, or "".
        languages: The languages in the model card, comma-separated, or "".
    """

    name: str
    folder: Path
    revision: str
    license: str
    languages: str


def find(name_or_path: str, revision: str | None = None) -> TeacherSource:
    """Find a teacher: a local folder if it exists, else the files of a Hub id.

    Args:
        name_or_path: A folder, or a Hub id such as `sentence-transformers/all-MiniLM-L6-v2`.
        revision: A Hub branch, tag or commit; for a local folder the expected digest.

    Raises:
        TeacherNotFoundError: There is no such folder and Hub id, or no such revision, or the Hub
            requires that the user accepts conditions.
        HubUnavailableError: The download failed, and the teacher is not in the local cache.
    """
    if not name_or_path:
        raise TeacherNotFoundError("expected a teacher's folder or Hub id, found an empty name")
    try:
        folder = Path(name_or_path).expanduser()
    except RuntimeError as error:  # ~nobody
        raise TeacherNotFoundError(f"{name_or_path}: no such folder: {error}") from None
    if is_folder(folder):
        folder = folder.resolve()
        _check_is_model(folder, name_or_path)
        digest = "sha256:" + content_digest(folder)
        if revision not in (None, digest):
            raise TeacherNotFoundError(
                f"{name_or_path}: expected revision {revision}, found {digest}: "
                "the folder is not the same as before"
            )
        return TeacherSource(folder.name, folder, digest, *license_and_languages(folder))
    if exists(folder):
        raise TeacherNotFoundError(f"{name_or_path}: expected a folder or a Hub id, found a file")
    if not _HUB_ID.fullmatch(name_or_path):
        raise TeacherNotFoundError(f"{name_or_path}: no such folder")
    folder = _download(name_or_path, revision)
    _check_is_model(folder, name_or_path)
    return TeacherSource(name_or_path, folder, folder.name, *license_and_languages(folder))


def content_digest(folder: Path) -> str:
    """Return the SHA-256 of the output of `sha256sum` for a model folder's files, sorted by name.

    It covers every file that can change a vector, in the folder and its subfolders; it excludes
    the model card and exports to other runtimes.
    """
    files = {path for pattern in _CONTENT for path in folder.rglob(pattern) if path.is_file()}
    included = [
        file
        for file in sorted(files, key=lambda file: file.relative_to(folder).as_posix())
        if not any(file.relative_to(folder).match(pattern) for pattern in _EXPORTS)
    ]
    return listing_sha256(folder, included)


def _download(repo_id: str, revision: str | None) -> Path:
    label = f"{repo_id} at revision {revision}" if revision else repo_id
    try:
        return Path(
            snapshot_download(
                repo_id,
                revision=revision,
                allow_patterns=[*_CONTENT, "README.md"],
                ignore_patterns=list(_EXPORTS),
            )
        )
    except GatedRepoError as error:
        raise TeacherNotFoundError(
            f"{repo_id}: gated; accept its conditions at https://huggingface.co/{repo_id} "
            "and sign in with `hf auth login`"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        hint = "" if "/" in repo_id else f"; did you mean sentence-transformers/{repo_id}?"
        raise TeacherNotFoundError(
            f"{repo_id}: no such folder, and the Hub knows no such model (or it is private){hint}"
        ) from error
    except RevisionNotFoundError as error:
        raise TeacherNotFoundError(f"{label}: the Hub knows no such revision") from error
    except LocalEntryNotFoundError as error:
        raise HubUnavailableError(
            f"{label}: no such folder, not in the local Hub cache, and the Hub cannot be reached"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise HubUnavailableError(f"{label}: the download failed: {reason}") from error


def _check_is_model(folder: Path, name: str) -> None:
    if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
        raise TeacherNotFoundError(
            f"{name}: expected a model's folder, found neither modules.json nor config.json in it"
        )
