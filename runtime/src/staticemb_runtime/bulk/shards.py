"""Plan many files: which become which, in a folder of their own."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import InputError, InvalidOptionError, OutputError
from ..records.compression import compression_suffix
from ..records.documents import source_files
from ..records.forms import form_of, input_form
from ..records.open_writer import output_form

if TYPE_CHECKING:
    from collections.abc import Iterable

# The format of an output whose format is not given: the input's, if it can hold vectors.
_SAME: Final = {"lines": "jsonl"}


class Shard(NamedTuple):
    """A file and the file that it becomes.

    Attributes:
        source: the input.
        name: the output, relative to the output folder, with `/` between folders.
        size: the bytes of the input.
        changed: when it was last changed, in nanoseconds.
    """

    source: str
    name: str
    size: int
    changed: int


def plan(
    sources: Iterable[str],
    folder: str,
    *,
    input_format: str | None = None,
    output_format: str | None = None,
) -> list[Shard]:
    """Find the input files, and name their outputs.

    Args:
        sources: files, folders, or patterns such as `in/*.parquet` or `in/**/*.jsonl`. The paths
            below a folder, or below the fixed part of a pattern, are kept. A folder that matches
            and is named as a file, such as `data.parquet`, stands for the files in it. Names that
            begin with a dot or `_` are left out, and so is what lies in the output folder.
        folder: the output folder.
        input_format: as in `input_form`.
        output_format: as in `output_form`; None: the format of each input, JSON lines for lines.

    Returns:
        The shards, the largest first, so that processes end at nearly the same time.

    Raises:
        InputError: a source does not exist, or has no file.
        InvalidOptionError: the format of a file is unknown.
        OutputError: two inputs would become one output, or an output lies among the inputs.
    """
    target = os.path.realpath(folder)
    shards: dict[str, Shard] = {}
    fold = _folds_case(target)
    for path, name in _inputs(sources, target):
        form = input_form(path, input_format)
        name = _output_name(name, form, output_format)
        shard = Shard(path, name, *_status(path))
        other = shards.setdefault(name.casefold() if fold else name, shard)
        if other is not shard and not _same(path, other.source):
            raise OutputError(
                f"{folder}: expected an output for each input, found {name} for {other.source} and "
                f"for {path}; embed them into two folders"
            )
        if os.path.realpath(os.path.join(target, name)) == os.path.realpath(path):
            raise OutputError(f"{folder}: expected another folder than the input's, {path}")
    return sorted(shards.values(), key=lambda shard: (-shard.size, shard.name))


def _inputs(sources: Iterable[str], target: str) -> Iterable[tuple[str, str]]:
    """Iterate over the input files, each with its path relative to its source."""
    for source in sources:
        if not source:
            raise InputError("input: expected the name of a file, found an empty name")
        if os.path.isdir(source):
            root, paths = source, source_files([source])
        elif os.path.exists(source):
            root, paths = os.path.dirname(source), [source]
        else:
            root, paths = _matching(source)
        inside = [path for path in paths if _is_input(path, root, target)]
        if not inside:
            raise InputError(f"{source}: expected files to embed, found none")
        for path in inside:
            yield path, os.path.relpath(path, root or ".")


def _matching(pattern: str) -> tuple[str, list[str]]:
    """Return the fixed part of a pattern, and the files that match."""
    if not glob.has_magic(pattern):
        raise InputError(f"{pattern}: expected a file, a folder or a pattern, found none of these")
    parts = Path(pattern).parts
    magic = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    root = os.path.join(*parts[:magic]) if magic else ""
    matched: dict[str, str] = {}  # `**` matches a folder and what lies in it
    for path in sorted(glob.glob(pattern, recursive=True)):
        files = [path] if os.path.isfile(path) else source_files([path]) if _is_table(path) else []
        matched |= {os.path.normpath(file): file for file in files}
    return root, sorted(matched.values())


def _is_table(folder: str) -> bool:
    """Tell whether a folder is named as a file: Spark and Dask write `data.parquet/part-0….`."""
    return bool(os.path.splitext(folder)[1]) and form_of(folder) is not None


def _is_input(path: str, root: str, target: str) -> bool:
    """Tell whether a file is an input: engines leave out names that begin with a dot or `_`."""
    below = os.path.relpath(path, root or ".")
    hidden = any(part.startswith((".", "_")) for part in Path(below).parts if part != "..")
    real = os.path.realpath(path)
    output_is_inside = os.path.realpath(root or ".") != target
    return not hidden and not (output_is_inside and real.startswith(os.path.join(target, "")))


def _output_name(name: str, form: str, output_format: str | None) -> str:
    """Return the relative path of an output."""
    compression = compression_suffix(name)
    stem = name[: len(name) - len(compression)]
    wanted = output_format or _SAME.get(form, form)
    if wanted != form or not os.path.splitext(stem)[1]:
        stem = f"{os.path.splitext(stem)[0]}.{wanted}"
    if wanted not in ("npy", "parquet"):
        stem += compression
    try:
        output_form(stem, wanted)
    except InvalidOptionError:
        stem = f"{stem}.{wanted}"
    return stem.replace(os.sep, "/")


def _status(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return status.st_size, status.st_mtime_ns


def _same(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _folds_case(folder: str) -> bool:
    """Tell whether names that differ in case are one file there."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    name = os.path.basename(folder)
    other = os.path.join(os.path.dirname(folder), name.swapcase())
    return name.swapcase() != name and os.path.exists(other) and os.path.samefile(folder, other)
