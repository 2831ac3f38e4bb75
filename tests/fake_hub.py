"""A few answers of the Hugging Face Hub, on this machine."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

SHA = "0123456789abcdef0123456789abcdef01234567"
Repos = dict[str, dict[str, bytes] | int]


class FakeHub(ThreadingHTTPServer):
    """Serves repositories by id: their files, or the status to refuse them with."""

    daemon_threads = True

    def __init__(self, repos: Repos) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos = repos
        self.requested: list[str] = []
        self.tokens: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.requested.append(path)
        self.server.tokens.append(self.headers.get("Authorization", ""))
        if path.startswith("/api/models/"):
            repo_id, _, rest = path.removeprefix("/api/models/").partition("/tree/")
            repo_id = repo_id.partition("/revision/")[0]
            self._answer(repo_id, lambda files: json.dumps(_tree(files) if rest else _info(repo_id, files)))
        else:
            repo_id, _, rest = path.lstrip("/").partition("/resolve/")
            self._answer(repo_id, lambda files: files[rest.partition("/")[2]])

    do_HEAD = do_GET  # noqa: N815 - the names that the base class looks for

    def _answer(self, repo_id: str, content) -> None:  # type: ignore[no-untyped-def]
        repo = self.server.repos.get(repo_id, 404)
        status = repo if isinstance(repo, int) else 200
        body = b"{}" if isinstance(repo, int) else content(repo)
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        code = {404: "RepoNotFound", 401: "RepoNotFound", 403: "GatedRepo"}.get(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _info(repo_id: str, files: dict[str, bytes]) -> dict[str, object]:
    siblings = [{"rfilename": name, "size": len(body)} for name, body in files.items()]
    return {"id": repo_id, "sha": SHA, "siblings": siblings, "private": False}


def _tree(files: dict[str, bytes]) -> list[dict[str, object]]:
    return [
        {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
        for name, body in files.items()
    ]


@contextmanager
def serve(repos: Repos) -> Iterator[FakeHub]:
    """The server, running until the block ends."""
    with FakeHub(repos) as hub:
        Thread(target=hub.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            hub.shutdown()
