"""The teacher's vectors of single tokens: from forward passes, or from its input embeddings.

Tokens are encoded in blocks, sorted by length to reduce padding. With a checkpoint folder, each
finished block is saved, and an interrupted run continues after its last block.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from ..errors import CacheError, TeacherError
from ..output_file import atomic_file
from .cache import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

TokenPooling = Literal["teacher", "mean", "first", "last", "pooler"]

BLOCK_TOKENS = 2048


class TokenEncoder(Protocol):
    """The methods of a teacher that this module calls."""

    def encode_ids(
        self, sequences: Sequence[Sequence[int]], *, pooling: TokenPooling
    ) -> NDArray[np.float32]:
        """Return the vectors (N, H) of complete id sequences."""
        ...

    def input_embeddings(self) -> NDArray[np.float32]:
        """Return the input embedding matrix (V, H)."""
        ...


def special_ids(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the ids that the tokenizer adds before and after a text, [CLS] and [SEP] for BERT.

    Args:
        tokenizer: The tokenizer with its post-processor.

    Returns:
        The ids before a text, and the ids after it.

    Raises:
        TeacherError: The tokenizer gives no token for any of several short texts.
    """
    for probe in ("a", "1", ".", "的"):
        bare = tokenizer.encode(probe, add_special_tokens=False)
        framed = tokenizer.post_process(bare)
        inside = [i for i, sequence in enumerate(framed.sequence_ids) if sequence is not None]
        if inside:
            return list(framed.ids[: inside[0]]), list(framed.ids[inside[-1] + 1 :])
    msg = "tokenizer: gives no token for any of a, 1, '.' and 的"
    raise TeacherError(msg)


def output_vectors(
    teacher: TokenEncoder,
    token_ids: Sequence[Sequence[int]],
    *,
    before: Sequence[int] = (),
    after: Sequence[int] = (),
    pooling: TokenPooling = "teacher",
    checkpoint: Checkpoint | None = None,
    advance: Callable[[int], object] = lambda done: None,
) -> NDArray[np.float32]:
    """Encode each token by itself with the teacher.

    Args:
        teacher: Encodes id sequences.
        token_ids: The teacher's ids for each token, V sequences without special tokens.
        before: The ids to add before each sequence.
        after: The ids to add after each sequence.
        pooling: As for `Teacher.encode_ids`.
        checkpoint: Stores finished blocks; None: no block is stored.
        advance: Called after each block with its number of tokens.

    Returns:
        (V, H) float32.

    Raises:
        TeacherError: The teacher does not return one finite vector for each token.
        CacheError: The checkpoint cannot be read or written.
    """
    order = np.argsort(np.array([len(ids) for ids in token_ids]), kind="stable")
    vectors: NDArray[np.float32] | None = None
    for number, start in enumerate(range(0, len(order), BLOCK_TOKENS)):
        members = order[start : start + BLOCK_TOKENS]
        block = checkpoint.load(number, len(members)) if checkpoint else None
        if block is None:
            sequences = [[*before, *token_ids[token], *after] for token in members]
            block = _checked_block(teacher.encode_ids(sequences, pooling=pooling), members)
            if checkpoint:
                checkpoint.save(number, block)
        if vectors is None:
            vectors = np.empty((len(order), block.shape[1]), dtype=np.float32)
        vectors[members] = block
        advance(len(members))
    if vectors is None:
        msg = "token vectors: the vocabulary is empty"
        raise TeacherError(msg)
    return vectors


def input_vectors(teacher: TokenEncoder, token_ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Average the teacher's input embeddings of each token's pieces, without a forward pass.

    Args:
        teacher: Has the embeddings.
        token_ids: The teacher's ids for each token, V sequences that are not empty.

    Returns:
        (V, H) float32.

    Raises:
        TeacherError: An embedding is not finite.
    """
    embeddings = teacher.input_embeddings()
    vectors = np.empty((len(token_ids), embeddings.shape[1]), dtype=np.float32)
    for start in range(0, len(token_ids), BLOCK_TOKENS):
        block = token_ids[start : start + BLOCK_TOKENS]
        lengths = np.array([len(ids) for ids in block])
        pieces = embeddings[np.concatenate([np.asarray(ids, dtype=np.int64) for ids in block])]
        sums = np.add.reduceat(pieces, np.cumsum(lengths) - lengths, axis=0, dtype=np.float32)
        vectors[start : start + len(block)] = sums / lengths[:, None]
    return _checked_block(vectors, np.arange(len(vectors)))


class Checkpoint:
    """A folder of the finished blocks of one run: one teacher and one list of tokens.

    `TeacherCache` cannot replace it. The cache stores float16 unit vectors of texts for all runs,
    and a run encodes only the missing texts. The last bits of a vector can depend on the sequences
    that are encoded with it. So a resumed run gives the same bytes only if its blocks hold the same
    sequences as before.

    Args:
        folder: The folder; it is created if it is missing.
        identity: Everything that determines the vectors, as a value for JSON. A folder with another
            identity is refused.

    Raises:
        CacheError: The folder cannot be used, or belongs to another run.
    """

    def __init__(self, folder: Path, identity: object) -> None:
        self.folder = folder
        self._key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        record = folder / "run.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not record.exists():
                if any(entry.name != TEXTS for entry in folder.iterdir()):
                    msg = f"{folder}: expected an empty folder or a checkpoint, found other files"
                    raise CacheError(msg)
                with atomic_file(record) as temporary:
                    temporary.write_text(json.dumps({"run": self._key}), encoding="utf-8")
            recorded = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            msg = f"{folder}: cannot be used as a checkpoint folder: {error}"
            raise CacheError(msg) from error
        if recorded != {"run": self._key}:
            msg = f"{folder}: the checkpoint is of another teacher or recipe; name another folder"
            raise CacheError(msg)

    def load(self, number: int, rows: int) -> NDArray[np.float32] | None:
        """Return a stored block of this number of rows; None if it is missing or damaged."""
        try:
            block = np.load(self._path(number), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        whole = isinstance(block, np.ndarray) and block.dtype == np.float32 and block.ndim == 2
        return block if whole and len(block) == rows else None

    def save(self, number: int, block: NDArray[np.float32]) -> None:
        """Store a block atomically.

        Raises:
            CacheError: The block cannot be written.
        """
        try:
            with atomic_file(self._path(number)) as temporary, temporary.open("wb") as file:
                np.save(file, block, allow_pickle=False)
        except OSError as error:
            msg = f"{self.folder}: cannot write the checkpoint: {error}"
            raise CacheError(msg) from error

    def clear(self) -> None:
        """Remove the blocks, and the folder if it is then empty."""
        for path in [
            *self.folder.glob("block-*.npy"),
            *self.folder.glob(".*.tmp"),  # left by a killed run
            self.folder / "run.json",
        ]:
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"block-{number:05d}.npy"


def _checked_block(
    block: NDArray[np.float32], members: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    if block.ndim != 2 or len(block) != len(members):
        msg = f"token vectors: expected {len(members)} vectors, found shape {block.shape}"
        raise TeacherError(msg)
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        msg = (
            f"token vectors: the teacher's vector of token {int(members[~finite][0])} "
            "is not finite; try the teacher in float32"
        )
        raise TeacherError(msg)
    return block.astype(np.float32, copy=False)
