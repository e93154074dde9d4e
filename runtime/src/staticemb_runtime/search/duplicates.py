"""Find exact and near duplicates in a stream of texts, or between two sets of texts.

The first text of a group is kept and represents it. A later text is a duplicate if it equals a
kept text up to case and white space, or if the cosine of the two is at least a threshold. So each
duplicate is similar to its representative itself, not over a chain of others. Texts are read in
blocks and forgotten: memory holds a vector and a digest of each kept text.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ..encoding.batching import check_texts, slices
from ..encoding.empty_texts import EmptyTexts
from ..encoding.foreign_texts import ForeignTexts
from ..errors import InvalidOptionError
from .near_vectors import ROUNDING, SLACK, NearVectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..model import StaticModel

DEFAULT_THRESHOLD: Final = 0.9
_BLOCK: Final = 2048  # texts
_ROWS: Final = 256  # texts of a block that are compared with those before them at once


class Duplicate(NamedTuple):
    """A text that repeats a kept one.

    Attributes:
        number: the number of the text, from 0.
        representative: the number of the kept text that is most similar; a text of `against` if
            two sets are compared.
        similarity: the cosine of the two texts; 1 if they are equal.
        exact: whether the texts are equal up to case and white space.
    """

    number: int
    representative: int
    similarity: float
    exact: bool


class DuplicateGroup(NamedTuple):
    """A kept text and the texts that repeat it.

    Attributes:
        representative: the number of the kept text.
        duplicates: the texts that repeat it, in their order.
    """

    representative: int
    duplicates: tuple[Duplicate, ...]


class Duplicates(NamedTuple):
    """The duplicates of a set of texts.

    Attributes:
        total: the number of texts.
        duplicates: the texts that repeat another one, in their order.
    """

    total: int
    duplicates: tuple[Duplicate, ...]

    def kept(self) -> NDArray[np.int64]:
        """Return the numbers of the texts that are no duplicates, ascending."""
        is_kept = np.ones(self.total, np.bool_)
        is_kept[[duplicate.number for duplicate in self.duplicates]] = False
        return np.flatnonzero(is_kept).astype(np.int64)

    def groups(self) -> list[DuplicateGroup]:
        """Return each representative with its duplicates, by the number of the representative."""
        members: dict[int, list[Duplicate]] = {}
        for duplicate in self.duplicates:
            members.setdefault(duplicate.representative, []).append(duplicate)
        return [DuplicateGroup(number, tuple(members[number])) for number in sorted(members)]


class Deduplicator:
    """Texts that are kept so far, to find duplicates of them in a stream.

    Args:
        model: the model.
        threshold: the smallest cosine of a near duplicate, above 0 and at most 1. Cosines of
            one model do not mean the same in another.
        exact: whether all kept texts are compared that could reach the threshold. By default,
            above 32,768 kept texts, about one of a thousand near duplicates may be missed, which is
            faster (`near_vectors`).
        truncate_dim: the length of the vectors, as in `StaticModel.encode`; shorter ones take less
            memory.

    Attributes:
        empty_texts: counts the texts without a token that the model knows: they have no near
            duplicates. `add` counts equal ones once; `compare` leaves out equals of kept texts.
        foreign_texts: counts, in the same way, the texts in languages that the model does not read:
            they may look like near duplicates of each other.

    Raises:
        InvalidOptionError: `threshold` is not a number above 0 and at most 1.
        InvalidDimensionError: as `StaticModel.encode`.

    Example:
        >>> from staticemb_runtime import StaticModel
        >>> seen = Deduplicator(StaticModel(), threshold=0.8)
        >>> seen.add(["How do I reset my password?", "Where is my refund?"])
        []
        >>> [(d.number, d.representative) for d in seen.add(["how can I reset my password"])]
        [(2, 0)]
    """

    def __init__(
        self,
        model: StaticModel,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        exact: bool = False,
        truncate_dim: int | None = None,
    ) -> None:
        self._threshold = _check_threshold(threshold)
        self._model = model
        self._truncate_dim = truncate_dim
        self.empty_texts = EmptyTexts("zero")
        self.foreign_texts = ForeignTexts()
        dim = self._encode([]).shape[1]
        slack = 1.0 if exact else SLACK
        self._near = NearVectors(dim, self._threshold, slack=slack, hashes=not exact)
        self._digests: dict[bytes, int] = {}
        self._count = 0
        self._kept = 0

    def __len__(self) -> int:
        """The number of kept texts."""
        return self._kept

    def add(self, texts: Iterable[str]) -> list[Duplicate]:
        """Compare texts with the kept ones, and keep those that are no duplicates.

        Texts are numbered from 0 over all calls of `add` and `keep`.

        Returns:
            The duplicates, in the order of the texts.

        Raises:
            TypeError, StaticEmbError: as `StaticModel.encode`.
        """
        duplicates: list[Duplicate] = []
        for batch in slices(_not_one(texts), _BLOCK):
            duplicates += self._add(batch.texts)
        return duplicates

    def keep(self, texts: Iterable[str]) -> None:
        """Keep texts without comparing them.

        Raises:
            TypeError, StaticEmbError: as `StaticModel.encode`.
        """
        for batch in slices(_not_one(texts), _BLOCK):
            numbers = self._number(batch.texts)
            places: list[int] = []  # of the first of equal texts
            for place, digest in enumerate(map(_digest, batch.texts)):
                if digest not in self._digests:
                    self._digests[digest] = int(numbers[place])
                    places.append(place)
            self._store(numbers[places], self._encode([batch.texts[place] for place in places]))
            self._kept += len(batch.texts) - len(places)

    def compare(self, texts: Iterable[str]) -> list[Duplicate]:
        """Compare texts with the kept ones, and keep none of them.

        Returns:
            The duplicates, in the order of the texts, which are numbered from 0.

        Raises:
            TypeError, StaticEmbError: as `StaticModel.encode`.
        """
        duplicates: list[Duplicate] = []
        for batch in slices(_not_one(texts), _BLOCK):
            equal = [self._digests.get(_digest(text), -1) for text in batch.texts]
            others = [place for place, number in enumerate(equal) if number < 0]
            vectors = self._encode(
                [batch.texts[place] for place in others], batch.start + np.array(others, np.int64)
            )
            near = self._near.nearest(vectors)
            numbers, cosines = np.array(equal, np.int64), np.ones(len(equal), np.float32)
            numbers[others], cosines[others] = near
            for place in np.flatnonzero(numbers >= 0).tolist():
                duplicates.append(
                    Duplicate(
                        batch.start + place,
                        int(numbers[place]),
                        float(cosines[place]),
                        equal[place] >= 0,
                    )
                )
        return duplicates

    def _add(self, texts: list[str]) -> list[Duplicate]:
        numbers = self._number(texts)
        duplicates: list[Duplicate] = []
        others: list[int] = []  # texts that equal no earlier one
        repeats: list[tuple[int, bytes]] = []  # texts that equal one of this block
        in_block: dict[bytes, int] = {}
        for place, digest in enumerate(map(_digest, texts)):
            if digest in self._digests:
                equal = self._digests[digest]
                duplicates.append(Duplicate(int(numbers[place]), equal, 1.0, True))
            elif digest in in_block:
                repeats.append((place, digest))
            else:
                in_block[digest] = len(others)
                others.append(place)
        vectors = self._encode([texts[place] for place in others], numbers[others])
        best, cosines = self._near.nearest(vectors)
        is_new = self._compare_block(vectors, numbers[others], best, cosines)
        for digest, order in in_block.items():
            if is_new[order]:
                self._digests[digest] = int(numbers[others[order]])
        for order in np.flatnonzero(~is_new).tolist():
            number = int(numbers[others[order]])
            duplicates.append(Duplicate(number, int(best[order]), float(cosines[order]), False))
        for place, digest in repeats:
            order, number = in_block[digest], int(numbers[place])
            if is_new[order]:
                duplicates.append(Duplicate(number, int(numbers[others[order]]), 1.0, True))
            else:  # it equals a near duplicate, but may be nearer to a text that was kept since
                since = is_new & (numbers[others] < number)
                since[:order] = False
                products = np.where(since, vectors @ vectors[order], -1)
                nearest = int(products.argmax())
                nearest_kept = (int(best[order]), float(cosines[order]))
                if products[nearest] > cosines[order]:
                    nearest_kept = (int(numbers[others[nearest]]), float(products[nearest]))
                duplicates.append(Duplicate(number, *nearest_kept, False))
        self._store(numbers[others][is_new], vectors[is_new])
        return sorted(duplicates)

    def _compare_block(
        self,
        vectors: NDArray[np.float32],
        numbers: NDArray[np.int64],
        best: NDArray[np.int64],
        cosines: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """Compare the texts of a block with each other, in their order.

        Args:
            vectors: (n, d).
            numbers: (n,) the numbers of the texts.
            best: (n,) the nearest text that is kept already, or -1; improved in place.
            cosines: (n,) the cosine of `best`; improved in place.

        Returns:
            (n,) whether a text is new.
        """
        is_new = best < 0
        least = self._threshold - ROUNDING
        for begin in range(0, len(vectors), _ROWS):
            rows = vectors[begin : begin + _ROWS]
            products = np.tril(rows @ vectors[: begin + len(rows)].T, begin - 1)
            for row in np.flatnonzero(products.max(axis=1) >= least).tolist():
                place = begin + row
                earlier = np.where(is_new[:place], products[row, :place], -1)
                nearest = int(earlier.argmax())
                if earlier[nearest] >= least and earlier[nearest] > cosines[place]:
                    best[place], cosines[place] = numbers[nearest], earlier[nearest]
                    is_new[place] = False
        return is_new

    def _encode(
        self, texts: Sequence[str], numbers: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Embed texts; with their numbers, count the empty and the foreign ones."""
        empty = EmptyTexts("zero", keep=True)
        if numbers is not None:
            empty.foreign = ForeignTexts()
        vectors: NDArray[np.float32] = self._model.encode(
            texts,
            truncate_dim=self._truncate_dim,
            normalize_embeddings=True,
            on_empty=empty,
        )
        if empty.count and numbers is not None:
            counted = self.empty_texts
            counted.languages = empty.languages
            counted.blank, counted.count = counted.blank + empty.blank, counted.count + empty.count
            if counted.first is None:
                counted.first = int(numbers[empty.indices[0]])
        if numbers is not None and empty.foreign and self.foreign_texts.merge(empty.foreign):
            self.foreign_texts.first = int(numbers[self.foreign_texts.first])
        return vectors

    def _number(self, texts: Sequence[str]) -> NDArray[np.int64]:
        begin, self._count = self._count, self._count + len(texts)
        return np.arange(begin, self._count)

    def _store(self, numbers: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self._kept += len(numbers)
        self._near.add(vectors, numbers)


def deduplicate(
    model: StaticModel,
    texts: Iterable[str],
    *,
    threshold: float = DEFAULT_THRESHOLD,
    against: Iterable[str] | None = None,
    exact: bool = False,
    truncate_dim: int | None = None,
) -> Duplicates:
    """Find the texts that repeat an earlier one, or one of another set.

    The first text of a group is kept. Cosines are compared in float32: a pair within 1e-6 of
    the threshold may count either way. A text without a token that the model knows has no near
    duplicates, but exact ones.

    Args:
        model: the model.
        texts: the texts; they are read once, in blocks.
        threshold: as in `Deduplicator`.
        against: other texts, such as a training set. Each text is then compared with them alone,
            and `representative` counts in them.
        exact: as in `Deduplicator`.
        truncate_dim: as in `Deduplicator`.

    Returns:
        The duplicates, with their representatives and similarities.

    Raises:
        TypeError, StaticEmbError: as `StaticModel.encode` and `Deduplicator`.

    Example:
        >>> from staticemb_runtime import StaticModel
        >>> texts = ["How do I reset my password?", "Where is my refund?", "how do I reset it"]
        >>> repeats = deduplicate(StaticModel(), texts, threshold=0.6)
        >>> repeats.kept().tolist(), repeats.duplicates[0].representative
        ([0, 1], 0)
    """
    known = Deduplicator(model, threshold=threshold, exact=exact, truncate_dim=truncate_dim)
    counter = _Counter(check_texts(_not_one(texts), "texts"))
    if against is None:
        duplicates = known.add(counter)
    else:
        known.keep(against)
        duplicates = known.compare(counter)
    return Duplicates(counter.count, tuple(duplicates))


class _Counter:
    """Texts, counted while they are read."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = iter(texts)
        self.count = 0

    def __iter__(self) -> _Counter:
        return self

    def __next__(self) -> str:
        text = next(self._texts)
        self.count += 1
        return text


def normalized_text(text: str) -> str:
    r"""Return a text without differences of case, white space and compatible characters.

    Example:
        >>> normalized_text("  The\tHOUSE ")
        'the house'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _digest(text: str) -> bytes:
    spelled = normalized_text(text).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(spelled, digest_size=16).digest()


def _not_one(texts: Iterable[str]) -> Iterable[str]:
    if isinstance(texts, str):
        raise TypeError("texts: expected an iterable of strings, found one string")
    return texts


def _check_threshold(threshold: float) -> float:
    is_number = isinstance(threshold, (int, float, np.integer, np.floating))
    if isinstance(threshold, bool) or not is_number or not 0 < threshold <= 1:
        raise InvalidOptionError(
            f"threshold: expected a number above 0 and at most 1, found {threshold!r}"
        )
    return float(threshold)
