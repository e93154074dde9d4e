"""A teacher with unsupported modules, run by the sentence-transformers package."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from ..errors import TeacherError
from .batches import run_batches
from .encoder import DTYPE_ARGUMENT, quiet
from .layout import read_entries
from .modules import check_not_pickled


def open_sentence_transformer(
    folder: Path,
    *,
    device: str | None = None,
    dtype: str | None = None,
    trust_remote_code: bool = False,
) -> Any:  # noqa: ANN401 - an optional package's class
    """Open a folder with sentence-transformers, without pickled weights and network access.

    Args:
        folder: The model.
        device: The device to run on; None: the package decides.
        dtype: A number type as for `transformers`; None: the package decides.
        trust_remote_code: Whether Python code in the folder may run.

    Raises:
        TeacherError: modules.json is invalid, a module path leaves the folder, or weights are
            pickled.
        UntrustedCodeError: A class is not in sentence-transformers.
        ImportError: The package is not installed.
    """
    from sentence_transformers import SentenceTransformer

    read_entries(folder, trust_remote_code=trust_remote_code)
    check_not_pickled(folder)
    number_type = {} if dtype is None else {DTYPE_ARGUMENT: dtype}
    with quiet():
        return SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=trust_remote_code,
            local_files_only=True,
            # The folder's own settings cannot change these arguments.
            model_kwargs={"use_safetensors": True, **number_type},
        )


class SentenceTransformersBackend:
    """A teacher that `sentence_transformers.SentenceTransformer` runs."""

    def __init__(self, model: Any, reason: str) -> None:  # noqa: ANN401 - an optional package's class
        self._model = model
        self._reason = reason
        self.dim = int(model.encode(["a"], prompt="").shape[1])
        self.max_length: int | None = model.max_seq_length
        side = getattr(getattr(model, "tokenizer", None), "truncation_side", "right")
        self.truncation_side: Literal["left", "right"] = "left" if side == "left" else "right"
        self.positions: int | None = None

    @classmethod
    def load(
        cls,
        folder: Path,
        reason: TeacherError,
        *,
        device: torch.device,
        dtype: str,
        trust_remote_code: bool,
    ) -> "SentenceTransformersBackend":
        """Load the whole teacher.

        Args:
            folder: The teacher.
            reason: The reason why this package cannot run the teacher.
            device: The device to run on.
            dtype: As for `load_encoder`.
            trust_remote_code: Whether Python code in the folder may run.

        Raises:
            TeacherError: The package is not installed, or cannot load the teacher; or weights are
                pickled.
        """
        if find_spec("sentence_transformers") is None:
            raise TeacherError(
                f"{reason}: not supported by staticemb; the sentence-transformers package may "
                "support it: pip install sentence-transformers"
            ) from reason
        if dtype == "auto" and device.type == "cpu":
            dtype = "float32"
        try:
            model = open_sentence_transformer(
                folder, device=str(device), dtype=dtype, trust_remote_code=trust_remote_code
            )
            return cls(model, str(reason))
        except TeacherError:
            raise
        except Exception as error:
            raise TeacherError(
                f"{reason}: not supported by staticemb, and sentence-transformers cannot load it "
                "either: " + " ".join(str(error).split())
            ) from error

    @property
    def tokenizer(self) -> Tokenizer:
        """A copy of the teacher's fast tokenizer."""
        tokenizer = getattr(self._model, "tokenizer", None)
        tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not isinstance(tokenizer, Tokenizer):
            raise self._limited("has no fast tokenizer")
        copy: Tokenizer = Tokenizer.from_str(tokenizer.to_str())
        copy.no_truncation()
        copy.no_padding()
        return copy

    @property
    def vocabulary_size(self) -> int:
        """The number of token ids."""
        return int(self.input_embedding_matrix().shape[0])

    def encode(
        self, texts: Sequence[str], prompt: str, budget: int, done: Callable[[int], object]
    ) -> NDArray[np.float32]:
        """Encode texts, each after the prompt; (N, dim)."""
        out = np.empty((len(texts), self.dim), np.float32)
        # Lengths are estimated from characters, because only the package can count tokens.
        limit = 4 * (self.max_length or 512)
        lengths = np.array([min(limit, len(prompt) + len(t)) // 4 + 2 for t in texts], np.int64)

        def forward(rows: NDArray[np.int64]) -> Tensor:
            vectors: Tensor = self._model.encode(
                [texts[row] for row in rows],
                prompt=prompt,
                batch_size=len(rows),
                convert_to_tensor=True,
                show_progress_bar=False,
            )
            return vectors

        run_batches(lengths, budget, forward, out, done)
        return out

    def encode_ids(
        self,
        sequences: Sequence[NDArray[np.int64]],
        pooling: str,
        budget: int,
        done: Callable[[int], object],
    ) -> NDArray[np.float32]:
        """Raise an error: unsupported modules may need more than ids."""
        raise self._limited("cannot encode bare token ids")

    def input_embedding_matrix(self) -> Tensor:
        """Return the first module's input embeddings, (V, H)."""
        first = self._model[0]
        model = getattr(first, "auto_model", first)
        table = getattr(first, "embedding", None)
        if hasattr(model, "get_input_embeddings"):
            table = model.get_input_embeddings()
        if isinstance(table, torch.nn.Embedding | torch.nn.EmbeddingBag):
            return table.weight
        raise self._limited("has no input embeddings")

    def _limited(self, limitation: str) -> TeacherError:
        return TeacherError(
            f"{self._reason}: run by sentence-transformers, this teacher {limitation}"
        )
