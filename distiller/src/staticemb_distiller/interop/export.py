"""Export of a static embedding file to a model folder of another library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from staticemb_runtime.loading import locate, open_parts

from ..arguments import check_path, check_type
from ..errors import ConvertError
from ..file.optional_names import optional_names
from ..output_file import atomic_folder, check_folders, reported
from ..path_checks import exists, is_folder
from . import model2vec_folder, onnx_folder, sentence_transformers_folder
from .comparison import CLOSE, largest_difference, most_different, sample_texts, vectors
from .damping_folding import closeness

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from types import ModuleType

    from staticemb_runtime.format import ModelParts

ExportTarget = Literal["model2vec", "sentence-transformers", "onnx"]

TARGETS: dict[str, ModuleType] = {
    "model2vec": model2vec_folder,
    "sentence-transformers": sentence_transformers_folder,
    "onnx": onnx_folder,
}


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        path: the folder that was written.
        difference: the largest difference between an element of the export's vectors and of the
            file's, relative to the vectors' largest element.
        compared_with: the library that opened the export for the comparison, and its version.
        notes: differences in behavior between export and file.
    """

    path: Path
    difference: float
    compared_with: str
    notes: tuple[str, ...]


def export(
    model: str | os.PathLike[str],
    output: str | os.PathLike[str],
    to: ExportTarget,
    *,
    pooling: Literal["mean"] | None = None,
    unknown_tokens: Literal["peer"] | None = None,
) -> Exported:
    """Write a model as a folder of another library, and compare the vectors of both.

    Features that the other library lacks are folded into the rows: the scale of int8, token
    weights, shared rows. Damped pooling is approximated by token weights, and a note gives the
    cosines. Other features raise an error, unless the caller asks for the nearest equivalent. The
    folder appears only after the comparison succeeds.

    Args:
        model: a static embedding file, an installed model's name, or a folder that the runtime
            opens.
        output: the folder to write; it must be new or empty.
        to: the library.
        pooling: `mean` takes the plain mean of the unchanged rows, without folded damping.
        unknown_tokens: `peer` accepts the library's own treatment of unknown tokens where it
            differs from the file's.

    Raises:
        StaticEmbError: the model cannot be opened; the subclass names the reason.
        ConvertError: the library lacks a feature of the file, the folder is not empty, a package is
            missing, or the vectors differ.
        OutputError: the folder cannot be created or written.
    """
    check_path("output", output)
    check_type("to", to, (str,), "a library's name")
    if to not in TARGETS:
        raise ConvertError(f"to: expected one of {', '.join(TARGETS)}, found {to!r}")
    module, path = TARGETS[to], Path(output)
    if exists(path) and (not is_folder(path) or any(path.iterdir())):
        raise ConvertError(
            f"{path}: expected a new or an empty folder, found a file or a non-empty folder"
        )
    check_folders(path)
    file = open_parts(locate(model), verify=True)
    with reported(path, ConvertError), atomic_folder(path) as temporary:
        wanted, notes = module.express(
            by_format(file),
            plain_mean=pooling == "mean",
            peer_unknown=unknown_tokens == "peer",
        )
        module.write_folder(temporary, wanted)
        kept = getattr(module, "kept_parts", lambda _: ())(wanted)
        notes = [*changes(file, wanted, kept), *notes]
        texts = sample_texts(wanted.tokenizer)
        difference, compared_with = compare_export(module, temporary, wanted, texts)
    return Exported(path, difference, compared_with, tuple(notes))


def by_format(file: ModelParts) -> ModelParts:
    """Return the parts as a file holds them, without another library's text limits."""
    return file._replace(limits=None, default_dim=None)


def changes(file: ModelParts, wanted: ModelParts, kept: Sequence[str] = ()) -> list[str]:
    """Describe in words how the export's behavior differs from the file's.

    Args:
        file: the parts of the file.
        wanted: the parts, as the target expresses them.
        kept: the names of the optional parts that the export has.
    """
    notes = []
    if wanted.metadata.pooling != file.metadata.pooling:
        pooling = (
            "takes the plain mean of the rows as they are"
            if wanted.weights is file.weights
            else "takes the plain mean, and each token's average damping is in its weight"
        )
        close = closeness(file, wanted)
        notes.append(
            f"the file's pooling is damped_mean; the export {pooling}; over {close.texts:,} "
            f"generated texts the cosine of its vectors with the file's is {close.mean:.3f} on "
            f"average and {close.least:.3f} at least"
        )
    unknown = wanted.metadata.unknown_token_id
    if unknown != file.metadata.unknown_token_id:
        treatment = "counts" if unknown is None else "drops"
        notes.append(f"the export {treatment} unknown tokens, and the file does not")
    if parts := [name for name in optional_names(file) if name not in kept]:
        notes.append(f"the export has no {', '.join(parts)}")
    return notes


def compare_export(
    module: ModuleType, folder: Path, wanted: ModelParts, texts: Sequence[str]
) -> tuple[float, str]:
    """Compare an export's vectors with the file's.

    Args:
        module: the target's module.
        folder: the export.
        wanted: the parts, as the target expresses them.
        texts: the texts to embed.

    Returns:
        The largest difference relative to the vectors' largest element, and the library that
        opened the export, with its version.

    Raises:
        ConvertError: the vectors differ.
    """
    expected = vectors(wanted, texts)
    exported, compared_with = module.embed(folder, texts)
    difference = largest_difference(expected, exported)
    if not difference <= CLOSE:
        same_shape = expected.shape == exported.shape
        text = texts[most_different(expected, exported)] if same_shape else texts[0]
        raise ConvertError(
            f"{wanted.path}: expected the export to give the same vectors, found differences of up "
            f"to {difference:.1e} of their size with {compared_with}, for {text!r:.80}; "
            f"nothing was written"
        )
    return difference, compared_with
