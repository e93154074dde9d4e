"""Embed shards: in this process, or in another one that a parent process feeds.

A worker is a new interpreter (spawn). Its parent sends shards; the worker answers with progress,
asks before a whole output gets its name, and ends when the parent does.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from ..encoding.progress import InputPosition
from ..errors import StaticEmbError, WriteError
from ..records.output_file import reported
from .files import embed_file
from .texts import Counts, TextEmbedder, VectorOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from ..model import StaticModel
    from .shards import Shard

    Report = Callable[[int, float], None]
    CommitShard = Callable[[int, Counts], None]

_REPORT_SECONDS: Final = 0.2


class RunSettings(NamedTuple):
    """What all shards of a run share; it is sent to workers.

    Attributes:
        model: the model's path or name; None: the bundled model.
        folder: the output folder.
        column: the column of the text; None: `text`.
        input_format: as in `input_form`.
        output_format: as in `output_form`.
        options: parameters of `StaticModel.encode`.
    """

    model: str | None
    folder: str
    column: str | None
    input_format: str | None
    output_format: str | None
    options: VectorOptions


class ShardEmbedder:
    """Embeds shards into the output folder.

    Args:
        settings: what all shards share.
        model: the model, if it is open; None: it is opened.

    Raises:
        StaticEmbError: the model cannot be opened, or an option is invalid.
    """

    def __init__(self, settings: RunSettings, model: StaticModel | None = None) -> None:
        self._settings = settings
        self._texts = TextEmbedder(model or settings.model, **settings.options)

    def embed(self, shard: Shard, report: Report, commit: CommitShard) -> Counts:
        """Embed a shard; return what it counted.

        Args:
            shard: the shard.
            report: called now and then with the number of new rows, and the share of the shard that
                is done.
            commit: called with the size of the output and the counts before the output gets its
                name; an error discards it.

        Raises:
            StaticEmbError: as `embed_file`.
        """
        rows, reported_at = 0, time.monotonic()

        def advance(count: int, share: float | None) -> None:
            nonlocal rows, reported_at
            rows += count
            now = time.monotonic()
            if now - reported_at >= _REPORT_SECONDS:
                report(rows, share or 0.0)
                rows, reported_at = 0, now

        def whole(file: IO[bytes]) -> None:
            file.flush()
            commit(os.fstat(file.fileno()).st_size, self._texts.counts)

        settings = self._settings
        output = os.path.join(settings.folder, shard.name)
        with reported(output):
            os.makedirs(os.path.dirname(output), exist_ok=True)
        embed_file(
            shard.source,
            output,
            self._texts,
            column=settings.column,
            input_format=settings.input_format,
            output_format=settings.output_format,
            position=InputPosition(),
            advance=advance,
            commit=whole,
        )
        report(rows, 1.0)
        return self._texts.counts


class Failure(NamedTuple):
    """Why a shard was not done.

    Attributes:
        reason: one line.
        fatal: whether other shards would fail as well.
    """

    reason: str
    fatal: bool


def attempt(shard: Shard, embed: Callable[[], Counts]) -> Counts | Failure:
    """Embed a shard, and turn errors into a failure of it."""
    try:
        return embed()
    except WriteError as error:
        return Failure(str(error), fatal=True)
    except StaticEmbError as error:
        return Failure(str(error), fatal=False)
    except MemoryError:
        return Failure(f"{shard.source}: not enough memory", fatal=False)


def serve(connection: Connection[Any, Any], settings: RunSettings) -> None:
    """Embed the shards that a parent process sends, until it sends None or ends."""
    # The parent answers Ctrl-C, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent has ended: an output that is not whole is discarded on the way.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        embedder = ShardEmbedder(settings)

        def commit(size: int, counts: Counts) -> None:
            connection.send(("whole", size, counts))
            connection.recv()

        while (shard := connection.recv()) is not None:
            result = attempt(
                shard,
                lambda shard=shard: embedder.embed(  # type: ignore[misc]
                    shard, lambda rows, share: connection.send(("report", rows, share)), commit
                ),
            )
            connection.send(("end", result))
