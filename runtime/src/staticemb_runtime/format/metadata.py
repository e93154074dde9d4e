"""The metadata of a static embedding file (SPEC sections 5 and 12)."""

from __future__ import annotations

import contextlib
import itertools
import re
from typing import Final, Literal, NamedTuple, NoReturn, cast

from ..errors import (
    InconsistentMetadataError,
    InvalidMetadataError,
    MissingMetadataError,
    NotStaticembError,
    UnsupportedFeatureError,
    UnsupportedVersionError,
)
from . import strict_json

Pooling = Literal["mean", "damped_mean"]
"""The plain mean, or the mean in two passes."""

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
    "vectors_digest",
)
DAMPING_KEYS: Final = ("damping_beta", "damping_dims")
OPTIONAL_KEYS: Final = (
    "max_tokens",
    "unknown_token_id",
    "teacher",
    "teacher_revision",
    "license",
    "languages",
    "prompts",
    "recipe",
    "creator",
    "description",
)
METADATA_KEYS: Final = REQUIRED_KEYS + DAMPING_KEYS + OPTIONAL_KEYS
# The key of the optional part `space` (SPEC section 6.3).
SPACE_KEY: Final = "space"
# The keys that `vectors_digest` covers, in its order (SPEC section 10).
DECISIVE_KEYS: Final = (
    "damping_beta",
    "damping_dims",
    "dim",
    "features",
    "max_tokens",
    "normalize",
    "pooling",
    "prefixes",
    "unknown_token_id",
)

MAX_PROMPTS: Final = 256
MAX_PROMPT_NAME_BYTES: Final = 256
MAX_PROMPT_BYTES: Final = 16_384

_INTEGER = r"(?:0|[1-9][0-9]{0,15})"
NUMBER: Final = rf"{_INTEGER}(?:\.[0-9]{{0,14}}[1-9])?"
_LIST = r"(?:[^ ]+(?: [^ ]+)*)?"
_DIGEST = "sha256:[0-9a-f]{64}"


class Metadata(NamedTuple):
    """The checked metadata of a file.

    Attributes:
        format_version: the version of the format, such as "1.0"; empty for folders of others.
        features: the features that a reader has to support.
        dim: D, the number of columns of the table.
        prefixes: the recommended numbers of dimensions, in ascending order.
        normalize: whether vectors get unit length.
        pooling: the mean that the file was made for.
        digest: the SHA-256 of the file, or empty.
        vectors_digest: the SHA-256 of the parts that determine vectors, or empty.
        prompts: texts by name, for `StaticModel.encode`.
        extra: every key without a field, keys of optional parts included (SPEC section 6.1).
        damping_beta: the strength of damping.
        damping_dims: the number of columns that damping compares.
        max_tokens: the number of tokens at which texts are cut; None: no limit.
        unknown_token_id: the id of the unknown token, which is dropped; None: none is dropped.
    """

    format_version: str
    features: tuple[str, ...]
    dim: int
    prefixes: tuple[int, ...]
    normalize: bool
    pooling: Pooling
    digest: str
    vectors_digest: str
    prompts: dict[str, str]
    extra: dict[str, str]
    damping_beta: float = 0.0
    damping_dims: int = 1
    max_tokens: int | None = None
    unknown_token_id: int | None = None


