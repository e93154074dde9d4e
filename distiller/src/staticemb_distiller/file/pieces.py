"""The optional part `pieces`: a Unigram vocabulary as arrays, which start without parsing JSON.

The rules are in conformance/SPEC.md, section 6.2. This module does not import the runtime: writer
and reader are independent implementations.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..table.parts import Parts

# With 32,000 pieces the part takes 1.4 MB; it saves 30 of 70 MB of memory, and 50 of 130 ms between
# `import numpy` and the first vector. A smaller vocabulary gains less.
LEAST_PIECES: Final = 30_000
MAX_PIECES: Final = (1 << 24) - 1
MAX_PIECE_BYTES: Final = 255
MAX_DEFINITION_BYTES: Final = 16_777_216
PROBES: Final = 64
TENSORS: Final = frozenset(
    f"pieces.{name}" for name in ("definition", "ends", "scores", "slots", "text")
)

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_MIXER: Final = np.uint64(0xBF58476D1CE4E5B9)


def with_pieces(parts: Parts) -> Parts:
    """Return the parts of a file with the part `pieces`, if its tokenizer gains from it.

    An invalid tokenizer has no part; `write` refuses it.
    """
    try:
        tensors = pieces_tensors(parts.tokenizer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return parts
    return replace(parts, optional={**parts.optional, **tensors})


def pieces_tensors(tokenizer: bytes, *, least: int = LEAST_PIECES) -> dict[str, NDArray[Any]]:
    """Return the part of a tokenizer.

    Args:
        tokenizer: The bytes of a valid `tokenizer.json`.
        least: The number of pieces below which there is no part.

    Returns:
        The tensors `pieces.definition` and `pieces.text`, uint8; `pieces.ends`, (P,) uint32;
        `pieces.scores`, (P,) float64; and `pieces.slots`, uint64. Empty if the tokenizer is not a
        Unigram model, is smaller than `least`, or exceeds a limit of the specification.
    """
    definition = json.loads(tokenizer, parse_float=_Number, parse_int=_Number)
    vocabulary = definition["model"]["vocab"]
    if not isinstance(vocabulary, list) or not least <= len(vocabulary) <= MAX_PIECES:
        return {}
    spelled = json.loads(tokenizer)
    spelled["model"]["vocab"] = []
    rest = json.dumps(spelled, ensure_ascii=False, separators=(",", ":")).encode()
    pieces = [piece.encode() for piece, _ in vocabulary]
    ends = np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
    scores = np.array([library_score(number) for _, number in vocabulary])
    slots = _slots(pieces)
    too_long = max(map(len, pieces)) > MAX_PIECE_BYTES or len(rest) > MAX_DEFINITION_BYTES
    if too_long or not ends[-1] or slots is None or not np.isfinite(scores).all():
        return {}
    return {
        "pieces.definition": np.frombuffer(rest, np.uint8),
        "pieces.ends": ends.astype(np.uint32),
        "pieces.scores": scores,
        "pieces.slots": slots,
        "pieces.text": np.frombuffer(b"".join(pieces), np.uint8),
    }


class _Number(str):
    """The spelling of a JSON number."""

    __slots__ = ()


def library_score(spelling: str) -> float:
    """Return the float that the `tokenizers` library reads; it may differ from the nearest one.

    Example:
        >>> library_score("-15.985743522644043")
        -15.985743522644045
    """
    mantissa, _, exponent = spelling.lower().removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    kept = digits[:20] if int(digits[:20] or "0") < 2**64 else digits[:19]
    value = float(int(kept or "0"))
    sign = -1 if exponent.startswith("-") else 1
    # Nine digits of an exponent decide: beyond them, the value is 0 or infinite.
    power = sign * int(exponent.lstrip("+-0")[:9] or "0")
    power += len(digits) - len(kept) - len(fraction)
    while value and power < -308:
        value, power = value / 1e308, power + 308
    if value and power < 0:
        value /= float(f"1e{-power}")
    elif value:
        value *= float(f"1e{power}")
    return -value if spelling[0] == "-" else value


def _slots(pieces: list[bytes]) -> NDArray[np.uint64] | None:
    """Return the hash table from piece to id; None if an entry stands too far from its home."""
    last = {piece: token_id for token_id, piece in enumerate(pieces) if piece}
    hashes = _hashes(list(last))
    ids = np.fromiter(last.values(), np.int64, len(last))
    order = np.lexsort((ids, hashes))
    hashes, ids = hashes[order], ids[order]
    bits = max(1, (2 * len(ids) - 1).bit_length())
    homes = (hashes >> np.uint64(64 - bits)).astype(np.int64)
    rank = np.arange(len(ids))
    places = rank + np.maximum.accumulate(homes - rank)
    if len(ids) and int((places - homes).max()) >= PROBES:
        return None
    slots = np.zeros((1 << bits) + PROBES, np.uint64)
    slots[places] = (hashes >> np.uint64(24) << np.uint64(24)) | (ids + 1).astype(np.uint64)
    return slots


def _hashes(pieces: list[bytes]) -> NDArray[np.uint64]:
    """Return the hash of each piece, (n,)."""
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i]))
    by_length = [pieces[i] for i in order]
    lengths = np.fromiter(map(len, by_length), np.int64, len(pieces))
    begins = np.cumsum(lengths) - lengths
    text = np.frombuffer(b"".join(by_length), np.uint8).astype(np.uint64)
    h = np.zeros(len(pieces), np.uint64)
    for position in range(int(lengths.max(initial=0))):
        n = int(np.count_nonzero(lengths > position))  # the longest stand first
        h[:n] = h[:n] * _MULTIPLIER + text[begins[:n] + position] + np.uint64(1)
    mixed = (h ^ (h >> np.uint64(32))) * _MIXER
    hashes = np.empty(len(mixed), np.uint64)
    hashes[order] = mixed
    return hashes
