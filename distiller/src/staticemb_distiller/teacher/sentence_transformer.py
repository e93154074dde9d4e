"""A Sentence Transformer that encodes texts or token ids.

The vectors equal those of sentence-transformers, which need not be installed. A teacher with an
unsupported module is run by sentence-transformers if it is installed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from ..errors import TeacherError
from .encoder import pick_device
from .layout import read_entries, read_prompts
from .model_card import language_tags
from .native import NativeBackend
from .sentence_transformers_backend import SentenceTransformersBackend
from .source import TeacherSource, find
from .text_encoder import TextKind
from .token_vectors import TokenPooling
from .unsupported import UnsupportedModuleError

# Measured on a CPU: larger batches do not fit into its caches.
_BATCH_TOKENS = {"cpu": 2_048}
_BATCH_TOKENS_GPU = 65_536
# The names of prompts by kind, as in sentence-transformers' `encode_query` and `encode_document`.
_PROMPT_NAMES = {"query": ("query",), "document": ("document", "passage", "corpus")}


class _Backend(Protocol):
    dim: int
    max_length: int | None
    truncation_side: Literal["left", "right"]
    positions: int | None

    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def vocabulary_size(self) -> int: ...
    def encode(
        self, texts: Sequence[str], prompt: str, budget: int, done: Callable[[int], object]
    ) -> NDArray[np.float32]: ...
    def encode_ids(
        self,
        sequences: Sequence[NDArray[np.int64]],
        pooling: str,
        budget: int,
        done: Callable[[int], object],
    ) -> NDArray[np.float32]: ...
    def input_embedding_matrix(self) -> Tensor: ...


class Teacher:
    """A Sentence Transformer on one device.

    Attributes:
        name: The Hub id, or the local folder's name.
        revision: The commit hash on the Hub; for a local folder `sha256:` and its content's digest.
        license: The license in the model card, or "".
        languages: The languages in the model card, comma-separated, or "".
        dim: The dimension of the vectors.
        max_length: The most tokens of a text that are read, special tokens included; None: all.
        truncation_side: The end at which a longer text is cut.
        prompts: The teacher's own prompts by name.
        default_prompt: The prompt before every text if no prompt is given; usually "".
        device: The device of the teacher.

    Example:
        >>> teacher = Teacher.load("sentence-transformers/all-MiniLM-L6-v2")  # doctest: +SKIP
        >>> teacher.encode(["A text.", "Another one."]).shape  # doctest: +SKIP
        (2, 384)
    """

    def __init__(
        self,
        source: TeacherSource,
        backend: _Backend,
        device: torch.device,
        *,
        dtype: str = "auto",
    ) -> None:
        self.name = source.name
        self.revision = source.revision
        self.license = source.license
        self.languages = source.languages
        self.dim = backend.dim
        self.max_length = backend.max_length
        self.truncation_side = backend.truncation_side
        self.device = device
        self.prompts, self.default_prompt = read_prompts(source.folder)
        self._backend = backend
        self._dtype = "float32" if dtype == "auto" and device.type == "cpu" else dtype

    @classmethod
    def load(
        cls,
        name_or_path: str,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        trust_remote_code: bool = False,
    ) -> "Teacher":
        """Load a teacher from a local folder or the Hugging Face Hub.

        If there is a modules.json, its modules are used. A plain transformers checkpoint gets mean
        pooling, or last-token pooling if it was trained to predict the next token. It reads the
        text without a chat template.

        Args:
            name_or_path: A folder, or a Hub id.
            revision: A Hub branch, tag or commit; for a local folder the expected digest.
            device: "auto" (CUDA, else MPS, else CPU) or a torch device.
            dtype: "float32", "bfloat16", "float16" or "auto": float32 on the CPU, elsewhere the
                checkpoint's type. On CPUs with matrix units bfloat16 is about twice as fast.
            trust_remote_code: Whether the teacher's own Python code may run.

        Raises:
            TeacherError: The teacher cannot be loaded; each cause has a subclass.
        """
        chosen = pick_device(device)
        source = find(name_or_path, revision)
        entries = read_entries(source.folder, trust_remote_code=trust_remote_code)
        backend: _Backend
        try:
            backend = NativeBackend.load(
                source.folder,
                entries,
                device=chosen,
                dtype=dtype,
                trust_remote_code=trust_remote_code,
            )
        except UnsupportedModuleError as reason:
            backend = SentenceTransformersBackend.load(
                source.folder,
                reason,
                device=chosen,
                dtype=dtype,
                trust_remote_code=trust_remote_code,
            )
        return cls(source, backend, chosen, dtype=dtype)

    @property
    def provenance(self) -> dict[str, str]:
        """The file's metadata about the teacher, by the format's keys, without empty values."""
        facts = {
            "teacher": self.name,
            "teacher_revision": self.revision,
            "license": self.license,
            "languages": language_tags(self.languages),
        }
        return {key: value for key, value in facts.items() if value}

    @property
    def tokenizer(self) -> Tokenizer:
        """The fast tokenizer: it adds special tokens, and does not truncate or pad.

        It is not the tokenizer of `encode`, so changing it does not change the teacher.
        """
        return self._backend.tokenizer

    def about(self, kind: TextKind | None = None) -> dict[str, str]:
        """Return everything except the text that determines the vectors, for `TeacherCache`.

        Args:
            kind: As for `encode`.
        """
        return {
            "teacher": self.name,
            "revision": self.revision,
            "device": self.device.type,
            "dtype": self._dtype,
            "prompt": self._prompt(kind),
        }

    def encode(
        self,
        texts: Sequence[str],
        *,
        kind: TextKind | None = None,
        prompt: str | None = None,
        batch_tokens: int | None = None,
        show_progress_bar: bool = False,
        advance: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Encode texts with the teacher's whole module stack.

        Args:
            texts: N texts; longer texts are cut to `max_length` tokens.
            kind: "query" or "document": the teacher's own prompt for this kind is before each text,
                if it has one; None: its default prompt.
            prompt: The text before each text, in place of the teacher's own; None: by `kind`.
            batch_tokens: The most tokens in a batch, padding included; None: a value for the
                device. If memory runs out, it is halved. The vectors do not depend on it.
            show_progress_bar: Whether to show the rate and remaining time on standard error.
            advance: Called after each batch with its number of texts.

        Returns:
            (N, dim) float32, in the order of the texts.

        Raises:
            TeacherError: An input is not a text, a single text does not fit into memory, or a
                vector overflows in the teacher's number type.
        """
        if isinstance(texts, str):
            raise TeacherError("texts: expected a list of texts, found a single text")
        with _bar(len(texts), "Encoding", "texts", show_progress_bar, advance) as done:
            vectors = self._backend.encode(
                texts,
                self._prompt(kind) if prompt is None else prompt,
                self._budget(batch_tokens),
                done,
            )
        return _finite(vectors)

    def encode_ids(
        self,
        sequences: Sequence[Sequence[int]],
        *,
        pooling: TokenPooling = "teacher",
        batch_tokens: int | None = None,
        show_progress_bar: bool = False,
        advance: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Encode token id sequences unchanged; they must include special tokens.

        Args:
            sequences: N non-empty id sequences.
            pooling: "teacher": the whole module stack; "mean", "first" or "last": a pooling of the
                last hidden state; "pooler": the transformer's pooler output.
            batch_tokens: As for `encode`.
            show_progress_bar: As for `encode`.
            advance: As for `encode`.

        Returns:
            (N, dim) float32 for "teacher", else (N, hidden size).

        Raises:
            TeacherError: A sequence is empty or too long, an id is not in the vocabulary, there is
                no trained pooler, or a vector overflows.
            TeacherError: sentence-transformers runs this teacher, which takes only texts.
        """
        if pooling not in get_args(TokenPooling):
            raise ValueError(f"pooling {pooling!r}: expected one of {get_args(TokenPooling)}")
        arrays = [np.asarray(sequence, np.int64) for sequence in sequences]
        self._check_ids(arrays)
        with _bar(len(arrays), "Encoding tokens", "sequences", show_progress_bar, advance) as done:
            vectors = self._backend.encode_ids(arrays, pooling, self._budget(batch_tokens), done)
        return _finite(vectors)

    def input_embeddings(self) -> NDArray[np.float32]:
        """Return the transformer's input embedding of every token id, (V, H) float32."""
        matrix = self._backend.input_embedding_matrix().detach().float().cpu().numpy()
        return np.array(matrix, np.float32)

    def _prompt(self, kind: TextKind | None) -> str:
        names = () if kind is None else _PROMPT_NAMES[kind]
        return next(
            (self.prompts[name] for name in names if name in self.prompts), self.default_prompt
        )

    def _budget(self, batch_tokens: int | None) -> int:
        if batch_tokens is None:
            return _BATCH_TOKENS.get(self.device.type, _BATCH_TOKENS_GPU)
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens: expected at least 1, found {batch_tokens}")
        return batch_tokens

    def _check_ids(self, sequences: Sequence[NDArray[np.int64]]) -> None:
        size, positions = self._backend.vocabulary_size, self._backend.positions
        for number, ids in enumerate(sequences):
            if ids.ndim != 1 or not len(ids):
                raise TeacherError(f"sequence {number}: expected ids, found shape {ids.shape}")
            if positions is not None and len(ids) > positions:
                raise TeacherError(
                    f"sequence {number}: expected at most {positions} tokens, found {len(ids)}"
                )
            if ids.min() < 0 or ids.max() >= size:
                raise TeacherError(
                    f"sequence {number}: expected ids from 0 to {size - 1}, found ids from "
                    f"{ids.min()} to {ids.max()}"
                )


@contextmanager
def _bar(
    total: int, label: str, unit: str, show: bool, advance: Callable[[int], object] | None
) -> Iterator[Callable[[int], object]]:
    with tqdm(total=total, desc=label, unit=f" {unit}", disable=not show) as bar:

        def done(count: int) -> None:
            bar.update(count)
            if advance is not None:
                advance(count)

        yield done


def _finite(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    bad = int((~np.isfinite(vectors).all(axis=1)).sum())
    if bad:
        raise TeacherError(
            f"{bad} of {len(vectors)} vectors have infinities or NaN; "
            "load the teacher with dtype float32, which does not overflow"
        )
    return vectors
