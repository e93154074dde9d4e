"""Which tokens a static model has: the teacher's subwords, given words, or both.

    output    the tokenizer's own subwords, less what is never used
    subword   the same with given words on top, each preferred to its pieces
    word      given words only; whatever else a text holds is unknown, and dropped

In every mode an entry that the pre-tokenizer takes apart (`new york`, `covid-19`) is a *phrase*:
an added token, found in the text before it is cut into words. Texts that hold one take the
runtime's slower path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from staticemb_runtime.errors import InputError
from staticemb_runtime.records import open_input, text_lines

from ..corpus.input_files import LONGEST_LINE
from ..errors import TextSourceError, VocabularyError
from ..recipe.recipe import UNUSED
from . import given_words
from . import tokenizer_json as editing

MODES = ("output", "word", "subword")
UNKNOWN = ("[UNK]", "<unk>")
KEPT_SPECIAL = ("[PAD]", "<pad>", *UNKNOWN)
"""The special tokens that stay, as in model2vec: they have rows, and count in ranks and in the PCA.

The model's unknown token always stays.
"""


@dataclass(frozen=True)
class Vocabulary:
    """A static model's tokenizer and how the teacher spells its tokens.

    Attributes:
        tokenizer_json: the tokenizer, UTF-8.
        tokens: the tokens; a token's place is its id.
        token_ids: for each token the teacher's ids, without special tokens.
        unknown_token_id: the id that stands for what the tokenizer cannot spell.
    """

    tokenizer_json: bytes
    tokens: list[str]
    token_ids: list[list[int]]
    unknown_token_id: int | None

    def __len__(self) -> int:
        return len(self.tokens)


def build(
    tokenizer: Tokenizer,
    *,
    mode: str = "output",
    words: Sequence[str] | None = None,
    drop_pattern: str | None = UNUSED,
    counts: NDArray[np.int64] | None = None,
    min_count: int = 1,
    prefix_space: bool = True,
) -> Vocabulary:
    """Make a static model's vocabulary from its teacher's tokenizer.

    Subwords keep their order, which is by falling frequency in most tokenizers; given words follow
    in theirs, words before phrases (`subword`) or mixed as given (`word`).

    Args:
        tokenizer: the teacher's; not changed.
        mode: `output`, `word` or `subword`.
        words: the words and phrases of `word` and `subword`, the most frequent first.
        drop_pattern: subwords that begin with a match are dropped, as model2vec does it; `None`
            drops none. A BPE piece stays if longer pieces that stay are merged from it.
        counts: how often a corpus uses each of the tokenizer's ids (`counting.count_tokens`): a
            subword used less than `min_count` times is dropped, unless it is a single character of
            one that stays.
        min_count: see `counts`.
        prefix_space: byte-level tokenizers treat the first word of a text like the others (as
            model2vec does): a text's pieces are those of the text with a blank in front.

    Raises:
        VocabularyError: one of its classes for each thing that can be wrong with the arguments.

    >>> from tokenizers import models, pre_tokenizers
    >>> pieces = {"[UNK]": 0, "a": 1, "##b": 2, "c": 3}
    >>> teacher = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    >>> teacher.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    >>> cut = build(teacher, counts=np.array([0, 9, 5, 0]))
    >>> cut.tokens, cut.token_ids, cut.unknown_token_id
    (['[UNK]', 'a', '##b'], [[0], [1], [2]], 0)
    """
    if mode not in MODES:
        raise VocabularyError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
    if mode == "output" and words is not None:
        raise VocabularyError(
            "mode 'output' takes no words; use 'subword' to add words to the subwords"
        )
    document = editing.parse(tokenizer)
    if prefix_space:
        document = editing.with_prefix_space(document)
    if mode == "output":
        kept = _kept(document, drop_pattern, counts, min_count)
        return _vocabulary(document, editing.cut(document, kept), {})
    if words is None:
        raise VocabularyError(f"mode {mode!r} needs a vocabulary of words; none was given")
    texts = _checked(words)
    if mode == "word":
        return _vocabulary(document, *given_words.replace(document, texts))
    kept = _kept(document, drop_pattern, counts, min_count)
    return _vocabulary(document, *given_words.add(document, texts, kept))


def read_words(path: str | Path) -> list[str]:
    """The words and phrases of a text file, one a line; blank lines are skipped.

    The file may be packed (`.gz`, `.zst`).

    Raises:
        TextSourceError: the file cannot be read, or is not UTF-8; the message names the line.
    """
    name = str(Path(path))
    try:
        with open_input(name) as file:
            lines = text_lines(file, name, longest=LONGEST_LINE)
            return [word for _, line in lines if (word := line.strip())]
    except InputError as error:
        raise TextSourceError(f"vocabulary file {error}") from None
    except ValueError as error:  # a name that no file can have
        raise TextSourceError(f"vocabulary file {path}: cannot be read: {error}") from None


def _kept(
    document: editing.Document,
    drop_pattern: str | None,
    counts: NDArray[np.int64] | None,
    min_count: int,
) -> set[int]:
    tokens = editing.all_tokens(document)
    unknown = editing.unknown_token(document)
    dropped = {
        added["id"]
        for added in document["added_tokens"]
        if (added["special"] or not added["content"].strip())
        and added["content"] not in KEPT_SPECIAL
        and added["content"] != unknown
    }
    kept = tokens.keys() - dropped
    pinned = {index for index in kept if tokens[index] in KEPT_SPECIAL or tokens[index] == unknown}
    if counts is not None:
        if counts.ndim != 1 or len(counts) <= max(tokens):
            raise VocabularyError(
                f"token counts have shape {counts.shape}; the tokenizer has ids up to {max(tokens)}"
            )
        used = {index for index in kept - pinned if counts[index] >= min_count}
        if not used:
            raise VocabularyError(
                f"the corpus uses none of {len(kept)} tokens at least {min_count} times"
            )
        kept = used | pinned | (_alphabet(document, used) & kept)
    if drop_pattern is not None:
        try:
            matches = re.compile(drop_pattern).match
        except re.error as error:
            raise VocabularyError(
                f"the pattern {drop_pattern!r} is no regular expression: {error}"
            ) from error
        kept = {index for index in kept if tokens[index] == unknown or not matches(tokens[index])}
        if kept <= pinned:
            raise VocabularyError(f"the pattern {drop_pattern!r} drops every token")
    return editing.close(document, kept)


def _alphabet(document: editing.Document, kept: Iterable[int]) -> set[int]:
    """The single characters of kept pieces, so that every word of these can be spelled.

    BPE needs no help: `close` keeps what its pieces are merged from.
    """
    if document["model"]["type"] not in ("WordPiece", "Unigram"):
        return set()
    tokens = editing.model_tokens(document)
    ids = {token: index for index, token in tokens.items()}
    prefix = document["model"].get("continuing_subword_prefix") or ""
    chars = {
        char
        for piece in (tokens[index] for index in kept if index in tokens)
        if len(bare := piece.removeprefix(prefix)) > 1
        for char in bare
    }
    return {ids[form] for char in chars for form in (char, prefix + char) if form in ids}


def _checked(words: Sequence[str]) -> list[str]:
    """The entries without outer blanks and blank entries."""
    if not words:
        raise VocabularyError("the vocabulary holds no entry")
    texts = [text for word in words if (text := " ".join(word.split()))]
    if not texts:
        raise VocabularyError(f"all {len(words)} entries of the vocabulary are white space")
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            raise VocabularyError(f"{text!r} stands twice in the vocabulary")
        seen.add(text)
    return texts


def _vocabulary(
    source: editing.Document, result: editing.Document, new: Mapping[str, list[int]]
) -> Vocabulary:
    tokens = list(editing.all_tokens(result).values())
    unknown = editing.unknown_token(result) or next(
        (added["content"] for added in result["added_tokens"] if added["content"] in UNKNOWN), None
    )
    ids = {token: index for index, token in editing.all_tokens(source).items()}
    # A word tokenizer's unknown token may be none of the teacher's; its row is never read, any id
    # will do.
    ids.setdefault(editing.WORD_UNKNOWN, min(ids.values()))
    return Vocabulary(
        tokenizer_json=editing.dump(result),
        tokens=tokens,
        token_ids=[new[token] if token in new else [ids[token]] for token in tokens],
        unknown_token_id=None if unknown is None else tokens.index(unknown),
    )
