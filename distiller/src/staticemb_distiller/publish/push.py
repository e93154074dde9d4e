"""Upload a static embedding file, its card and a copy for other libraries to the Hugging Face Hub.

The copy is the same model in the layout of model2vec and sentence-transformers. All files are
uploaded in one commit. `HF_TOKEN` or `hf auth login` gives the token, and `HF_ENDPOINT` the Hub. No
flag takes a token, because every process of the machine can read a command line.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, errors, get_token
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from staticemb_runtime.loading import FILE_NAME, locate

from ..arguments import check_type
from ..errors import ConvertError, EvaluationError, PublishError
from ..file.check import read_publishable
from ..interop.card import one_line, repository_card
from . import repository_files

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from staticemb_runtime.format import ModelParts

CARD: Final = "README.md"

# The class of transport errors depends on the client's version; its HTTP errors derive from it.
_TRANSPORT: tuple[type[Exception], ...] = (*errors.HfHubHTTPError.__bases__, OSError)


@dataclass(frozen=True)
class Target:
    """The destination of a model.

    Attributes:
        repo_id: `organization/name`.
        revision: a branch, created if it is missing; None: the main branch.
        private: whether a new repository is private; if set, an existing one must be private.
        create: whether to create the repository if it is missing.
    """

    repo_id: str
    revision: str | None = None
    private: bool = False
    create: bool = True


@dataclass(frozen=True)
class Content:
    """The content of a commit in addition to the file.

    Attributes:
        library_copy: whether to add a copy in the layout of model2vec and sentence-transformers.
        plain_mean: as `pooling="mean"` in `export`.
        peer_unknown: as `unknown_tokens="peer"` in `export`.
        report: a report of `evaluate --json` about the file; its figures go into the card.
        card: a card to upload instead of the generated one.
        overwrite_card: whether to replace an existing card of the repository.
    """

    library_copy: bool = True
    plain_mean: bool = False
    peer_unknown: bool = False
    report: Path | None = None
    card: Path | None = None
    overwrite_card: bool = False


@dataclass(frozen=True)
class Pushed:
    """The result of an upload.

    Attributes:
        url: the commit's page.
        commit: the commit's hash, valid as a `revision`.
        files: the names of the uploaded files.
        notes: differences in behavior between copy and file, and files that were not replaced.
    """

    url: str
    commit: str
    files: tuple[str, ...]
    notes: tuple[str, ...]


def push(source: str | os.PathLike[str], target: Target, content: Content | None = None) -> Pushed:
    """Upload a model as one commit.

    All files are written and compared locally before the first request to the Hub. Files of an
    earlier push's copy that are not part of this push are removed.

    Args:
        source: a static embedding file, or an installed model's name.
        target: the destination.
        content: the content in addition to the file; None: the defaults.

    Raises:
        StaticEmbError: the file is invalid; the subclass names the reason.
        ConvertError: a library lacks a feature of the file, or the vectors of copy and file differ.
        OutputError: an optional part of the model is malformed.
        EvaluationError: the report is about another file.
        PublishError: the token is missing or lacks a permission; the repository is missing, public
            or holds another model; or the Hub cannot be reached.
    """
    check_type("target", target, (Target,), "a Target")
    content = content or Content()
    with _translated(target):
        validate_repo_id(target.repo_id)
    if "/" not in target.repo_id:
        raise PublishError(f"{target.repo_id}: expected an id like organization/name")
    path = Path(locate(source))
    file = read_publishable(path)
    if get_token() is None:
        raise PublishError(
            f"{target.repo_id}: expected a token, found none: set HF_TOKEN, or log in with "
            "`hf auth login`"
        )
    with tempfile.TemporaryDirectory(prefix="staticemb-push-") as folder:
        files, notes = _write(file, path, Path(folder), target.repo_id, content)
        with _translated(target):
            return _commit(HfApi(token=get_token()), target, files, notes, content)


def _write(
    file: ModelParts, source: Path, folder: Path, repo_id: str, content: Content
) -> tuple[dict[str, Path], list[str]]:
    """Collect the files to upload by their names in the repository, and notes on the copy."""
    figures = "" if content.report is None else _figures(file, content.report)
    files, notes = {FILE_NAME: source}, None
    if content.library_copy:
        copy_folder = folder / "copy"
        copy_folder.mkdir()
        choices = {"plain_mean": content.plain_mean, "peer_unknown": content.peer_unknown}
        try:
            notes = repository_files.write_folder(file, copy_folder, **choices)
        except ConvertError as error:
            raise ConvertError(f"{error}; or push the file alone with --no-library-copy") from error
        paths = {name: copy_folder / name for name in repository_files.FILES}
        files |= {name: path for name, path in paths.items() if path.is_file()}
    card = content.card
    if card is None:
        card = folder / CARD
        text = repository_card(repo_id, file, copy_notes=notes, figures=figures)
        card.write_text(text, "utf-8")
    files[CARD] = card
    return files, notes or []


def _figures(file: ModelParts, path: Path) -> str:
    """Return the tables of a report, in Markdown."""
    from ..evaluation.record import from_json
    from ..evaluation.report import method
    from ..evaluation.tables import as_markdown, summary

    results = from_json(path)
    digests = [str(facts.get("digest")) for facts in results.facts.values()]
    if file.metadata.digest not in digests:
        raise EvaluationError(
            f"{path}: expected a report on the file with digest {file.metadata.digest}, found "
            f"{', '.join(digests)}"
        )
    lines = "\n".join(f"- {one_line(line)}" for line in method(results))
    return f"{as_markdown(summary(results))}\n\n{lines}"


def _commit(
    api: HfApi, target: Target, files: dict[str, Path], notes: list[str], content: Content
) -> Pushed:
    _prepare(api, target)
    before = api.model_info(target.repo_id, revision=target.revision)
    existing = {entry.rfilename for entry in before.siblings or []}
    if FILE_NAME not in existing:
        conflicts = sorted(existing & (files.keys() - {CARD}))
        if conflicts:
            raise PublishError(
                f"{target.repo_id}: expected a repository without a model, or one that was pushed "
                f"before, found {', '.join(conflicts)} and no {FILE_NAME}"
            )
    copy_files = set(repository_files.FILES) if FILE_NAME in existing else set()
    if CARD in existing and content.card is None and not content.overwrite_card:
        del files[CARD]
        notes = [*notes, f"the repository's {CARD} stays; --overwrite-card replaces it"]
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()
    ]
    operations += [
        CommitOperationDelete(path_in_repo=name)
        for name in sorted(existing & copy_files - files.keys())
    ]
    commit = api.create_commit(
        target.repo_id,
        operations,
        commit_message="Upload a static embedding model",
        revision=target.revision,
        parent_commit=before.sha,
    )
    return Pushed(commit.commit_url, commit.oid, tuple(files), tuple(notes))


def _prepare(api: HfApi, target: Target) -> None:
    """Create the repository and the branch if they are missing."""
    try:
        private = api.model_info(target.repo_id).private
    except errors.RepositoryNotFoundError:
        if not target.create:
            raise
        api.create_repo(target.repo_id, private=target.private)
    else:
        if target.private and not private:
            raise PublishError(
                f"{target.repo_id}: expected a private repository, found a public one"
            )
    if target.revision is not None:
        api.create_branch(target.repo_id, branch=target.revision, exist_ok=True)


@contextmanager
def _translated(target: Target) -> Iterator[None]:
    """Translate errors of the client into one-line errors of this package."""
    name = target.repo_id
    try:
        yield
    except errors.HFValidationError:
        raise PublishError(f"{name}: expected an id like organization/name") from None
    except errors.OfflineModeIsEnabled:
        raise PublishError(
            f"{name}: offline mode is on (HF_HUB_OFFLINE): nothing is sent"
        ) from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        reason = one_line(error.server_message or "") or f"status {status}"
        if status == 401:
            raise PublishError(f"{name}: the Hub does not know the token") from None
        if status == 403:
            raise PublishError(
                f"{name}: the token has no permission to write ({reason}); use a token with "
                "write access"
            ) from None
        if isinstance(error, errors.RepositoryNotFoundError):
            raise PublishError(
                f"{name}: the repository does not exist, or the token has no access to it"
            ) from None
        raise PublishError(f"{name}: the Hub refused: {reason}") from None
    except _TRANSPORT as error:
        raise PublishError(f"{name}: the Hub cannot be reached: {one_line(str(error))}") from None
    except ValueError as error:
        # The client checks the card and the Hub's answers, and raises ValueError.
        raise PublishError(f"{name}: {one_line(str(error))}") from None