class MetadataReader:
    """Checks a header's metadata: first the version and the features, then all values.

    Args:
        values: the metadata.
        source: the file's name, for messages.
    """

    def __init__(self, values: dict[str, str], source: str) -> None:
        self.values = dict(values)
        self.source = source

    def check_understood(self) -> None:
        """Check that this reader supports the format, its version and its features.

        Raises:
            NotStaticembError, UnsupportedVersionError, UnsupportedFeatureError
            MissingMetadataError, InvalidMetadataError: for the version and the features.
        """
        if self.values.get("format") != "staticemb":
            found = repr(self.values["format"]) if "format" in self.values else "none"
            raise NotStaticembError(self.source, "metadata 'format'", "'staticemb'", found)
        del self.values["format"]
        self.version = self._version()
        self.features = self._features()

    def read(self, columns: int, n_token_ids: int) -> Metadata:
        """Check and return all values; call `check_understood` first.

        Args:
            columns: D, the number of columns of `embeddings`.
            n_token_ids: V, the number of token ids.

        Raises:
            MissingMetadataError, InvalidMetadataError, InconsistentMetadataError
        """
        features = self.features
        dim = self._integer("dim", 1, 2**53)
        if dim != columns:
            self._inconsistent("dim", f"{columns}, as in the shape of 'embeddings'", str(dim))
        prefixes = self._prefixes(dim)
        normalize = self._match("normalize", "true|false", "true or false") == "true"
        pooling = cast(Pooling, self._match("pooling", "mean|damped_mean", "mean or damped_mean"))
        if ("damped_mean" in features) != (pooling == "damped_mean"):
            expected = "damped_mean exactly if the pooling is damped_mean"
            self._inconsistent("features", expected, f"{list(features)} with pooling {pooling}")
        digest, vectors_digest = (
            self._match(key, _DIGEST, "sha256: and 64 hexadecimal digits")
            for key in ("digest", "vectors_digest")
        )
        beta, dims = self._damping(pooling, columns)
        max_tokens = unknown = None
        if "max_tokens" in self.values:
            max_tokens = self._integer("max_tokens", 1, MAX_MAX_TOKENS)
        if "unknown_token_id" in self.values:
            unknown = self._integer("unknown_token_id", 0, n_token_ids - 1)
        if "languages" in self.values:
            self.values["languages"] = self._match(
                "languages", _LIST, "items separated by single spaces"
            )
        prompts = self._prompts() if "prompts" in self.values else {}
        return Metadata(
            format_version=self.version,
            features=features,
            dim=dim,
            prefixes=prefixes,
            normalize=normalize,
            pooling=pooling,
            digest=digest,
            vectors_digest=vectors_digest,
            prompts=prompts,
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
            self._invalid("features", "unique names in ascending order", repr(features))
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
            self._invalid("prefixes", "integers separated by spaces", repr(" ".join(items)))
        prefixes = tuple(int(item) for item in items)
        if prefixes[0] < 1 or any(a >= b for a, b in itertools.pairwise(prefixes)):
            self._invalid("prefixes", "positive integers, ascending", repr(" ".join(items)))
        if prefixes[-1] != dim:
            self._inconsistent("prefixes", f"the last to equal dim, {dim}", str(prefixes[-1]))
        return prefixes

    def _damping(self, pooling: Pooling, columns: int) -> tuple[float, int]:
        if pooling == "mean":
            for key in DAMPING_KEYS:
                if key in self.values:
                    self._inconsistent(key, "no such key with pooling mean", self.values[key])
            return 0.0, 1
        expected = f"a number from 0 to {MAX_BETA:g}"
        beta = float(self._match("damping_beta", NUMBER, expected))
        if beta > MAX_BETA:
            self._invalid("damping_beta", expected, str(beta))
        return beta, self._integer("damping_dims", 1, columns)

    def _prompts(self) -> dict[str, str]:
        """Parse the prompts, which have one valid spelling (SPEC section 5)."""
        spelling = self.values.pop("prompts")
        members = parse_texts(spelling)
        if members is None:
            expected = "a JSON object of strings, its names ascending, without white space"
            self._invalid("prompts", expected, f"{spelling!r:.60}")
        if len(members) > MAX_PROMPTS:
            self._invalid("prompts", f"at most {MAX_PROMPTS} prompts", str(len(members)))
        for name, text in members.items():
            if not name or len(name.encode()) > MAX_PROMPT_NAME_BYTES:
                expected = f"names of 1 to {MAX_PROMPT_NAME_BYTES} bytes"
                self._invalid("prompts", expected, f"{name!r:.60}")
            if len(text.encode()) > MAX_PROMPT_BYTES:
                expected = f"texts of at most {MAX_PROMPT_BYTES} bytes"
                self._invalid("prompts", expected, f"{len(text.encode())} for {name!r:.60}")
        return members

    def _match(self, key: str, pattern: str, expected: str) -> str:
        """Remove the value of `key` from the unread values and match it with the pattern."""
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
        value = self._match(key, _LIST, "items separated by single spaces")
        return tuple(value.split(" ")) if value else ()

    def _invalid(self, key: str, expected: str, found: str) -> NoReturn:
        raise InvalidMetadataError(self.source, f"metadata {key!r}", expected, found)

    def _inconsistent(self, key: str, expected: str, found: str) -> None:
        raise InconsistentMetadataError(self.source, f"metadata {key!r}", expected, found)


def parse_texts(spelling: str) -> dict[str, str] | None:
    """Parse texts by name, which have one valid spelling (SPEC section 5).

    Returns:
        The texts; None if the spelling is invalid.

    Example:
        >>> parse_texts('{"a":"b"}'), parse_texts('{"a": "b"}')
        ({'a': 'b'}, None)
    """
    import json  # late: most files have no texts by name

    if strict_json.depth(spelling, 1) != 1:
        return None
    with contextlib.suppress(ValueError):
        members = strict_json.loads(spelling)
        if isinstance(members, dict) and all(isinstance(text, str) for text in members.values()):
            valid = json.dumps(members, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
            return members if spelling == valid else None
    return None
