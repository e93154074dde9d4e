"""The address of an embedding server, and how it is asked: `openai:URL#MODEL?KEY=VALUE&...`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from ..errors import TeacherError

PREFIX = "openai:"
_DEFAULT_KEY = "OPENAI_API_KEY"
_OPENAI = "api.openai.com"
_TEXTS = ("document_prefix", "query_prefix", "document_type", "query_type", "key")
_COUNTS = ("dimensions", "batch_texts", "batch_tokens", "requests", "tries")
_FORM = f"{PREFIX}URL#MODEL"


@dataclass(frozen=True, kw_only=True)
class ServerSpec:
    """A model on a server that speaks OpenAI's protocol of embeddings.

    Attributes:
        url: The base address, such as `https://api.openai.com/v1`.
        model: The model's name.
        dimensions: The dimension to ask for; None: the model's own.
        document_prefix: The text before each document.
        query_prefix: The text before each query.
        document_type: `input_type` of documents, such as "search_document"; "": not sent.
        query_type: `input_type` of queries.
        key: The environment variable with the key; "": OPENAI_API_KEY for OpenAI and for servers on
            this machine, and no key for other servers, which must not get OpenAI's key.
        batch_texts: The most texts in a request.
        batch_tokens: The most tokens in a request, as estimated.
        requests: The most requests at the same time.
        tries: How often a request is sent before its failure ends the run.
        http: "allow": send texts and the key unencrypted to another machine.
    """

    url: str
    model: str
    dimensions: int | None = None
    document_prefix: str = ""
    query_prefix: str = ""
    document_type: str = ""
    query_type: str = ""
    key: str = ""
    batch_texts: int = 128
    batch_tokens: int = 16_000
    requests: int = 4
    tries: int = 6
    http: str = ""

    @classmethod
    def parse(cls, spec: str) -> ServerSpec:
        """Parse an address; values are decoded as in a URL: `%26` is `&`, `+` is a space.

        Raises:
            TeacherError: The address is invalid, or is unencrypted and not of this machine.

        >>> ServerSpec.parse("openai:http://localhost:8080/v1#e5?query_prefix=query: ").query_prefix
        'query: '
        """
        address, _, rest = spec.removeprefix(PREFIX).partition("#")
        model, _, query = rest.partition("?")
        _check_address(address, model)
        values: dict[str, str | int] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name in _COUNTS:
                if not value.isascii() or not value.isdigit() or int(value) < 1:
                    msg = f"{name}: expected a number of at least 1, found {value!r}"
                    raise TeacherError(msg)
                values[name] = int(value)
            elif name in _TEXTS or (name == "http" and value == "allow"):
                values[name] = value
            else:
                known = ", ".join((*_TEXTS, *_COUNTS, "http=allow"))
                raise TeacherError(f"{_FORM}: expected one of {known} after ?, found {name!r}")
        result = cls(url=address.rstrip("/"), model=unquote(model), **values)  # type: ignore[arg-type]
        if urlsplit(address).scheme == "http" and not result.local and not result.http:
            raise TeacherError(
                f"{result.host}: expected https, found http, which sends texts and the key "
                "unencrypted; add ?http=allow if this is intended"
            )
        return result

    @property
    def host(self) -> str:
        """The server's host, for messages."""
        return urlsplit(self.url).hostname or ""

    @property
    def local(self) -> bool:
        """Whether the server is on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def key_variable(self) -> str:
        """The environment variable with the key; "" if no key is sent."""
        return self.key or (_DEFAULT_KEY if self.local or self.host == _OPENAI else "")

    @property
    def name(self) -> str:
        """The address with what determines the vectors; without the URL's query and any key.

        >>> ServerSpec(url="https://a.org/v1?secret=x", model="m", dimensions=64).name
        'openai:https://a.org/v1#m?dimensions=64'
        """
        parts = urlsplit(self.url)
        place = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        names = ("dimensions", *_TEXTS[:4])
        options = "&".join(
            f"{name}={quote(str(value), safe=': ')}"
            for name in names
            if (value := getattr(self, name))
        )
        model = quote(self.model, safe="/:@ ")
        return f"{PREFIX}{place}#{model}" + (f"?{options}" if options else "")


def _check_address(address: str, model: str) -> None:
    try:
        parts = urlsplit(address)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        valid = False
    # The address is not quoted: a part of it may be a key.
    if not valid or not address.isprintable() or " " in address or not address.isascii():
        raise TeacherError(f"{_FORM}: expected an http or https address, found another text")
    if parts.username is not None or parts.password is not None:
        raise TeacherError(
            f"{_FORM}: expected an address without a user or key; put the key into an environment "
            "variable, and name it with ?key="
        )
    if not model:
        raise TeacherError(f"{_FORM}: expected #MODEL after the address, found none")
