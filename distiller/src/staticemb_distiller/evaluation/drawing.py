"""Matplotlib figures as SVG text.

The same figure gives the same bytes, and its colors follow a light or a dark page. Matplotlib is
imported only to draw, because the import takes half a second.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS: Final[Mapping[str, tuple[str, str]]] = {
    "paper": ("#ffffff", "#12161b"),
    "panel": ("#f6f8fa", "#1a2027"),
    "ink": ("#1b1f24", "#e8ebee"),
    "soft": ("#59636e", "#a3adb7"),
    "rule": ("#d7dce1", "#343c45"),
    "peer": ("#9a9a9a", "#777777"),
    "faint": ("#c9c9c9", "#4a4a4a"),
    "c0": ("#0b62b5", "#6db3f8"),
    "c1": ("#c2410c", "#fb9a63"),
    "c2": ("#0f7b5f", "#4fd1ab"),
    "c3": ("#8b2fa8", "#d59bf0"),
    "c4": ("#8f5b00", "#e5c04b"),
    "c5": ("#b3234f", "#f58cab"),
    "c6": ("#0b7285", "#5cd0e6"),
    "c7": ("#57534e", "#b8b2ac"),
}
"""The value of each color on a light page and on a dark page, by name."""

LIGHT: Final = {name: light for name, (light, _) in COLORS.items()}
SERIES: Final = [LIGHT[f"c{number}"] for number in range(8)]
MARKERS: Final = "os^Dv"
FONT_SIZE: Final = 12
"""The size of text, in pixels of a drawing that is not scaled."""
FONTS: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'

_SETTINGS: Final = {
    "svg.fonttype": "none",  # text stays text: selectable, in the reader's own font
    "svg.hashsalt": "staticemb",
    "text.parse_math": False,  # names may contain dollar signs
    "font.size": FONT_SIZE,
    "text.color": LIGHT["ink"],
    "axes.edgecolor": LIGHT["soft"],
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.autolimit_mode": "round_numbers",
    "axes.formatter.useoffset": False,
    "axes.xmargin": 0.0,
    "axes.ymargin": 0.0,
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 1.0,
    "xtick.color": LIGHT["soft"],
    "ytick.color": LIGHT["soft"],
    "ytick.major.size": 0,
    "lines.linewidth": 2.0,
    "lines.markersize": 8,
    "figure.dpi": 72,  # as the SVG backend has it: a pixel is a point
}


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure, with our settings for everything that the block draws.

    The user's `matplotlibrc` has no effect. Missing letters of the font give no warning, because
    the reader's browser chooses the font.

    Args:
        width: The width in pixels.
        height: The height in pixels.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with warnings.catch_warnings(), style.context(["default", _SETTINGS]):
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        figure.patch.set_visible(False)
        yield figure


def panel(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Add axes at these pixels, counted from the figure's top left."""
    width, height = figure.get_size_inches() * 72
    at = (left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height)
    axes = figure.add_axes(at)
    axes.patch.set_visible(False)
    return axes


def heading(figure: Figure, text: str, x: float, y: float, size: float = 14) -> None:
    """Write a bold line of text; its baseline is at (x, y) pixels from the figure's top left."""
    width, height = figure.get_size_inches() * 72
    figure.text(
        x / width, 1 - y / height, printable(text), fontsize=size, fontweight="bold", va="baseline"
    )


def printable(text: str, limit: int = 0) -> str:
    r"""Replace unprintable characters and line ends by spaces, and shorten a text to a limit.

    Args:
        text: The text.
        limit: The maximum number of characters; 0: no limit.

    >>> printable("a\x00b\nc", 4)
    'a b…'
    """
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if not limit or len(text) <= limit else text[: limit - 1] + "…"


