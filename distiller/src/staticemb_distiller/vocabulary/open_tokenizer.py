"""The tokenizer of a recipe, for teachers that give none: from a file, the Hub, or trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from tokenizers import Tokenizer

from ..errors import VocabularyError
from ..path_checks import is_file, is_folder
from .trained import TrainedKind, trained_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FILE = "tokenizer.json"
TRAIN = "train:"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_FORM = f"a {FILE}, a folder with one, a Hub id, or train:wordpiece or train:unigram"


def open_tokenizer(spec: str, texts: Callable[[], Iterable[str]]) -> Tokenizer:
    """Open or train a tokenizer.

    Args:
        spec: A `tokenizer.json`; a folder with one; an id on the Hub; or `train:wordpiece` or
            `train:unigram`, optionally with `:SIZE`.
        texts: Called for the texts to train on.

    Raises:
        VocabularyError: There is no such tokenizer, or it cannot be read or trained.

    Example:
        >>> made = open_tokenizer("train:wordpiece:100", lambda: ["a rose is a rose"])
        >>> made.encode("Rose").tokens
        ['rose']
    """
    if spec.startswith(TRAIN):
        kind, size = _training(spec)
        return Tokenizer.from_buffer(trained_tokenizer(texts(), kind, size))
    path = tokenizer_file(spec)
    if path is None:
        if not _HUB_ID.fullmatch(spec):
            raise VocabularyError(f"{spec}: expected {_FORM}, found neither a file nor a folder")
        path = _from_hub(spec)
    try:
        return Tokenizer.from_buffer(path.read_bytes())
    except Exception as error:  # The package raises plain exceptions.
        raise VocabularyError(f"{path}: expected a {FILE}, found: {error}") from error


def tokenizer_file(spec: str) -> Path | None:
    """Return the local file of a tokenizer; None if it is on the Hub, or is to be trained.

    Raises:
        VocabularyError: A folder has no such file.
    """
    if spec.startswith(TRAIN):
        return None
    path = Path(spec)
    if is_folder(path):
        path = path / FILE
        if not is_file(path):
            raise VocabularyError(f"{spec}: expected a folder with a {FILE}, found none in it")
    return path if is_file(path) else None


def _training(spec: str) -> tuple[TrainedKind, int | None]:
    kind, _, size = spec.removeprefix(TRAIN).partition(":")
    if kind not in get_args(TrainedKind) or not ((size.isascii() and size.isdigit()) or not size):
        raise VocabularyError(
            f"{spec}: expected train:wordpiece or train:unigram, optionally with :SIZE"
        )
    return cast("TrainedKind", kind), int(size) if size else None


def _from_hub(name: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, FILE))
    except Exception as error:  # of several libraries
        reason = str(error).partition("\n")[0]
        raise VocabularyError(f"{name}: no such file or folder; on the Hub: {reason}") from error
