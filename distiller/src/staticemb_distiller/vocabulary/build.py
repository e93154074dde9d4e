"""The vocabulary of a static model: the teacher's subwords, given words, or both.

    output    the tokenizer's own subwords, without unused ones
    subword   the same and given words, each preferred to its pieces
    word      given words only; other words of a text are unknown, and dropped

In every mode an entry that the pre-tokenizer splits (`new york`, `covid-19`) is a *phrase*: an
added token, which is matched before the text is split into words. The runtime is slower for texts
that hold a phrase.
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
from . import tokenizer_json as editor

MODES = ("output", "word", "subword")
UNKNOWN = ("[UNK]", "<unk>")
KEPT_SPECIAL = ("[PAD]", "<pad>", *UNKNOWN)
"""The special tokens that stay in the vocabulary, as in model2vec; the unknown token always stays.

They have rows, and count in the ranks and in the PCA.
"""


@dataclass(frozen=True)
class Vocabulary:
    """A static model's tokenizer, and the teacher's ids of its tokens.

    Attributes:
        tokenizer_json: The tokenizer, UTF-8.
        tokens: The tokens; a token's index is its id.
        token_ids: For each token the teacher's ids, without special tokens.
        unknown_token_id: The id of the unknown token, if there is one.
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

    Subwords keep their order, which is by falling frequency in most tokenizers. Given words follow
    in their order; in mode `subword`, words come before phrases.

    Args:
        tokenizer: The teacher's tokenizer; it is not changed.
        mode: `output`, `word` or `subword`.
        words: The words and phrases of `word` and `subword`, the most frequent first.
        drop_pattern: A regular expression: subwords that begin with a match are dropped, as in
            model2vec; None drops no subword. A BPE piece stays if remaining pieces need it for
            their merges.
        counts: (V,) counts of the tokenizer's ids in a corpus (`counting.count_tokens`). A subword
            used fewer than `min_count` times is dropped, unless it is a single character of a
            remaining subword.
        min_count: The least count of a subword that stays.
        prefix_space: Whether byte-level tokenizers treat the first word of a text like other words,
            as model2vec does: the text is tokenized with a space before it.

    Raises:
        VocabularyError: An argument is invalid, or the vocabulary would be empty.

    >>> from tokenizers import models, pre_tokenizers
    >>> pieces = {"[UNK]": 0, "a": 1, "##b": 2, "c": 3}
    >>> teacher = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    >>> teacher.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    >>> cut = build(teacher, counts=np.array([0, 9, 5, 0]))
    >>> cut.tokens, cut.token_ids, cut.unknown_token_id
    (['[UNK]', 'a', '##b'], [[0], [1], [2]], 0)
    """
    if mode not in MODES:
        raise VocabularyError(f"mode: expected one of {', '.join(MODES)}, found {mode!r}")
    if mode == "output" and words is not None:
        raise VocabularyError(
            "mode 'output' takes no words; use 'subword' to add words to the subwords"
        )
    document = editor.parse(tokenizer)
    if prefix_space:
        document = editor.with_prefix_space(document)
    if mode == "output":
        remaining = _remaining_ids(document, drop_pattern, counts, min_count)
        return _vocabulary(document, editor.cut(document, remaining), {})
    if words is None:
        raise VocabularyError(f"mode {mode!r}: expected a vocabulary of words, found None")
    texts = _stripped(words)
    if mode == "word":
        return _vocabulary(document, *given_words.replace(document, texts))
    remaining = _remaining_ids(document, drop_pattern, counts, min_count)
    return _vocabulary(document, *given_words.add(document, texts, remaining))


def read_words(path: str | Path) -> list[str]:
    """Read the words and phrases of a text file, one per line; blank lines are skipped.

    The file may be compressed (`.gz`, `.zst`).

    Raises:
        TextSourceError: The file cannot be read, or is not UTF-8; the message then names the line.
    """
    name = str(Path(path))
    try:
        with open_input(name) as file:
            lines = text_lines(file, name, longest=LONGEST_LINE)
            return [word for _, line in lines if (word := line.strip())]
    except InputError as error:
        raise TextSourceError(f"vocabulary file {error}") from None
    except ValueError as error:  # The name is invalid.
        raise TextSourceError(f"vocabulary file {path}: cannot be read: {error}") from None


def _remaining_ids(
    document: editor.Document,
    drop_pattern: str | None,
    counts: NDArray[np.int64] | None,
    min_count: int,
) -> set[int]:
    tokens = editor.all_tokens(document)
    unknown = editor.unknown_token(document)
    dropped = {
        added["id"]
        for added in document["added_tokens"]
        if (added["special"] or not added["content"].strip())
        and added["content"] not in KEPT_SPECIAL
        and added["content"] != unknown
    }
    remaining = tokens.keys() - dropped
    pinned = {
        index for index in remaining if tokens[index] in KEPT_SPECIAL or tokens[index] == unknown
    }
    if counts is not None:
        if counts.ndim != 1 or len(counts) <= max(tokens):
            raise VocabularyError(
                f"counts: expected shape (V,) with V above {max(tokens)}, found {counts.shape}"
            )
        used = {index for index in remaining - pinned if counts[index] >= min_count}
        if not used:
            raise VocabularyError(
                f"the corpus uses none of {len(remaining)} tokens at least {min_count} times"
            )
        remaining = used | pinned | (_alphabet(document, used) & remaining)
    if drop_pattern is not None:
        try:
            matches = re.compile(drop_pattern).match
        except re.error as error:
            raise VocabularyError(
                f"drop_pattern: expected a regular expression, found {drop_pattern!r} ({error})"
            ) from error
        remaining = {
            index for index in remaining if tokens[index] == unknown or not matches(tokens[index])
        }
        if remaining <= pinned:
            raise VocabularyError(f"the pattern {drop_pattern!r} drops every token")
    return editor.close(document, remaining)


def _alphabet(document: editor.Document, remaining: Iterable[int]) -> set[int]:
    """Return the ids of the single characters of kept pieces, so that all their words tokenize.

    BPE is not treated here: `close` keeps the pieces that its merges need.
    """
    if document["model"]["type"] not in ("WordPiece", "Unigram"):
        return set()
    tokens = editor.model_tokens(document)
    ids = {token: index for index, token in tokens.items()}
    prefix = document["model"].get("continuing_subword_prefix") or ""
    chars = {
        char
        for piece in (tokens[index] for index in remaining if index in tokens)
        if len(bare := piece.removeprefix(prefix)) > 1
        for char in bare
    }
    return {ids[form] for char in chars for form in (char, prefix + char) if form in ids}


def _stripped(words: Sequence[str]) -> list[str]:
    """Strip the entries, and remove blank entries."""
    if not words:
        raise VocabularyError("the vocabulary is empty")
    texts = [text for word in words if (text := " ".join(word.split()))]
    if not texts:
        raise VocabularyError(f"all {len(words)} entries of the vocabulary are white space")
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            raise VocabularyError(f"the vocabulary holds {text!r} twice")
        seen.add(text)
    return texts


def _vocabulary(
    source: editor.Document, result: editor.Document, new: Mapping[str, list[int]]
) -> Vocabulary:
    tokens = list(editor.all_tokens(result).values())
    unknown = editor.unknown_token(result) or next(
        (added["content"] for added in result["added_tokens"] if added["content"] in UNKNOWN), None
    )
    ids = {token: index for index, token in editor.all_tokens(source).items()}
    # The teacher may lack a word tokenizer's unknown token. Its row is never read, so any id works.
    ids.setdefault(editor.WORD_UNKNOWN, min(ids.values()))
    return Vocabulary(
        tokenizer_json=editor.dump(result),
        tokens=tokens,
        token_ids=[new[token] if token in new else [ids[token]] for token in tokens],
        unknown_token_id=None if unknown is None else tokens.index(unknown),
    )
