"""`staticemb serve`: answer requests over HTTP with models and search indexes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from ..errors import InvalidOptionError
from ..loading.installed import DEFAULT_MODEL, chosen
from ..serve.limits import Limits
from .parser import CommandParser
from .process import Stopped, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..serve.settings import ServerSettings

_TERMINATED: Final = 143
_DEFAULTS: Final = Limits()


def add_parser(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Declare the subcommand."""
    serve = commands.add_parser(
        "serve",
        help="answer requests over HTTP",
        description="Answer requests over HTTP: /v1/embeddings and /v1/models as OpenAI's API has "
        "them, /embed, /rerank, /health and /metrics as Text Embeddings Inference has them, "
        "/search over indexes, and /classify with a model's heads. Needs the extra serve.",
    )
    serve.set_defaults(run=run)
    serve.add_argument(
        "models",
        nargs="*",
        metavar="[NAME=]MODEL",
        help="as for `staticemb encode`; requests name a model by NAME [the file's name "
        f"without suffix]. Default: $STATICEMB_MODEL, else {DEFAULT_MODEL}",
    )
    serve.add_argument(
        "--index",
        action="append",
        default=[],
        metavar="[NAME=]INDEX",
        help="a search index that `staticemb index` made; may be repeated",
    )
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen at [127.0.0.1]")
    serve.add_argument("--port", type=int, default=8080, help="the port; 0: a free one [8080]")
    serve.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="the number of processes; they share the models' files in memory [1]",
    )
    serve.add_argument(
        "--api-keys",
        metavar="FILE",
        help="a file with an API key a line, one of which a request needs; "
        "$STATICEMB_API_KEYS holds further ones, separated by commas",
    )
    serve.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name in the header Host to accept, as a proxy may send it; without keys a server "
        "at a local address accepts localhost and addresses alone. May be repeated",
    )
    serve.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="an origin whose web pages may ask this server; may be repeated",
    )
    for name, limited in (
        ("texts", "texts in a request"),
        ("characters", "characters of all texts in a request"),
        ("body_bytes", "bytes in a request"),
    ):
        default = getattr(_DEFAULTS, name)
        serve.add_argument(
            f"--max-{name.replace('_', '-')}",
            type=int,
            default=default,
            metavar="N",
            help=f"the most {limited} [{default}]",
        )
    serve.add_argument(
        "--timeout",
        type=float,
        default=_DEFAULTS.seconds,
        metavar="SECONDS",
        help="how long a client may take to send a request, and the server to answer it "
        f"[{_DEFAULTS.seconds:g}]",
    )
    serve.add_argument(
        "--log-requests", action="store_true", help="print a line a request on standard error"
    )


def run(options: argparse.Namespace) -> int:
    """Serve until a signal ends the process."""
    from ..serve.server import serve
    from ..serve.settings import is_local

    settings = _settings(options)
    names = ", ".join(name for name, _ in (*settings.models, *settings.indexes))

    def started(url: str) -> None:
        print(f"staticemb: {printable(names)} at {url}", file=sys.stderr)
        if not settings.keys and not is_local(settings.host):
            note = "every machine that reaches this address can ask; --api-keys limits that"
            print(f"staticemb: {note}", file=sys.stderr)

    try:
        serve(settings, started)
    except Stopped as stop:
        if stop.code != _TERMINATED:
            raise
        print("staticemb: stopped by SIGTERM, all requests are answered", file=sys.stderr)
    return 0


def _settings(options: argparse.Namespace) -> ServerSettings:
    """Check the options."""
    from ..serve.keys import read_keys
    from ..serve.settings import ServerSettings

    limits = _DEFAULTS._replace(
        texts=_positive("--max-texts", options.max_texts),
        characters=_positive("--max-characters", options.max_characters),
        body_bytes=_positive("--max-body-bytes", options.max_body_bytes),
        seconds=options.timeout,
    )
    if not 1 <= limits.seconds <= 3600:
        raise InvalidOptionError(f"--timeout: expected 1 to 3600 seconds, found {limits.seconds:g}")
    if not 0 <= options.port < 1 << 16:
        raise InvalidOptionError(f"--port: expected 0 to 65535, found {options.port}")
    given = options.models or [chosen() or DEFAULT_MODEL]
    return ServerSettings(
        models=_named("models", given),
        indexes=_named("--index", options.index),
        host=options.host,
        port=options.port,
        workers=_positive("--workers", options.workers),
        limits=limits._replace(pending_bytes=max(limits.pending_bytes, 4 * limits.body_bytes)),
        keys=read_keys(options.api_keys),
        hosts=tuple(options.allow_host),
        cors_origins=tuple(options.cors_origin),
        log=options.log_requests,
    )


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise InvalidOptionError(f"{name}: expected an integer of at least 1, found {value}")
    return value


def _named(option: str, arguments: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Split NAME=PATH; without a name it is the file's, without suffix.

    A name may hold slashes, as on the Hub; an argument that exists is a path.

    Raises:
        InvalidOptionError: a name is empty or occurs twice.
    """
    pairs: dict[str, str] = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not equals or Path(argument).exists():
            name, path = PurePath(argument).stem, argument
        if not name or not path:
            raise InvalidOptionError(f"{option}: expected NAME=FILE, found {argument!r}")
        if name in pairs:
            raise InvalidOptionError(
                f"{option}: expected distinct names, found {name} for {pairs[name]} and {path}; "
                "NAME=FILE gives another"
            )
        pairs[name] = path
    return tuple(pairs.items())
