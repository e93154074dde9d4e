"""The ASGI application: routes of the three APIs behind one gate."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import Route

from . import classify_api, openai_api, search_api, tei_api
from .endpoint import Endpoint, Worker
from .gate import HEALTH, Gate, dialect_of
from .keys import KeyRing
from .limits import Limits
from .metrics import Metrics
from .refusals import Refusal
from .service import Service, TokenDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from ..model import StaticModel
    from ..search import Index

_MOST_THREADS: Final = 8


def create_app(
    models: Mapping[str, StaticModel],
    indexes: Mapping[str, Index] | None = None,
    *,
    limits: Limits | None = None,
    keys: Iterable[str] = (),
    hosts: Collection[str] | None = None,
    cors_origins: Iterable[str] = (),
    log: bool = False,
) -> ASGIApp:
    """Make the application, for any ASGI server.

    Args:
        models: the models by the names that requests use; a request without a name gets the first.
        indexes: the search indexes by name, opened for reading.
        limits: the limits; None: the defaults.
        keys: API keys; without any, no key is needed.
        hosts: the names in `Host` that are accepted apart from `localhost` and addresses; None:
            any.
        cors_origins: the origins whose pages may read answers; `*` for all.
        log: whether to print a line a request on standard error.

    Returns:
        An ASGI application. Time for half-sent requests and slow readers is the ASGI server's to
        limit; `staticemb serve` does so.

    Raises:
        ServeError: there is no model.
        StaticEmbError: a model's or an index's file is damaged.

    Example:
        >>> from staticemb_runtime import StaticModel
        >>> app = create_app({"minilm-en-small": StaticModel()})
    """
    used = limits or Limits()
    service = Service(models, indexes or {}, used)
    service.warm()
    worker = Worker(used, min(_MOST_THREADS, os.cpu_count() or 1))
    posts = {
        "/v1/embeddings": functools.partial(openai_api.embeddings, service, TokenDecoder()),
        "/embed": functools.partial(tei_api.embed, service),
        "/": functools.partial(tei_api.embed, service),  # where Hugging Face's client asks
        "/rerank": functools.partial(tei_api.rerank, service),
        "/search": functools.partial(search_api.search, service),
        "/classify": functools.partial(classify_api.classify, service),
    }
    metrics = Metrics((*posts, "/v1/models", HEALTH, "/metrics"))
    endpoints = {
        path: Endpoint(path, prepare, dialect_of(path), worker, metrics)
        for path, prepare in posts.items()
    }
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()]

    async def listed(request: Request) -> Response:
        return _json(openai_api.models(service))

    async def one_model(request: Request) -> Response:
        return _json(openai_api.model(service, request.path_params["name"]))

    async def health(request: Request) -> Response:
        return _json({"status": "ok"})

    async def counted(request: Request) -> Response:
        return Response(metrics.page(), headers={"content-type": metrics.content_type.decode()})

    routes += [
        Route("/v1/models", listed),
        Route("/v1/models/{name:path}", one_model),
        Route(HEALTH, health),
        Route("/metrics", counted),
    ]
    origins = list(cors_origins)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type"],
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        worker.close()

    app = Starlette(
        routes=routes,
        middleware=[cors] if origins else [],
        exception_handlers={HTTPException: _http_error, Refusal: _refusal},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    direct = {} if origins else endpoints  # answers to pages of other origins need headers
    return Gate(app, direct=direct, keys=KeyRing(keys), hosts=hosts, metrics=metrics, log=log)


def _json(document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), media_type="application/json")


def _answer(request: Request, refusal: Refusal, headers: Mapping[str, str]) -> Response:
    dialect = dialect_of(request.url.path)
    return Response(
        refusal.body(dialect),
        refusal.status(dialect),
        headers=dict(headers),
        media_type="application/json",
    )


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer a path that is unknown, or a method that it does not have."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        refusal = Refusal("method", f"method: expected {allowed}, found {request.method}")
    else:
        refusal = Refusal("not_found", "path: expected one of this server's routes")
    return _answer(request, refusal, error.headers or {})


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _answer(request, error, {})
