"""The model to adapt: its tokenizer, and its rows as a prior in the teacher's space."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from staticemb_runtime.errors import ModelNotFoundError
from staticemb_runtime.loading import locate, open_parts

from ..errors import CollectionError
from ..file.optional_names import optional_names
from ..file.space import read_space
from ..interop.convert import plain_tokenizer
from ..interop.folder_files import dense_rows
from ..table.space import unit
from ..vocabulary.open_tokenizer import open_tokenizer
from .pooled import text_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

    from ..table.space import Space

NO_MODEL = "none"
SPACE = "space"  # the part that an adapted file has of its own
_SAME_SPACE = 0.2  # how much closer its own text is to a vector than another text, at least


@dataclass(frozen=True, eq=False)
class Base:
    """The model to adapt.

    Attributes:
        tokenizer: The bytes of its `tokenizer.json`, V tokens.
        tokens: V.
        rows: (V, D) float32; None: no model, only a tokenizer.
        space: The relation of its rows to its teacher's vectors; None: unknown.
        unknown_token_id: The id that is dropped.
        max_tokens: The number of tokens after which a text is cut.
        beta: β of its damped pooling; 0: the plain mean.
        provenance: What its file says of its origin.
        dropped: Optional parts of its file that the adapted file lacks, because they depend on the
            rows.
    """

    tokenizer: bytes
    tokens: int
    rows: NDArray[np.float32] | None = None
    space: Space | None = None
    unknown_token_id: int | None = None
    max_tokens: int | None = None
    beta: float = 0.0
    provenance: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()

    def prior(self) -> NDArray[np.float32] | None:
        """Return the rows in the teacher's centered space, (V, H); None if they have no space."""
        if self.rows is None or self.space is None:
            return None
        rows = self.space.to_teacher(self.rows)
        if self.unknown_token_id is not None:
            rows[self.unknown_token_id] = 0
        return rows


def open_base(
    name: str, tokenizer: str | None = None, texts: Callable[[], Iterable[str]] = list
) -> Base:
    """Open the model to adapt.

    Args:
        name: A static embedding file, an installed model's name, a folder of model2vec or
            sentence-transformers (StaticEmbedding), or "none".
        tokenizer: As for `open_tokenizer`; with "none" and only then.
        texts: Called for the documents, to train a tokenizer on.

    Raises:
        StaticEmbError: The model cannot be opened.
        CollectionError: There is no such model, or the tokenizer is missing or too much.
        VocabularyError: The tokenizer cannot be opened or trained.
    """
    if name == NO_MODEL:
        if tokenizer is None:
            raise CollectionError("adapt: without a model a tokenizer is needed: --tokenizer")
        return _of_tokenizer(open_tokenizer(tokenizer, texts))
    if tokenizer is not None:
        raise CollectionError(
            f"adapt: expected a model or a tokenizer, found both: {name} has its own tokenizer"
        )
    try:
        place = locate(name)
        file = open_parts(place, verify=True)
    except ModelNotFoundError as error:
        raise CollectionError(f"{error}; none: no model, only --tokenizer") from None
    metadata = file.metadata
    rows = np.array(dense_rows(file), np.float32)
    keys = ("license", "languages")
    provenance = {key: metadata.extra[key] for key in keys if metadata.extra.get(key)}
    provenance["x-start"] = f"{Path(place).name} {metadata.digest}".strip()
    return Base(
        plain_tokenizer(file.tokenizer),
        len(rows),
        rows,
        read_space(file),
        metadata.unknown_token_id,
        metadata.max_tokens,
        metadata.damping_beta if metadata.pooling == "damped_mean" else 0.0,
        provenance,
        tuple(part for part in optional_names(file) if part != SPACE),
    )


def _of_tokenizer(tokenizer: Tokenizer) -> Base:
    tokens = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if not tokens:
        raise CollectionError("tokenizer: expected at least one token, found none")
    unknown = getattr(tokenizer.model, "unk_token", None)
    unknown_id = None if unknown is None else tokenizer.token_to_id(unknown)
    if unknown_id is None:
        unknown_id = getattr(tokenizer.model, "unk_id", None)
    return Base(plain_tokenizer(tokenizer.to_str().encode()), tokens, unknown_token_id=unknown_id)


def closeness(
    prior: NDArray[np.float32],
    ids: NDArray[np.int32],
    lengths: NDArray[np.int64],
    targets: NDArray[np.floating],
) -> float:
    """Measure how much closer documents are to their own vectors than to another document's.

    Args:
        prior: (V, H) rows.
        ids: (T,) token ids of n documents.
        lengths: (n,) the number of ids of each document.
        targets: (n, H) the documents' vectors, centered.

    Returns:
        The mean cosine of a document's pooled rows with its own vector, minus that with another
        document's vector, over all pairs: about 0 in another space, 0.2 or more in the same.
    """
    vectors = text_vectors(prior, ids, lengths)
    wanted = unit(np.asarray(targets, np.float32))
    both = vectors.any(axis=1) & wanted.any(axis=1)
    vectors, wanted = vectors[both], wanted[both]
    count = len(vectors)
    if count < 2:
        return 0.0
    own = float(np.einsum("nd,nd->", vectors, wanted))
    every = float(vectors.sum(axis=0, dtype=np.float64) @ wanted.sum(axis=0, dtype=np.float64))
    return own / count - (every - own) / (count * (count - 1))


def same_space(closeness: float) -> bool:
    """Tell whether rows with this `closeness` belong to the vectors' space."""
    return closeness >= _SAME_SPACE