def to_svg(
    figure: Figure, title: str, notes: Mapping[str, str] | None = None, *, alone: bool = False
) -> str:
    """Render a figure as an `<svg>` element whose ids are unique in a page.

    Args:
        figure: A figure of `canvas`.
        title: A description for readers who cannot see the drawing. Drawings of one page must
            differ in title, size or notes.
        notes: Texts to show under the pointer, by the `gid` of the artist.
        alone: Whether to make a complete file, with rules for fonts and dark pages. In a page, the
            page has these rules.

    Returns:
        Deterministic text, without date and random ids.
    """
    buffer = io.StringIO()
    absent = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=absent)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - written by matplotlib just now
    _, _, width, height = root.attrib["viewBox"].split()
    title = printable(title)
    # The SVG itself is not digested, because its details differ between versions of matplotlib.
    named = repr((title, width, height, sorted((notes or {}).items())))
    _plain(root, notes or {}, "i" + hashlib.sha256(named.encode()).hexdigest()[:8])
    root.attrib = {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": title}
    if alone:
        root.attrib = {"xmlns": "http://www.w3.org/2000/svg", **root.attrib}
        rules = f"svg{{background:{LIGHT['paper']}}}text{{font-family:{FONTS}}}{dark_rules()}"
        root.insert(0, _element("style", rules))
    root.insert(0, _element("title", title))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def dark_rules() -> str:
    """Return the style rules that change the colors of drawings on a dark page."""
    rules = "".join(
        f'svg [{part}="{light}"]{{{part}:{dark}}}'
        for light, dark in COLORS.values()
        for part in ("fill", "stroke")
    )
    paper = f"svg{{background:{COLORS['paper'][1]}}}"
    return f"@media(prefers-color-scheme:dark){{{paper}{rules}}}"


def _element(tag: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element(tag)
    element.text = text
    return element


def _plain(root: ElementTree.Element, notes: Mapping[str, str], prefix: str) -> None:
    """Remove metadata and unused ids, rename the other ids, and add the notes.

    Styles become attributes, which every viewer supports and a page's rules can override.
    """
    ids: dict[str, str] = {}
    for element in list(root.iter()):
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k.rpartition("}")[2]: v for k, v in element.attrib.items()}
        element.tail = "\n"
        if element.tag == "text":
            _style_text(element)
        else:
            element.text = None
            element.attrib |= re.findall(r"([\w-]+): ([^;]+)", element.attrib.pop("style", ""))
        for key, value in element.attrib.items():
            if key == "href" or value.startswith("url(#"):
                ids.setdefault(value.partition("#")[2].rstrip(")"), f"{prefix}-{len(ids)}")
    for element in list(root.iter()):
        for child in list(element):
            # Matplotlib's style sheet only sets how lines join, but would apply to the whole page.
            if child.tag == "metadata" or child.find("style") is not None:
                element.remove(child)
        gid = element.attrib.pop("id", "")
        if gid in ids:
            element.set("id", ids[gid])
        if gid in notes:
            element.insert(0, _element("title", printable(notes[gid])))
        for key, value in element.attrib.items():
            if key == "d":
                element.set(key, " ".join(value.split()))
            elif key == "href":
                element.set(key, f"#{ids[value[1:]]}")
            elif value.startswith("url(#"):
                element.set(key, f"url(#{ids[value[5:-1]]})")


def _style_text(element: ElementTree.Element) -> None:
    """Keep the size, weight, color and alignment of a text; the page chooses the font."""
    style = element.attrib.pop("style", "")
    element.attrib |= re.findall(r"(fill|text-anchor): ([^;]+)", style)
    size = re.search(r"([\d.]+)px", style)
    element.set("font-size", size[1] if size else str(FONT_SIZE))
    if re.search(r"\b(700|bold)\b", style.partition("'")[0]):
        element.set("font-weight", "600")
    element.attrib.pop("transform", None)  # no text is rotated


def label_below(axes: Axes, text: str) -> None:
    """Write the name of the horizontal axis, below the labels of the ticks at the right."""
    axes.annotate(
        text,
        (1, 0),
        (0, -34),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="baseline",
        color=LIGHT["soft"],
    )
