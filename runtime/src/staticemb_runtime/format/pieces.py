"""The optional part `pieces`: a Unigram vocabulary as mapped arrays (SPEC 6.2).

A vocabulary of 250,000 pieces takes a second or more to parse from JSON. These arrays are used as
they are. Their values are checked when the part is first used, which takes a millisecond;
`pieces_check` compares them with the tokenizer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from . import strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DEFINITION: Final = "pieces.definition"
PART: Final = "pieces"
# A hash h of bytes grows by h * MULTIPLIER + byte + 1, modulo 2^64; `mix` then gives t.
MULTIPLIER: Final = 0x9E3779B97F4A7C15
MIXER: Final = 0xBF58476D1CE4E5B9
MAX_PIECES: Final = (1 << 24) - 1
MAX_PIECE_BYTES: Final = 255
MAX_DEFINITION_BYTES: Final = 16_777_216
# An entry stands fewer than this number of elements behind its home.
PROBES: Final = 64
# The bits of an element that hold the id plus 1.
ID_BITS: Final = 24

_DTYPES: Final = {
    DEFINITION: np.dtype("u1"),
    "pieces.text": np.dtype("u1"),
    "pieces.ends": np.dtype("<u4"),
    "pieces.scores": np.dtype("<f8"),
    "pieces.slots": np.dtype("<u8"),
}


class Pieces(NamedTuple):
    """A Unigram vocabulary of P pieces.

    Attributes:
        definition: the tokenizer's definition, without its vocabulary.
        text: (B,) uint8, the pieces in UTF-8, by ascending id.
        ends: (P,) uint32, ascending; the end of each piece in `text`.
        scores: (P,) float64, finite.
        slots: (2^k + 64,) uint64, the hash table; its ids are not checked.
    """

    definition: dict[str, Any]
    text: NDArray[np.uint8]
    ends: NDArray[np.uint32]
    scores: NDArray[np.float64]
    slots: NDArray[np.uint64]

    @property
    def home_shift(self) -> int:
        """64 - k: a hash, shifted right by it, is the place of its home."""
        return 65 - (len(self.slots) - PROBES).bit_length()


def read_pieces(tensors: Mapping[str, NDArray[Any]], n_token_ids: int) -> Pieces | None:
    """Check the part's form and values, and return its arrays.

    Args:
        tensors: the optional tensors of a file.
        n_token_ids: V; each id of the vocabulary must be below it.

    Returns:
        None if the file has no such part, or if the part is malformed.
    """
    if any(name not in tensors for name in _DTYPES):
        return None
    arrays = {name: tensors[name] for name in _DTYPES}
    if any(a.dtype != _DTYPES[name] or a.ndim != 1 for name, a in arrays.items()):
        return None
    definition, text, ends, scores, slots = arrays.values()
    n_pieces, n_slots = len(ends), len(slots) - PROBES
    if not n_pieces == len(scores) <= min(n_token_ids, MAX_PIECES):
        return None
    if n_slots < 2 or n_slots & (n_slots - 1) or len(definition) > MAX_DEFINITION_BYTES:
        return None
    lengths = np.diff(ends.astype(np.int64), prepend=0)
    if lengths.min() < 0 or lengths.max() > MAX_PIECE_BYTES or ends[-1] != len(text):
        return None
    if not np.isfinite(scores).all():
        return None
    members = parse(definition)
    return None if members is None else Pieces(members, text, ends, scores, slots)


def parse(definition: NDArray[np.uint8]) -> dict[str, Any] | None:
    """Return the members of `pieces.definition`; None if it has no model without vocabulary."""
    try:
        members = strict_json.loads(str(definition.data, "utf-8"))
    except (ValueError, RecursionError):
        return None
    model = members.get("model") if isinstance(members, dict) else None
    return members if isinstance(model, dict) and model.get("vocab") == [] else None


def mix(h: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the hashes t of pieces from their values h."""
    mixed: NDArray[np.uint64] = (h ^ (h >> np.uint64(32))) * np.uint64(MIXER)
    return mixed
