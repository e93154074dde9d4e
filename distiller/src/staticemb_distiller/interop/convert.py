"""Conversion of model folders of other libraries to a static embedding file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime import StaticModel
from staticemb_runtime.encoding import check_dim
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.loading import Rules, read_folder

from ..arguments import check_path
from ..corpus.input_files import model_files
from ..errors import ConvertError, OutputError
from ..file.head import Head, head_parts
from ..file.pieces import with_pieces
from ..file.writer import Settings, write
from ..output_file import atomic_file, check_output, reported
from ..table.parts import Parts
from ..teacher.model_card import language_tags, license_and_languages, read_head
from .comparison import CLOSE, largest_difference, mean_cosine, sample_texts, vectors
from .reduction import cut_rows, lost_rows, round_rows, used_tokens

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts

    from .reduction import TableDtype

# The least mean cosine of vectors before and after rounding.
_LEAST_COSINE = {"float32": 1 - 1e-9, "float16": 1 - 1e-5, "int8": 0.98}


@dataclass(frozen=True)
class Converted:
    """The result of a conversion.

    Attributes:
        path: the file that was written.
        difference: the largest difference between an element of the file's vectors and of the
            source's, relative to the vectors' largest element.
        cosine: the mean cosine of the file's vectors with the source's, if numbers were rounded.
        notes: differences in behavior between source and file.
    """

    path: Path
    difference: float
    notes: tuple[str, ...]
    cosine: float | None = None


def convert_folder(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    rules: Rules | None = None,
    dim: int | None = None,
    dtype: TableDtype | None = None,
    keep_used_in: Sequence[str] = (),
    keep_min_count: int = 1,
) -> Converted:
    """Write a folder of model2vec or sentence-transformers as a static embedding file.

    Args:
        source: the folder.
        path: the file to write.
        rules: the library whose rules apply; None: the library that wrote the folder.
        dim: the number of columns to keep; None: the default dimension of the source's vectors.
        dtype: the number format of the table; None: the source's own, or float32 for float64 and
            bfloat16.
        keep_used_in: text files; the file keeps the tokens that they use. A text of such tokens has
            the source's vector. Empty: all tokens.
        keep_min_count: the least number of times that a kept token occurs there.

    Raises:
        StaticEmbError: the folder cannot be opened; the subclass names the reason.
        ConvertError: the file format cannot express a setting of the folder, or the vectors of
            file and source differ, by more than rounding with `dtype`.
        TextSourceError: a text file cannot be read.
        VocabularyError: the texts use no token often enough.
        TableError: the table's range is too large for float16.
        OutputError: as in `check_output` and `write`.
    """
    check_path("source", source)
    check_path("path", path)
    check_output(Path(path), [*model_files(source), *map(Path, keep_used_in)])
    file = read_folder(source, verify=True, rules=rules)
    limits = file.limits
    if limits is not None and limits.keep_end:
        raise ConvertError(
            f"{source}: expected a tokenizer that keeps the start of a long text, found one that "
            "keeps its end: the file format cannot express this"
        )
    notes = []
    if limits is not None and limits.max_characters is not None:
        notes.append(
            f"model2vec looks at the first {limits.max_characters:,} characters and "
            f"{limits.max_tokens:,} tokens of a text, unknown ones among them; the file at its "
            f"first {limits.max_tokens:,} known tokens"
        )
    width = check_dim(file.default_dim if dim is None else dim, file.metadata.dim)
    parts = Parts(
        embeddings=np.ascontiguousarray(file.embeddings[:, :width]),
        tokenizer=plain_tokenizer(file.tokenizer),
        scale=None if file.scale is None else file.scale[:width],
        weights=file.weights,
        rows=file.rows,
    )
    unknown = file.metadata.unknown_token_id
    # If source and file truncate texts differently, both are compared by the file's rule.
    if keep_used_in:
        kept = used_tokens(parts.tokenizer, keep_used_in, keep_min_count)
        notes.append(f"kept {len(kept.ids):,} of {parts.n_token_ids:,} tokens")
        parts, texts = cut_rows(parts, kept), kept.texts
        unknown = None if unknown is None else int(np.flatnonzero(kept.ids == unknown)[0])
    else:
        texts = sample_texts(file.tokenizer)
    expected = vectors(file._replace(limits=None), texts, width)
    exact = parts.embeddings
    if dtype is not None:
        parts = round_rows(parts, dtype, normalize=file.metadata.normalize)
        if lost := lost_rows(exact, parts.embeddings):
            notes.append(f"{lost:,} rows are so small that {dtype} rounds them to zero")
    rounded = parts.embeddings.dtype.name if parts.embeddings is not exact else None
    tensors, keys, without = _heads(file, width, changed=bool(keep_used_in) or rounded is not None)
    notes += without
    parts = replace(parts, optional=tensors)
    prefixes = [prefix for prefix in file.metadata.prefixes if prefix <= width]
    settings = Settings(
        prefixes=prefixes,
        normalize=file.metadata.normalize,
        max_tokens=file.metadata.max_tokens,
        unknown_token_id=unknown,
        provenance={**_card(Path(source)), "creator": creator(), **_origin(file)},
        prompts=_prompts(file),
        optional=keys,
    )
    difference, cosine = write_compared(
        Path(path),
        parts,
        settings,
        lambda model: (expected, model.encode(texts, on_empty="zero")),
        rounded=rounded,
    )
    return Converted(Path(path), difference, tuple(notes), cosine if rounded else None)


def write_compared(
    path: Path,
    parts: Parts,
    settings: Settings,
    pair: Callable[[StaticModel], tuple[NDArray[Any], NDArray[Any]]],
    *,
    rounded: str | None = None,
) -> tuple[float, float]:
    """Write a file that appears only if its vectors match the expected ones.

    Args:
        path: the file.
        parts: its tensors.
        settings: its metadata.
        pair: returns the expected vectors, and the vectors of the model that was written.
        rounded: the number format that the table was rounded to; None: the vectors are equal.

    Returns:
        The largest difference, as `largest_difference` defines it, and the mean cosine.

    Raises:
        ConvertError: the vectors differ.
        OutputError: as in `write`.
    """
    with reported(path, ConvertError), atomic_file(path) as temporary:
        write(temporary, with_pieces(parts), settings)
        expected, actual = pair(StaticModel.load(temporary, verify=True))
        difference, cosine = largest_difference(expected, actual), mean_cosine(expected, actual)
        if rounded is None and not difference <= CLOSE:
            raise ConvertError(
                f"{path}: expected the vectors of the source, found differences of up to "
                f"{difference:.1e} of their size; nothing was written"
            )
        if rounded is not None and not cosine >= _LEAST_COSINE[rounded]:
            raise ConvertError(
                f"{path}: expected a mean cosine of at least {_LEAST_COSINE[rounded]} with the "
                f"vectors of the source, found {cosine:.6f}; nothing was written: use another dtype"
            )
    return difference, cosine


def _heads(
    file: ModelParts, width: int, *, changed: bool
) -> tuple[dict[str, NDArray[Any]], dict[str, str], list[str]]:
    """Return the heads of a folder as tensors and metadata, and notes on those left out.

    A head was fitted to the source's vectors: a file with changed vectors has none.
    """
    model = StaticModel.from_parts(file)
    if changed:
        return {}, {}, ["the file has no head: its vectors are others"] if model.heads else []
    tensors: dict[str, NDArray[Any]] = {}
    keys: dict[str, str] = {}
    notes = []
    for name in model.heads:
        try:
            head = model.head(name)
            hidden = None if head.hidden is None else (head.hidden.weights, head.hidden.bias)
            written = Head(
                name=name,
                kind=head.kind,
                labels=head.labels,
                weights=head.output.weights,
                bias=head.output.bias,
                hidden=hidden,
                normalize=head.normalize,
                dimension=head.dimension,
            )
            more, key = head_parts(written, width)
        except (StaticEmbError, OutputError) as error:
            notes.append(f"the file has no head: {error}")
            continue
        tensors |= more
        keys |= key
    return tensors, keys, notes


def plain_tokenizer(definition: bytes) -> bytes:
    """Remove truncation, padding and the post-processor from a tokenizer's definition."""
    members = json.loads(definition)
    members |= {"truncation": None, "padding": None, "post_processor": None}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def creator() -> str:
    """Return this package's name and version, as a file's metadata hold them."""
    from ..version import __version__

    return f"staticemb-distiller {__version__}"


def _origin(file: ModelParts) -> dict[str, str]:
    name = Path(file.path).resolve().name
    return {"description": f"Converted from {name}, a {file.metadata.extra['rules']} model"}


def _prompts(file: ModelParts) -> dict[str, str]:
    """Return the prompts without the two empty defaults of sentence-transformers folders."""
    prompts = file.metadata.prompts
    defaults = ("query", "document")
    return {name: text for name, text in prompts.items() if text or name not in defaults}


def _card(folder: Path) -> dict[str, str]:
    """Read the teacher, the license and the languages from a model card's front matter."""
    base = read_head(folder).get("base_model")
    teacher = base[0] if isinstance(base, list) and base else base
    license_, languages = license_and_languages(folder)
    facts = {
        "teacher": teacher if isinstance(teacher, str) else "",
        "license": license_,
        "languages": language_tags(languages),
    }
    return {key: value for key, value in facts.items() if value}
