"""A teacher run by this package: tokenizer, transformer, and the modules of modules.json."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from ..errors import TeacherError
from .batches import chunks, run_batches
from .encoder import Encoder, load_encoder
from .layout import LIBRARY_PREFIX, Entry, read_object
from .modules import Module, PoolingModule, read_module
from .pooling import pool
from .settings import TeacherSettings
from .unsupported import UnsupportedModuleError

_WINDOW = 16_384  # texts tokenized and sorted together, which bounds memory
_UNPADDED = {"cpu"}  # other devices need large batches to be fast
_CHUNK_TEXTS, _CHUNK_CHARACTERS = 1_024, 4_000_000
_TOKEN_POOLING = {"mean": "mean", "first": "cls", "last": "lasttoken"}


class NativeBackend:
    """A Sentence Transformer whose modules run with torch and transformers only."""

    def __init__(self, encoder: Encoder, modules: Sequence[Module], device: torch.device) -> None:
        self._encoder = encoder
        self._modules = [module.eval().to(device) for module in modules]
        self._device = device
        self._padded = device.type not in _UNPADDED
        self._text_tokenizer = Tokenizer.from_str(encoder.tokenizer.to_str())
        if encoder.max_length is not None:
            self._text_tokenizer.enable_truncation(
                encoder.max_length, direction=encoder.truncation_side
            )
        # For a single text, only XLNet's tokenizer gives types other than 0, to special tokens.
        example = encoder.tokenizer.encode("a")
        self._types = {i: t for i, t in zip(example.ids, example.type_ids, strict=True) if t}
        self.tokenizer = encoder.tokenizer
        self.max_length = encoder.max_length
        self.truncation_side = encoder.truncation_side
        self.positions = encoder.positions
        self.vocabulary_size = int(self.input_embedding_matrix().shape[0])
        self.dim = self._probe()

    @classmethod
    def load(
        cls,
        folder: Path,
        entries: Sequence[Entry] | None,
        *,
        device: torch.device,
        dtype: str,
        trust_remote_code: bool,
    ) -> "NativeBackend":
        """Load the modules of modules.json, or without it the transformer and its usual pooling.

        Raises:
            UnsupportedModuleError: A module is unknown.
        """
        if entries is None:
            modules: list[Module] = [PoolingModule((_default_mode(folder),))]
        else:
            first, *rest = entries
            if not first.type.startswith(LIBRARY_PREFIX) or first.kind != "Transformer":
                raise UnsupportedModuleError(f"{first.folder}: unknown module {first.type!r}")
            folder = first.folder
            modules = [read_module(entry) for entry in rest]
            if not any(isinstance(module, PoolingModule) for module in modules):
                raise UnsupportedModuleError(f"{folder}: no Pooling module")
        encoder = load_encoder(
            folder,
            TeacherSettings.read(folder),
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
        )
        return cls(encoder, modules, device)

    def encode(
        self, texts: Sequence[str], prompt: str, budget: int, done: Callable[[int], object]
    ) -> NDArray[np.float32]:
        """Encode texts, each after the prompt; (N, dim)."""
        out = np.empty((len(texts), self.dim), np.float32)
        skip = self._prompt_length(prompt) if prompt else 0
        for start in range(0, len(texts), _WINDOW):
            window = slice(start, start + _WINDOW)
            ids = self._tokenize(texts[window], prompt)

            def forward(rows: NDArray[np.int64], ids: Sequence[NDArray[np.int64]] = ids) -> Tensor:
                return self._sentence([ids[row] for row in rows], skip)

            budget = run_batches(
                _lengths(ids), budget, forward, out[window], done, padded=self._padded
            )
        return out

    def encode_ids(
        self,
        sequences: Sequence[NDArray[np.int64]],
        pooling: str,
        budget: int,
        done: Callable[[int], object],
    ) -> NDArray[np.float32]:
        """Encode complete id sequences; (N, dim) for pooling "teacher", else (N, hidden)."""
        if pooling == "pooler" and not self._encoder.pooler:
            raise TeacherError("pooling 'pooler': the teacher has no trained pooler")

        def forward(rows: NDArray[np.int64]) -> Tensor:
            batch = [sequences[row] for row in rows]
            if pooling == "teacher":
                return self._sentence(batch, 0)
            tokens, pooler, lengths = self._tokens(batch)
            if pooling == "pooler" and pooler is not None:
                return pooler
            with torch.inference_mode():
                return pool(tokens, lengths, [_TOKEN_POOLING[pooling]])

        width = self.dim
        if pooling != "teacher":
            width = int(self._tokens([np.array([self._encoder.pad_id])])[0].shape[2])
        out = np.empty((len(sequences), width), np.float32)
        run_batches(_lengths(sequences), budget, forward, out, done, padded=self._padded)
        return out

    def input_embedding_matrix(self) -> Tensor:
        """Return the transformer's input embeddings, (V, H)."""
        weight: Tensor = self._encoder.model.get_input_embeddings().weight
        return weight

    def _probe(self) -> int:
        """Run all modules once to check their settings and shapes; return the dimension."""
        try:
            # Two tokens: attention does not look at some settings for a single one.
            return int(self._sentence([np.full(2, self._encoder.pad_id)], 0).shape[1])
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise TeacherError(f"the teacher cannot run: {' '.join(str(error).split())}") from error

    def _tokenize(self, texts: Sequence[str], prompt: str) -> list[NDArray[np.int64]]:
        ids: list[NDArray[np.int64]] = []
        try:
            for chunk in chunks(texts, _CHUNK_TEXTS, _CHUNK_CHARACTERS):
                encodings = self._text_tokenizer.encode_batch_fast([prompt + t for t in chunk])
                ids += [np.array(encoding.ids, np.int64) for encoding in encodings]
        except TypeError as error:
            raise TeacherError(_first_bad_text(texts)) from error
        return ids

    def _prompt_length(self, prompt: str) -> int:
        """Count the prompt's tokens at the start of a text, without a closing special token."""
        ids = self._text_tokenizer.encode(prompt).ids
        return len(ids) - (bool(ids) and ids[-1] in self._encoder.special_ids)

    @torch.inference_mode()
    def _sentence(self, batch: Sequence[NDArray[np.int64]], skip: int) -> Tensor:
        tokens, _, lengths = self._tokens(batch)
        features = {"token_embeddings": tokens}
        for module in self._modules:
            module(features, lengths, skip)
        return features["sentence_embedding"]

    @torch.inference_mode()
    def _tokens(self, batch: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor | None, Tensor]:
        """Run a batch; return token vectors (B, T, H), pooler output, lengths (B,)."""
        lengths = _lengths(batch)
        width = max(1, int(lengths.max()))
        ids = np.full((len(batch), width), self._encoder.pad_id, np.int64)
        for row, values in zip(ids, batch, strict=True):
            row[: len(values)] = values
        # Attention needs at least one unmasked position in each row.
        mask = (np.arange(width) < np.maximum(lengths, 1)[:, None]).astype(np.int64)
        types = np.zeros_like(ids)
        for special, kind in self._types.items():
            types[ids == special] = kind
        tokens, pooler = self._encoder(
            *(torch.from_numpy(array).to(self._device) for array in (ids, mask, types))
        )
        return tokens, pooler, torch.from_numpy(lengths).to(self._device)


def _lengths(sequences: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.array([len(ids) for ids in sequences], np.int64)


def _default_mode(folder: Path) -> str:
    """Return mean pooling, or last-token pooling for a model trained to predict the next token."""
    config = read_object(folder / "config.json")
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else ""
    causal = str(first).endswith("ForCausalLM") and config.get("is_causal", True)
    return "lasttoken" if causal else "mean"


def _first_bad_text(texts: Sequence[str]) -> str:
    items: Sequence[object] = texts
    for text in items:
        if not isinstance(text, str):
            return f"expected texts, found {type(text).__name__}: {text!r:.60}"
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return f"text {text!r:.60} cannot be encoded as UTF-8: {error.reason}"
    return "expected texts"
