"""A static embedding file, its card and its twin as one commit to the Hugging Face Hub.

`HF_TOKEN` or `hf auth login` says who pushes, `HF_ENDPOINT` where to; a token on the command line
would be read by every process of the machine.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, errors, get_token
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from staticemb_runtime.format import read
from staticemb_runtime.loading import FILE_NAME, locate

from ..arguments import check_type
from ..errors import EvaluationError, InexpressibleError, PublishError
from ..interop.card import one_line, repository_card
from . import repository_files as twin

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from staticemb_runtime.format import ModelParts

CARD: Final = "README.md"

# Of what class errors of transport are depends on the client's version; its HTTP errors derive
# from it.
_TRANSPORT: tuple[type[Exception], ...] = (*errors.HfHubHTTPError.__bases__, OSError)


@dataclass(frozen=True)
class Target:
    """Where a model goes.

    Attributes:
        repo_id: `organization/name`.
        revision: a branch, made where there is none; None: the main one.
        private: whether a new repository is private; an existing one has to be.
        create: whether to make the repository where there is none.
    """

    repo_id: str
    revision: str | None = None
    private: bool = False
    create: bool = True


@dataclass(frozen=True)
class Content:
    """What goes there beside the file.

    Attributes:
        twins: whether to add the layout of model2vec and sentence-transformers.
        plain_mean: as for `export`.
        peer_unknown: as for `export`.
        report: what `evaluate --json` wrote about the file; its figures go into the card.
        card: a card to take in place of the one that is written from the file.
        overwrite_card: replace a card that the repository has already.
    """

    twins: bool = True
    plain_mean: bool = False
    peer_unknown: bool = False
    report: Path | None = None
    card: Path | None = None
    overwrite_card: bool = False


@dataclass(frozen=True)
class Pushed:
    """What was uploaded.

    Attributes:
        url: the commit's page.
        commit: its hash, to be given as `revision`.
        files: the names of what it holds.
        notes: what the twin does otherwise, and what was left as it was.
    """

    url: str
    commit: str
    files: tuple[str, ...]
    notes: tuple[str, ...]


def push(source: str | os.PathLike[str], target: Target, content: Content | None = None) -> Pushed:
    """Upload a model as one commit.

    Everything is written and compared here first; the Hub is asked only then. Files of a twin that
    an earlier push left and this one does not bring are removed.

    Args:
        source: a static embedding file, or an installed model's name.
        target: where to.
        content: what goes along.

    Raises:
        StaticEmbError: the file is broken; a subclass says how.
        InexpressibleError: a library cannot do what the file says.
        ConvertError: the twin has other vectors.
        EvaluationError: the report is not about this file.
        PublishError: there is no token, or it does not suffice; the repository is missing, public
            or another model's, or the Hub is out of reach.
    """
    check_type("target", target, (Target,), "a Target")
    content = content or Content()
    with _translated(target):
        validate_repo_id(target.repo_id)
    if "/" not in target.repo_id:
        raise PublishError(f"{target.repo_id}: expected an id like organization/name")
    path = Path(locate(source))
    file = read(path, verify=True)
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
    """What goes up, by its name there, and what the twin does otherwise."""
    figures = "" if content.report is None else _figures(file, content.report)
    files, notes = {FILE_NAME: source}, None
    if content.twins:
        place = folder / "twin"
        place.mkdir()
        choices = {"plain_mean": content.plain_mean, "peer_unknown": content.peer_unknown}
        try:
            notes = twin.write_twin(file, place, **choices)
        except InexpressibleError as error:
            raise InexpressibleError(f"{error}; or push it alone with --no-twins") from error
        files |= {name: place / name for name in twin.FILES if (place / name).is_file()}
    card = content.card
    if card is None:
        card = folder / CARD
        text = repository_card(repo_id, file, twin_notes=notes, figures=figures)
        card.write_text(text, "utf-8")
    files[CARD] = card
    return files, notes or []


def _figures(file: ModelParts, path: Path) -> str:
    """The tables of a report, in Markdown."""
    from ..evaluation.record import from_json
    from ..evaluation.report import method, summary

    results = from_json(path)
    digests = [str(facts.get("digest")) for facts in results.facts.values()]
    if file.metadata.digest not in digests:
        raise EvaluationError(
            f"{path}: expected a report on the file with digest {file.metadata.digest}, found "
            f"{', '.join(digests)}"
        )
    lines = "\n".join(f"- {one_line(line)}" for line in method(results))
    return f"{summary(results)}\n\n{lines}"


def _commit(
    api: HfApi, target: Target, files: dict[str, Path], notes: list[str], content: Content
) -> Pushed:
    _prepare(api, target)
    before = api.model_info(target.repo_id, revision=target.revision)
    there = {entry.rfilename for entry in before.siblings or []}
    if FILE_NAME not in there:
        taken = sorted(there & (files.keys() - {CARD}))
        if taken:
            raise PublishError(
                f"{target.repo_id}: expected a repository without a model, or one that was pushed "
                f"before, found {', '.join(taken)} and no {FILE_NAME}"
            )
    own = set(twin.FILES) if FILE_NAME in there else set()
    if CARD in there and content.card is None and not content.overwrite_card:
        del files[CARD]
        notes = [*notes, f"the repository's {CARD} stays; --overwrite-card replaces it"]
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()
    ]
    operations += [
        CommitOperationDelete(path_in_repo=name) for name in sorted(there & own - files.keys())
    ]
    done = api.create_commit(
        target.repo_id,
        operations,
        commit_message="Upload a static embedding model",
        revision=target.revision,
        parent_commit=before.sha,
    )
    return Pushed(done.commit_url, done.oid, tuple(files), tuple(notes))


def _prepare(api: HfApi, target: Target) -> None:
    """The repository and the branch, made where they are missing."""
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
    """The client's errors as this package's, in one line."""
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
                f"{name}: the token may not write there ({reason}); it takes one with the right "
                "to write"
            ) from None
        if isinstance(error, errors.RepositoryNotFoundError):
            raise PublishError(
                f"{name}: no such repository, or one that the token may not see"
            ) from None
        raise PublishError(f"{name}: the Hub refused: {reason}") from None
    except _TRANSPORT as error:
        raise PublishError(f"{name}: the Hub cannot be reached: {one_line(str(error))}") from None
    except ValueError as error:
        # The client's own checks of the card, and of what the Hub answers.
        raise PublishError(f"{name}: {one_line(str(error))}") from None
