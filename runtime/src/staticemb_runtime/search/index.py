"""`Index`: documents in one SQLite file, found by words and by vectors together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from numpy.typing import ArrayLike
    from typing_extensions import Self

    from ..model import StaticModel
    from .hits import Added, Document, Hit, IndexInfo

    Scorer = Callable[[str, Sequence[str]], ArrayLike]
    Filter = Mapping[str, Any]
    Method = Literal["hybrid", "lexical", "vector"]


class Index:
    """A search index in one file; made by `Index.create` and `Index.open`."""

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        model: StaticModel | str | os.PathLike[str] | None = None,
        *,
        precision: Literal["float16", "int8", "bits"] = "int8",
        truncate_dim: int | None = None,
        words: Literal["words", "trigrams"] = "words",
        passage_characters: int | None = None,
        store_model: bool = False,
        exist_ok: bool = False,
    ) -> Self:
        """Make an empty index; with `exist_ok`, open an index that exists."""
        raise NotImplementedError

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        model: StaticModel | str | os.PathLike[str] | None = None,
        *,
        mode: Literal["read", "write"] = "read",
        timeout: float = 30.0,
    ) -> Self:
        """Open an index."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        raise NotImplementedError

    def __contains__(self, id: object) -> bool:
        raise NotImplementedError

    @property
    def model(self) -> StaticModel:
        """The model that embeds queries."""
        raise NotImplementedError

    def info(self) -> IndexInfo:
        """Return the settings and the numbers of documents and passages."""
        raise NotImplementedError

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Iterable[str] | None = None,
        metadata: Iterable[Mapping[str, Any] | None] | None = None,
        vectors: ArrayLike | Iterable[ArrayLike] | None = None,
        batch_size: int = 8192,
        progress: Callable[[int], None] | None = None,
    ) -> Added:
        """Add documents, or replace those of the same ids; `progress` is called with a count."""
        raise NotImplementedError

    def delete(self, ids: Iterable[str]) -> int:
        """Delete documents; return how many of them were there."""
        raise NotImplementedError

    def get(self, id: str) -> Document:
        """Return a document; KeyError if there is none of this id."""
        raise NotImplementedError

    def documents(self) -> Iterator[Document]:
        """Iterate over all documents, in the order in which they were added."""
        raise NotImplementedError

    @overload
    def search(
        self,
        query: str,
        k: int = ...,
        *,
        filter: Filter | None = ...,
        method: Method = ...,
        vector_weight: float = ...,
        candidates: int = ...,
        rerank: Scorer | None = ...,
        rerank_weight: float = ...,
    ) -> list[Hit]: ...

    @overload
    def search(
        self,
        query: Sequence[str],
        k: int = ...,
        *,
        filter: Filter | None = ...,
        method: Method = ...,
        vector_weight: float = ...,
        candidates: int = ...,
        rerank: Scorer | None = ...,
        rerank_weight: float = ...,
    ) -> list[list[Hit]]: ...

    def search(
        self,
        query: str | Sequence[str],
        k: int = 10,
        *,
        filter: Filter | None = None,
        method: Method = "hybrid",
        vector_weight: float = 0.35,
        candidates: int = 100,
        rerank: Scorer | None = None,
        rerank_weight: float = 0.5,
    ) -> list[Hit] | list[list[Hit]]:
        """Find the documents that answer a query, best first, one hit a document."""
        raise NotImplementedError

    def reindex(
        self,
        model: StaticModel | str | os.PathLike[str],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Make all vectors anew with another model, from the stored texts."""
        raise NotImplementedError

    def optimize(self) -> None:
        """Merge the parts of the full-text index and write all changes into the main file."""
        raise NotImplementedError

    def publish(self, path: str | os.PathLike[str]) -> None:
        """Write a compact copy that opens from a read-only folder."""
        raise NotImplementedError

    def check(self) -> None:
        """Read the whole file and compare its parts; NotAnIndexError at the first fault."""
        raise NotImplementedError
