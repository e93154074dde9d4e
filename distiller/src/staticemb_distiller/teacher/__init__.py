"""Any Sentence Transformer as a teacher: texts or token ids in, vectors out.

The arithmetic is that of sentence-transformers, which need not be installed; a teacher with a
part not known here is handed to it where it is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from ..errors import TeacherError, UnsupportedModuleError
from .encoder import pick_device
from .layout import read_entries, read_prompts
from .native import NativeBackend
from .peer import PeerBackend
from .source import TeacherSource, find
from .token_vectors import TokenPooling

__all__ = ["Teacher"]

# Measured on a CPU: larger batches leave its caches.
_BATCH_TOKENS = {"cpu": 2_048}
_BATCH_TOKENS_GPU = 65_536


class _Backend(Protocol):
    dim: int
    max_length: int | None
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
        name: Hub id, or the local folder's own name.
        revision: Commit hash on the Hub; for a local folder `sha256:` and its content's digest.
        license: What the model card states, or "".
        languages: What the model card states, comma-separated, or "".
        dim: Length of a vector.
        max_length: Most tokens of a text that count, special ones included; None: all.
        prompts: The teacher's own prompts by name.
        default_prompt: The prompt before every text unless another is given; mostly "".
        device: Where it runs.

    Example:
        >>> teacher = Teacher.load("sentence-transformers/all-MiniLM-L6-v2")  # doctest: +SKIP
        >>> teacher.encode(["A text.", "Another one."]).shape  # doctest: +SKIP
        (2, 384)
    """

    def __init__(self, source: TeacherSource, backend: _Backend, device: torch.device) -> None:
        self.name = source.name
        self.revision = source.revision
        self.license = source.license
        self.languages = source.languages
        self.dim = backend.dim
        self.max_length = backend.max_length
        self.device = device
        self.prompts, self.default_prompt = read_prompts(source.folder)
        self._backend = backend

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

        modules.json is honored where there is one; a plain transformers checkpoint gets mean
        pooling (last-token pooling if it was trained to predict the next token) over the bare
        text, without a chat template.

        Args:
            name_or_path: A folder, or a Hub id.
            revision: A Hub branch, tag or commit; for a local folder the digest it must have.
            device: "auto" (CUDA, else MPS, else CPU) or a torch device.
            dtype: "float32", "bfloat16", "float16" or "auto": float32 on the CPU, elsewhere what
                the checkpoint has. On CPUs with matrix units bfloat16 is about twice as fast.
            trust_remote_code: Whether Python code that comes with the teacher may run.

        Raises:
            TeacherError: One of its sub-classes, for each thing that can be wrong.
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
            backend = PeerBackend.load(
                source.folder,
                reason,
                device=chosen,
                dtype=dtype,
                trust_remote_code=trust_remote_code,
            )
        return cls(source, backend, chosen)

    @property
    def provenance(self) -> dict[str, str]:
        """What a file made from it says of it, under the format's names; nothing that is empty."""
        said = {
            "teacher": self.name,
            "teacher_revision": self.revision,
            "license": self.license,
            "languages": " ".join(self.languages.replace(",", " ").split()),
        }
        return {key: value for key, value in said.items() if value}

    @property
    def tokenizer(self) -> Tokenizer:
        """The fast tokenizer, special tokens added, neither truncating nor padding.

        Not the one `encode` uses: changing it does not change the teacher.
        """
        return self._backend.tokenizer

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        batch_tokens: int | None = None,
        show_progress_bar: bool = False,
        advance: Callable[[int], object] | None = None,
    ) -> NDArray[np.float32]:
        """Encode texts with the teacher's whole module stack.

        Args:
            texts: N texts; the longer ones are cut to `max_length` tokens.
            prompt: Text to put before each; None: the teacher's default, "": nothing.
            batch_tokens: Most tokens in a batch, padding included; None: what suits the device.
                Halved, not failed, when memory runs out. The vectors do not depend on it.
            show_progress_bar: Whether to show rate and time left on standard error.
            advance: Called after each batch with its number of texts.

        Returns:
            (N, dim) float32, in the order of the texts.

        Raises:
            TeacherError: An input is no text.
            TeacherError: The teacher overflows in its number type.
            TeacherError: Not even one text fits.
        """
        if isinstance(texts, str):
            raise TeacherError("expected a list of texts, found a single text")
        with _bar(len(texts), "Encoding", "texts", show_progress_bar, advance) as done:
            vectors = self._backend.encode(
                texts,
                self.default_prompt if prompt is None else prompt,
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
        """Encode token id sequences as they are: complete, special tokens included.

        Args:
            sequences: N non-empty id sequences.
            pooling: "teacher": the whole module stack. Otherwise of the last hidden state alone:
                its "mean", "first" or "last" token, or the transformer's "pooler" output.
            batch_tokens: As for `encode`.
            show_progress_bar: As for `encode`.
            advance: As for `encode`.

        Returns:
            (N, dim) float32 for "teacher", else (N, hidden size).

        Raises:
            TeacherError: An empty sequence, one too long, or an id outside the vocabulary.
            TeacherError: There is no trained pooler.
            UnsupportedModuleError: It runs in sentence-transformers: texts only.
        """
        if pooling not in get_args(TokenPooling):
            raise ValueError(f"pooling {pooling!r}: expected one of {get_args(TokenPooling)}")
        arrays = [np.asarray(sequence, np.int64) for sequence in sequences]
        self._check_ids(arrays)
        with _bar(len(arrays), "Encoding tokens", "sequences", show_progress_bar, advance) as done:
            vectors = self._backend.encode_ids(arrays, pooling, self._budget(batch_tokens), done)
        return _finite(vectors)

    def input_embeddings(self) -> NDArray[np.float32]:
        """The transformer's input embedding of every token id; (V, H) float32."""
        matrix = self._backend.input_embedding_matrix().detach().float().cpu().numpy()
        return np.array(matrix, np.float32)

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
                    f"sequence {number} has {len(ids)} tokens; the teacher takes {positions}"
                )
            if ids.min() < 0 or ids.max() >= size:
                raise TeacherError(
                    f"sequence {number} has ids from {ids.min()} to {ids.max()}; "
                    f"expected 0 to {size - 1}"
                )


@contextmanager
def _bar(
    total: int, what: str, unit: str, show: bool, advance: Callable[[int], object] | None
) -> Iterator[Callable[[int], object]]:
    with tqdm(total=total, desc=what, unit=f" {unit}", disable=not show) as bar:

        def done(count: int) -> None:
            bar.update(count)
            if advance is not None:
                advance(count)

        yield done


def _finite(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    bad = int((~np.isfinite(vectors).all(axis=1)).sum())
    if bad:
        raise TeacherError(
            f"{bad} of {len(vectors)} vectors have infinities or NaN in them; "
            "a teacher loaded with dtype float32 does not overflow"
        )
    return vectors
