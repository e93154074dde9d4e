"""The choice between the start and the trained table.

A training gains on texts like its examples and may lose on others. Two checks decide what the file
holds:

- General text: the trained table is mixed with the start until the cosines of general texts have
  the wanted rank correlation with the start's. Between the two tables the loss on other texts falls
  faster than the gain (Wortsman et al. 2022 for transformers).
- Held-out examples: if the mixed table is not better than the start, the start stays.

Measurements: docs/benchmarks/research/training.md, "What a training costs elsewhere".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..table.mixing import mixed
from .bag import Bag
from .general_text import general_text
from .validation import measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .material import Material, Trained
    from .start import Start

_HALVINGS = 6
LEAST_AGREEMENT = 0.99
"""The default of `general_agreement` for a start that was fitted or trained."""


@dataclass(frozen=True, eq=False)
class Selection:
    """The table for the file.

    Attributes:
        trained: The chosen table, at the step 0 if it is the start's.
        share: The share of the way from the start to the trained table, from 0 to 1.
        note: The reason, in one line; empty if the trained table is taken as it is.
    """

    trained: Trained
    share: float
    note: str = ""

    @property
    def is_start(self) -> bool:
        """Whether the table is the start's."""
        return self.share == 0.0


def select(material: Material, trained: Trained, least: float | None) -> Selection:
    """Choose the table for the file.

    Args:
        material: The start and the examples.
        trained: The result: the best validated table, or the last one without held-out examples.
        least: The least agreement on general text, from 0 to 1; None: the default for this start.
    """
    start = material.start
    if trained.step == 0:
        return Selection(trained, 0.0, "No validation was better than the start")
    share, note = 1.0, ""
    least = least_agreement(start, least)
    if least > 0.0:
        share, note = _general_share(start, trained, least)
    rows = mixed(start.rows, trained.rows, share)
    value, before = held_out_value(material, rows), held_out_value(material, start.rows)
    if value is not None and before is not None:
        count = sum(map(len, material.held_out.examples))
        if not gains(before, value, count):
            reason = f"{note}; there the" if note else "The"
            reason += f" held-out examples gain nothing ({before:.4f} to {value:.4f})"
            return _start(start, trained, reason)
        if note:
            whole = held_out_value(material, trained.rows)
            note += f"; held-out examples: {before:.4f} to {value:.4f}"
            note += f", and {whole:.4f} with general_agreement=0"
    if share == 0.0:
        return _start(start, trained, note)
    return Selection(trained if share == 1.0 else replace(trained, rows=rows), share, note)


def gains(before: float, after: float, count: int) -> bool:
    """Return whether a value on held-out examples grew by more than half an example's share.

    That is one answer that moves from the second rank to the first. Without it, examples that teach
    nothing would pass half of the time.

    Args:
        before: The value of the start, as in `measure`.
        after: The value of the trained table.
        count: The number of held-out examples.
    """
    return after - before > 0.5 / count


def held_out_value(material: Material, rows: NDArray[np.float32]) -> float | None:
    """Return the value of a table on the held-out examples, as `measure`; None without them."""
    bag = Bag(rows, damping=material.start.damping)
    measured = measure(bag, material.held_out, material.train)
    return None if measured is None else measured[0]


def least_agreement(start: Start, wanted: float | None) -> float:
    """Return the least agreement on general text: the wanted one, or the default for the start."""
    if wanted is not None:
        return wanted
    return LEAST_AGREEMENT if start.fitted else 0.0


def _general_share(start: Start, trained: Trained, least: float) -> tuple[float, str]:
    """Return the largest share with the wanted agreement on general text, and the reason."""
    general = general_text(start.rows, start.damping, start.tokenizer, start.unknown_token_id)
    if general is None:
        return 1.0, ""
    whole = general.agreement(trained.rows)
    if whole >= least:
        return 1.0, ""
    share, above = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (share + above) / 2
        if general.agreement(mixed(start.rows, trained.rows, middle)) >= least:
            share = middle
        else:
            above = middle
    return share, (
        f"The training changes general text too much (agreement {whole:.3f}, least {least:g}): "
        f"the table stops at {share:.0%} of the way from the start"
    )


def _start(start: Start, trained: Trained, note: str) -> Selection:
    return Selection(replace(trained, rows=start.rows, step=0), 0.0, note)
