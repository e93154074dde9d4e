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

from .errors import TextSourceError
from .generate import Lexicon, generate
from .source_spec import HUB_PREFIX, named_columns, split_spec, weight_and_limit
from .text_files import files_of, read_path
from .text_hub import read_hub

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer

GENERATED = "generated"
"""The source that needs no text: word sequences drawn from the teacher's vocabulary."""
_GENERATED_COUNT = 240_000
_KNOBS = {"column", "weight", "limit", "split", "config", "revision"}


@dataclass(frozen=True)
class Source:
    """One place that text comes from.

    Attributes:
        place: A file, a folder of documents, `hf:` and the id of a data set on the Hub, or
            `generated`.
        columns: Named columns or fields, joined by a blank; empty: the one that is called "text",
            or the only one that holds text.
        weight: How much each of its texts counts in the fit.
        limit: The most passages to take; None: all.
        split: Of a data set on the Hub.
        config: Of a data set on the Hub.
        revision: Of a data set on the Hub.
    """

    place: str
    columns: tuple[str, ...] = ()
    weight: float = 1.0
    limit: int | None = None
    split: str = "train"
    config: str | None = None
    revision: str | None = None

    @classmethod
    def parse(cls, spec: str, *, limit: int | None = None) -> Source:
        """Read a source as the command line has it: `PLACE[::KEY=VALUE[,KEY=VALUE...]]`.

        Args:
            spec: The keys are column (several joined by `+`), weight, limit, split, config and
                revision.
            limit: The limit where the source names none.

        Raises:
            TextSourceError: An unknown key or an impossible value.

        >>> Source.parse("reviews.jsonl::column=title+body,weight=3")
        ... # doctest: +NORMALIZE_WHITESPACE
        Source(place='reviews.jsonl', columns=('title', 'body'), weight=3.0, limit=None,
               split='train', config=None, revision=None)
        """
        place, knobs = split_spec(spec, _KNOBS)
        weight, limit = weight_and_limit(spec, knobs, limit)
        columns = named_columns(knobs.get("column", ""))
        split = knobs.get("split", "train")
        return cls(place, columns, weight, limit, split, knobs.get("config"), knobs.get("revision"))

    @property
    def files(self) -> list[Path]:
        """The files that it reads; none where the text comes from elsewhere.

        Raises:
            TextSourceError: There are none where they should be.
        """
        elsewhere = self.place == GENERATED or self.place.startswith(HUB_PREFIX)
        return [] if elsewhere else files_of(self.place)

    def documents(self) -> Iterator[str]:
        """Read the source's texts one after another, as they stand there.

        Raises:
            TextSourceError: The source cannot be read, or holds no such column.
        """
        if self.place.startswith(HUB_PREFIX):
            return read_hub(
                self.place.removeprefix(HUB_PREFIX),
                columns=self.columns,
                split=self.split,
                config=self.config,
                revision=self.revision,
            )
        return read_path(self.place, columns=self.columns)


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
    sources: Iterable[Source],
    tokenizer: Tokenizer,
    max_tokens: int,
    *,
    language: str = "en",
    seed: int = 0,
) -> tuple[list[str], list[float]]:
    """Read, cut and sample several sources; a text that two share counts for the earlier one.

    Args:
        sources: In order of precedence.
        tokenizer: The teacher's.
        max_tokens: As for `passages`.
        language: As for `passages`.
        seed: As for `sample`.

    Returns:
        The passages, source after source, and the weight of each.

    Raises:
        TextSourceError: A source cannot be read, or there is no text at all.
    """
    texts: list[str] = []
    weights: list[float] = []
    seen: set[int] = set()
    for source in sources:
        if source.place == GENERATED:
            lexicon = Lexicon.of(tokenizer)
            if not lexicon.words:
                raise TextSourceError(
                    f"{source.place}: expected words among the teacher's tokens, found none; "
                    "fit to text"
                )
            count = source.limit or _GENERATED_COUNT
            cut: Iterable[str] = generate(lexicon, count, seed=seed)
        else:
            cut = passages(source.documents(), tokenizer, max_tokens, language=language)
        found = sample(cut, source.limit, seed=seed, seen=seen)
        if not found:
            raise TextSourceError(f"{source.place}: expected text, found none that is new")
        texts += found
        weights += [source.weight] * len(found)
    return texts, weights
