"""How much of the teacher's time a fit may take."""

from __future__ import annotations

from dataclasses import dataclass

_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """A number of texts, a time, or neither: all that there are.

    Attributes:
        texts: The most texts to encode.
        seconds: Encode for this long. The result then depends on the machine.
    """

    texts: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, spec: int | str | None) -> Budget:
        """Read a budget: a number of texts, or a time as in "90s", "10m" or "1.5h".

        Raises:
            ValueError: It is neither, or not above 0.

        >>> Budget.parse("10m")
        Budget(texts=None, seconds=600.0)
        """
        if isinstance(spec, str):
            unit = _SECONDS.get(spec[-1:], 0)
            seconds = float(spec[:-1] or "nan") * unit
            if not 0 < seconds < float("inf"):
                raise ValueError(f"{spec!r} is no time")
            return cls(seconds=seconds)
        if spec is not None and spec < 1:
            raise ValueError(f"{spec} is no number of texts")
        return cls(texts=spec)
