"""Write the character tables of BERT's tokenizer: runtime/…/tokenization/unicode_data.py.

The `tokenizers` library follows several versions of Unicode at once: one for decompositions, one
for categories, and the one of its compiler for lower case. So this tool asks the library about
every code point. Python's own tables are used nowhere.

python tests/data/make_unicode_data.py
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "runtime/src/staticemb_runtime/tokenization/unicode_data.py"
HEADER = '''\
"""Character tables of BERT's tokenizer, in base 36; `unicode_tables` reads them.

Written by tests/data/make_unicode_data.py, which asked `tokenizers` {version} about every code
point. Do not edit.
"""

from typing import Final
'''
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
LOWEST, HIGHEST = "\u0334", "\u0345"  # combining classes 1 and 240


def bert(**steps: bool) -> Callable[[str], str]:
    """One step of BERT's normalizer."""
    names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    normalizer = normalizers.BertNormalizer(**{name: steps.get(name, False) for name in names})
    return normalizer.normalize_str


def changed(step: Callable[[str], str]) -> dict[int, str]:
    """The code points that a step changes, between two letters, and what it makes of them."""
    answers = ((code, step(f"a{chr(code)}b")) for code in CODES)
    return {code: text[1:-1] for code, text in answers if text != f"a{chr(code)}b"}


def cut_by_words() -> tuple[set[int], set[int]]:
    """The code points that BERT's pre-tokenizer drops as white space, and those it isolates."""
    pieces = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    count = {code: len(pieces(f"a{chr(code)}b")) for code in CODES}
    return {c for c in CODES if count[c] == 2}, {c for c in CODES if count[c] == 3}


def word_characters() -> set[int]:
    """The code points beside which a token of a single word is not found."""
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "T": 1}, "?"))
    tokenizer.add_tokens([AddedToken("T", single_word=True, normalized=False)])
    return {code for code in CODES if 1 not in tokenizer.encode(f"{chr(code)}T").ids}


def combining_classes(decomposed: Iterable[int]) -> dict[int, int]:
    """The canonical combining classes other than zero, known by the order that NFD gives.

    Each class is represented by one character whose class Unicode will never change.
    """
    order = normalizers.NFD().normalize_str
    marks = """
        334 93c 3099 94d 5b0 5b1 5b2 5b3 5b4 5b5 5b6 5b7 5b8 5b9 5bb 5bc 5bd 5bf 5c1 5c2 fb1e 64b
        64c 64d 618 619 61a 651 652 670 711 c55 c56 e38 e48 eb8 ec8 f71 f72 f74 321 1dce 31b 302a
        316 59a 302e 1d16d 5ae 300 315 35c 35d 345
    """
    numbers = (*(1, 7, 8, 9), *range(10, 37), *(84, 91, 103, 107, 118, 122, 129, 130, 132))
    numbers += (202, 214, 216, 218, 220, 222, 224, 226, 228, 230, 232, 233, 234, 240)
    known = {n: chr(int(mark, 16)) for n, mark in zip(numbers, marks.split(), strict=True)}
    assert order("".join(reversed(known.values()))) == "".join(known.values())
    classes = {}
    for code in sorted(set(CODES).difference(decomposed)):
        mark = chr(code)
        if order(mark + LOWEST) == mark + LOWEST and order(HIGHEST + mark) == HIGHEST + mark:
            continue
        (classes[code],) = [
            number
            for number, other in known.items()
            if order(mark + other) == mark + other and order(other + mark) == other + mark
        ]
    return classes


def digits(number: int) -> str:
    """A number in base 36."""
    sign, number = "-" * (number < 0), abs(number)
    text = ""
    while number or not text:
        number, digit = divmod(number, 36)
        text = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + text
    return sign + text


def ranges(codes: Iterable[int]) -> list[int]:
    """Gap and length of each range of code points, in turn."""
    numbers: list[int] = []
    end = -1
    for code in sorted(codes):
        if code == end:
            numbers[-1] += 1
        else:
            numbers += [code - max(end, 0), 1]
        end = code + 1
    return numbers


def runs(values: dict[int, int]) -> list[int]:
    """Gap, length, step and value of each run of code points at equal steps with one value."""
    found: list[list[int]] = []  # first code point, length, step, value
    for code in sorted(values):
        value = values[code]
        if found and found[-1][3] == value:
            first, length, step, _ = run = found[-1]
            ahead = code - first
            if length == 1 and ahead <= 2:
                run[1:3] = [2, ahead]
                continue
            if length > 1 and ahead == length * step:
                run[1] += 1
                continue
        found.append([code, 1, 1, value])
    numbers: list[int] = []
    before = 0
    for first, length, step, value in found:
        numbers += [first - before, length, step, value]
        before = first
    return numbers


def tables() -> dict[str, list[int]]:
    """Every table by its name."""
    cleaned = changed(bert(clean_text=True))
    space, punctuation = cut_by_words()
    control = {code for code, text in cleaned.items() if not text}
    # No change: white space that is no control character becomes a blank.
    assert {code for code, text in cleaned.items() if text} == space - control - {0x20}
    assert {cleaned[code] for code in set(cleaned) - control} == {" "}
    ideographs = changed(bert(handle_chinese_chars=True))
    assert all(text == f" {chr(code)} " for code, text in ideographs.items())
    decomposed = changed(normalizers.NFD().normalize_str)
    stripped = changed(bert(strip_accents=True))
    marks = {c for c in stripped if c not in decomposed}
    assert not any(stripped[code] for code in marks)
    classes = combining_classes(decomposed)
    lowered = changed(normalizers.Lowercase().normalize_str)
    assert lowered.pop(0x130) == "i\u0307"  # the only one that becomes two characters
    return {
        "WHITE_SPACE": ranges(space),
        "CONTROL": ranges(control),
        "PUNCTUATION": ranges(punctuation),
        "IDEOGRAPHS": ranges(ideographs),
        "NONSPACING_MARKS": ranges(marks),
        "DECOMPOSED": ranges(decomposed),
        "COMBINING": runs({c: number for c, number in classes.items() if c not in marks}),
        "LOWERCASE": runs({code: ord(text) - code for code, text in lowered.items()}),
        "WORD_CHARACTERS": ranges(word_characters()),
    }


def render(version: str, found: dict[str, list[int]]) -> str:
    """The text of the module."""
    parts = [HEADER.format(version=version), f'\nLIBRARY: Final = "{version}"\n']
    for name, numbers in found.items():
        lines = textwrap.wrap(" ".join(map(digits, numbers)), 96, break_on_hyphens=False)
        body = "\n".join(lines)
        parts.append(f'\n{name}: Final = """\\\n{body}\n"""\n')
    return "".join(parts)


if __name__ == "__main__":
    text = render(tokenizers.__version__, tables())
    OUTPUT.write_text(text, encoding="ascii", newline="\n")
    print(OUTPUT.name, len(text), "bytes")
