"""An open index: its file, its settings and its model."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Final, Literal

from ..encoding.foreign_texts import ForeignTexts
from ..encoding.vectors import check_dim
from ..errors import IndexModelError, InvalidOptionError
from ..model import StaticModel
from ..records.output_file import output_file, refuse_inputs, reported
from . import schema
from .arguments import check_choice, passage_limit, words_of
from .blocks import DTYPES
from .embedding import DocumentVectors, check_identity, described, open_model
from .hits import IndexInfo
from .lexicon import Lexicon
from .searching import Searcher
from .settings import next_change, read_settings
from .stop_words import ENGLISH
from .store import Store, chosen_words, create, is_missing
from .stored_model import has_model, load_model, store_model, write_model

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from .blocks import StoredPrecision
    from .lexicon import WordRule
    from .settings import Settings

    Model = StaticModel | str | os.PathLike[str] | None

TIMEOUT: Final = 30.0


class OpenIndex:
    """The part of `Index` that opens, describes and closes it."""

    def __init__(self, store: Store, settings: Settings, model: Model) -> None:
        self._store = store
        self._settings = settings
        self._given = model
        self._model: StaticModel | None = None
        self._lock = threading.RLock()
        self._lexicon: Lexicon | None = None
        if settings.words is not None and store.full_text:
            self._lexicon = Lexicon(settings.words, settings.ignored())
        self._searcher = Searcher(settings, self._lexicon)
        self.foreign_passages = ForeignTexts()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        model: Model = None,
        *,
        precision: StoredPrecision = "int8",
        truncate_dim: int | None = None,
        words: WordRule | Literal["auto"] | None = "auto",
        stop_words: Iterable[str] = ENGLISH,
        passage_characters: int | None = None,
        store_model: bool = False,
        exist_ok: bool = False,
        timeout: float = TIMEOUT,
    ) -> Self:
        """Make an empty index and open it for writing.

        Args:
            path: the file.
            model: the model that embeds queries and documents, or its file or name; None: the small
                English model that comes with this package. A model whose file says that its teacher
                embeds the documents needs `vectors` in `add`.
            precision: how vectors are stored: `int8`, `float16` with twice the bytes, or `bits`
                with an eighth of them and lower quality.
            truncate_dim: the length of vectors; None: the model's default.
            words: `words` for BM25 over stemmed English words, which also finds whole words of
                other languages with blanks; `trigrams` over three characters each, for languages
                without blanks, whose words of one or two are found too; None for search by vectors
                alone. `auto`: `words` if this Python's sqlite3 has FTS5, else None.
            stop_words: words that queries ignore, in lower case, unless they hold nothing else.
            passage_characters: the length above which documents are cut into passages, at the ends
                of sentences; None: each document is one passage. 1,000 to 2,000 suit documents of
                several pages.
            store_model: whether the model's file is put into the index if it holds none.
            exist_ok: whether to open an index that exists, as `open` does; its settings then stay.
            timeout: how many seconds to wait for another process that writes.

        Raises:
            InvalidOptionError, InvalidDimensionError: a parameter has an invalid value.
            TypeError: `stop_words` is one string, or holds anything but strings.
            SearchIndexError: the file exists, or cannot be made; a subclass for each fault.
            FullTextMissingError: `words` needs FTS5, which this Python's sqlite3 lacks.
            StaticEmbError: the model cannot be opened.
        """
        place = os.fspath(path)
        check_choice("precision", precision, DTYPES)
        check_choice("words", words, ("auto", None, *schema.TOKENIZERS))
        characters = passage_limit(passage_characters)
        ignored = words_of("stop_words", stop_words)
        if not exist_ok or is_missing(place):
            words = chosen_words(place, words)
            loaded, name = open_model(model)
            settings: dict[str, object] = {
                "change": 0,
                "dimension": check_dim(
                    loaded.dim if truncate_dim is None else truncate_dim, loaded.metadata.dim
                ),
                "precision": precision,
                "words": words,
                "stop_words": json.dumps(sorted(ignored)),
                "passage_characters": characters,
                "model": name,
                **described(loaded),
            }
            made = create(place, settings, words, timeout=timeout)
            if not made and not exist_ok:
                raise InvalidOptionError(
                    f"{place}: expected no file, found an index; open it instead"
                )
            model = loaded
        index = cls.open(place, model, mode="write", timeout=timeout)
        if store_model and not index.info().model_stored:
            index.store_model()
        return index

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        model: Model = None,
        *,
        mode: Literal["read", "write"] = "read",
        timeout: float = TIMEOUT,
    ) -> Self:
        """Open an index.

        Args:
            path: the file. One in a folder without write access is taken as never changing; use
                `publish` to make a copy for such a folder.
            model: the model that the index was made with, or one with the same vectors; None: the
                model in the index, else the one that its settings name, opened at first use.
            mode: `read`, or `write` to change the index as well.
            timeout: how many seconds to wait for another process that writes.

        Raises:
            IndexNotFoundError: there is no such file.
            NotAnIndexError: the file is no index, damaged, or of a newer schema.
            IndexModelError: the model gives other vectors.
            IndexReadOnlyError: `mode` is `write`, but the file cannot be written.
            InvalidOptionError: `mode` is neither.
        """
        check_choice("mode", mode, ("read", "write"))
        store = Store(os.fspath(path), writable=mode == "write", timeout=timeout)
        try:
            with store.reading() as connection:
                settings = read_settings(connection, store.path)
            index = cls(store, settings, model)
            if model is not None:
                index.model  # noqa: B018 - a model of other vectors is refused at once
        except BaseException:
            store.close()
            raise
        return index

    def close(self) -> None:
        """Close the file and free the memory; a closed index raises SearchIndexError."""
        with self._lock:
            self._store.close()
            if self._lexicon is not None:
                self._lexicon.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Index({self._store.path!r})"

    def __len__(self) -> int:
        """Return the number of documents."""
        with self._store.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])

    @property
    def model(self) -> StaticModel:
        """The model that embeds queries.

        Raises:
            IndexModelError: it cannot be found, or gives other vectors.
        """
        with self._lock:
            if self._model is None:
                model = self._find_model()
                check_identity(model, self._settings._asdict(), self._store.path)
                self._model = model
            return self._model

    def info(self) -> IndexInfo:
        """Return the settings and the numbers of documents and passages."""
        settings = self._settings
        with self._store.reading() as connection:
            (documents,) = connection.execute("SELECT count(*) FROM documents").fetchone()
            (passages,) = connection.execute("SELECT sum(live) FROM blocks").fetchone()
            stored = has_model(connection)
        return IndexInfo(
            path=self._store.path,
            documents=documents,
            passages=passages or 0,
            dimension=settings.dimension,
            precision=settings.precision,
            words=settings.words,
            passage_characters=settings.passage_characters,
            model=settings.model,
            vectors_digest=settings.vectors_digest,
            vectors_from=settings.vectors_from,
            teacher=settings.teacher,
            teacher_revision=settings.teacher_revision,
            model_stored=stored,
            schema_version=schema.SCHEMA_VERSION,
        )

    def store_model(self) -> None:
        """Put the model's file into the index, so that one file is the whole search.

        Raises:
            InvalidOptionError: the model is a folder of another library.
        """
        model = self.model
        with self._store.writing() as connection:
            store_model(connection, model)
            next_change(connection)

    def export_model(self, path: str | os.PathLike[str]) -> None:
        """Write the model that the index holds to a file of its own.

        Args:
            path: the file; an existing one is replaced at the end.

        Raises:
            IndexModelError: the index holds no model.
            OutputError: the file cannot be written, or is the index itself.
        """
        refuse_inputs(os.fspath(path), [self._store.path])
        with self._store.reading() as connection:
            if not has_model(connection):
                raise IndexModelError(
                    f"{self._store.path}: the index holds no model; it was made with "
                    f"{self._settings.model}"
                )
            with output_file(path) as file, reported(os.fspath(path)):
                write_model(connection, file)

    def _vectors(self) -> DocumentVectors:
        return DocumentVectors(self.model, self._settings.dimension)

    def _find_model(self) -> StaticModel:
        if isinstance(self._given, StaticModel):
            return self._given
        if self._given is not None:
            return open_model(self._given)[0]
        with self._store.reading() as connection:
            if has_model(connection):
                return load_model(connection)
        try:
            return StaticModel.load(self._settings.model)
        except FileNotFoundError as error:
            raise IndexModelError(
                f"{self._store.path}: the model of the index is missing: {error}; pass its file"
            ) from None

    def _current(self, connection: sqlite3.Connection) -> Settings:
        """Return the settings inside a transaction; another process may have changed them.

        Raises:
            IndexModelError: the index now holds vectors of another model.
        """
        settings = read_settings(connection, self._store.path)
        if settings._replace(change=0) != self._settings._replace(change=0):
            raise IndexModelError(
                f"{self._store.path}: the index was made anew with {settings.model}; open it again"
            )
        return settings

    def _check_same(self, connection: sqlite3.Connection) -> None:
        if self._searcher.is_stale(connection):
            self._current(connection)
