"""A stand-in for the Hub's HTTP interface: enough of it for the real huggingface_hub client.

Models by `org/name`, data sets by `datasets/org/name`, as in the Hub's addresses. Downloads (by
name, listed, private), and uploads as one commit: repository, check of the card, which files go to
large-file storage, those files, the commit. Tokens are `hf_write` and `hf_read`.
"""

import base64
import contextlib
import hashlib
import json
import threading
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WRITER = "hf_write"
READER = "hf_read"

_TOKENS = (WRITER, READER)
_LARGE = (".safetensors", ".staticemb", ".bin", ".onnx")


@dataclass
class Repository:
    """Files by commit, and what the branches point at."""

    commits: dict
    branches: dict = field(default_factory=lambda: {"main": COMMIT})
    private: bool = False
    damaged: tuple = ()  # names whose content is not what the listing says

    def commit_of(self, revision):
        commit = self.branches.get(revision, revision)
        return commit if commit in self.commits else None


def files_in(folder):
    """A folder's files, as a repository holds them."""
    folder = Path(folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@contextmanager
def serve(repositories):
    """Serve `{"org/name": {"file": bytes}}` or Repository objects, changed in place by uploads.

    Yields:
        The endpoint, and the growing list of (method, path).
    """
    hub = _Hub(repositories)

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub.endpoint, hub.requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Hub:
    def __init__(self, repositories):
        for name, files in repositories.items():
            if isinstance(files, dict):
                repositories[name] = Repository({COMMIT: files})
        self.repositories = repositories
        self.requests = []
        self.stored = {}  # large files, by SHA-256
        self.endpoint = ""


class _RefusedError(Exception):
    def __init__(self, status, code="", message=""):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    hub: _Hub

    def do_HEAD(self):
        self.handle_one(self.download)

    def do_GET(self):
        self.handle_one(self.describe if self.path.startswith("/api/") else self.download)

    def do_POST(self):
        self.handle_one(self.upload)

    def do_PUT(self):
        self.handle_one(self.store)

    def handle_one(self, answer):
        self.hub.requests.append((self.command, self.path))
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.parts = [
            urllib.parse.unquote(part) for part in self.path.split("?")[0].strip("/").split("/")
        ]
        with contextlib.suppress(BrokenPipeError):
            try:
                self.check_known()
                answer()
            except _RefusedError as refused:
                self.send_response(refused.status)
                for name, value in (
                    ("X-Error-Code", refused.code),
                    ("X-Error-Message", refused.message),
                ):
                    if value:
                        self.send_header(name, value)
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("Content-Length", "0")
                self.end_headers()

    # --- who asks, and for what

    def token(self):
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def repository(self, name):
        found = self.hub.repositories.get(name)
        if found is None or (found.private and self.token() not in _TOKENS):
            raise _RefusedError(404, "RepoNotFound")
        return found

    def files(self, repository, revision):
        commit = repository.commit_of(revision)
        if commit is None:
            raise _RefusedError(404, "RevisionNotFound")
        return commit, repository.commits[commit]

    def check_writer(self):
        if self.token() not in _TOKENS:
            raise _RefusedError(401, message="Invalid username or password.")
        if self.token() != WRITER:
            raise _RefusedError(403, message="you need write access to this repository")

    # --- down

    def download(self):
        kind = self.parts[:1] if self.parts[0] == "datasets" else []
        parts = self.parts[len(kind) :]
        if len(parts) < 5 or parts[2] != "resolve":
            raise _RefusedError(404, "RepoNotFound")
        repository = self.repository("/".join([*kind, *parts[:2]]))
        commit, files = self.files(repository, parts[3])
        name = "/".join(parts[4:])
        if name not in files:
            raise _RefusedError(404, "EntryNotFound")
        content = files[name]
        tag = _oid(name, content)
        if name in repository.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{tag}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def check_known(self):
        if self.token() not in ("", *_TOKENS):
            raise _RefusedError(401, message="Invalid credentials in Authorization header")

    def describe(self):
        """`/api/models/ORG/NAME[/revision/R]`, `/api/models/ORG/NAME/tree/R`; `datasets` alike."""
        if self.parts[:1] != ["api"] or self.parts[1] not in ("models", "datasets"):
            raise _RefusedError(404)
        kind = ["datasets"] if self.parts[1] == "datasets" else []
        name, what = "/".join([*kind, *self.parts[2:4]]), self.parts[4:]
        repository = self.repository(name)
        commit, files = self.files(repository, what[1] if len(what) > 1 else "main")
        entries = [_entry(path, content) for path, content in files.items()]
        if what[:1] == ["tree"]:
            return self.send(
                [{"type": "file", "path": e["rfilename"], "oid": e["blobId"], **e} for e in entries]
            )
        return self.send(
            {"id": name, "sha": commit, "private": repository.private, "siblings": entries}
        )

    # --- up

    def upload(self):
        if self.parts == ["api", "validate-yaml"]:
            content = json.loads(self.body)["content"]
            bad = "license: no-such-license" in content
            errors = [{"message": '"license" must be one of [apache-2.0, …]'}] if bad else []
            self.send({"errors": errors, "warnings": []}, 400 if bad else 200)
        elif self.parts == ["api", "repos", "create"]:
            self.create()
        elif self.parts[2:] == ["info", "lfs", "objects", "batch"]:
            self.batch()
        elif self.parts[:2] == ["api", "models"]:
            self.change("/".join(self.parts[2:4]), *self.parts[4:])
        else:
            raise _RefusedError(404)

    def create(self):
        self.check_writer()
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] != "org":
            raise _RefusedError(403, message=f"no rights in the namespace {asked['organization']}")
        if name in self.hub.repositories:
            raise _RefusedError(409, message="You already created this model repo")
        private = asked.get("visibility") == "private" or asked.get("private", False)
        self.hub.repositories[name] = Repository({COMMIT: {}}, private=private)
        self.send({"url": f"{self.hub.endpoint}/{name}"})

    def change(self, name, what, revision):
        self.check_writer()
        repository = self.repository(name)
        if what == "branch":
            repository.branches[revision] = repository.branches["main"]
            return self.send({})
        if revision not in repository.branches:
            raise _RefusedError(404, "RevisionNotFound")
        if what == "preupload":
            asked = json.loads(self.body)["files"]
            return self.send(
                {
                    "files": [
                        {
                            "path": file["path"],
                            "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                            "shouldIgnore": False,
                        }
                        for file in asked
                    ]
                }
            )
        files = dict(repository.commits[repository.branches[revision]])
        for line in map(json.loads, self.body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        commit = hashlib.sha1(self.body).hexdigest()
        repository.commits[commit] = files
        repository.branches[revision] = commit
        return self.send(
            {"commitOid": commit, "commitUrl": f"{self.hub.endpoint}/{name}/commit/{commit}"}
        )

    def batch(self):
        self.check_writer()
        objects = [
            {
                "oid": file["oid"],
                "size": file["size"],
                "actions": {"upload": {"href": f"{self.hub.endpoint}/store/{file['oid']}"}},
            }
            for file in json.loads(self.body)["objects"]
        ]
        self.send({"transfer": "basic", "objects": objects})

    def store(self):
        assert hashlib.sha256(self.body).hexdigest() == self.parts[1]
        self.hub.stored[self.parts[1]] = self.body
        self.send({})

    def send(self, value, status=200):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


def _oid(name, content):
    """What the Hub calls a file: SHA-256 in large-file storage, git's name elsewhere."""
    if name.endswith(_LARGE):
        return hashlib.sha256(content).hexdigest()
    return _git_oid(content)


def _git_oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path, content):
    entry = {"rfilename": path, "size": len(content), "blobId": _git_oid(content)}
    if path.endswith(_LARGE):
        sha = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha, "sha256": sha, "size": len(content), "pointerSize": 134}
    return entry
