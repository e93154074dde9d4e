"""Refuse a built site that loads anything from another host: it is read without a network, too.

python docs/tools/check_site.py FOLDER
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path

LOADED = ("src", "srcset", "data", "poster")


class Loads(HTMLParser):
    """What a page loads from other hosts.

    Attributes:
        found: The tags and addresses.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an address that the browser fetches by itself."""
        for name, value in attrs:
            loaded = name in LOADED or (tag == "link" and name == "href")
            if loaded and (value or "").strip().startswith(("http:", "https:", "//")):
                self.found.append(f"<{tag} {name}={value}>")


def main(folder: Path) -> str | None:
    """Check the pages; return what is wrong."""
    pages = sorted(folder.rglob("*.html"))
    wrong = []
    for page in pages:
        parser = Loads()
        parser.feed(page.read_text("utf-8"))
        wrong += [f"{page}: {found}" for found in parser.found]
    return "\n".join(wrong) or (None if pages else f"{folder}: no pages")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
