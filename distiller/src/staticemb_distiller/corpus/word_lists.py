"""Words of a language, the most frequent first, from the optional package `wordfreq`.

The lists count words in subtitles, Wikipedia, news, books, web pages, Twitter and Reddit, where a
language has them (Speer, 2022). They are under CC BY-SA 4.0, which a file names whose table is
fitted to their words.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError, TextSourceError

_MOST = 40_000
_CLOSE = 9  # the distance by langcodes of Croatian from sh, whose list has its words


def word_list(language: str, most: int = _MOST) -> tuple[str, ...]:
    """Return the most frequent words of a language, without those that contain a digit.

    Args:
        language: A code of ISO 639-1, such as "de".
        most: The most words to return.

    Raises:
        TextSourceError: There is no list for this code; the message names the lists.
        MissingPackageError: `wordfreq` is not installed.
    """
    words = _package().iter_wordlist(_known(language), wordlist="best")
    return tuple(islice(filter(_is_word, words), most))


def word_frequencies(words: Iterable[str], language: str) -> NDArray[np.float64]:
    """Return the Zipf frequencies of words: log10 of the count in a billion words; 0: unknown.

    Args:
        words: n words.
        language: As for `word_list`.

    Returns:
        (n,) float64.

    Raises:
        TextSourceError: As for `word_list`.
        MissingPackageError: As for `word_list`.
    """
    shares = _package().get_frequency_dict(_known(language), wordlist="best")
    found = np.array([shares.get(word, 1e-9) for word in words], np.float64)
    return np.log10(found) + 9


def lists_version() -> str:
    """Return the version of the lists, and their license, for the file."""
    return f"word lists: wordfreq {version('wordfreq')}, CC BY-SA 4.0"


def _is_word(word: str) -> bool:
    return any(map(str.isalpha, word)) and not any(map(str.isdigit, word))


def _known(language: str) -> str:
    available = sorted(_package().available_languages("best"))
    if language in available:
        return language
    nearest = _nearest(language, available)
    meant = f"; the nearest is {nearest}" if nearest in available else ""
    raise TextSourceError(
        f"fit_language: expected codes of languages with a word list, {' '.join(available)}; "
        f"found {language!r}{meant}"
    )


def _nearest(language: str, available: list[str]) -> str | None:
    """Return the code of a list for the same language, or a close one; None for no code."""
    # Imported here: a dependency of wordfreq.
    import langcodes

    try:
        code: str | None = langcodes.get(language).language
        if code not in available:
            code, _ = langcodes.closest_match(language, available, max_distance=_CLOSE)
    except langcodes.tag_parser.LanguageTagError:
        code = None
    return code


def _package() -> Any:  # noqa: ANN401 - the package has no types
    try:
        import wordfreq
    except ImportError as error:
        raise MissingPackageError(
            "generated text of named languages needs the word lists of wordfreq: "
            "pip install 'staticemb-distiller[languages]'"
        ) from error
    return wordfreq
