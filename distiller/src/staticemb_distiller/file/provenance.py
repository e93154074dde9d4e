"""The metadata of a distilled file: its settings, its origin, and its teacher's space."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ..corpus import input_files
from ..corpus.generated import GENERATED
from ..corpus.source_spec import GIVEN
from ..corpus.word_lists import lists_version
from ..fitting import fit_recipe
from ..table import build as table
from ..table.rotation import variance_shares
from ..table.space import Space
from ..teacher.text_encoder import LocalTeacher, TextEncoder
from ..version import __version__
from ..vocabulary.open_tokenizer import tokenizer_file
from .space import probe_vectors
from .writer import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..corpus.vector_files import VectorFile
    from ..recipe.recipe import Recipe
    from ..vocabulary.build import Vocabulary

_PACKAGES = ("numpy", "scikit-learn", "tokenizers")
_TEACHER_PACKAGES = ("torch", "transformers")
_FIT_PACKAGES = ("scipy", "sentencex")


@dataclass(frozen=True)
class VectorSource:
    """The origin of the vectors, for the file.

    Attributes:
        name: The teacher's name.
        revision: The teacher's revision, or "".
        dim: The dimension of the vectors.
        provenance: The file's metadata about the teacher.
        packages: Packages that determine the vectors.
        teacher: The teacher, if there is one.
    """

    name: str
    revision: str
    dim: int
    provenance: Mapping[str, str]
    packages: tuple[str, ...] = ()
    teacher: TextEncoder | None = None

    @classmethod
    def of_teacher(cls, teacher: TextEncoder) -> VectorSource:
        """Describe a teacher; a Sentence Transformer runs on torch and transformers."""
        packages = _TEACHER_PACKAGES if isinstance(teacher, LocalTeacher) else ()
        revision, dim, provenance = teacher.revision, teacher.dim, teacher.provenance
        return cls(teacher.name, revision, dim, provenance, packages, teacher)

    @classmethod
    def of_vectors(cls, file: VectorFile) -> VectorSource:
        """Describe given vectors: by the model's name, if it is known, and by their digest.

        Raises:
            TextSourceError: A file cannot be read.
        """
        digest = f"sha256:{file.digest()}"
        name = file.model or f"{GIVEN}:{Path(file.path).name}"
        provenance = {"teacher": name, "teacher_revision": digest}
        return cls(name, "" if file.model else digest, file.dim, provenance)


def file_settings(
    finished: table.Table,
    source: VectorSource,
    vocabulary: Vocabulary,
    recipe: Recipe,
    texts: int | None,
) -> Settings:
    """Return the settings and the provenance of a file.

    Args:
        finished: The table.
        source: The origin of the vectors.
        vocabulary: The vocabulary.
        recipe: The resolved recipe.
        texts: The number of texts of the fit; None: no fit.

    Raises:
        TextSourceError: An input file cannot be read.
        TableError: A prefix of the recipe is longer than the table's rows.
    """
    lengths = table.prefixes(finished, recipe)
    shares = variance_shares(finished.variances, lengths)
    damping = None
    if recipe.pooling == "damped_mean":
        assert recipe.damping_beta is not None  # resolved
        compared = finished.rows.shape[1] - recipe.kernel_dims
        damping = (recipe.damping_beta, min(recipe.damping_dims, compared))
    digests = [
        f"{input_files.digest(name, files)} {name}"
        for name, files in input_paths(recipe).items()
        if files
    ]
    provenance = {
        **source.provenance,
        **({"languages": " ".join(recipe.fit_language)} if recipe.fit_language else {}),
        # The revision has its own key, `teacher_revision`; reading the recipe puts it back.
        "recipe": replace(recipe, revision=None).to_toml(),
        "creator": _creator(source, recipe),
        "x-prefix-variance": " ".join(f"{share:.4f}" for share in shares),
        "x-input-sha256": "\n".join(digests),
        "x-input-version": "\n".join(_input_versions(recipe)),
        "x-fit-texts": "" if texts is None else str(texts),
    }
    return Settings(
        prefixes=lengths,
        normalize=recipe.normalize,
        damping=damping,
        max_tokens=recipe.max_tokens,
        unknown_token_id=vocabulary.unknown_token_id,
        provenance={key: value for key, value in provenance.items() if value},
    )


def _input_versions(recipe: Recipe) -> list[str]:
    sources = fit_recipe.sources(recipe)
    lists = recipe.fit_language and any(
        source.place == GENERATED or source.translate for source in sources
    )
    return input_files.versions(sources) + ([lists_version()] if lists else [])


def teacher_space(finished: table.Table, source: VectorSource) -> Space:
    """Return the relation of the table's vectors to the teacher's."""
    return Space(
        source.name,
        source.revision,
        finished.projection,
        finished.offset,
        None if source.teacher is None else probe_vectors(source.teacher),
    )


def _creator(source: VectorSource, recipe: Recipe) -> str:
    fit = _FIT_PACKAGES if recipe.fitted else ()
    packages = sorted([*_PACKAGES, *source.packages, *fit])
    versions = [f"{name} {version(name)}" for name in packages]
    versions.append(f"Python {platform.python_version()}")
    return f"staticemb-distiller {__version__} ({', '.join(versions)})"


def input_paths(recipe: Recipe) -> dict[str, list[Path]]:
    """Return the files to read for each file or folder that a recipe names."""
    vocabulary = [recipe.vocabulary] if recipe.vocabulary is not None else []
    tokenizer = recipe.tokenizer and tokenizer_file(recipe.tokenizer)
    names = [*vocabulary, *recipe.vocabulary_from, *recipe.keep_used_in, *recipe.counts_from]
    files = {name: [Path(name)] for name in names}
    if recipe.tokenizer and tokenizer:
        files[recipe.tokenizer] = [tokenizer]
    return {**files, **{source.place: source.files for source in fit_recipe.sources(recipe)}}
