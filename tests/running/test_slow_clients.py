"""Clients that take their time with a large file do not keep others from the portal."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.e2e.portal_process import ROOT
from tests.environment.waiting import wait_until
from tests.running.conftest import StartUp
from tests.running.portal_up import PortalUp

pytestmark = pytest.mark.e2e

THREADS = 4
CLIENTS = 3 * THREADS
SIZE = 100 * 2**20
PATIENCE_SECONDS = 60
PART = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n" + bytes(2**17)
)


def token_of(portal: PortalUp) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "token", "create", "admin"],
        cwd=ROOT,
        env=portal.env,
        capture_output=True,
        text=True,
        check=True,
    )
    return next(word for word in done.stdout.split() if word.startswith("fwt_"))


def begun_upload(portal: PortalUp, token: str) -> socket.socket:
    """An upload of which a part was sent, and no more comes."""
    client = socket.create_connection(("127.0.0.1", portal.port))
    head = (
        f"POST /api/v1/artifacts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {SIZE}\r\n\r\n"
    )
    client.sendall(head.encode() + PART)
    client.setblocking(False)
    return client


def said(client: socket.socket) -> bytes:
    try:
        return client.recv(4096)
    except BlockingIOError:
        return b""


def test_slow_uploads_leave_threads_for_the_pages_and_nothing_behind(start_up: StartUp) -> None:
    portal = start_up(WEB_THREADS=str(THREADS))
    portal.wait_until_ready()
    token = token_of(portal)
    with ExitStack() as stack:
        clients = [stack.enter_context(begun_upload(portal, token)) for _ in range(CLIENTS)]
        answers: dict[socket.socket, bytes] = {}

        def refused() -> bool:
            answers.update({client: words for client in clients if (words := said(client))})
            return len(answers) >= CLIENTS - THREADS

        wait_until(refused, seconds=PATIENCE_SECONDS, what="the clients that are too many refused")
        assert all(words.startswith(b"HTTP/1.1 503 ") for words in answers.values())
        assert portal.get("/livez") == (200, {"status": "alive"})
        under_way = list((portal.var / "incoming").iterdir())
        assert 0 < len(under_way) < THREADS
    wait_until(
        lambda: not list((portal.var / "incoming").iterdir()),
        seconds=PATIENCE_SECONDS,
        what="the parts of broken uploads gone",
    )
