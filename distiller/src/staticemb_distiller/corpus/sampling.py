"""Where the text of a fit comes from: sources read in streams, cut into passages, and sampled.

    source -> documents -> passages -> a sample of distinct passages in shuffled order

Sampling keeps the texts with the smallest keyed digests (a bottom-k sketch: Broder 1997, Cohen and
Kaplan 2007). One pass, memory for the sample alone, and the same texts in the same order whatever
order they come in; a text met twice has one digest, so duplicates fall away by themselves.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sentencex import segment  # type: ignore[import-untyped]

from ..errors import TextSourceError
from .generated import GENERATED, Lexicon, generate
from .hub import hub_records
from .source_spec import PlaceSpec, named_columns, parse_spec
from .text_files import files_of, joined, read_path

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

_GENERATED_COUNT = 100_000


@dataclass(frozen=True)
class TextSource(PlaceSpec):
    """One place that text comes from.

    Attributes:
        place: A file, a folder of documents, `hf:` and the id of a data set on the Hub, or
            `generated`.
        columns: Named columns or fields, joined by a blank; empty: the one that is called "text",
            or the only one that holds text.
    """

    columns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, spec: str, *, limit: int | None = None) -> TextSource:
        """Read a source as the command line has it: `PLACE[::KEY=VALUE[,KEY=VALUE...]]`.

        Args:
            spec: The keys are column (several joined by `+`), weight, limit, split, config and
                revision.
            limit: The limit where the source names none.

        Raises:
            TextSourceError: An unknown key or an impossible value.

        >>> TextSource.parse("reviews.jsonl::column=title+body,weight=3").columns
        ('title', 'body')
        """
        common, knobs = parse_spec(spec, {"column"}, limit=limit)
        return cls(**common, columns=named_columns(knobs.get("column", "")))

    @property
    def files(self) -> list[Path]:
        """The files that it reads; none where the text comes from elsewhere.

        Raises:
            TextSourceError: There are none where they should be.
        """
        if self.place == GENERATED or self.dataset is not None:
            return []
        return files_of(self.place)

    def documents(self) -> Iterator[str]:
        """Read the source's texts one after another, as they stand there.

        Raises:
            TextSourceError: The source cannot be read, or holds no such column.
            MissingPackageError: A package that it needs is not installed.
        """
        if self.dataset is None:
            return read_path(self.place, columns=self.columns)
        records = hub_records(
            self.dataset, split=self.split, config=self.config, revision=self.revision
        )
        texts = (joined(record, self.columns, where) for where, record in records)
        return filter(None, texts)


def passages(
    documents: Iterable[str],
    tokenizer: Tokenizer,
    max_tokens: int,
    *,
    characters: int = 200,
    language: str = "en",
) -> Iterator[str]:
    """Cut documents at sentence ends into passages that the teacher reads whole.

    Sentences in a row are packed into one passage while it stays within `characters`; a longer
    sentence stands alone, and one of too many tokens is cut between tokens.

    Args:
        documents: Texts of any length.
        tokenizer: The teacher's.
        max_tokens: The most tokens that the teacher reads, special ones not counted.
        characters: How long packed passages get at most.
        language: A code such as "en": where sentences end.

    Yields:
        Passages, runs of white space made one blank, none empty.
    """
    for document in documents:
        packed = ""
        # Half a surrogate pair, which JSON can spell, is no character.
        for sentence in segment(language, document.encode(errors="replace").decode()):
            piece = " ".join(sentence.split())
            if not piece:
                continue
            if packed and len(packed) + len(piece) >= characters:
                yield from _fitting(packed, tokenizer, max_tokens)
                packed = ""
            packed = f"{packed} {piece}" if packed else piece
        if packed:
            yield from _fitting(packed, tokenizer, max_tokens)


def _fitting(text: str, tokenizer: Tokenizer, max_tokens: int) -> Iterator[str]:
    # No tokenizer makes more tokens than there are bytes.
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
    """Draw distinct texts at random, each as likely as any other, in shuffled order.

    Args:
        texts: Read once; only the sample is held.
        limit: The most texts to keep; None: all.
        seed: Another seed, another sample.
        seen: Digests of texts to leave out; those of the sample are added, so that several
            sources share no text.

    Returns:
        The texts. Their order and choice depend on the set of texts, not on its order.

    >>> sample(["b", "a", "b", "c"], 2) == sample(["c", "b", "a"], 2)
    True
    """
    key = seed.to_bytes(8, "little", signed=True)
    left_out = set() if seen is None else seen
    kept: dict[int, str] = {}
    largest: list[int] = []  # negated digests of the kept texts: a heap with the largest on top
    for text in texts:
        digest = int.from_bytes(
            hashlib.blake2b(text.encode(errors="replace"), digest_size=8, key=key).digest(), "big"
        )
        if digest in kept or digest in left_out:
            continue
        if limit is None or len(kept) < limit:
            heapq.heappush(largest, -digest)
        elif digest < -largest[0]:
            del kept[-heapq.heapreplace(largest, -digest)]
        else:
            continue
        kept[digest] = text
    if seen is not None:
        seen.update(kept)
    return [kept[digest] for digest in sorted(kept)]


def gather(
    sources: Iterable[TextSource],
    tokenizer: Tokenizer,
    max_tokens: int,
    *,
    words_of: Tokenizer | None = None,
    language: str = "en",
    seed: int = 0,
) -> list[list[str]]:
    """Read, cut and sample several sources; a text that two share counts for the earlier one.

    Args:
        sources: In order of precedence.
        tokenizer: The teacher's.
        max_tokens: As for `passages`.
        words_of: The tokenizer whose words generated sequences are made of: the new model's, as
            words that it lacks would only blur the others' rows. The teacher's if None.
        language: As for `passages`.
        seed: As for `sample`.

    Returns:
        The passages of each source.

    Raises:
        TextSourceError: A source cannot be read, or there is no text at all.
    """
    gathered: list[list[str]] = []
    seen: set[int] = set()
    for source in sources:
        if source.place == GENERATED:
            lexicon = Lexicon.of(words_of or tokenizer)
            if not lexicon.words:
                raise TextSourceError(
                    f"{source.place}: expected words in the vocabulary, found none; fit to text, "
                    "or none"
                )
            count = source.limit or _GENERATED_COUNT
            cut: Iterable[str] = generate(lexicon, count, seed=seed)
        else:
            cut = passages(source.documents(), tokenizer, max_tokens, language=language)
        found = sample(cut, source.limit, seed=seed, seen=seen)
        if not found:
            raise TextSourceError(f"{source.place}: expected text, found none that is new")
        gathered.append(found)
    return gathered
