"""Rendering of pages: the templates of a package, on the layout of this one."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from .drawing import COLORS, FONTS, dark_rules

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from markupsafe import Markup

PageTable = tuple["Sequence[str]", "list[dict[str, Any]]", int]
"""The header, the rows, and the number of columns of names at the left."""


def rendered(package: str | None, template: str, **values: object) -> str:
    """Render a template, which may use the templates of this package.

    Jinja2 escapes all values, because names of models and labels are untrusted.

    Args:
        package: The package with the template's file.
        template: The file's name.
        values: The template's variables.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def source(name: str) -> str:
        folder = resources.files((package if name == template else __package__) or "")
        return folder.joinpath(name).read_text("utf-8")

    environment = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(
        colors=COLORS, fonts=safe(FONTS), dark_rules=safe(dark_rules()), **values
    )


def safe(text: str) -> Markup:
    """Mark our constants and the charts as safe: text in charts is escaped already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def row(
    cells: Sequence[str], bold: Collection[int] = (), *, baseline: bool = False
) -> dict[str, Any]:
    """Return a row of a table; `bold` holds the numbers of its bold cells."""
    return {"cells": cells, "bold": bold, "baseline": baseline}
