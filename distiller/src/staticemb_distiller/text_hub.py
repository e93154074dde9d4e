"""Texts out of a data set on the Hugging Face Hub, streamed by the optional package `datasets`."""

from __future__ import annotations

from collections.abc import Iterator

from .errors import TextPackageError, TextSourceError
from .records import Record
from .text_files import joined


def read_hub(
    name: str,
    *,
    columns: tuple[str, ...] = (),
    split: str = "train",
    config: str | None = None,
    revision: str | None = None,
) -> Iterator[str]:
    """Read the texts of a data set without downloading all of it first.

    Args:
        name: As for `hub_records`.
        columns: As for `text_files.read_path`.
        split: As for `hub_records`.
        config: As for `hub_records`.
        revision: As for `hub_records`.

    Raises:
        TextSourceError: There is no such data set, or it cannot be read.
        TextColumnError: There is no such column, or no telling which one is meant.
        TextPackageError: `datasets` is not installed.
    """
    for where, record in hub_records(name, split=split, config=config, revision=revision):
        if text := joined(record, columns, where):
            yield text


def hub_records(
    name: str,
    *,
    split: str = "train",
    config: str | None = None,
    revision: str | None = None,
) -> Iterator[tuple[str, Record]]:
    """Read the rows of a data set without downloading all of it first.

    Args:
        name: The data set's id, or a local folder in the form of one.
        split: For example "train".
        config: The data set's subset, where it has several.
        revision: A commit, branch or tag.

    Yields:
        Where a row stands, for messages, and the row.

    Raises:
        TextSourceError: There is no such data set, or it cannot be read.
        TextPackageError: `datasets` is not installed.
    """
    number = 0
    try:
        import datasets  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise TextPackageError(f"hf:{name}: to read it, install datasets") from error
    try:
        records = iter(
            datasets.load_dataset(name, config, split=split, revision=revision, streaming=True)
        )
    except Exception as error:
        raise TextSourceError(f"hf:{name}: cannot be read: {error}") from error
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except Exception as error:
            raise TextSourceError(f"hf:{name}: cannot be read: {error}") from error
        number += 1
        yield f"hf:{name}, row {number}", record
