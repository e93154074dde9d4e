"""Conversion of a model of another library into a static embedding file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from staticemb_runtime.loading import locate

from ..arguments import check_path
from ..errors import ConvertError
from ..path_checks import exists, is_file, is_folder
from .convert import convert_folder
from .word_vectors import convert_word_vectors

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from staticemb_runtime.loading import Rules

    from .convert import Converted
    from .reduction import TableDtype
    from .word_vectors import Tokens


def convert(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    rules: Rules | None = None,
    dim: int | None = None,
    tokens: Tokens = "words",
    lowercase: bool | None = None,
    limit: int | None = None,
    normalize: bool = True,
    dtype: TableDtype | None = None,
    keep_used_in: Sequence[str] = (),
    keep_min_count: int = 1,
) -> Converted:
    """Write a model of another library as a static embedding file, and compare the vectors.

    Args:
        source: a folder of model2vec or of sentence-transformers (StaticEmbedding), or a file of
            word vectors as text: GloVe, word2vec, fastText's `.vec`.
        output: the file to write.
        rules: for a folder; as in `convert_folder`.
        dim: for a folder; as in `convert_folder`.
        tokens: for word vectors; as in `convert_word_vectors`.
        lowercase: for word vectors; as in `convert_word_vectors`.
        limit: for word vectors; as in `convert_word_vectors`.
        normalize: for word vectors; as in `convert_word_vectors`.
        dtype: the number format of the table. None: for a folder its own, for word vectors
            float32. Word vectors are written as float32 or float16.
        keep_used_in: for a folder; as in `convert_folder`.
        keep_min_count: for a folder; as in `convert_folder`.

    Raises:
        ModelNotFoundError: the file or folder does not exist.
        ConvertError: the source cannot be read or is a static embedding file already, or the
            vectors of file and source differ.
        TextSourceError, VocabularyError, TableError: as in `convert_folder`.
        OutputError: the file cannot be written.

    Example:
        >>> convert("glove.6B.100d.txt", "glove.staticemb").path  # doctest: +SKIP
        PosixPath('glove.staticemb')
    """
    check_path("source", source)
    if not exists(source):
        file = locate(source)  # raises an error that lists the places searched
        if file != str(source):
            raise ConvertError(f"{source}: {file} is a static embedding file already")
    if is_folder(source):
        return convert_folder(
            source,
            output,
            rules=rules,
            dim=dim,
            dtype=dtype,
            keep_used_in=keep_used_in,
            keep_min_count=keep_min_count,
        )
    if _is_safetensors(Path(source)):
        raise ConvertError(
            f"{source}: expected a folder or a text file of word vectors, found a safetensors "
            "file: a static embedding file already, or a part of a folder"
        )
    if keep_used_in:
        raise ConvertError(f"{source}: expected a folder with keep_used_in=, found word vectors")
    if dtype == "int8":
        raise ConvertError("dtype: expected float32 or float16 for word vectors, found int8")
    return convert_word_vectors(
        source,
        output,
        tokens=tokens,
        lowercase=lowercase,
        limit=limit,
        normalize=normalize,
        dtype=dtype or "float32",
    )


def _is_safetensors(path: Path) -> bool:
    """Tell whether a file begins with the length of a header that fits into it, and a header."""
    if not is_file(path):  # a FIFO is not read twice
        return False
    with suppress(OSError), path.open("rb") as file:
        start = file.read(9)
        return start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size
    return False
