"""Strangers at the server: slow and half requests, smuggling, malformed bodies, load, signals."""

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from server_process import read_all, serving
from staticemb_distiller.file import Parts, Settings, write
from staticemb_runtime import StaticModel
from staticemb_runtime.serve import Limits
from strategies import word_level_tokenizer

for package in ("prometheus_client", "starlette", "uvicorn"):
    pytest.importorskip(package)

ASK = b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = b'{"inputs": "a"}'
# 60: an hour of requests in a minute
LOAD_SECONDS = float(os.environ.get("STATICEMB_LOAD_SECONDS", "8"))
WHOLE = ASK + b"Content-Length: 15\r\n\r\n" + BODY


@pytest.fixture(scope="module")
def server():
    with serving("--timeout", "1", "--max-body-bytes", "100000") as server:
        yield server


def answers(server, sent, *, close=False):
    """The statuses of what the server answers until it closes the connection."""
    with server.connect(20) as connection:
        connection.sendall(sent)
        if close:
            connection.shutdown(1)
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+)", read_all(connection))]


# --- connections ---------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(server):
    bodies = [json.dumps({"inputs": "a b c d"[:n]}).encode() for n in (1, 3, 5, 7)]
    heads = [ASK + f"Content-Length: {len(body)}\r\n\r\n".encode() for body in bodies]
    sent = b"".join(head + body for head, body in zip(heads, bodies, strict=True))
    with server.connect(20) as connection:
        connection.sendall(sent)
        received = read_all(connection)
    parts = received.split(b"HTTP/1.1 200 OK")[1:]
    alone = [server.post("/embed", json.loads(body))[1] for body in bodies]
    assert [json.loads(part.partition(b"\r\n\r\n")[2]) for part in parts] == alone


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 15\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 15\r\n",
        b"Content-Length: 15\r\nContent-Length: 16\r\n",
        b"Content-Length: 15, 16\r\n",
        b"Content-Length: +15\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x0f\r\n",
        b"Content-Length : 15\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: identity, chunked\r\n",
        b" Content-Length: 15\r\n",
        b"Content-Length: 15\r\n Transfer-Encoding: chunked\r\n",
        b"Content-Length: 15\x0b\r\n",
        b"X: a\x00b\r\nContent-Length: 15\r\n",
        b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 15\r\n",
        b"Host: other\r\nContent-Length: 15\r\n",
    ],
)
def test_a_request_that_two_servers_could_read_differently_ends_the_connection(server, head):
    # A second request stands where a proxy could see the first one's body.
    sent = ASK + head + b"\r\n" + BODY + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    codes = answers(server, sent)
    # RFC 9112: a folded line belongs to the one before (5.2).
    assert 200 not in codes
    assert codes[-1:] in ([400], [])
    assert server.get("/health")[0] == 200


def test_a_length_beside_chunks_is_refused_and_ends_the_connection(server):
    # RFC 9112, section 6.3: to a proxy that goes by the length, the last chunk is a request.
    chunks = b"f\r\n" + BODY + b"\r\n0\r\n\r\n"
    head = f"Content-Length: {len(chunks)}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    next_one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for ask in (ASK, ASK.replace(b"POST /embed", b"GET /health")):
        assert answers(server, ask + head + chunks + next_one) == [400]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",  # no host
        b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",  # TLS
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
    ],
)
def test_what_is_no_request_is_refused(server, sent):
    with contextlib.suppress(ConnectionError):  # the server may close while this sends
        assert answers(server, sent) in ([400], [403], [431], [])
    assert server.get("/health")[0] == 200


def test_an_answer_comes_in_one_piece(server):
    expected = read_whole(server, WHOLE)
    for _ in range(20):
        assert read_whole(server, WHOLE) == expected


