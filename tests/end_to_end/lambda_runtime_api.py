"""A stand-in for the Lambda Runtime API, and a function process that AWS's own client runs.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import ctypes
import json
import os
import queue
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PREFIX = "/2018-06-01/runtime"
# As in Lambda: the standard library, AWS's client, and the function's own files; nothing installed.
RUN = """
import runpy, sys
task, client, handler = sys.argv[1:]
sys.path[:0] = [task, client]
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__")
"""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a function that was ended
            super().handle_error(request, client_address)


class RuntimeApi:
    """Hands events to one function, one after the other, and takes its answers."""

    def __init__(self) -> None:
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.asked = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet for head and body, or the client's kernel waits for more

            def do_GET(self):
                assert self.path == f"{PREFIX}/invocation/next", self.path
                api.asked.set()
                event = api.events.get()
                if event is None:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "a-request")
                deadline = int((time.time() + 30) * 1000)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
                arn = "arn:aws:lambda:region:123456789012:function:embed"
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                kind = self.path.rpartition("/")[2]  # response, or error
                if "/init/" in self.path:
                    kind = "init " + kind
                api.answers.put((kind, self.rfile.read(length)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"{host}:{port}"

    def close(self) -> None:
        self.events.put(None)
        self._server.shutdown()
        self._server.server_close()


def _obey_modes():
    """Take from root the right to write where files' modes forbid it, as Lambda's user has none."""
    if os.geteuid() == 0:
        drop_from_bounding_set, write_anywhere = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
        if ctypes.CDLL(None).prctl(drop_from_bounding_set, write_anywhere, 0, 0, 0):
            raise OSError("prctl failed")


class Function:
    """A process that serves the function of an unpacked bundle."""

    def __init__(
        self,
        task: Path,
        client: Path,
        *,
        wait: bool = True,
        obeys_modes: bool = False,
        **variables: str,
    ) -> None:
        self.api = RuntimeApi()
        environment = {
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "embed",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
            "LAMBDA_TASK_ROOT": str(task),
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task is read-only
            **variables,
        }
        handler = "staticemb_runtime.aws_lambda.handler"
        command = [sys.executable, "-S", "-s", "-c", RUN, str(task), str(client), handler]
        started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=task,
            preexec_fn=_obey_modes if obeys_modes else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if wait:
            if not self.api.asked.wait(60):
                self.close()
                raise AssertionError(f"never ready: {self.output}")
            self.init_seconds = time.perf_counter() - started

    def invoke(self, event: object) -> object:
        started = time.perf_counter()
        self.api.events.put(json.dumps(event).encode())
        kind, answer = self.api.answers.get(timeout=60)
        self.seconds = time.perf_counter() - started
        assert kind == "response", (kind, answer)
        return json.loads(answer)

    def peak_bytes(self) -> int:
        """The most memory that the process has had; Linux alone."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

    def close(self) -> None:
        self._process.kill()
        self.output = self._process.communicate()[0].decode()
        self.api.close()
