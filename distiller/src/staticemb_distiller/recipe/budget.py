"""The budget of a fit: a limit on the texts that the teacher encodes."""

from __future__ import annotations

from dataclasses import dataclass

_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """A number of texts or a time; with neither, all texts are encoded.

    Attributes:
        texts: The most texts to encode.
        seconds: The time to encode for. The result then depends on the machine.
    """

    texts: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, spec: int | str | None) -> Budget:
        """Parse a budget: a number of texts, or a time such as "90s", "10m" or "1.5h".

        Raises:
            ValueError: The budget is invalid or not above 0.

        >>> Budget.parse("10m")
        Budget(texts=None, seconds=600.0)
        """
        if isinstance(spec, str):
            unit = _SECONDS.get(spec[-1:], 0)
            seconds = float(spec[:-1] or "nan") * unit
            if not 0 < seconds < float("inf"):
                raise ValueError(f"expected a time such as 90s, found {spec!r}")
            return cls(seconds=seconds)
        if spec is not None and spec < 1:
            raise ValueError(f"expected a number of at least 1, found {spec}")
        return cls(texts=spec)
