"""`staticemb serve` as a process, and the requests of tests."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading


class Server:
    """A running server.

    Attributes:
        process: the process.
        url: its address.
        port: its port.
        lines: what it has printed on standard error so far.
    """

    def __init__(self, process):
        self.process = process
        self.lines = []
        self.url = None
        for line in process.stderr:
            self.lines.append(line)
            if match := re.search(r"at (http://\S+:(\d+))$", line.rstrip()):
                self.url, self.port = match[1], int(match[2])
                break
        assert self.url, f"the server did not start: {''.join(self.lines)}"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        self.lines.extend(self.process.stderr)

    def request(self, method, path, body=None, headers=None, timeout=60):
        """Send a request; return its status, headers and body."""
        with contextlib.closing(self.connection(timeout)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def connection(self, timeout=60):
        """Return a connection for several requests."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def post(self, path, document, **headers):
        """Send JSON; return the status and the parsed answer."""
        sent = {"content-type": "application/json"} | headers
        status, _, body = self.request("POST", path, json.dumps(document), sent)
        return status, json.loads(body)

    def get(self, path, **headers):
        """Return the status and the body of a GET request."""
        status, _, body = self.request("GET", path, headers=headers)
        return status, body.decode()

    def connect(self, timeout=60):
        """Return a raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def stop(self, seconds=60):
        """Send SIGTERM; return the exit status and all that was printed on standard error."""
        self.process.terminate()
        status = self.process.wait(seconds)
        self._reader.join(10)
        return status, "".join(self.lines)


@contextlib.contextmanager
def serving(*arguments, environment=None, folder=None):
    """Run a server on a free port; end it afterwards."""
    command = [sys.executable, "-m", "staticemb_runtime", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | (environment or {}),
    )
    try:
        yield Server(process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def read_all(connection):
    """Return what a connection sends until the server closes it."""
    parts = []
    with contextlib.suppress(ConnectionError, TimeoutError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)
