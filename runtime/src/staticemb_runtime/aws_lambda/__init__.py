"""AWS Lambda: the function's handler, and the zip file of a function.

In: events with texts. Out: answers with vectors. `bundle` builds the zip.
May use: all rooms up to `search`. Public: `handler`, as `staticemb_runtime.aws_lambda.handler`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# Lambda imports the handler during initialization, which loads the model. `bundle` needs no model.
if TYPE_CHECKING or "AWS_LAMBDA_RUNTIME_API" in os.environ:
    from .function import handler

__all__ = ["handler"]


def __getattr__(name: str) -> object:
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .function import handler

    return handler
