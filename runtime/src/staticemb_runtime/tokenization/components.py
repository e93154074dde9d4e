"""The components of a tokenizer, apart from its vocabulary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer

State = Mapping[str, Any]

# Normalizers that treat each character separately, or (NFC and similar) each run that white space
# ends: no white space composes with, decomposes with or is reordered around the next character.
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


class Components:
    """The components of a tokenizer.

    Attributes:
        tokenizer: the tokenizer itself.
        model: the type of its model, such as `BPE`.
        normalizers: the steps of the normalizer, nested sequences flattened.
        kinds: the types of the normalizer's steps.
        pre_tokenizers: the steps of the pre-tokenizer, nested sequences flattened.
        pre_kinds: the types of the pre-tokenizer's steps.
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
        """Normalize a text."""
        normalizer = self.tokenizer.normalizer
        return text if normalizer is None else str(normalizer.normalize_str(text))

    def pieces(self, text: str) -> list[str]:
        """Split a text into the pre-tokenizer's pieces."""
        pre_tokenizer = self.tokenizer.pre_tokenizer
        text = self.normalize(text)
        if pre_tokenizer is None:
            return [text]
        return [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]

    def ids(self, text: str) -> list[int]:
        """Encode a text."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def keeps_printable(self) -> bool:
        """Tell whether the normalizer leaves each printable ASCII character unchanged."""
        if any(step["type"] == "Replace" and not collapses(step) for step in self.normalizers):
            return False  # the step may replace several characters together
        return all(self.normalize(chr(code)) == chr(code) for code in range(33, 127))

    def repeatable(self) -> bool:
        """Tell whether encoding is deterministic and no post-processor adds or repeats ids."""
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
        """Return the added tokens that are matched in the raw text and in the normalized text."""
        raw = [token.content for token in self.added if not token.normalized]
        late = [token.content for token in self.added if token.normalized]
        if self.tokenizer.normalizer is None:
            return raw + late, []
        return raw, [self.normalize(content) for content in late]


def local(step: State) -> bool:
    """Tell whether a normalizer's step treats each word independently of the next word."""
    if step["type"] == "Replace":
        pattern: str = step["pattern"].get("String", "")
        return bool(pattern) and not any(character.isspace() for character in pattern)
    return step["type"] in {*_LOCAL, "Precompiled"}


def collapses(step: State) -> bool:
    """Tell whether a normalizer's step turns each run of blanks into one character."""
    return bool(step["type"] == "Replace" and step["pattern"] == {"Regex": " {2,}"})


def _leaves(part: object, key: str) -> list[State]:
    """Return the steps of a normalizer or pre-tokenizer, nested sequences flattened."""
    if part is None:
        return []
    state = part.__getstate__()  # type: ignore[attr-defined]

    def flatten(step: State) -> list[State]:
        if step["type"] == "Sequence":
            return [leaf for inner in step[key] for leaf in flatten(inner)]
        return [step]

    return flatten(json.loads(state))
