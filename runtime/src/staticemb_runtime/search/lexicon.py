"""Words of texts and queries, and the terms that FTS5 indexes for them."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

from .schema import lexical_sql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Words = Literal["words", "trigrams"]

_WORD: Final = re.compile(r"[^\W_]+")
_QUERY_CHARACTERS: Final = 100_000  # a longer query says no more about what is asked
_KEPT_WORDS: Final = 1 << 16
_GRAM: Final = 3


class Lexicon:
    """Finds words and their terms as the full-text table does; not safe with threads.

    Args:
        words: the tokenizer of the full-text table.
        stop_words: words that queries ignore, in lower case.

    Raises:
        sqlite3.OperationalError: SQLite has no FTS5.
    """

    def __init__(self, words: Words, stop_words: Collection[str]) -> None:
        self.words: Words = words
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
        """Yield where the words of a text, or its trigrams, begin and end, in code points."""
        for match in _WORD.finditer(text):
            if self.words == "words":
                yield match.span()
            else:
                for start in range(match.start(), match.end() - _GRAM + 1):
                    yield start, start + _GRAM

    def occurrences(self, text: str, terms: Collection[str]) -> list[tuple[int, int, str]]:
        """Return (start, stop, term) of each word in a text that has one of the terms."""
        lower = text.lower()
        if self.words == "trigrams" or len(lower) != len(text):  # some letters become two
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

    def terms(self, words: Iterable[str]) -> dict[str, str]:
        """Return the terms that words are indexed as.

        A word that the full-text table cuts further has the term of its first part.
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
        connection.executemany("INSERT INTO lexical(rowid, text) VALUES (?, ?)", enumerate(words))
        connection.execute("COMMIT")
        rows = connection.execute("SELECT doc, term FROM instances WHERE offset = 0")
        for number, term in rows:
            terms[words[number]] = term
        return terms
