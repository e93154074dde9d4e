"""Words of texts and queries, and the terms that FTS5 indexes for them."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from .schema import GRAM, lexical_sql, lexical_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

WordRule = Literal["words", "trigrams"]

_WORD: Final = re.compile(r"[^\W_]+")
# The combining marks that FTS5's unicode61 takes for a part of a word, and drops: texts in the form
# NFD of Unicode have them. Other marks end a word.
_MARKS: Final = "\u0300-\u0304\u0306-\u030c\u030f\u0311\u031b\u0323-\u0328\u032d\u032e\u0330\u0331"
_MARK: Final = re.compile(f"[{_MARKS}]")
_MARKED_WORD: Final = re.compile(rf"(?:[^\W_][{_MARKS}]*)+")
_QUERY_CHARACTERS: Final = 100_000  # a longer query says no more about what is asked
_KEPT_WORDS: Final = 1 << 16
_IDEOGRAPHS: Final = 0x2E80  # from here on, one character may be a word


class Lexicon:
    """Finds words and their terms as the full-text table does; not safe with threads.

    Args:
        words: the tokenizer of the full-text table.
        stop_words: words that queries ignore, in lower case.

    Raises:
        sqlite3.OperationalError: SQLite has no FTS5.
    """

    def __init__(self, words: WordRule, stop_words: Collection[str]) -> None:
        self.words: WordRule = words
        self._stop_words = frozenset(stop_words)
        self._terms: dict[str, str] = {}
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        self._connection.execute(lexical_sql(words))
        self._connection.execute(
            "CREATE VIRTUAL TABLE instances USING fts5vocab (lexical, instance)"
        )

    def close(self) -> None:
        """Free the memory."""
        self._connection.close()

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where the words of a text, or its trigrams, begin and end, in code points.

        Of trigrams, a word of two characters is yielded as well, and one character of a script
        like Chinese.
        """
        for start, stop in self._runs(text):
            if self.words == "words" or stop - start == GRAM - 1:
                yield start, stop
            elif stop - start == 1:
                if ord(text[start]) >= _IDEOGRAPHS:
                    yield start, stop
            else:
                for first in range(start, stop - GRAM + 1):
                    yield first, first + GRAM

    def _runs(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where runs of letters and digits begin and end, with the marks on them."""
        if text.isascii():
            pattern = _WORD
        elif self.words == "words":
            pattern = _MARKED_WORD
        else:  # FTS5's trigrams keep every mark, such as vowels of Thai
            marks = {c for c in set(text) if unicodedata.category(c).startswith("M")}
            pattern = re.compile(rf"(?:[^\W_][\u0300{''.join(sorted(marks))}]*)+")
        return (match.span() for match in pattern.finditer(text))

    def occurrences(self, text: str, terms: Collection[str]) -> list[tuple[int, int, str]]:
        """Return (start, stop, term) of each word in a text that has one of the terms."""
        if self.words == "trigrams":
            return self._gram_occurrences(text, terms)
        lower = text.lower()
        if len(lower) != len(text) or _MARK.search(lower):  # some letters become two, or are two
            spans = list(self.spans(text))
            words = [text[start:stop].lower() for start, stop in spans]
            known = self.terms(words)
            pairs = zip(spans, words, strict=True)
            return [(*span, known[word]) for span, word in pairs if known[word] in terms]
        matches: list[tuple[int, int, str]] = []
        for word, term in self.terms(_WORD.findall(lower)).items():
            if term in terms:
                start = lower.find(word)
                while start >= 0:
                    stop = start + len(word)
                    if not (lower[start - 1 : start].isalnum() or lower[stop : stop + 1].isalnum()):
                        matches.append((start, stop, term))
                    start = lower.find(word, stop)
        return sorted(matches)

    def _gram_occurrences(self, text: str, terms: Collection[str]) -> list[tuple[int, int, str]]:
        """Return (start, stop, term) of each trigram, and of each shorter part, that is a term."""
        spans = [
            (start, stop)
            for first, last in self._runs(text)
            for length in {len(term) for term in terms}
            for start in range(first, last - length + 1)
            for stop in [start + length]
        ]
        parts = [text[start:stop].lower() for start, stop in spans]
        known = self.terms(parts)
        pairs = zip(spans, parts, strict=True)
        return sorted((*span, known[part]) for span, part in pairs if known[part] in terms)

    def terms(self, words: Iterable[str]) -> dict[str, str]:
        """Return the terms that words are indexed as.

        A word that the full-text table cuts further has the term of its first part. A part of a
        trigram is a term of its own length: see `schema.term_condition`.
        """
        wanted = dict.fromkeys(words)
        new = [word for word in wanted if word not in self._terms]
        if new:
            if len(self._terms) + len(new) > _KEPT_WORDS:
                self._terms.clear()
                new = list(wanted)
            self._terms.update(self._look_up(new))
        return {word: self._terms[word] for word in wanted}

    def query_words(self, query: str) -> dict[str, tuple[str, int]]:
        """Return the terms of a query: for each a word that has it, and how often it occurs.

        Stop words are left out unless the query holds nothing else. Words are in lower case.
        """
        text = query[:_QUERY_CHARACTERS]
        counted = Counter(text[start:stop].lower() for start, stop in self.spans(text))
        telling = {word: n for word, n in counted.items() if word not in self._stop_words}
        words_by_term: dict[str, tuple[str, int]] = {}
        chosen = telling or counted
        for word, term in self.terms(chosen).items():
            first, count = words_by_term.get(term, (word, 0))
            words_by_term[term] = (first, count + chosen[word])
        words_by_term.pop("", None)
        return words_by_term

    def _look_up(self, words: list[str]) -> dict[str, str]:
        terms = dict.fromkeys(words, "")
        connection = self._connection
        connection.execute("INSERT INTO lexical(lexical) VALUES ('delete-all')")
        connection.execute("BEGIN")
        texts = [lexical_text(word, self.words) for word in words]
        connection.executemany("INSERT INTO lexical(rowid, text) VALUES (?, ?)", enumerate(texts))
        connection.execute("COMMIT")
        rows = connection.execute("SELECT doc, term FROM instances WHERE offset = 0")
        for number, term in rows:
            word = words[number]
            terms[word] = term[: len(word)] if self.words == "trigrams" else term
        return terms
