"""A web server that publishes an index of modules, and can be made to behave badly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

FILE = "/repodata.json?view=latest"


def package(name: str = "shop", *tags: str) -> dict[str, Any]:
    """A package as an index has it, with these versions."""
    return {
        "name": name,
        "description": {"en": "For tests."},
        "logo": None,
        "categories": [],
        "authors": [],
        "docs": {"documentation_url": "", "bug_url": "", "code_url": ""},
        "source": f"ghcr.io/example/{name}",
        "versions": [{"tag": tag, "testing": "-" in tag, "labels": {}} for tag in tags],
    }


class IndexServer:
    """`paths` are what it answers: a status, headers and a body. With a header Hang it then says nothing more for long, with
    Drip it goes on saying that. `asked` are the requests, each path with its headers."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self.paths: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closing = Event()

    def publish(self, *packages: dict[str, Any], path: str = "") -> None:
        """The index has these packages."""
        self.answer(json.dumps(packages).encode(), path=path)

    def answer(self, body: bytes, *, status: int = 200, path: str = "", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.paths[path + FILE] = (status, {"Content-Length": str(len(body)), **named}, body)


@contextmanager
def index_server() -> Iterator[IndexServer]:
    """One that runs, and publishes nothing yet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append((self.path, dict(self.headers)))
            status, headers, body = served.paths.get(self.path, (404, {"Content-Length": "0"}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if headers.get("Hang"):
                served.closing.wait()
            while headers.get("Drip") and not served.closing.wait(0.05):
                self.wfile.write(headers["Drip"].encode())

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = IndexServer(server.server_port)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield served
    finally:
        served.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
