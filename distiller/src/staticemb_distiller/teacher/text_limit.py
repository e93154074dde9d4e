"""How much of a text a teacher reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .token_vectors import special_ids

if TYPE_CHECKING:
    from .text_encoder import TextEncoder


def text_limit(teacher: TextEncoder, prompt: str) -> int | None:
    """Return how many tokens of a text a teacher reads, without special tokens and the prompt.

    Args:
        teacher: The teacher.
        prompt: The text before each text.

    Returns:
        The number; None: all, or unknown, since servers and functions do not tell it.
    """
    longest, tokenizer = getattr(teacher, "max_length", None), teacher.tokenizer
    if longest is None or tokenizer is None:
        return None
    before, after = special_ids(tokenizer)
    prompt_ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    return max(1, int(longest) - len(before) - len(after) - len(prompt_ids))
