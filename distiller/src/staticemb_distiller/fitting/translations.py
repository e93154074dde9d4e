"""The translated sources of a fit: the teacher's vectors of words make the dictionaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..corpus.generated import WITHOUT_BLANKS, equal_shares
from ..corpus.sampling import A_LANGUAGE, sample
from ..corpus.translated import FrequentWords, dictionary, translate
from ..corpus.word_lists import word_frequencies, word_list
from ..errors import TextSourceError
from ..teacher.cached import cached_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..corpus.sampling import TextSource
    from ..progress import Progress
    from ..teacher.text_encoder import TextEncoder

_WORDS = 20_000  # of a language; the dictionary compares all pairs


def translations(
    teacher: TextEncoder,
    sources: Sequence[TextSource],
    languages: Sequence[str],
    cache: Path,
    *,
    seed: int,
    progress: Progress,
) -> Mapping[TextSource, list[str]]:
    """Translate the texts of the sources that ask for it, word by word.

    A source's texts are of the first language; each other language gets an equal share of its
    limit, another sample of the texts.

    Args:
        teacher: A teacher that knows the languages.
        sources: The sources of the fit.
        languages: Codes of languages with word lists.
        cache: The folder of the teacher's vectors.
        seed: The seed of the samples and of the choice of words.
        progress: The progress display.

    Returns:
        The translations of each source that has `translate`, language after language.

    Raises:
        TextSourceError: A source cannot be read, fewer than two languages are named, or the first
            has no blanks between words.
        MissingPackageError: `wordfreq` is not installed.
        TeacherError: The teacher cannot encode.
        CacheError: The cache is damaged or cannot be written.
    """
    asked = [source for source in sources if source.translate]
    if asked and len(languages) < 2:
        raise TextSourceError(
            f"{asked[0].place}: translate= needs the language of the text and others after it in "
            f"fit_language=, found {' '.join(languages) or 'none'}"
        )
    if asked and languages[0] in WITHOUT_BLANKS:
        raise TextSourceError(
            f"{asked[0].place}: translate= needs a language with blanks between words first in "
            f"fit_language=, found {languages[0]}"
        )
    read = {source: _documents(source) for source in asked}
    texts: dict[TextSource, list[str]] = {source: [] for source in asked}
    if not asked:
        return texts
    own, *others = languages
    first = _words(teacher, own, cache, progress)
    for position, language in enumerate(others):
        words = _words(teacher, language, cache, progress)
        progress.note(f"Translating into {language} word by word")
        known = dictionary(first, words, word_frequencies(words.words, own))
        for source in asked:
            count = source.limit or A_LANGUAGE * len(others)
            share = equal_shares(count, len(others))[position]
            chosen = sample(read[source], share, seed=seed + 1 + position)
            texts[source] += translate(chosen, known, language, seed=seed)
    return texts


def _documents(source: TextSource) -> list[str]:
    """Return the distinct texts of a source, each run of white space one space."""
    texts = sample(filter(None, (" ".join(text.split()) for text in source.documents())))
    if not texts:
        raise TextSourceError(f"{source.place}: expected text, found none")
    return texts


def _words(teacher: TextEncoder, language: str, cache: Path, progress: Progress) -> FrequentWords:
    words = word_list(language, _WORDS)
    with progress.track(f"Words ({language})", len(words), "words") as advance:
        vectors = cached_vectors(teacher, words, cache, kind=None, advance=advance)
    return FrequentWords(words, word_frequencies(words, language), vectors)
