"""Build a zip for AWS Lambda: this package, a model, and the needed files of numpy and tokenizers.

It may hold a search index as well: a published copy, without the model, which lies beside it.

The same inputs give the same bytes: members are sorted and have a fixed date, and byte code does
not depend on the date or the hash of its source.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ..errors import (
    BundleError,
    BundleTooLargeError,
    InvalidOptionError,
    PackageDownloadError,
    StaticEmbError,
)
from ..format.reader import read
from ..loading.installed import FILE_NAME, locate
from ..records.output_file import output_file, reported
from ..search import Index
from .requests import INDEX_NAME

ARCHITECTURES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}  # Lambda's names and the wheels'
REQUIREMENTS: Final = ("numpy>=2,<3", "tokenizers>=0.20")
MAX_ZIPPED: Final = 50 * 1024 * 1024  # for a direct upload; a larger zip must be in S3
MAX_UNZIPPED: Final = 250 * 1024 * 1024

# Runtimes from Python 3.12 use Amazon Linux 2023 with glibc 2.34, older ones Amazon Linux 2 with
# glibc 2.26.
_GLIBC_MINORS: Final = (34, 26)
_OLDEST_GLIBC_MINOR: Final = 17
_FIRST_MINOR_ON_2023: Final = 12

# Folders and files of wheels that are not loaded at run time: tests, type stubs, C headers and
# libraries, and numpy's tools for developers. numpy's public arithmetic packages stay.
_UNUSED_FOLDERS: Final = frozenset({"tests", "include", "_pyinstaller", "f2py", "distutils"})
_UNUSED_PATHS: Final = ("numpy/testing/", "numpy/_core/lib/", "numpy/doc/")
_UNUSED_FILES: Final = re.compile(
    r".*\.(?:pyi|pxd|pyx|h|a|typed)|conftest\.py|_simd\..*|_\w*_tests\..*"
)
# The parts of a wheel's description that software inventories and licenses require.
_DESCRIPTION: Final = re.compile(r"[^/]+\.dist-info/(?:METADATA|licenses/.*|LICENSE.*)")

# What the handler does not import. It imports `search` for an index, which may be outside the zip.
_UNUSED_ROOMS: Final = (
    "bulk/",
    "cli/",
    "integrations/",
    "serve/",
    "__main__.py",
    "aws_lambda/bundle.py",
)

_COMPILE: Final = """
import pathlib, py_compile, sys
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    inside = "/var/task/" + path.relative_to(sys.argv[1]).as_posix()
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(path), dfile=inside, doraise=True, invalidation_mode=mode)
"""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was built.

    Attributes:
        path: the zip.
        packages: the names of its wheels, with versions.
        sizes: the size of each top-level folder and file in bytes, unzipped.
        zipped: the size of the zip in bytes.
        compiled: whether it holds byte code.
    """

    path: Path
    packages: tuple[str, ...]
    sizes: dict[str, int]
    zipped: int
    compiled: bool

    @property
    def unzipped(self) -> int:
        """The unzipped size in bytes."""
        return sum(self.sizes.values())


def build(
    model: str | None,
    output: Path,
    *,
    architecture: str,
    python: str,
    constraint: Path | None = None,
    index: Path | None = None,
) -> Bundle:
    """Build the zip.

    Args:
        model: a static embedding file, or an installed model's name; it is verified completely.
            None: the index's model; without an index the small English model of this package.
        output: the zip to write; it is written completely or not at all.
        architecture: a key of `ARCHITECTURES`.
        python: the version of Lambda's Python, such as `3.13`.
        constraint: a file of pinned versions for pip.
        index: a search index; it is checked completely.

    Raises:
        FormatError: the model is invalid.
        SearchIndexError: the index is damaged, or holds vectors of another model.
        InvalidOptionError: the architecture is unknown, or the version of Python is malformed.
        PackageDownloadError: pip is missing, or finds no suitable wheels.
        BundleTooLargeError: the bundle exceeds Lambda's limit; nothing is written.
        BundleError: the output's folder is missing, the sources cannot be compiled, or an optional
            part of the model is malformed.
        OutputError: the zip cannot be written.
    """
    platforms = wheel_platforms(architecture, python)
    if not output.parent.is_dir():
        raise BundleError(f"{output}: cannot be written: there is no folder {output.parent}")
    if output.is_dir():
        raise BundleError(
            f"{output}: cannot be written: expected the name of a file, found a folder"
        )
    try:
        with tempfile.TemporaryDirectory(prefix="staticemb-bundle-") as folder:
            wheels, stage = Path(folder, "wheels"), Path(folder, "stage")
            stage.mkdir()
            if index is None:
                _copy_model(locate(model), stage)
            else:
                _copy_index(index, model, stage)
            _download(wheels, platforms, python, constraint)
            for wheel in sorted(wheels.glob("*.whl")):
                _unpack(wheel, stage)
            _copy_runtime(stage)
            compiled = _compile(stage, python)
            sizes = _sizes(stage)
            if sum(sizes.values()) > MAX_UNZIPPED:
                of_index = f", {sizes[INDEX_NAME]:,} the index" if INDEX_NAME in sizes else ""
                raise BundleTooLargeError(
                    f"{output}: expected at most {MAX_UNZIPPED:,} bytes unzipped, found "
                    f"{sum(sizes.values()):,}, {sizes[FILE_NAME]:,} of them the model{of_index}"
                )
            _zip(stage, output)
            packages = ("-".join(path.name.split("-")[:2]) for path in wheels.glob("*.whl"))
            return Bundle(output, tuple(sorted(packages)), sizes, output.stat().st_size, compiled)
    except StaticEmbError:
        raise
    except OSError as error:
        raise BundleError(f"{output}: cannot be built: {error}") from None


