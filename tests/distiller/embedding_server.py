"""A small server of OpenAI's protocol of embeddings, with faults on demand."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

DIM = 6
PROBE = "A text."


def vector(text, dim=DIM):
    """The server's vector of a text: any, but always the same."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(dim).astype(np.float32)


def vectors(texts, dim=DIM):
    return np.stack([vector(text, dim) for text in texts])


class EmbeddingServer:
    """The server, in a thread of this process.

    Args:
        faults: Called with the number of a request (the probe is not counted) and its body; returns
            None, or a function that answers in place of the server.

    Attributes:
        bodies: The bodies of all requests but the probe's.
        headers: The headers of all requests.
    """

    def __init__(self, faults=lambda number, body: None):
        self.bodies, self.headers, self.faults = [], [], faults
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                data = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(data)
                with outer._lock:
                    outer.headers.append(self.headers)
                    probe = body["input"] == [PROBE]
                    number = len(outer.bodies)
                    if not probe:
                        outer.bodies.append(body)
                fault = None if probe else outer.faults(number, body)
                (fault or answer)(self, body)

            def reply(self, value, status=200, **headers):
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name.replace("_", "-"), text)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # a client that was killed

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self.spec = f"openai:{self.url}#small"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def texts(self):
        """All texts of all requests, in the order of the requests."""
        return [text for body in self.bodies for text in body["input"]]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def payload(body, found=None):
    """The response to a request."""
    found = vectors(body["input"], body.get("dimensions", DIM)) if found is None else found
    binary = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode()
            if binary
            else row.tolist(),
        }
        for index, row in enumerate(np.asarray(found))
    ]
    usage = {"prompt_tokens": 3 * len(data), "total_tokens": 3 * len(data)}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def answer(handler, body):
    handler.reply(payload(body))
