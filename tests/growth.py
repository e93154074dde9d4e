"""Measure how time grows with the size of an input, and texts made to be slow to parse.

Each case is measured at a size and at four times that size, with the size raised until the work can
be told from noise. A quadratic parser takes sixteen times as long at the larger one.
"""

import contextlib
import gc
import json
import time

MOST = 8  # four is linear, sixteen quadratic
FIRST, LARGEST = 1 << 12, 1 << 18
CLEAR = 0.01  # seconds of work that noise does not hide


def seconds(call, argument, refusals):
    """The least CPU time of a few calls; refusals count like answers."""
    found = []
    gc.disable()
    try:
        for _ in range(3):
            before = time.process_time()
            with contextlib.suppress(*refusals):
                call(argument)
            found.append(time.process_time() - before)
            if found[0] > 0.5:
                break
    finally:
        gc.enable()
    return min(found)


def check_growth(call, make, refusals, largest=LARGEST):
    """Check that four times the input takes less than eight times as long."""
    size = FIRST
    small, large = (seconds(call, make(n), refusals) for n in (size, 4 * size))
    while large < CLEAR and 16 * size <= largest:
        size *= 4
        small, large = large, seconds(call, make(4 * size), refusals)
    if large > MOST * small + CLEAR:  # once more: the machine may have been busy
        small, large = (seconds(call, make(n), refusals) for n in (size, 4 * size))
    assert large <= MOST * small + CLEAR, f"{small:.3f} s at {size}, {large:.3f} s at 4 times that"


class Files:
    """A folder to write inputs to, each under a name of its own kind."""

    def __init__(self, folder):
        self.folder = folder

    def reading(self, name, read):
        """A parser of text that reads it out of a file."""

        def call(text):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            read(path)

        return call


def consume(iterable):
    for _ in iterable:
        pass


JSON = {
    "unterminated_escaped_quotes": lambda n: '{"' + '\\"' * (n // 2) + "\\",
    "escaped_quotes": lambda n: '{"a":"' + '\\"' * (n // 2) + '"}',
    "backslashes": lambda n: '{"' + "\\" * (n + 1),
    "quotes": lambda n: '{"' + '"' * n,
    "empty_strings": lambda n: "{" + '"":"",' * (n // 6) + '"":""}',
    "open_arrays": lambda n: '{"a":' + "[" * n,
    "open_objects": lambda n: '{"a":' * (n // 5),
    "flat_array": lambda n: '{"a":[' + "0," * (n // 2) + "0]}",
    "many_keys": lambda n: json.dumps({f"k{i}": i for i in range(n // 12)}),
    "many_strings": lambda n: json.dumps({f"k{i}": "" for i in range(n // 12)}),
    "duplicate_keys": lambda n: "{" + '"a":1,' * (n // 6) + '"a":1}',
    "long_integer": lambda n: '{"a":' + "1" * n + "}",
    "long_negative": lambda n: '{"a":-' + "1" * n + "}",
    "long_fraction": lambda n: '{"a":0.' + "1" * n + "}",
    "long_exponent": lambda n: '{"a":1e' + "1" * n + "}",
    "many_integers": lambda n: '{"a":[' + ("9" * 400 + ",") * (n // 401) + "9]}",
    "newlines": lambda n: "{" + "\n" * n,
    "spaces_between": lambda n: '{"a"' + " " * n + ":1}",
    "padding": lambda n: "{}" + " " * n,
    "padding_then_garbage": lambda n: "{}" + " " * n + "x",
    "commas": lambda n: "{" + "," * n,
    "escapes": lambda n: '{"a":"' + "\\u00e4" * (n // 6) + '"}',
    "half_surrogates": lambda n: '{"a":"' + "\\ud800" * (n // 6) + '"}',
    "long_key": lambda n: '{"' + "k" * n + '":1}',
    "long_string": lambda n: '{"a":"' + "x" * n + '"}',
    "astral": lambda n: '{"a":"' + "🐈" * (n // 4) + '"}',
}

LINES = {
    "newlines": lambda n: "\n" * n,
    "returns": lambda n: "\r" * n,
    "returns_and_newlines": lambda n: "text\r\n" * (n // 6),
    "blank_lines": lambda n: "text\n" + " \n" * (n // 2),
    "one_line": lambda n: "text\n" + "x" * n,
    "one_line_that_is_not_utf8": lambda n: b"text\n" + b"x" * n + b"\xff",
    "lines_that_are_not_utf8": lambda n: b"text\n" * (n // 5) + b"\xff",
    "quotes": lambda n: "text\n" + '"' * (n + 1),
    "quoted_lines": lambda n: "text\n" + '"a""b"\n' * (n // 7),
    "unclosed_quotes": lambda n: "text\n" + '"a\n' * (n // 3),
    "unclosed_then_lines": lambda n: 'text\n"' + "a\n" * (n // 2),
    "commas": lambda n: "text\n" + "," * n,
    "tabs": lambda n: "text\n" + "\t" * n,
    "many_columns": lambda n: "text" + ",a" * (n // 2) + "\n",
    "many_tabs": lambda n: "text" + "\ta" * (n // 2) + "\n",
    "short_rows": lambda n: "text" + ",a" * (n // 4) + "\n" + "x\n" * (n // 4),
    "short_rows_of_tabs": lambda n: "text" + "\ta" * (n // 4) + "\n" + "x\n" * (n // 4),
    "same_columns": lambda n: "text" + ",text" * (n // 5) + "\n",
    "numbers": lambda n: "w" + " 1" * (n // 2) + "\n",
    "long_numbers": lambda n: "w " + "1" * n + "\n",
    "two_long_numbers": lambda n: "9" * (n // 2) + " " + "9" * (n // 2) + "\n",
    "words_of_blanks": lambda n: "3 1\n" + " " * n + "1\n",
    "same_words": lambda n: "w 1\n" * (n // 4),
    "many_words": lambda n: "".join(f"w{i} 1\n" for i in range(n // 8)),
    "nulls": lambda n: "text\n" + "\0" * n,
    "sentence_ends": lambda n: ". " * (n // 2),
    "dots": lambda n: "." * n,
    "abbreviations": lambda n: "Mr. " * (n // 4),
    "brackets": lambda n: "(" * n,
    "spaces": lambda n: "a" + " " * n + "b",
    "words": lambda n: "word " * (n // 5),
}
