"""An extension of griffe, which reads the docstrings for the reference.

The docstrings of this project deviate from what griffe knows in three places:

- `Example:` with `>>>` lines becomes the section `Examples`, which is shown as a session.
- The knobs of a recipe are documented by the second argument of `knob`.
- A method with `@_with_the_types_of(encode)` has the parameters of `encode`.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example:\n(?=\s+>>> )", re.M)
_SKIP = re.compile(r"^\s*\.\.\. # doctest: \+SKIP\n|[ ]*# doctest: \+SKIP$", re.M)
_TYPES_OF = "_with_the_types_of"


class Docstrings(griffe.Extension):
    """Adapt docstrings and signatures before they are shown."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401 - of griffe
        """Adapt the examples of a docstring."""
        if obj.docstring is not None:
            text = _EXAMPLE.sub("Examples:\n", obj.docstring.value)
            obj.docstring.value = _SKIP.sub("", text)

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:  # noqa: ANN401
        """Document a knob of a recipe."""
        call = attr.value
        if isinstance(call, griffe.ExprCall) and str(call.function) == "knob":
            default, meaning = map(str, call.arguments[:2])
            attr.value = default
            attr.docstring = griffe.Docstring(f"{ast.literal_eval(meaning)}.", parent=attr)

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:  # noqa: ANN401
        """Give methods the signature of the one that their decorator names."""
        for method in list(cls.members.values()):
            if not isinstance(method, griffe.Function):
                continue
            for decorator in method.decorators:
                called = str(decorator.value)
                if called.startswith(f"{_TYPES_OF}("):
                    template = cls.members[called[len(_TYPES_OF) + 1 : -1]]
                    if isinstance(template, griffe.Function):
                        method.parameters = template.parameters
                        method.returns = template.returns
