"""The names of a file's optional parts, for messages about parts that an edit drops."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .optional_parts import OPTIONAL_KEY
from .pieces import TENSORS

if TYPE_CHECKING:
    from staticemb_runtime.format import ModelParts


def optional_names(file: ModelParts) -> tuple[str, ...]:
    """Return the names of a file's optional parts, such as `head.topic` or `space`.

    The part `pieces` is not named: it repeats the tokenizer, and is written again where it helps.
    """
    names = [
        *(name for name in file.optional if name not in TENSORS),
        *(key for key in file.metadata.extra if re.fullmatch(OPTIONAL_KEY, key)),
    ]
    labels = [name.split(".")[: 2 if name.startswith("head.") else 1] for name in sorted(names)]
    return tuple(dict.fromkeys(map(".".join, labels)))
