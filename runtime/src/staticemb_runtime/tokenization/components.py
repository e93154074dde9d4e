"""What a tokenizer's definition says, apart from its vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer

State = Mapping[str, Any]

# Each character by itself, or (NFC and its kin) by runs that white space ends: no white space
# composes with, decomposes with or is reordered around what follows it.
_LOCAL = {
    "BertNormalizer",
    "Lowercase",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Strip",
    "StripAccents",
}


class Design:
    """The parts of a tokenizer.

    Attributes:
        tokenizer: the tokenizer itself.
        model: the kind of its model, such as `BPE`.
        normalizers: the steps of the normalizer, sequences opened.
        kinds: their types.
        pre_tokenizers: the steps of the pre-tokenizer, sequences opened.
        pre_kinds: their types.
        added: the added tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.model = type(tokenizer.model).__name__
        self.normalizers = _leaves(tokenizer.normalizer, "normalizers")
        self.kinds = [step["type"] for step in self.normalizers]
        self.pre_tokenizers = _leaves(tokenizer.pre_tokenizer, "pretokenizers")
        self.pre_kinds = [step["type"] for step in self.pre_tokenizers]
        self.added: list[AddedToken] = list(tokenizer.get_added_tokens_decoder().values())

    def normalize(self, text: str) -> str:
        """A text as the normalizer leaves it."""
        normalizer = self.tokenizer.normalizer
        return text if normalizer is None else str(normalizer.normalize_str(text))

    def pieces(self, text: str) -> list[str]:
        """The pieces into which the pre-tokenizer cuts a text."""
        pre_tokenizer = self.tokenizer.pre_tokenizer
        text = self.normalize(text)
        if pre_tokenizer is None:
            return [text]
        return [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]

    def ids(self, text: str) -> list[int]:
        """The ids of a text."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def keeps_printable(self) -> bool:
        """Whether printable ASCII is left as it is, a character (a grapheme cluster) at a time."""
        if any(step["type"] == "Replace" and not collapses(step) for step in self.normalizers):
            return False  # it may replace several characters together
        return all(self.normalize(chr(code)) == chr(code) for code in range(33, 127))

    def repeatable(self) -> bool:
        """Whether a text has the same ids each time, and a post-processor adds or repeats none."""
        if self.model == "BPE" and self.tokenizer.model.dropout:
            return False
        post = self.tokenizer.post_processor
        if post is None:
            return True
        state = json.loads(post.__getstate__())
        steps = state["processors"] if state["type"] == "Sequence" else [state]
        return all(
            step["type"] in {"ByteLevel", "RobertaProcessing", "BertProcessing"}
            or (
                step["type"] == "TemplateProcessing"
                and [list(piece) for piece in step["single"]].count(["Sequence"]) == 1
            )
            for step in steps
        )

    def spellings(self) -> tuple[list[str], list[str]]:
        """The added tokens as they are looked for: in the text, and in the normalized text."""
        raw = [token.content for token in self.added if not token.normalized]
        late = [token.content for token in self.added if token.normalized]
        if self.tokenizer.normalizer is None:
            return raw + late, []
        return raw, [self.normalize(content) for content in late]


def local(step: State) -> bool:
    """Whether what a step of a normalizer does to a word does not depend on the next word."""
    if step["type"] == "Replace":
        pattern: str = step["pattern"].get("String", "")
        return bool(pattern) and not any(character.isspace() for character in pattern)
    return step["type"] in {*_LOCAL, "Precompiled"}


def collapses(step: State) -> bool:
    """Whether a step of a normalizer turns each run of blanks into one character."""
    return bool(step["type"] == "Replace" and step["pattern"] == {"Regex": " {2,}"})


def _leaves(part: object, key: str) -> list[State]:
    """The steps of a normalizer or pre-tokenizer, sequences opened."""
    if part is None:
        return []
    state = part.__getstate__()  # type: ignore[attr-defined]

    def open_up(step: State) -> list[State]:
        if step["type"] == "Sequence":
            return [leaf for inner in step[key] for leaf in open_up(inner)]
        return [step]

    return open_up(json.loads(state))
