"""A wheel with a model: one static embedding file and an entry point, no code.

`pip install` installs the model, `StaticModel.load(NAME)` finds it, and pins, hashes and mirrors
work as for any dependency. The same file and names give the same bytes.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from staticemb_runtime.loading import FILE_NAME, GROUP, locate

from ..arguments import check_path, check_type
from ..errors import OutputError, PublishError
from ..file.check import read_publishable
from ..interop.card import one_line
from ..output_file import atomic_file, check_folders, check_output, reported
from ..path_checks import exists

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from staticemb_runtime.format import Metadata

PREFIX: Final = "staticemb-model-"
REQUIREMENT: Final = "staticemb-runtime>=0.1"

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION: Final = re.compile(
    r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*"
    r"(?:(?:a|b|rc)(?:0|[1-9][0-9]*))?(?:\.post(?:0|[1-9][0-9]*))?(?:\.dev(?:0|[1-9][0-9]*))?"
)
_BLOCK: Final = 1 << 20
_WHEEL: Final = """\
Wheel-Version: 1.0
Generator: staticemb-distiller
Root-Is-Purelib: true
Tag: py3-none-any
"""


@dataclass(frozen=True)
class Names:
    """The names of a wheel.

    Args:
        name: the distribution's name, as `pip install` takes it.
        version: its version, in the normal form of PEP 440.
        model: the name for `StaticModel.load`; if empty, `name` without the prefix
            `staticemb-model-`.

    Raises:
        PublishError: a name or the version is invalid.

    Example:
        >>> Names("staticemb-model-news", "1.0").model
        'news'
    """

    name: str
    version: str
    model: str = ""

    def __post_init__(self) -> None:
        if not self.model:
            object.__setattr__(self, "model", self.name.removeprefix(PREFIX))
        for label, value in (("name", self.name), ("model name", self.model)):
            if not _NAME.fullmatch(value):
                expected = "letters, digits, and .-_ between them"
                raise PublishError(f"{label}: expected {expected}, found {value!r}")
        if not _VERSION.fullmatch(self.version):
            expected = "a version like 1.0 or 2026.1rc1"
            raise PublishError(f"version: expected {expected}, found {self.version!r}")

    @property
    def package(self) -> str:
        """The folder of the model file in the wheel."""
        return re.sub(r"[-_.]+", "_", self.name).lower()

    @property
    def info(self) -> str:
        """The folder of the wheel's metadata."""
        return f"{self.package}-{self.version}.dist-info"

    @property
    def file(self) -> str:
        """The wheel's file name."""
        return f"{self.package}-{self.version}-py3-none-any.whl"


def build_wheel(
    model: str | os.PathLike[str],
    folder: Path,
    names: Names,
    license_file: Path | None = None,
    card: Path | None = None,
) -> Path:
    """Build the wheel; it appears complete or not at all.

    Args:
        model: a static embedding file, or an installed model's name; all of it is verified.
        folder: the folder for the wheel.
        names: the wheel's names.
        license_file: the text of the model's license, `LICENSE` in the wheel; many licenses require
            that it is included.
        card: a text in Markdown and UTF-8 about the model, such as its data, figures and limits. It
            becomes the wheel's description, after the facts that the file holds.

    Returns:
        The path of the wheel.

    Raises:
        ModelNotFoundError: no file and no installed model has this name.
        FormatError: the model is invalid.
        OutputError: as in `check_output`; or an optional part of the model is malformed, the
            license or the card cannot be read, or the wheel cannot be written.
    """
    check_path("folder", folder)
    check_type("names", names, (Names,), "Names")
    folder, path = Path(folder), Path(locate(model))
    output = folder / names.file
    check_folders(folder)
    if exists(folder):
        check_output(output, [path, *filter(None, (license_file, card))])
    metadata = read_publishable(path).metadata
    entry_point = f"[{GROUP}]\n{names.model} = {names.package}\n"
    texts = {
        f"{names.info}/METADATA": describe(metadata, names, _read_card(card)).encode(),
        f"{names.info}/WHEEL": _WHEEL.encode(),
        f"{names.info}/entry_points.txt": entry_point.encode(),
    }
    if license_file is not None:
        texts[f"{names.info}/licenses/LICENSE"] = _read(license_file)
    with reported(output, OutputError):
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(output) as temporary:
            _write(temporary, f"{names.package}/{FILE_NAME}", path, texts, f"{names.info}/RECORD")
    return output


def describe(metadata: Metadata, names: Names, card: str = "") -> str:
    """Return the wheel's METADATA: facts from the model's metadata, and the card."""
    facts = {
        "dimensions": str(metadata.dim),
        "good prefixes": " ".join(map(str, metadata.prefixes)),
        "pooling": metadata.pooling,
    }
    for key in ("teacher", "teacher_revision", "license", "languages"):
        if key in metadata.extra:
            facts[key.replace("_", " ")] = one_line(metadata.extra[key])
    facts["digest"] = metadata.digest
    teacher = facts.get("teacher", "an unnamed teacher")
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {names.name}",
        f"Version: {names.version}",
        f"Summary: Static embedding model {names.model} of {teacher}",
        *([f"License: {facts['license']}"] if "license" in facts else []),
        f"Requires-Dist: {REQUIREMENT}",
        "Requires-Python: >=3.10",
        "Description-Content-Type: text/markdown",
        "",
        f"# {names.name}",
        "",
        "A static embedding model for staticemb-runtime:",
        "",
        "    from staticemb_runtime import StaticModel",
        f'    model = StaticModel.load("{names.model}")',
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        *(["", card.strip(), ""] if card.strip() else []),
    ]
    return "\n".join(lines)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_card(card: Path | None) -> str:
    """Return a card's text with line ends as in METADATA.

    Raises:
        OutputError: it cannot be read, or is not UTF-8.
    """
    if card is None:
        return ""
    try:
        return "\n".join(_read(card).decode("utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise OutputError(f"{card}: expected UTF-8, found {found}") from None


def _write(
    path: Path, model_name: str, model: Path, texts: dict[str, bytes], record_name: str
) -> None:
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        members = [(model_name, _blocks(model)), *((n, iter([t])) for n, t in texts.items())]
        for name, blocks in members:
            sha, size = hashlib.sha256(), 0
            with archive.open(_member(name), "w") as file:
                for block in blocks:
                    file.write(block)
                    sha.update(block)
                    size += len(block)
            digest = base64.urlsafe_b64encode(sha.digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{size}\n")
        record.append(f"{record_name},,\n")
        archive.writestr(_member(record_name), "".join(record))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)  # its date is 1980, so that the bytes are reproducible
    member.create_system = 3
    member.external_attr = 0o100644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    return member
