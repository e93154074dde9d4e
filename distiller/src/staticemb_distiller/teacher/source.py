"""Where a teacher comes from: a local folder, or an id on the Hugging Face Hub at one commit."""

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
from ..places import is_folder, is_there
from .model_card import read_head

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
# What decides the vectors: weights, settings, tokenizer files, and the teacher's own code.
_CONTENT = ("*.safetensors", "*.json", "*.txt", "*.model", "*.py", "*.jinja")
_EXPORTS = ("onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*", "checkpoint-*/*")


@dataclass(frozen=True)
class TeacherSource:
    """A teacher's folder on this machine and where it is from.

    Attributes:
        name: The Hub id, or the local folder's own name.
        folder: The files.
        revision: The commit hash on the Hub; `sha256:` and the content's digest for a local folder.
        license: As its model card states it, or "".
        languages: As its model card states them, comma-separated, or "".
    """

    name: str
    folder: Path
    revision: str
    license: str
    languages: str


def find(name_or_path: str, revision: str | None = None) -> TeacherSource:
    """Find a teacher: a folder of that name if there is one, else the Hub's files for that id.

    Args:
        name_or_path: A folder, or a Hub id such as `sentence-transformers/all-MiniLM-L6-v2`.
        revision: A Hub branch, tag or commit; for a local folder the digest it must have.

    Raises:
        TeacherNotFoundError: Neither a folder nor an id that the Hub knows.
        TeacherNotFoundError: The Hub wants conditions accepted first.
        HubUnavailableError: Offline, and not in the local cache.
        TeacherNotFoundError: No such revision.
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
                "the folder is not the one that was used before"
            )
        return TeacherSource(folder.name, folder, digest, *_card(folder))
    if is_there(folder):
        raise TeacherNotFoundError(f"{name_or_path}: a file; a teacher is a folder or a Hub id")
    if not _HUB_ID.fullmatch(name_or_path):
        raise TeacherNotFoundError(f"{name_or_path}: no such folder")
    folder = _download(name_or_path, revision)
    _check_is_model(folder, name_or_path)
    return TeacherSource(name_or_path, folder, folder.name, *_card(folder))


def content_digest(folder: Path) -> str:
    """SHA-256 of a model folder's content: what `sha256sum` prints for its files, in order of name.

    Covers every file that can change a vector, in the folder and its sub-folders; the model card
    and exports to other runtimes are left out.
    """
    files = {path for pattern in _CONTENT for path in folder.rglob(pattern) if path.is_file()}
    decisive = [
        file
        for file in sorted(files, key=lambda file: file.relative_to(folder).as_posix())
        if not any(file.relative_to(folder).match(pattern) for pattern in _EXPORTS)
    ]
    return listing_sha256(folder, decisive)


def _download(repo_id: str, revision: str | None) -> Path:
    where = f"{repo_id} at revision {revision}" if revision else repo_id
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
        raise TeacherNotFoundError(f"{where}: the Hub knows no such revision") from error
    except LocalEntryNotFoundError as error:
        raise HubUnavailableError(
            f"{where}: no such folder, not in the local Hub cache, and the Hub cannot be reached"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise HubUnavailableError(f"{where}: the download failed: {reason}") from error


def _check_is_model(folder: Path, name: str) -> None:
    if not any((folder / file).is_file() for file in ("modules.json", "config.json")):
        raise TeacherNotFoundError(
            f"{name}: not a model's folder: it has neither modules.json nor config.json"
        )


def _card(folder: Path) -> tuple[str, str]:
    """License and languages from the model card's front matter; "" where it does not say."""
    data = read_head(folder)
    name = data.get("license")
    if name == "other":
        name = data.get("license_name", name)
    return _joined(name), _joined(data.get("language"))


def _joined(value: object) -> str:
    items = value if isinstance(value, list) else [] if value is None else [value]
    # YAML 1.1 reads the language code `no` as false.
    return ",".join("no" if item is False else str(item) for item in items)