def wheel_platforms(architecture: str, python: str) -> list[str]:
    """Return the platforms whose wheels run in Lambda, by pip's names, newest first.

    Raises:
        InvalidOptionError: the architecture is unknown, or the version of Python is malformed.

    Example:
        >>> wheel_platforms("arm64", "3.13")[0]
        'manylinux_2_34_aarch64'
    """
    if architecture not in ARCHITECTURES:
        expected = " or ".join(ARCHITECTURES)
        raise InvalidOptionError(f"architecture: expected {expected}, found {architecture!r}")
    if not re.fullmatch(r"3\.[1-9][0-9]", python):
        raise InvalidOptionError(f"python: expected a version like 3.13, found {python!r}")
    newest = _GLIBC_MINORS[int(python[2:]) < _FIRST_MINOR_ON_2023]
    machine = ARCHITECTURES[architecture]
    names = [f"manylinux_2_{n}_{machine}" for n in range(newest, _OLDEST_GLIBC_MINOR - 1, -1)]
    return [*names, f"manylinux2014_{machine}"]


def is_needed(name: str) -> bool:
    """Return whether the bundle needs a member of a wheel, by its name.

    Example:
        >>> is_needed("numpy/linalg/_linalg.py"), is_needed("numpy/linalg/tests/test_linalg.py")
        (True, False)
    """
    path = PurePosixPath(name)
    if path.parts[0].endswith((".dist-info", ".data")):
        return bool(_DESCRIPTION.fullmatch(name))
    return not (
        name.endswith("/")
        or _UNUSED_FOLDERS & set(path.parts[:-1])
        or name.startswith(_UNUSED_PATHS)
        or _UNUSED_FILES.fullmatch(path.name)
    )


def _download(folder: Path, platforms: list[str], python: str, constraint: Path | None) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
    # tokenizers depends on huggingface_hub, but needs it only for downloads.
    command += ["--no-deps", "--only-binary=:all:", "--implementation=cp"]
    command += [f"--python-version={python}", f"--dest={folder}"]
    command += [f"--platform={name}" for name in platforms]
    if constraint is not None:
        command.append(f"--constraint={constraint}")
    done = _run([*command, *REQUIREMENTS])
    if done.returncode:
        lines = [
            line for line in done.stderr.splitlines() if "ERROR" in line or "No module" in line
        ]
        reason = " ".join(lines) or f"exit status {done.returncode}"
        raise PackageDownloadError(f"pip download for {platforms[0]}, Python {python}: {reason}")


def _unpack(wheel: Path, stage: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in filter(is_needed, archive.namelist()):
            archive.extract(name, stage)  # it writes within the folder, whatever the name is


def _copy_model(path: str, stage: Path) -> None:
    """Verify a model's file, and copy it.

    Raises:
        FormatError: it is invalid.
        BundleError: an optional part is malformed.
    """
    refused = read(path, verify=True).refused
    if refused:
        raise BundleError(f"{path}: expected valid optional parts, found faults in {refused[0]!r}")
    shutil.copyfile(path, stage / FILE_NAME)


def _copy_index(path: Path, model: str | None, stage: Path) -> None:
    """Check an index, and copy it and its model.

    Raises:
        SearchIndexError, FormatError, BundleError: one of the two is damaged, or they differ.
    """
    with Index.open(path, model) as index:
        index.check()
        if model is None and index.info().model_stored:
            index.export_model(stage / FILE_NAME)
            read(stage / FILE_NAME, verify=True)
        else:
            _copy_model(locate(index.info().model if model is None else model), stage)
            index.model  # noqa: B018 - a file that now holds another model is refused
        index.publish(stage / INDEX_NAME, with_model=False)


def _copy_runtime(stage: Path) -> None:
    source = Path(__file__).parents[1]
    for path in source.rglob("*.py"):
        if path.relative_to(source).as_posix().startswith(_UNUSED_ROOMS):
            continue
        target = stage / path.relative_to(source.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _compile(stage: Path, python: str) -> bool:
    """Compile with the target's version of Python; return False if this machine lacks it."""
    interpreter = _interpreter(python)
    if interpreter is None:
        return False
    # A fixed hash seed, which needs a new process, makes the byte code reproducible.
    command = [interpreter, "-S", "-s", "-c", _COMPILE, str(stage)]
    done = _run(command, PYTHONHASHSEED="0", PYTHONPATH="")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BundleError(f"{interpreter} cannot compile the packages: {reason}")
    return True


def _interpreter(python: str) -> str | None:
    """Find a CPython of a version. It must run: version managers install names that do not."""
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    for candidate in (sys.executable, shutil.which(f"python{python}")):
        if candidate and _run([candidate, "-c", code]).stdout.split() == ["cpython", python]:
            return candidate
    return None


def _run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(  # noqa: S603 - no shell
        command, env=environment, capture_output=True, text=True, check=False
    )


def _files(stage: Path) -> Iterator[tuple[str, Path]]:
    paths = (path for path in stage.rglob("*") if path.is_file())
    yield from sorted((path.relative_to(stage).as_posix(), path) for path in paths)


def _sizes(stage: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, path in _files(stage):
        top = name.partition("/")[0]
        sizes[top] = sizes.get(top, 0) + path.stat().st_size
    return sizes


def _zip(stage: Path, output: Path) -> None:
    with (
        output_file(output, seek=True) as file,
        reported(str(output)),
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, path in _files(stage):
            member = zipfile.ZipInfo(name)  # dated 1980
            member.create_system = 3
            member.external_attr = 0o100644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(member, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
