"""Metrics in Prometheus' text format."""

from __future__ import annotations

import os
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from .settings import SHARED_METRICS

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters of a server; those of all its processes if they share a folder.

    Args:
        routes: the paths that are counted; any other counts as `other`.
    """

    content_type: Final = CONTENT_TYPE_LATEST.encode()

    def __init__(self, routes: tuple[str, ...]) -> None:
        self._registry = registry = CollectorRegistry()
        self._routes = frozenset(routes)
        self._requests = Counter(
            "staticemb_requests", "Requests.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "staticemb_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._texts = Counter("staticemb_texts", "Texts embedded.", ["route"], registry=registry)
        self._tokens = Counter("staticemb_tokens", "Known tokens.", ["route"], registry=registry)
        # Looking up labels takes longer than counting.
        self._ended: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._worked: dict[str, tuple[Counter, Counter]] = {}
        self._running = Gauge(
            "staticemb_requests_running",
            "Requests being read or worked on.",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def begin(self) -> None:
        """Count a request that begins."""
        self._running.inc()

    def end(self, route: str, status: int, seconds: float) -> None:
        """Count a request that has ended."""
        self._running.dec()
        name = route if route in self._routes else "other"
        counted = self._ended.get((name, status))
        if counted is None:
            counted = self._requests.labels(name, str(status)), self._seconds.labels(name)
            self._ended[name, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def work(self, route: str, texts: int, tokens: int) -> None:
        """Count the texts of a request."""
        counted = self._worked.get(route)
        if counted is None:
            counted = self._texts.labels(route), self._tokens.labels(route)
            self._worked[route] = counted
        counted[0].inc(texts)
        counted[1].inc(tokens)

    def page(self) -> bytes:
        """Return all metrics."""
        registry = self._registry
        if os.environ.get(SHARED_METRICS):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
