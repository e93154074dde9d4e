"""API keys: read from a file or the environment, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from typing import TYPE_CHECKING, Final

from ..errors import ServeError

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYS_VARIABLE: Final = "STATICEMB_API_KEYS"
_KEY: Final = re.compile(r"[!-~]+")  # what a header can carry without quotes


def read_keys(path: str | None) -> tuple[str, ...]:
    """Return the keys of a file, one a line, and of the environment, separated by commas.

    Empty lines and lines that begin with `#` are ignored.

    Raises:
        ServeError: the file cannot be read or holds no key, or a key has other characters than
            visible ASCII. The message names no key.
    """
    keys = [key.strip() for key in os.environ.get(KEYS_VARIABLE, "").split(",")]
    keys = _checked(KEYS_VARIABLE, filter(None, keys))
    if path is None:
        return tuple(keys)
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "expected UTF-8"
        raise ServeError(f"{path}: the API keys cannot be read: {reason}") from None
    listed = _checked(path, (line for line in lines if line and not line.startswith("#")))
    if not listed:
        raise ServeError(f"{path}: expected an API key a line, found none")
    return (*keys, *listed)


def _checked(source: str, keys: Iterable[str]) -> list[str]:
    checked = list(keys)
    if not all(map(_KEY.fullmatch, checked)):
        raise ServeError(f"{source}: expected API keys of visible ASCII characters, found others")
    return checked


class KeyRing:
    """Compares the key of a request with all keys, in a time that does not depend on them.

    Args:
        keys: the keys.

    Example:
        >>> ring = KeyRing(["secret"])
        >>> ring.accepts(b"Bearer secret"), ring.accepts(b"Bearer secrets"), ring.accepts(b"")
        (True, False, False)
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accepts(self, authorization: bytes) -> bool:
        """Tell whether the value of the header `Authorization` holds one of the keys."""
        scheme, _, key = authorization.partition(b" ")
        digest = hashlib.sha256(key.strip()).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(matches) and scheme.lower() == b"bearer"
