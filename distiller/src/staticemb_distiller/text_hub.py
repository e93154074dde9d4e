"""Texts out of a data set on the Hugging Face Hub, streamed by the optional package `datasets`."""

from __future__ import annotations

from collections.abc import Iterator

from .errors import TextPackageError, TextSourceError
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
        name: The data set's id, or a local folder in the form of one.
        columns: As for `text_files.read_path`.
        split: For example "train".
        config: The data set's subset, where it has several.
        revision: A commit, branch or tag.

    Raises:
        TextSourceError: There is no such data set, or it cannot be read.
        TextColumnError: There is no such column, or no telling which one is meant.
        TextPackageError: `datasets` is not installed.
    """
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
        if text := joined(record, columns, f"hf:{name}"):
            yield text
