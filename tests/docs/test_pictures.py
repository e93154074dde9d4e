"""Charts of the pages, as SVG."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PICTURES = sorted(DOCS.rglob("*.svg"))
# The mean width of a character over the size of the font. The reader's browser chooses the font;
# in a wide one, such as DejaVu Sans, a digit has 0.64.
WIDTH = 0.64


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_no_text_leaves_a_picture(picture):
    root = ElementTree.parse(picture).getroot()
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    texts = [element for element in root.iter() if element.tag.endswith("}text")]
    assert texts
    for element in texts:
        x, y = float(element.attrib["x"]), float(element.attrib["y"])
        long = len(element.text.strip()) * float(element.attrib["font-size"]) * WIDTH
        start = (
            x - long * {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor", "start")]
        )
        assert start >= 0, element.text
        assert start + long <= width, element.text
        assert 0 < y <= height, element.text
