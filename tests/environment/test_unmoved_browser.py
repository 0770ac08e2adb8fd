"""The browser of the tests does not mind that other tests' networks come and go."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from tests.environment.chromium import open_page
from tests.environment.network import private_network
from tests.environment.programs import need_root, program

SCRIPTS = "".join(f"<script src='/{number}.js'></script>" for number in range(12))
NETWORKS = 8


class SlowScripts(BaseHTTPRequestHandler):
    """A page whose parts take their time: something of it is always on its way."""

    def do_GET(self) -> None:
        is_script = self.path.endswith(".js")
        time.sleep(0.1)
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.end_headers()
        self.wfile.write(b"1;" if is_script else SCRIPTS.encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Not on the terminal."""


def come_and_go() -> None:
    for _ in range(NETWORKS):
        private_network().remove()


@pytest.mark.e2e
def test_a_page_comes_whole_while_networks_come_and_go(chromium: Browser) -> None:
    need_root("a private network")
    program("ip", package="iproute2")
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowScripts)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    networks = threading.Thread(target=come_and_go)
    missing: list[str | None] = []
    with open_page(chromium) as page:
        page.on("requestfailed", lambda request: missing.append(request.failure))
        networks.start()
        while networks.is_alive():
            page.goto(f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()
    assert missing == []
