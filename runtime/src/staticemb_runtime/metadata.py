"""The settings that a static embedding file carries as metadata (SPEC sections 5 and 12)."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Final, Literal, cast

from .errors import (
    InconsistentMetadataError,
    InvalidMetadataError,
    MissingMetadataError,
    NotStaticembError,
    UnsupportedFeatureError,
    UnsupportedVersionError,
)
from .header import Header

Pooling = Literal["mean", "damped_mean"]

MAJOR_VERSION: Final = 1
FEATURES: Final = ("damped_mean",)
MAX_BETA: Final = 16.0
MAX_MAX_TOKENS: Final = 2**31 - 1

REQUIRED_KEYS: Final = (
    "format",
    "format_version",
    "features",
    "dim",
    "prefixes",
    "normalize",
    "pooling",
    "digest",
)
DAMPING_KEYS: Final = ("damping_beta", "damping_dims")
OPTIONAL_KEYS: Final = (
    "max_tokens",
    "unknown_token_id",
    "teacher",
    "teacher_revision",
    "license",
    "languages",
    "recipe",
    "creator",
    "description",
)
METADATA_KEYS: Final = REQUIRED_KEYS + DAMPING_KEYS + OPTIONAL_KEYS

_INTEGER = r"(?:0|[1-9][0-9]{0,15})"
_NUMBER = rf"{_INTEGER}(?:\.[0-9]{{0,14}}[1-9])?"
_LIST = r"(?:[^ ]+(?: [^ ]+)*)?"


@dataclass(frozen=True)
class Metadata:
    """What the file says of itself. `extra` holds every key that has no field of its own."""

    format_version: str
    features: tuple[str, ...]
    dim: int
    prefixes: tuple[int, ...]
    normalize: bool
    pooling: Pooling
    digest: str
    damping_beta: float = 0.0
    damping_dims: int = 1
    max_tokens: int | None = None
    unknown_token_id: int | None = None
    extra: dict[str, str] = field(default_factory=dict)


def parse_metadata(header: Header, source: str) -> Metadata:
    """Check a header's metadata against the specification and the file's tensors.

    Raises:
        FormatError: a subclass for each fault, as in SPEC section 13.3.
    """
    return _Reader(header, source).read()


class _Reader:
    def __init__(self, header: Header, source: str) -> None:
        self.header = header
        self.values = dict(header.metadata)
        self.source = source

    def read(self) -> Metadata:
        if self.values.get("format") != "staticemb":
            found = repr(self.values["format"]) if "format" in self.values else "none"
            raise NotStaticembError(self.source, "metadata 'format'", "'staticemb'", found)
        del self.values["format"]
        version = self._version()
        features = self._features()
        dim = self._integer("dim", 1, 2**53)
        if dim != self.header.dim:
            self._inconsistent(
                "dim", f"{self.header.dim}, as in the shape of 'embeddings'", str(dim)
            )
        prefixes = self._prefixes(dim)
        normalize = self._match("normalize", "true|false", "true or false") == "true"
        pooling = cast(Pooling, self._match("pooling", "mean|damped_mean", "mean or damped_mean"))
        if ("damped_mean" in features) != (pooling == "damped_mean"):
            expected = "damped_mean among them exactly if it is the pooling"
            self._inconsistent("features", expected, f"{list(features)} with pooling {pooling}")
        digest = self._match("digest", "sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits")
        beta, dims = self._damping(pooling)
        max_tokens = unknown = None
        if "max_tokens" in self.values:
            max_tokens = self._integer("max_tokens", 1, MAX_MAX_TOKENS)
        if "unknown_token_id" in self.values:
            unknown = self._integer("unknown_token_id", 0, self.header.n_token_ids - 1)
        if "languages" in self.values:
            self.values["languages"] = self._match("languages", _LIST, "items between spaces")
        return Metadata(
            format_version=version,
            features=features,
            dim=dim,
            prefixes=prefixes,
            normalize=normalize,
            pooling=pooling,
            digest=digest,
            damping_beta=beta,
            damping_dims=dims,
            max_tokens=max_tokens,
            unknown_token_id=unknown,
            extra=self.values,
        )

    def _version(self) -> str:
        version = self._match("format_version", rf"{_INTEGER}\.{_INTEGER}", "MAJOR.MINOR")
        if int(version.split(".")[0]) != MAJOR_VERSION:
            expected = f"{MAJOR_VERSION}.x (a newer staticemb-runtime may read it)"
            raise UnsupportedVersionError(
                self.source, "metadata 'format_version'", expected, version
            )
        return version

    def _features(self) -> tuple[str, ...]:
        features = self._list("features")
        if sorted({f.encode() for f in features}) != [f.encode() for f in features]:
            self._invalid("features", "names in ascending order, none twice", repr(features))
        for feature in features:
            if feature not in FEATURES:
                expected = (
                    f"features among {', '.join(FEATURES)} (a newer staticemb-runtime may know it)"
                )
                raise UnsupportedFeatureError(
                    self.source, "metadata 'features'", expected, repr(feature)
                )
        return features

    def _prefixes(self, dim: int) -> tuple[int, ...]:
        items = self._list("prefixes")
        if not items or not all(re.fullmatch(_INTEGER, item) for item in items):
            self._invalid("prefixes", "integers between spaces", repr(" ".join(items)))
        prefixes = tuple(int(item) for item in items)
        if prefixes[0] < 1 or any(a >= b for a, b in itertools.pairwise(prefixes)):
            self._invalid("prefixes", "positive integers, ascending", repr(" ".join(items)))
        if prefixes[-1] != dim:
            self._inconsistent("prefixes", f"the last to be dim, {dim}", str(prefixes[-1]))
        return prefixes

    def _damping(self, pooling: Pooling) -> tuple[float, int]:
        if pooling == "mean":
            for key in DAMPING_KEYS:
                if key in self.values:
                    self._inconsistent(key, "no such key with pooling mean", self.values[key])
            return 0.0, 1
        expected = f"a number from 0 to {MAX_BETA:g}"
        beta = float(self._match("damping_beta", _NUMBER, expected))
        if beta > MAX_BETA:
            self._invalid("damping_beta", expected, str(beta))
        return beta, self._integer("damping_dims", 1, self.header.dim)

    def _match(self, key: str, pattern: str, expected: str) -> str:
        """Take the value of `key` out of what is left to read; it must match the pattern."""
        if key not in self.values:
            raise MissingMetadataError(self.source, "metadata", f"the key {key!r}", "none")
        value = self.values.pop(key)
        if not re.fullmatch(pattern, value):
            self._invalid(key, expected, repr(value))
        return value

    def _integer(self, key: str, low: int, high: int) -> int:
        expected = f"an integer from {low} to {high}"
        value = int(self._match(key, _INTEGER, expected))
        if not low <= value <= high:
            self._invalid(key, expected, str(value))
        return value

    def _list(self, key: str) -> tuple[str, ...]:
        value = self._match(key, _LIST, "items with one space between them")
        return tuple(value.split(" ")) if value else ()

    def _invalid(self, key: str, expected: str, found: str) -> None:
        raise InvalidMetadataError(self.source, f"metadata {key!r}", expected, found)

    def _inconsistent(self, key: str, expected: str, found: str) -> None:
        raise InconsistentMetadataError(self.source, f"metadata {key!r}", expected, found)