def read_whole(server, sent):
    """What the first read after a request returns, without the date."""
    with server.connect(20) as connection:
        connection.sendall(sent)
        received = connection.recv(1 << 20)
    head, _, body = received.partition(b"\r\n\r\n")
    assert len(body) == int(re.search(rb"content-length: (\d+)", head)[1])
    return body


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(server):
    with server.connect(20) as connection:
        connection.sendall(ASK + b"Content-Length: 15\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("path", ["/health", "/nothing"])
def test_answers_without_a_body_are_sent(server, method, path):
    status, headers, body = server.request(method, path)
    assert status == (200 if path == "/health" else 404)
    assert len(body) == (0 if method == "HEAD" else int(headers["content-length"]))


@pytest.mark.parametrize("sent", [b"", b"POST /emb", ASK])
def test_a_connection_without_a_whole_head_ends_in_time(server, sent):
    begun = time.monotonic()
    assert answers(server, sent) == []
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("part", [b"", b"{"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_without_its_whole_body_is_told_so_in_time(server, part, chunked):
    head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 15"
    body = b"1\r\n%b\r\n" % part if chunked and part else part
    begun = time.monotonic()
    assert answers(server, ASK + head + b"\r\n\r\n" + body) == [408]
    assert time.monotonic() - begun < 20


def test_a_body_that_trickles_is_cut_by_the_clock(server):
    with server.connect(20) as connection:
        connection.sendall(ASK + b"Content-Length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b" ")
                time.sleep(0.05)
        assert b"HTTP/1.1 408" in read_all(connection)


def test_a_head_that_trickles_is_cut_by_the_clock(server):
    cut = False
    with server.connect(20) as connection:
        for _ in range(200):
            try:
                connection.sendall(b"G")
            except ConnectionError:
                cut = True
                break
            time.sleep(0.05)
    assert cut


def test_a_chunked_body_is_counted_as_it_comes(server):
    chunk = b"2710\r\n" + b" " * 10_000 + b"\r\n"
    with server.connect(20) as connection:
        connection.sendall(ASK + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(50):
                connection.sendall(chunk)
        assert b"HTTP/1.1 413" in connection.recv(1000)


def test_an_announced_body_that_is_too_large_is_refused_before_it_comes(server):
    with server.connect(20) as connection:
        connection.sendall(ASK + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_client_that_does_not_read_is_cut(server):
    # Answers of 1 MB each fill the buffers of the connection.
    texts = json.dumps({"inputs": ["a"] * 400}).encode()
    request = ASK + f"Content-Length: {len(texts)}\r\n\r\n".encode() + texts
    closed = False
    with server.connect(30) as connection:
        connection.settimeout(0.5)
        deadline = time.monotonic() + 60
        while not closed and time.monotonic() < deadline:
            try:
                connection.sendall(request)
            except TimeoutError:
                time.sleep(0.2)
            except ConnectionError:
                closed = True
    assert closed
    assert server.get("/health")[0] == 200


def test_a_client_that_reads_slowly_gets_its_whole_answer(tmp_path):
    table = np.random.default_rng(0).normal(size=(6, 1024)).astype("float32")
    write(tmp_path / "m.staticemb", Parts(table, word_level_tokenizer(6)), Settings())
    texts = json.dumps({"inputs": ["w1"] * 1000}).encode()
    request = ASK + f"Content-Length: {len(texts)}\r\n\r\n".encode() + texts
    with serving(tmp_path / "m.staticemb", "--timeout", "2") as server:
        with server.connect(20) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            connection.sendall(request)
            head, _, received = connection.recv(1 << 12).partition(b"\r\n\r\n")
            size = int(re.search(rb"content-length: (\d+)", head)[1])
            assert size > 10_000_000  # more than the buffers of a connection hold
            begun = time.monotonic()
            while len(received) < size and (part := connection.recv(1 << 16)):
                received += part
                due = begun + 5 * len(received) / size  # of the 6 seconds that it has at least
                time.sleep(max(0.0, due - time.monotonic()))
        assert len(json.loads(received)) == 1000


def test_clients_that_leave_disturb_nobody(server):
    for number in range(50):
        with server.connect() as connection:
            connection.sendall(WHOLE[: number * 4])
    status, answer = server.post("/embed", {"inputs": "a"})
    assert status == 200
    assert answer


# --- bodies --------------------------------------------------------------------------------------


class Application:
    """The application without a server, for many requests."""

    def __init__(self, limits=None):
        from staticemb_runtime.serve import create_app  # late: it needs starlette

        self.app = create_app({"m": StaticModel()}, limits=limits)

    async def post(self, path, body, parts=1):
        size = -(-len(body) // parts) or 1
        messages = [
            {"type": "http.request", "body": body[start : start + size], "more_body": True}
            for start in range(0, max(len(body), 1), size)
        ]
        messages[-1]["more_body"] = False
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        }
        sent = []

        async def receive():
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


VALUES = [
    None, True, False, 0, -1, 1, 1.5, 1e308, 2**63, 10**30, "", "a", "m", "float", "query",
    "\x00", "é", "\ud800", "😀", [], [None], [""], ["a", "b"], [1, 2], [[1], [2]], [[]], [["a"]],
    [[[1]]], {}, {"a": 1}, ["a"] * 50, "a" * 500, [2**32], [0.5],
]  # fmt: skip
MEMBERS = {
    "/v1/embeddings": ["input", "model", "dimensions", "encoding_format", "user", "input_type"],
    "/embed": ["inputs", "model", "normalize", "truncate", "prompt_name", "dimensions"],
    "/rerank": ["query", "texts", "model", "index", "return_text", "raw_scores"],
    "/classify": ["texts", "model", "head", "threshold", "probabilities"],
    "/search": ["query", "index", "k", "method", "filter", "vector_weight"],
}


USUAL = {
    "input": ["a", "b"], "inputs": "a", "texts": ["a", "b"], "query": "a", "model": "m",
    "dimensions": 5, "encoding_format": "base64", "user": "u",
}  # fmt: skip


def malformed(random, path):
    """Make a body that may be anything near a request."""
    members = {}
    for name in MEMBERS[path]:
        if name in USUAL and random.random() < 0.7:
            members[name] = USUAL[name]
        elif random.random() < 0.3:
            members[name] = random.choice(VALUES)
    body = json.dumps(members, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    kind = random.randrange(6)
    if kind == 0:  # cut
        return body[: random.randrange(len(body) + 1)]
    if kind == 1:  # a byte changed
        at = random.randrange(len(body))
        return body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
    if kind == 2:  # a part repeated
        at = random.randrange(len(body))
        return body[:at] + body[at : at + 9] * random.randrange(40) + body[at:]
    if kind == 3:
        return random.randbytes(random.randrange(60))
    if kind == 4:
        return json.dumps(random.choice(VALUES)).encode()
    return body


def test_ten_thousand_malformed_bodies_give_no_500(caplog):
    chance = random.Random(20)
    application = Application()
    counts = {}

    async def ask():
        for _ in range(10_000):
            path = chance.choice(list(MEMBERS))
            body = malformed(chance, path)
            status, answer = await application.post(path, body, parts=chance.randrange(1, 4))
            json.loads(answer)
            assert status in (200, 400, 404, 413, 422), (status, path, body)
            counts[status] = counts.get(status, 0) + 1

    asyncio.run(ask())
    assert min(counts[400], counts[422], counts[200]) > 300, counts
    assert not caplog.records


def test_too_many_requests_at_a_time_get_429_and_retry_later():
    application = Application(Limits(requests=4))

    async def ask():
        body = json.dumps({"inputs": ["a b c"] * 2000}).encode()
        many = await asyncio.gather(*(application.post("/embed", body) for _ in range(20)))
        later = await application.post("/embed", body)
        return many, later

    many, (status, _) = asyncio.run(ask())
    assert sorted({status for status, _ in many}) == [200, 429]
    assert sum(status == 200 for status, _ in many) >= 4
    refused = next(body for status, body in many if status == 429)
    assert json.loads(refused)["error_type"] == "Overloaded"
    assert status == 200


def test_bodies_in_memory_are_bounded_together():
    application = Application(Limits(pending_bytes=50_000, body_bytes=40_000, requests=100))

    async def ask():
        body = json.dumps({"inputs": ["a" * 30_000]}).encode()
        many = await asyncio.gather(*(application.post("/embed", body, 3) for _ in range(5)))
        return many, await application.post("/embed", body)

    many, later = asyncio.run(ask())
    assert sorted(status for status, _ in many).count(200) >= 1
    assert {status for status, _ in many} <= {200, 429}
    assert later[0] == 200


# --- load and signals ----------------------------------------------------------------------------


def resident(pid):
    """Bytes of memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_memory_is_flat_under_load():
    chance = random.Random(1)
    words = [f"word{number}" for number in range(3000)]
    documents = [
        {
            "input": [" ".join(chance.choices(words, k=20)) for _ in range(count)],
            "encoding_format": form,
        }
        for count, form in (
            (1, "float"),
            (1, "base64"),
            (5, "float"),
            (50, "float"),
            (1000, "base64"),
        )
    ]
    bodies = [json.dumps(document) for document in documents]

    def ask(server, until):
        headers = {"content-type": "application/json"}
        number = 0
        with contextlib.closing(server.connection()) as connection:
            while time.monotonic() < until:
                body = bodies[number % len(bodies)]
                connection.request("POST", "/v1/embeddings", body, headers)
                response = connection.getresponse()
                assert response.status == 200
                response.read()
                number += 1
        return number

    with serving() as server, ThreadPoolExecutor(4) as pool:

        def load(seconds):
            until = time.monotonic() + seconds
            return sum(pool.map(lambda _: ask(server, until), range(4)))

        load(LOAD_SECONDS / 4)
        warm = resident(server.process.pid)
        count = load(LOAD_SECONDS)
        after = resident(server.process.pid)
        report = f"{warm >> 20} MB, after {count} requests {after >> 20} MB"
        print(report)
        assert after - warm < 16 << 20, report


def test_sigterm_answers_what_has_begun_and_ends():
    with serving() as server:
        texts = json.dumps({"inputs": ["a few words of text"] * 2000}).encode()
        head = ASK + f"Content-Length: {len(texts)}\r\n\r\n".encode()
        with server.connect() as connection, server.connect() as idle:
            connection.sendall(head + texts[:5000])
            time.sleep(0.3)  # the request has begun
            server.process.send_signal(signal.SIGTERM)
            assert read_all(idle) == b""  # an idle connection ends at once
            connection.sendall(texts[5000:])
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 200")
        assert len(json.loads(answer.partition(b"\r\n\r\n")[2])) == 2000
        assert server.process.wait(30) == 0
        assert "Traceback" not in "".join(server.lines)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_several_processes_answer_count_together_and_are_replaced():
    with serving("--workers", "2") as server:
        pids = _children(server.process.pid)
        assert len(pids) == 2
        for _ in range(30):
            assert server.post("/embed", {"inputs": "a"})[0] == 200
        deadline = time.monotonic() + 30
        while _total(server) < 30 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert _total(server) == 30
        os.kill(pids[0], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            now = _children(server.process.pid)
            if len(now) == 2 and pids[0] not in now:
                break
            time.sleep(0.1)
        assert pids[0] not in now
        for _ in range(10):
            assert server.post("/embed", {"inputs": "a"})[0] == 200
        assert _total(server) == 40
        status, printed = server.stop()
        assert status == 0
        assert "ended with status -9; another takes its place" in printed
        assert "Traceback" not in printed
        assert not [pid for pid in now if Path(f"/proc/{pid}").exists()]


def _children(pid):
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
        if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def _total(server):
    text = server.get("/metrics")[1]
    match = re.search(r'^staticemb_texts_total\{route="/embed"\} (\S+)$', text, re.M)
    return float(match[1]) if match else 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.staticemb"], "missing.staticemb: no such file"),
        (["--index", "missing.db"], "missing.db: expected a search index"),
        (["--port", "70000"], "--port: expected 0 to 65535"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid:0: cannot listen"),
        (["--workers", "0"], "--workers: expected an integer of at least 1"),
        (["--timeout", "0"], "--timeout: expected 1 to 3600 seconds"),
        (["--api-keys", "missing.txt"], "missing.txt: the API keys cannot be read"),
        (["minilm-en-small", "minilm-en-small"], "expected distinct names"),
        (["--workers", "2", "missing.staticemb"], "missing.staticemb: no such file"),
    ],
)
def test_a_server_that_cannot_start_prints_one_line(tmp_path, arguments, message):
    with pytest.raises(AssertionError) as failure, serving(*arguments, folder=tmp_path):
        pass
    printed = str(failure.value).split("did not start: ", 1)[1]
    assert message in printed
    assert printed.strip().count("\n") == 0


def test_a_taken_port_is_named(server):
    with (
        pytest.raises(AssertionError, match="cannot listen: Address already in use"),
        serving("--port", server.port),
    ):
        pass
