"""Requests with `texts`: their vectors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from ..encoding.decimals import nine_digits
from ..encoding.empty_texts import EmptyTexts
from ..encoding.options import find_prompt
from ..errors import InvalidOptionError
from .requests import InvalidEvent, checked_texts, invalid, refused

if TYPE_CHECKING:
    from .requests import Resources

# The prompt is repeated for each text, so the work may exceed the size of the request by far.
MAX_PROMPT_CHARACTERS: Final = 4096
ENCODINGS: Final = ("json", "base64")
MEMBERS: Final[dict[str, type]] = {
    "texts": list,
    "truncate_dim": int,
    "normalize_embeddings": bool,
    "precision": str,
    "pooling": str,
    "prompt_name": str,
    "prompt": str,
    "encoding": str,
}


def embed(resources: Resources, options: dict[str, Any]) -> dict[str, Any]:
    """Answer a request with the vectors of its texts.

    Args:
        resources: the model, and the maximum number of texts.
        options: the checked members of the request.

    Raises:
        InvalidEvent: the request cannot be answered.
        FormatError, FileChangedError: the model's file is invalid or was modified.
    """
    model = resources.model
    texts = checked_texts(resources, "texts", options.pop("texts"))
    encoding = options.pop("encoding", "json")
    if encoding not in ENCODINGS:
        expected = " or ".join(ENCODINGS)
        raise invalid(f"encoding: expected {expected}, found {encoding!r}")
    try:
        prompt = find_prompt(
            options.pop("prompt", None), options.pop("prompt_name", None), model.metadata.prompts
        )
    except InvalidOptionError as error:
        raise invalid(str(error)) from None
    n_characters = len(prompt or "")
    if n_characters > MAX_PROMPT_CHARACTERS:
        message = f"prompt: expected at most {MAX_PROMPT_CHARACTERS} characters"
        raise InvalidEvent(413, "prompt_too_long", f"{message}, found {n_characters}")
    empty = EmptyTexts("zero", keep=True)
    with refused():
        vectors = model.encode(texts, prompt=prompt, on_empty=empty, **options)
    if encoding == "base64":
        little = vectors.astype(vectors.dtype.newbyteorder("<"), copy=False)
        embeddings: object = base64.b64encode(little.tobytes()).decode("ascii")
    elif vectors.dtype.kind == "f":
        embeddings = nine_digits(vectors).tolist()
    else:
        embeddings = vectors.tolist()
    return {
        "model": model.metadata.digest,
        "shape": list(vectors.shape),
        "dtype": vectors.dtype.name,
        "encoding": encoding,
        "embeddings": embeddings,
        "empty": empty.indices,
    }
