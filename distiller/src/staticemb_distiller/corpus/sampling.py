"""The texts of a fit: sources are read as streams, cut into passages, and sampled.

    source -> documents -> passages -> a sample of distinct passages in shuffled order

Sampling keeps the texts with the smallest keyed digests (a bottom-k sketch: Broder 1997, Cohen and
Kaplan 2007). It takes one pass, and memory for the sample alone. The sample does not depend on the
order of the texts. Equal texts have equal digests, so duplicates are removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentencex import segment  # type: ignore[import-untyped]

from ..errors import TextSourceError
from .digest_sample import DigestSample
from .digests import text_digest
from .generated import GENERATED, Lexicon, generate, generate_in
from .hub import hub_records
from .source_spec import PlaceSpec, named_columns, parse_spec
from .surrogates import without_surrogates
from .text_files import files_of, joined, read_path

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

_TRANSLATE = "words"
_GENERATED_COUNT = 100_000
A_LANGUAGE = 20_000  # texts that are made of a source without a limit


@dataclass(frozen=True)
class TextSource(PlaceSpec):
    """A source of text.

    Attributes:
        place: A file, a folder of documents, `hf:` and the id of a data set on the Hub, or
            `generated`.
        columns: Columns or fields whose texts are joined by a space; empty: the column "text", or
            the only column that holds text.
        translate: Whether the texts are translated word by word into the other languages of the
            fit.
    """

    columns: tuple[str, ...] = ()
    translate: bool = False

    @classmethod
    def parse(cls, spec: str, *, limit: int | None = None) -> TextSource:
        """Parse a source in the command line's form: `PLACE[::KEY=VALUE[,KEY=VALUE...]]`.

        Args:
            spec: The source. The keys are column (several joined by `+`), translate (with the value
                words), weight, limit, split, config and revision.
            limit: The limit if the source has none.

        Raises:
            TextSourceError: A key is unknown, or a value is invalid.

        >>> TextSource.parse("reviews.jsonl::column=title+body,weight=3").columns
        ('title', 'body')
        """
        common, knobs = parse_spec(spec, {"column", "translate"}, limit=limit)
        columns, translate = named_columns(knobs.get("column", "")), knobs.get("translate")
        if translate not in (None, _TRANSLATE):
            expected = f"translate={_TRANSLATE}"
            raise TextSourceError(f"{spec}: expected {expected}, found translate={translate}")
        if translate and common["place"] == GENERATED:
            raise TextSourceError(f"{spec}: expected text to translate, found generated sequences")
        return cls(**common, columns=columns, translate=translate is not None)

    @property
    def files(self) -> list[Path]:
        """The files that the source reads; empty for a data set and for generated text.

        Raises:
            TextSourceError: There are no files at `place`.
        """
        if self.place == GENERATED or self.dataset is not None:
            return []
        return files_of(self.place)

    def documents(self) -> Iterator[str]:
        """Read the source's texts one after another, unchanged.

        Raises:
            TextSourceError: The source cannot be read, or a column is missing.
            MissingPackageError: A needed package is not installed.
        """
        if self.dataset is None:
            return read_path(self.place, columns=self.columns)
        records = hub_records(
            self.dataset, split=self.split, config=self.config, revision=self.revision
        )
        texts = (joined(record, self.columns, location) for location, record in records)
        return filter(None, texts)

    def generated(
        self, languages: Sequence[str], words_of: Tokenizer | None = None, *, seed: int = 0
    ) -> list[str]:
        """Draw the source's generated sequences: `limit` texts, or as many as are enough.

        Args:
            languages: As for `generate_in`; none: the words of a tokenizer.
            words_of: The tokenizer.
            seed: The seed of the random numbers.

        Raises:
            TextSourceError: There is no word list for a language, or no word in the vocabulary.
            MissingPackageError: `wordfreq` is not installed.
        """
        if languages:
            count = self.limit or A_LANGUAGE * len(languages)
            return generate_in(languages, count, seed=seed)
        lexicon = Lexicon.of(words_of) if words_of is not None else Lexicon(())
        if not lexicon.words:
            raise TextSourceError(
                f"{self.place}: expected words in the vocabulary, found none; set the fit to text "
                "or to none"
            )
        return generate(lexicon, self.limit or _GENERATED_COUNT, seed=seed)


def passages(
    documents: Iterable[str],
    tokenizer: Tokenizer,
    max_tokens: int,
    *,
    characters: int = 200,
    language: str = "en",
) -> Iterator[str]:
    """Cut documents at sentence ends into passages that fit the teacher's input length.

    Consecutive sentences are joined into passages of at most `characters`. A longer sentence is
    a passage by itself. A sentence with too many tokens is cut between tokens.

    Args:
        documents: Texts of any length.
        tokenizer: The teacher's tokenizer.
        max_tokens: The most tokens that the teacher reads, without special tokens.
        characters: The most characters of a passage of several sentences.
        language: The code, such as "en", of the language whose rules end sentences.

    Yields:
        Non-empty passages; each run of white space is one space.
    """
    for document in documents:
        passage = ""
        for sentence in segment(language, without_surrogates(document)):
            piece = " ".join(sentence.split())
            if not piece:
                continue
            if passage and len(passage) + len(piece) >= characters:
                yield from _fitting(passage, tokenizer, max_tokens)
                passage = ""
            passage = f"{passage} {piece}" if passage else piece
        if passage:
            yield from _fitting(passage, tokenizer, max_tokens)


def _fitting(text: str, tokenizer: Tokenizer, max_tokens: int) -> Iterator[str]:
    # A text never has more tokens than bytes.
    if len(text.encode(errors="replace")) <= max_tokens:
        yield text
        return
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    start = 0
    for first in range(0, len(offsets), max_tokens):
        after = first + max_tokens
        end = offsets[after][0] if after < len(offsets) else len(text)
        if piece := text[start:end].strip():
            yield piece
        start = end


def sample(
    texts: Iterable[str], limit: int | None = None, *, seed: int = 0, seen: set[int] | None = None
) -> list[str]:
    """Draw a uniform random sample of distinct texts, in shuffled order.

    Args:
        texts: The texts; they are read once, and only the sample is kept in memory.
        limit: The most texts to keep; None: all.
        seed: The seed of the sample.
        seen: Digests of texts to leave out. The digests of the sample are added, so that several
            sources share no text.

    Returns:
        The sample. It depends on the set of texts, not on their order.

    >>> sample(["b", "a", "b", "c"], 2) == sample(["c", "b", "a"], 2)
    True
    """
    key = seed.to_bytes(8, "little", signed=True)
    excluded = set() if seen is None else seen
    drawn: DigestSample[str] = DigestSample(limit)
    for text in texts:
        digest = text_digest(text, key=key)
        if digest not in excluded and drawn.takes(digest):
            drawn.add(digest, text)
    if seen is not None:
        seen.update(digest for digest, _ in drawn)
    return [text for _, text in drawn]


def gather(
    sources: Iterable[TextSource],
    tokenizer: Tokenizer,
    max_tokens: int,
    *,
    words_of: Tokenizer | None = None,
    languages: Sequence[str] = (),
    translations: Mapping[TextSource, Sequence[str]] | None = None,
    seed: int = 0,
) -> list[list[str]]:
    """Read, cut and sample several sources; a text in two sources belongs to the first.

    Args:
        sources: The sources, in order of precedence.
        tokenizer: The teacher's tokenizer.
        max_tokens: As for `passages`.
        words_of: The tokenizer whose words make the generated sequences; None: `tokenizer`. The new
            model's tokenizer is best, because words outside its vocabulary disturb other rows.
        languages: The languages of the generated sequences, which then come from word lists; none:
            they come from `words_of`. Text is cut into sentences by the rules of the first, or of
            English.
        translations: The texts of sources that are translated.
        seed: As for `sample`.

    Returns:
        The passages of each source.

    Raises:
        TextSourceError: A source cannot be read, or has no new text.
    """
    gathered: list[list[str]] = []
    seen: set[int] = set()
    for source in sources:
        if source.place == GENERATED:
            candidates: Iterable[str] = source.generated(
                languages, words_of or tokenizer, seed=seed
            )
        else:
            language = languages[0] if languages else "en"
            documents = (translations or {}).get(source) or source.documents()
            candidates = passages(documents, tokenizer, max_tokens, language=language)
        texts = sample(candidates, source.limit, seed=seed, seen=seen)
        if not texts:
            raise TextSourceError(f"{source.place}: expected text, found no new text")
        gathered.append(texts)
    return gathered
