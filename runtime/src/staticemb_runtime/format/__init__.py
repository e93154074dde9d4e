"""Static embedding files: header, metadata, tensors and tokenizer, checked by the rules of SPEC.md.

In: the path of a file. Out: a `ModelParts`, whose arrays are views of the mapped file.
May use: `errors`. Public.
"""

from .header import MAX_DIM, MAX_ROWS
from .metadata import Metadata, Pooling
from .parts import ModelParts, TextLimits
from .reader import read
from .tokenizer_check import missing_unknown, model_type, token_ids

__all__ = [
    "MAX_DIM",
    "MAX_ROWS",
    "Metadata",
    "ModelParts",
    "Pooling",
    "TextLimits",
    "missing_unknown",
    "model_type",
    "read",
    "token_ids",
]
