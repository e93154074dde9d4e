"""The comparison of the optional part `pieces` with the tokenizer (SPEC 6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import strict_json
from .pieces import (
    DEFINITION,
    ID_BITS,
    MAX_PIECE_BYTES,
    MAX_PIECES,
    MULTIPLIER,
    PROBES,
    mix,
    read_pieces,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# More digits of an exponent make no difference: the value is 0 or infinite.
_EXPONENT_DIGITS: Final = 9


class _Number(str):
    """The spelling of a JSON number."""

    __slots__ = ()


def equal_pieces(tensors: Mapping[str, NDArray[Any]], tokenizer: bytes, n_token_ids: int) -> bool:
    """Compute the part from a tokenizer, and compare.

    Args:
        tensors: the optional tensors of a file that has the part.
        tokenizer: the bytes of a valid `tokenizer.json`.
        n_token_ids: V.
    """
    part = read_pieces(tensors, n_token_ids)
    if part is None:
        return False
    members = strict_json.loads(tokenizer.decode(), number=_Number, integer=_Number)
    vocabulary = members["model"]["vocab"]
    if not isinstance(vocabulary, list) or len(vocabulary) > MAX_PIECES:
        return False
    members["model"]["vocab"] = []
    given = strict_json.loads(
        str(tensors[DEFINITION].data, "utf-8"), number=_Number, integer=_Number
    )
    try:
        if not _equal(members, given):
            return False
        pieces = [piece.encode() for piece, _ in vocabulary]
    except (RecursionError, UnicodeEncodeError):  # nested too deep, or with a lone surrogate
        return False
    scores = np.array([score(number) for _, number in vocabulary])
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    text = np.frombuffer(b"".join(pieces), np.uint8)
    if lengths.max() > MAX_PIECE_BYTES or not np.isfinite(scores).all():
        return False
    ends = np.cumsum(lengths)
    last = np.sort(np.fromiter({p: i for i, p in enumerate(pieces) if p}.values(), np.int64))
    slots = _hash_table(_hashes(text, ends[last] - lengths[last], lengths[last]), last)
    return (
        slots is not None
        and np.array_equal(part.text, text)
        and np.array_equal(part.ends, ends)
        # Compare bytes: -0.0 is not 0.0.
        and part.scores.tobytes() == scores.astype("<f8").tobytes()
        and np.array_equal(part.slots, slots)
    )


def score(spelling: str) -> float:
    """Return the value that `tokenizers` computes from a number's spelling.

    It need not be the nearest binary64 value.

    Example:
        >>> score("-9.222574234008789")
        -9.222574234008787
    """
    digits, _, exponent = spelling.lower().lstrip("-").partition("e")
    whole, _, fraction = digits.partition(".")
    digits = whole + fraction
    significant = digits.lstrip("0")
    taken = 20 if int(significant[:20] or 0) < 1 << 64 else 19
    value = float(int(significant[:taken] or 0))
    power = max(0, len(significant) - taken) - len(fraction)
    magnitude = int(exponent.lstrip("+-0")[:_EXPONENT_DIGITS] or 0)
    power += -magnitude if exponent.startswith("-") else magnitude
    while power < -308 and value:
        value /= 1e308
        power += 308
    if value:
        value = value / float(f"1e{-power}") if power < 0 else value * float(f"1e{power}")
    return -value if spelling.startswith("-") else value


def _equal(a: object, b: object) -> bool:
    """Tell whether two JSON values are equal; numbers are compared as binary64 values."""
    if isinstance(a, _Number) and isinstance(b, _Number):
        return float(a) == float(b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return a == b


def _hashes(
    text: NDArray[np.uint8], begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Return the hashes t of stretches of `text`, each (n,)."""
    h = np.zeros(len(begins), np.uint64)
    open_ = np.arange(len(begins))
    for position in range(int(lengths.max(initial=0))):
        open_ = open_[lengths[open_] > position]
        byte = text[begins[open_] + position].astype(np.uint64)
        h[open_] = h[open_] * np.uint64(MULTIPLIER) + byte + np.uint64(1)
    return mix(h)


def _hash_table(t: NDArray[np.uint64], ids: NDArray[np.int64]) -> NDArray[np.uint64] | None:
    """Return the hash table of entries; None if one stands too far behind its home.

    Args:
        t: (n,) the hashes.
        ids: (n,) the ids, ascending.
    """
    bits = (2 * len(t) - 1).bit_length()
    order = np.argsort(t, kind="stable")
    t, ids = t[order], ids[order]
    homes = (t >> np.uint64(64 - bits)).astype(np.int64)
    numbers = np.arange(len(t))
    places = np.maximum.accumulate(homes - numbers) + numbers
    if (places - homes).max(initial=0) >= PROBES:
        return None
    slots = np.zeros((1 << bits) + PROBES, np.uint64)
    low = np.uint64((1 << ID_BITS) - 1)
    slots[places] = (t & ~low) | (ids + 1).astype(np.uint64)
    return slots
