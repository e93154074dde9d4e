"""Heads of a file or of a model2vec folder, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import MissingHeadError, PartError
from ..format.heads import head_names, read_head
from .scoring import HeadScorer

if TYPE_CHECKING:
    from ..format.heads import Head
    from ..format.parts import ModelParts


class Heads:
    """The heads of a model, each read when it is first used; safe to use from several threads.

    Args:
        file: the parts of the model.
        place: the absolute path of the file or folder.

    Attributes:
        names: the names of the heads, malformed ones included, in ascending order.
    """

    def __init__(self, file: ModelParts, place: str) -> None:
        self._file = file
        self.names = head_names(file.metadata)
        self._folder: str | None = None
        if not file.metadata.format_version and file.metadata.extra.get("rules") == "model2vec":
            from ..loading.foreign_head import NAME, has_head  # late: most models are files

            self._folder = place
            self.names = (NAME,) if has_head(place) else ()
        self._scorers: dict[str, HeadScorer] = {}

    def scorer(self, name: str | None) -> HeadScorer:
        """Return the scorer of a head.

        Args:
            name: the head's name; None: the file's only head.

        Raises:
            MissingHeadError: there is no head of this name, there are several and `name` is None,
                or the head is malformed.
        """
        if name is None:
            name = self._only()
        scorer = self._scorers.get(name) if isinstance(name, str) else None
        if scorer is not None:
            return scorer
        if name not in self.names:
            expected = f"one of the file's heads ({self._listed()})"
            raise MissingHeadError(f"head: expected {expected}, found {name!r:.80}")
        try:
            scorer = HeadScorer(self._read(name))
        except PartError as error:
            raise MissingHeadError(f"{self._file.path}: {error}") from error
        return self._scorers.setdefault(name, scorer)

    def _read(self, name: str) -> Head:
        if self._folder is None:
            return read_head(self._file, name)
        from ..loading.foreign_head import read_foreign_head

        metadata = self._file.metadata
        return read_foreign_head(self._folder, metadata.dim, normalize=metadata.normalize)

    def _only(self) -> str:
        """Return the name of the only head."""
        if not self.names:
            raise MissingHeadError(
                f"{self._file.path}: expected a file with a head, found none; "
                "`staticemb-distiller fit-head` makes one"
            )
        if len(self.names) > 1:
            raise MissingHeadError(
                f"head: expected the name of one of the file's heads ({self._listed()}), found None"
            )
        return self.names[0]

    def _listed(self) -> str:
        return ", ".join(map(repr, self.names)) or "none"
