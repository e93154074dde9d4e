"""Rows of data sets on the Hugging Face Hub, streamed by the optional package `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ..errors import MissingPackageError, TextSourceError
from .records import Record


def hub_records(
    name: str,
    *,
    split: str = "train",
    config: str | None = None,
    revision: str | None = None,
    class_names: bool = False,
) -> Iterator[tuple[str, Record]]:
    """Stream the rows of a data set.

    Args:
        name: The data set's id, or a local folder that `datasets` can load.
        split: The split, for example "train".
        config: The subset, if the data set has several.
        revision: A commit, branch or tag.
        class_names: Whether the number of a class becomes its name, where the data set names its
            classes, and -1 becomes None.

    Yields:
        The row's location for messages, and the row.

    Raises:
        TextSourceError: The data set does not exist or cannot be read.
        MissingPackageError: `datasets` is not installed.
    """
    number = 0
    builder = _builder(name, config, revision)
    try:
        dataset = builder.as_streaming_dataset(split=split)
        records = iter(dataset)
    except Exception as error:
        raise TextSourceError(f"hf:{name}: cannot be read: {error}") from error
    features = dict(dataset.features or {}) if class_names else {}
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except Exception as error:
            raise TextSourceError(f"hf:{name}: cannot be read: {error}") from error
        number += 1
        named = {column: _class_names(features[column], record[column]) for column in features}
        yield f"hf:{name}, row {number}", record | named


def hub_version(name: str, *, config: str | None = None, revision: str | None = None) -> str:
    """Return the version of a data set that `hub_records` reads: its commit on the Hub.

    For a local folder it is the hash that `datasets` computes.

    Args:
        name: As for `hub_records`.
        config: As for `hub_records`.
        revision: As for `hub_records`.

    Raises:
        TextSourceError: The data set does not exist or cannot be read.
        MissingPackageError: `datasets` is not installed.
    """
    return str(_builder(name, config, revision).hash)


def _class_names(feature: Any, value: Any) -> Any:  # noqa: ANN401 - untyped
    """Return the name of a class, or the names of a list of classes; other values stay."""
    if isinstance(value, list):
        item = getattr(feature, "feature", None)
        return value if item is None else [_class_names(item, each) for each in value]
    names = getattr(feature, "names", None)
    if names is None or value is None:
        return value
    return names[value] if value >= 0 else None


@cache  # A branch may move: within a process a data set must always be the same commit.
def _builder(name: str, config: str | None, revision: str | None) -> Any:  # noqa: ANN401 - untyped
    try:
        import datasets  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise MissingPackageError(f"hf:{name}: to read it, install datasets") from error
    try:
        return datasets.load_dataset_builder(name, config, revision=revision)
    except Exception as error:
        raise TextSourceError(f"hf:{name}: cannot be read: {error}") from error
