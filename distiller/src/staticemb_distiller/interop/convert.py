"""Conversion of model folders of other libraries to a static embedding file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from staticemb_runtime import StaticModel
from staticemb_runtime.encoding import check_dim
from staticemb_runtime.errors import StaticEmbError
from staticemb_runtime.loading import Rules, read_folder

from ..arguments import check_path
from ..corpus.input_files import model_files
from ..errors import ConvertError, UnwritablePartsError
from ..file.head import Head, head_parts
from ..file.pieces import with_pieces
from ..file.writer import Settings, write
from ..output_file import atomic_file, check_output, reported
from ..table.parts import Parts
from ..teacher.model_card import read_head
from .comparison import CLOSE, largest_difference, sample_texts, vectors

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import NDArray

    from staticemb_runtime.format import ModelParts


@dataclass(frozen=True)
class Converted:
    """The result of a conversion.

    Attributes:
        path: the file that was written.
        difference: the largest difference between an element of the file's vectors and of the
            source's, relative to the vectors' largest element.
        notes: differences in behavior between source and file.
    """

    path: Path
    difference: float
    notes: tuple[str, ...]


def convert_folder(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    rules: Rules | None = None,
    dim: int | None = None,
) -> Converted:
    """Write a folder of model2vec or sentence-transformers as a static embedding file.

    Args:
        source: the folder.
        path: the file to write.
        rules: the library whose rules apply; None: the library that wrote the folder.
        dim: the number of columns to keep; None: the default dimension of the source's vectors.

    Raises:
        StaticEmbError: the folder cannot be opened; the subclass names the reason.
        ConvertError: the file format cannot express a setting of the folder, or the vectors of
            file and source differ.
        OutputError: as in `check_output` and `write`.
        UnwritablePartsError: as in `write`.
    """
    check_path("source", source)
    check_path("path", path)
    check_output(Path(path), model_files(source))
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
    tensors, keys, lost = _heads(file, width)
    notes += lost
    parts = Parts(
        embeddings=np.ascontiguousarray(file.embeddings[:, :width]),
        tokenizer=plain_tokenizer(file.tokenizer),
        scale=None if file.scale is None else file.scale[:width],
        weights=file.weights,
        rows=file.rows,
        optional=tensors,
    )
    prefixes = [prefix for prefix in file.metadata.prefixes if prefix <= width]
    settings = Settings(
        prefixes=prefixes,
        normalize=file.metadata.normalize,
        max_tokens=file.metadata.max_tokens,
        unknown_token_id=file.metadata.unknown_token_id,
        provenance={**_card(Path(source)), "creator": creator(), **_origin(file)},
        prompts=_prompts(file),
        optional=keys,
    )
    # If source and file truncate texts differently, both are compared by the file's rule.
    texts = sample_texts(file.tokenizer)
    expected = vectors(file._replace(limits=None), texts, width)
    difference = write_compared(
        Path(path), parts, settings, lambda model: (expected, model.encode(texts, on_empty="zero"))
    )
    return Converted(Path(path), difference, tuple(notes))


def write_compared(
    path: Path,
    parts: Parts,
    settings: Settings,
    pair: Callable[[StaticModel], tuple[NDArray[Any], NDArray[Any]]],
) -> float:
    """Write a file that appears only if its vectors match the expected ones.

    Args:
        path: the file.
        parts: its tensors.
        settings: its metadata.
        pair: returns the expected vectors, and the vectors of the model that was written.

    Returns:
        The largest difference, as `largest_difference` defines it.

    Raises:
        ConvertError: the vectors differ.
        OutputError: as in `write`.
        UnwritablePartsError: as in `write`.
    """
    with reported(path, ConvertError), atomic_file(path) as temporary:
        write(temporary, with_pieces(parts), settings)
        difference = largest_difference(*pair(StaticModel.load(temporary, verify=True)))
        if not difference <= CLOSE:
            raise ConvertError(
                f"{path}: expected the vectors of the source, found differences of up to "
                f"{difference:.1e} of their size; nothing was written"
            )
    return difference


def _heads(
    file: ModelParts, width: int
) -> tuple[dict[str, NDArray[Any]], dict[str, str], list[str]]:
    """Return the heads of a folder as tensors and metadata, and notes on those left out."""
    model = StaticModel.from_parts(file)
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
        except (StaticEmbError, UnwritablePartsError) as error:
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
    head = read_head(folder)
    facts = {
        "teacher": _first(head.get("base_model")),
        "license": _first(head.get("license")),
        "languages": " ".join(
            tag for tag in _listed(head.get("language")) if tag and not set(tag) & set(" \t\n")
        ),
    }
    return {key: value for key, value in facts.items() if value}


def _listed(value: Any) -> list[str]:  # noqa: ANN401 - YAML may hold anything
    return [item for item in (value if isinstance(value, list) else [value]) if type(item) is str]


def _first(value: Any) -> str:  # noqa: ANN401
    return next(iter(_listed(value)), "")
