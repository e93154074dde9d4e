"""The manifest of an output folder: whose vectors it holds, and which shards are done.

`_manifest.jsonl` has a line on the model and the options, and a line for each shard. A line is
written before the shard's temporary file gets its name, so a shard is done if it has a line and its
file exists with the size in it: wherever a run is killed, no shard is done twice, and none is
missed. Engines leave out names that begin with `_`.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final

from ..errors import ManifestError, OutputError
from ..records.output_file import remove_temporary_files, reported
from .texts import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .shards import Shard

MANIFEST: Final = "_manifest.jsonl"
_VERSION: Final = 1
_MOST_BYTES: Final = 1 << 32
# The digest tells which model it is: its file may have been moved.
_NOT_COMPARED: Final = ("model",)


class Manifest:
    """An open manifest; only one process at a time has it.

    Args:
        folder: the output folder.
        file: the open file.
        header: the model and the options of this run.

    Raises:
        ManifestError: the file is no manifest, or its run has another model or other options.
    """

    def __init__(self, folder: str, file: IO[bytes], header: Mapping[str, Any]) -> None:
        self._folder, self._file = folder, file
        self._path = os.path.join(folder, MANIFEST)
        self._done: dict[str, dict[str, Any]] = {}
        wanted = {"staticemb_manifest": _VERSION, **header}
        lines = self._lines()
        if not lines:
            self._append(wanted)
            return
        difference = _difference(lines[0], wanted)
        if difference:
            raise ManifestError(f"{folder}: {difference}; take another folder")
        for line in lines[1:]:
            self._done[str(line.get("output"))] = line

    def is_done(self, shard: Shard) -> bool:
        """Tell whether a shard is done, and its input unchanged."""
        line = self._done.get(shard.name)
        if line is None or self._other_input(shard):
            return False
        inputs = (line.get("input_bytes"), line.get("input_changed"))
        try:
            size = os.stat(os.path.join(self._folder, shard.name)).st_size
        except OSError:
            return False
        return inputs == (shard.size, shard.changed) and line.get("output_bytes") == size

    def prepare(self, shards: Iterable[Shard]) -> None:
        """Remove what earlier runs have left of shards that are about to be done.

        Raises:
            OutputError: a file was not written by a run of this manifest, so no output replaces an
                input or a model; or it is the output of another input, which still exists.
        """
        shards = list(shards)
        for shard in shards:
            if before := self._other_input(shard):
                raise OutputError(
                    f"{self._folder}: expected an output for each input, found {shard.name} for "
                    f"{before} in an earlier run and for {shard.source}; take another folder"
                )
        paths = {shard.name: os.path.join(self._folder, shard.name) for shard in shards}
        remove_temporary_files(paths.values())
        for name, path in paths.items():
            if name not in self._done and os.path.lexists(path):
                raise OutputError(
                    f"{path}: expected no file, found one that is not in {self._path}; move it away"
                )
        for path in paths.values():
            with reported(path), suppress(FileNotFoundError):
                os.remove(path)

    def _other_input(self, shard: Shard) -> str:
        """Return the input of which an earlier run has made the output; "" if it is the shard's."""
        before = self._done.get(shard.name, {}).get("input")
        try:
            is_other = isinstance(before, str) and not os.path.samefile(before, shard.source)
        except (OSError, ValueError):  # it was moved, or that run began in another folder
            return ""
        return str(before) if is_other else ""

    def counts(self, shard: Shard) -> Counts:
        """Return what a shard that is done has counted."""
        line = self._done[shard.name]
        return Counts(**{name: line[name] for name in Counts._fields if name in line})

    def add(self, shard: Shard, size: int, counts: Counts) -> None:
        """Add a shard whose whole output, of `size` bytes, is about to get its name."""
        line = {
            "output": shard.name,
            "output_bytes": size,
            "input": shard.source,
            "input_bytes": shard.size,
            "input_changed": shard.changed,
            **counts._asdict(),
        }
        self._append(line)
        self._done[shard.name] = line

    def _append(self, line: Mapping[str, Any]) -> None:
        with reported(self._path):
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()

    def _lines(self) -> list[dict[str, Any]]:
        """Read all complete lines, and cut off one that a killed run has left incomplete."""
        with reported(self._path):
            if self._file.seek(0, os.SEEK_END) > _MOST_BYTES:
                raise ManifestError(f"{self._path}: expected at most 4 GB, found more")
            self._file.seek(0)
            data = self._file.read()
            end = data.rfind(b"\n") + 1
            if end < len(data):
                self._file.truncate(end)
            self._file.seek(end)
        lines: list[dict[str, Any]] = []
        for number, line in enumerate(data[:end].splitlines(), 1):
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict) or (number == 1) != ("staticemb_manifest" in value):
                raise ManifestError(
                    f"{self._path}, line {number}: expected a line of a manifest, found another"
                )
            lines.append(value)
        return lines


@contextmanager
def open_manifest(folder: str, header: Mapping[str, Any]) -> Iterator[Manifest]:
    """Make the output folder if necessary, and open its manifest for this process alone.

    Args:
        folder: the folder.
        header: the model and the options; JSON values.

    Raises:
        ManifestError: another process has it, or its run has another model or other options.
        OutputError: the folder cannot be written to.
    """
    path = os.path.join(folder, MANIFEST)
    with reported(folder):
        if os.path.exists(folder.rstrip("/" + os.sep)) and not os.path.isdir(folder):
            raise NotADirectoryError(None, "expected a folder, found a file", folder)
        os.makedirs(os.path.realpath(folder), exist_ok=True)  # also the target of a link
    with reported(path):
        # Not in append mode: an incomplete last line is cut off.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        file = os.fdopen(descriptor, "r+b")
    with file:
        if not _lock(file):
            raise ManifestError(f"{folder}: expected no other run, found one that is not done yet")
        yield Manifest(folder, file, header)


def _lock(file: IO[bytes]) -> bool:
    """Lock a file for this process until it is closed; return whether that succeeded."""
    if sys.platform == "win32":
        import msvcrt

        try:
            file.seek(_MOST_BYTES)  # the lock covers no byte of the content
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _difference(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    """Describe the first member in which two headers differ; "" if they agree."""
    for name in {**current, **recorded}:
        if name not in _NOT_COMPARED and recorded.get(name) != current.get(name):
            return (
                f"expected the {name.replace('_', ' ')} of the run that began there, "
                f"{_short(recorded.get(name))}, found {_short(current.get(name))}"
            )
    return ""


def _short(value: object) -> str:
    with suppress(TypeError, ValueError):
        text = json.dumps(value)
        return text if len(text) <= 60 else f"{text[:60]}…"
    return repr(value)
