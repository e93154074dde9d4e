"""`staticemb encode … -o FOLDER/`: many files, in one or several processes, with resumption."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from ..bulk.manifest import Manifest, open_manifest
from ..bulk.processes import run_shards
from ..bulk.shards import plan
from ..bulk.texts import Counts, TextEmbedder
from ..bulk.worker import Failure, RunSettings
from ..encoding.options import check_workers
from ..encoding.progress import InputPosition, Progress
from ..errors import InputError
from ..loading.installed import locate
from ..model.identity import identity
from .encode_options import note_counts, vector_options
from .process import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..bulk.shards import Shard

SHARDS_FAILED: Final = 1


def run_folder(options: argparse.Namespace) -> int:
    """Embed files into a folder; return 0, or 1 if some of them could not be embedded."""
    sources = options.texts + ([] if options.input == "-" else [options.input])
    if not sources:
        raise InputError(
            f"{options.output}: expected files, folders or patterns for the folder, found none"
        )
    folder = options.output
    shards = plan(
        sources, folder, input_format=options.input_format, output_format=options.output_format
    )
    processes = min(check_workers(options.workers), len(shards))
    vectors = vector_options(options)
    vectors["workers"] = max(1, check_workers(options.workers) // processes)
    embedder = TextEmbedder(options.model, **vectors)
    settings = RunSettings(
        model=None if options.model is None else locate(options.model),
        folder=folder,
        column=options.column,
        input_format=options.input_format,
        output_format=options.output_format,
        options=vectors,
    )
    header = {
        "model": options.model or "",
        "vectors_digest": identity(embedder.model),
        "dimension": embedder.width,
        "precision": options.precision,
        "pooling": options.pooling,
        "prompt_name": options.prompt_name,
        "column": options.column,
        "input_format": options.input_format,
        "output_format": options.output_format,
    }
    with open_manifest(folder, header) as manifest:
        done = [shard for shard in shards if manifest.is_done(shard)]
        finished = set(done)
        waiting = [shard for shard in shards if shard not in finished]
        manifest.prepare(waiting)
        position = _Position(waiting)
        progress = Progress(
            None, unit="texts", enabled=bool(waiting) and not options.quiet, position=position
        )
        observer = _Observer(manifest, position, progress)
        for shard in done:
            observer.counts += manifest.counts(shard)
        with progress:
            run_shards(waiting, settings, embedder.model, processes, observer)
    if options.on_empty == "warn":
        note_counts(observer.counts)
    left = len(waiting) - observer.done
    if not options.quiet:
        before = f" ({len(done):,} of them before)" if done else ""
        failed = f"; {left:,} not done" if left else ""
        text = f"{folder}: {len(done) + observer.done:,} of {len(shards):,} files{before}, "
        text += f"{observer.counts.rows:,} texts{failed}"
        print(f"staticemb: {printable(text)}", file=sys.stderr)
    return SHARDS_FAILED if left else 0


class _Position(InputPosition):
    """How much of all shards is done."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        super().__init__()
        self._total = sum(shard.size for shard in shards)
        self._ended = 0
        self._parts: dict[Shard, float] = {}

    def begin(self, shard: Shard, share: float) -> None:
        """Note that a share of a shard is done, from 0 to 1."""
        self._parts[shard] = share

    def end(self, shard: Shard) -> None:
        """Note that a shard is done or has failed."""
        self._parts.pop(shard, None)
        self._ended += shard.size

    def sizes(self) -> tuple[int, int] | None:
        """Return how many bytes are done, and of how many; None: there are none."""
        inside = sum(int(shard.size * share) for shard, share in self._parts.items())
        return (self._ended + inside, self._total) if self._total else None


class _Observer:
    """Shows progress and failures, and keeps the manifest.

    Attributes:
        done: the number of shards that are done.
        counts: what all shards have counted.
    """

    def __init__(self, manifest: Manifest, position: _Position, progress: Progress) -> None:
        self._manifest = manifest
        self._position = position
        self._progress = progress
        self.done = 0
        self.counts = Counts()

    def whole(self, shard: Shard, size: int, counts: Counts) -> None:
        """Add the shard to the manifest."""
        self._manifest.add(shard, size, counts)

    def report(self, shard: Shard, rows: int, share: float) -> None:
        """Show progress."""
        self._position.begin(shard, share)
        self._progress.advance(rows)

    def lost(self, shard: Shard, reason: str) -> None:
        """Print that a worker ended."""
        self._position.begin(shard, 0.0)
        self._print(f"a worker ended ({reason}); {shard.source} is begun again by another one")

    def end(self, shard: Shard, result: Counts | Failure) -> None:
        """Count the shard, or print why it failed."""
        self._position.end(shard)
        if isinstance(result, Failure):
            self._print(f"error: {result.reason}")
        else:
            self.done += 1
            self.counts += result

    def _print(self, message: str) -> None:
        self._progress.announce(f"staticemb: {printable(' '.join(message.split()))}")
