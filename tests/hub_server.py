"""A stand-in for the Hub's HTTP interface: enough of it for the real huggingface_hub client."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serve(repositories):
    """Serve `{"org/name": {"file": bytes}}`; yields the endpoint and the list of requests."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, *, body):
            requests.append((self.command, self.path))
            parts = self.path.split("?")[0].strip("/").split("/")
            repository = "/".join(parts[:2])
            if len(parts) < 5 or parts[2] != "resolve" or repository not in repositories:
                return self.refuse("RepoNotFound")
            revision, name = parts[3], "/".join(parts[4:])
            if revision not in ("main", COMMIT):
                return self.refuse("RevisionNotFound")
            content = repositories[repository].get(name)
            if content is None:
                return self.refuse("EntryNotFound")
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)
            return None

        def refuse(self, code):
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
