"""What the figures of docs/ are made of: tables, the line about the machine, plain SVG pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

# One color for ours and one for the peers, on light and on dark pages.
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#333}.o{fill:#0b6e8a}.p{fill:#9a9a9a}"
    ".os{stroke:#0b6e8a;fill:none}.ps{stroke:#9a9a9a;fill:none}.g{stroke:#8884}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.o{fill:#4cb5d1}.p{fill:#777}"
    ".os{stroke:#4cb5d1}.ps{stroke:#777}}"
)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """A Markdown table whose first columns are names and whose others are figures."""
    rule = ["---" if at < names else "---:" for at in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def machine(content: Mapping[str, Any], *packages: str) -> str:
    """What the figures were measured on: processor, versions of these packages, commit, day."""
    made = content["environment"]
    versions = "".join(
        f", {name} {made['versions'][name]}" for name in packages if made["versions"].get(name)
    )
    return (
        f"{made['processor']}, Python {made['python']}{versions}; "
        f"commit {made['commit']}, {made['date']}."
    )


def times(ratio: Mapping[str, float] | None) -> str:
    """A ratio as `harness.ratio` gives it, its median to two digits; a dash where there is none."""
    if ratio is None:
        return "–"
    median = ratio["median"]
    return f"×{median:.1f}" if median >= 0.95 else f"×{median:.2g}"


def not_measured(content: Mapping[str, Any]) -> str:
    """A sentence on contestants that could not take part, empty where all could."""
    absent = content["results"].get("not_measured", {})
    return " ".join(f"{name}: not measured; {reason}." for name, reason in absent.items())


def picture(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """An SVG file for light and dark pages.

    Classes: `o` and `p` fill ours and the peers, `os` and `ps` draw their lines, `g` a grid.
    """
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{escape(label)}">'
    )
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


Bar = tuple[str, float, str, bool]
"""Name, length, the figure written at its end, whether it is ours."""


def bars(title: str, rows: Sequence[Bar]) -> str:
    """A chart of level bars.

    Args:
        title: stands above it.
        rows: the bars; the longest fills the width.
    """
    return grouped_bars(title, [(title, rows)])


def grouped_bars(label: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Charts of level bars, one below the other.

    Args:
        label: names the whole picture for who cannot see it.
        groups: for each chart its title and its bars; the longest bar fills the width.
    """
    width, left, step = 720, 200, 30
    parts, top = [], 0
    for title, rows in groups:
        longest = max(value for _, value, _, _ in rows)
        parts.append(f'<text x="0" y="{top + 18}" font-weight="600">{escape(title)}</text>')
        for at, (name, value, figure, own) in enumerate(rows):
            y = top + 32 + at * step
            length = round((width - left - 130) * value / longest, 1)
            parts += [
                f'<text x="{left - 10}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
                f'<rect class="{"o" if own else "p"}" x="{left}" y="{y}" width="{length}"'
                ' height="22" rx="3"/>',
                f'<text x="{left + length + 8}" y="{y + 16}">{escape(figure)}</text>',
            ]
        top += step * len(rows) + 48
    return picture(width, top, label, parts)
