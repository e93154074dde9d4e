"""The part `pieces` of a tokenizer, computed piece by piece (SPEC 6.2)."""

from __future__ import annotations

import json
from typing import Any

from generator.files import Tensor, compact, tensor

TEXT, ENDS, SCORES, SLOTS, DEFINITION = (
    f"pieces.{name}" for name in ("text", "ends", "scores", "slots", "definition")
)
_MASK = 2**64 - 1


class _Spelled(str):
    """A number as the tokenizer spells it."""

    __slots__ = ()


def part(tokenizer: bytes) -> dict[str, Tensor]:
    """The tensors of the part."""
    vocabulary = json.loads(tokenizer, parse_float=_Spelled, parse_int=_Spelled)["model"]["vocab"]
    pieces = [piece.encode() for piece, _ in vocabulary]
    ends = [sum(map(len, pieces[: i + 1])) for i in range(len(pieces))]
    members: dict[str, Any] = json.loads(tokenizer)
    members["model"]["vocab"] = []
    definition = compact(members).encode()
    return {
        DEFINITION: Tensor("U8", (len(definition),), definition),
        ENDS: tensor("U32", ends),
        SCORES: tensor("F64", [score(spelling) for _, spelling in vocabulary]),
        SLOTS: tensor("U64", slots(pieces)),
        TEXT: tensor("U8", list(b"".join(pieces))),
    }


def score(spelling: str) -> float:
    """A number as the library computes it from its spelling.

    Example:
        >>> score("-9.222574234008789"), float("-9.222574234008789")
        (-9.222574234008787, -9.222574234008789)
    """
    digits, _, exponent = spelling.lower().lstrip("-").partition("e")
    whole, _, fraction = digits.partition(".")
    power = int(exponent or 0) - len(fraction)
    significand, dropped = 0, len(whole + fraction)
    for digit in whole + fraction:
        longer = 10 * significand + int(digit)
        if longer > _MASK:
            break
        significand, dropped = longer, dropped - 1
    power += dropped
    value = float(significand)
    while power < -308 and value:
        value /= 1e308
        power += 308
    if value:
        value = value * float(f"1e{power}") if power >= 0 else value / float(f"1e{-power}")
    return -value if spelling.startswith("-") else value


def hashed(piece: bytes) -> int:
    """The hash `t`."""
    h = 0
    for byte in piece:
        h = (h * 0x9E3779B97F4A7C15 + byte + 1) & _MASK
    return ((h ^ h >> 32) * 0xBF58476D1CE4E5B9) & _MASK


def slots(pieces: list[bytes]) -> list[int]:
    """The hash table."""
    entries = sorted((hashed(piece), i) for piece, i in {p: i for i, p in enumerate(pieces)}.items()
                     if piece)  # fmt: skip
    bits = 0
    while 2**bits < 2 * len(entries):
        bits += 1
    table = [0] * (2**bits + 64)
    position = -1
    for t, i in entries:
        position = max(t >> (64 - bits), position + 1)
        table[position] = t >> 24 << 24 | i + 1
    return table
