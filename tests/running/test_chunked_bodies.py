"""Mender's client sends most bodies in chunks and says no length: they reach the portal on the server that it really runs on."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.e2e.portal_process import ROOT
from tests.pulled.pretend import AUTH, INVENTORY, PretendDevice, signature
from tests.running.conftest import StartUp
from tests.running.portal_up import PortalUp

pytestmark = pytest.mark.e2e

ACCEPT_ALL = (
    "from devices.models import AuthSet; from devices.services.enrolment import accept_many; "
    "from portal.core.actors import PORTAL; "
    "accept_many(auth_sets=AuthSet.objects.all(), actor=PORTAL)"
)
TELL = "from devices.models import Device; print(Device.objects.get(driver='pull').reported)"


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def send(
    portal: PortalUp,
    method: str,
    path: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    size: int = 7,
) -> tuple[int, bytes]:
    """Status and body of the answer to a request without a length, in chunks of `size` bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=30)
    try:
        connection.request(
            method,
            path,
            in_pieces(body, size),
            {"Transfer-Encoding": "chunked", **headers},
            encode_chunked=True,
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def shell(portal: PortalUp, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", code],
        cwd=ROOT,
        env=portal.env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_bodies_without_a_length_are_read_whole_and_up_to_their_limit(start_up: StartUp) -> None:
    portal = start_up()
    portal.wait_until_ready()
    device = PretendDevice({"mac": "02:00:00:00:00:01"})
    body = device.auth_body()
    proof = {"X-MEN-Signature": signature(device.key, body)}

    assert send(portal, "POST", AUTH, body, headers=proof)[0] == 401
    shell(portal, ACCEPT_ALL)
    status, token = send(portal, "POST", AUTH, body, headers=proof)
    assert (status, token.count(b".")) == (200, 2)

    inventory = [{"name": f"n{number}", "value": "ü" * 50} for number in range(200)]
    said = json.dumps(inventory, ensure_ascii=False).encode()
    bearer = {"Authorization": f"Bearer {token.decode()}"}
    assert send(portal, "PUT", INVENTORY, said, size=1000, headers=bearer) == (200, b"")
    reported = shell(portal, TELL)
    assert reported.count("'n") == 200 and "ü" * 50 in reported

    assert send(portal, "PUT", INVENTORY, said[:-1], headers=bearer)[0] == 400
    assert send(portal, "PUT", INVENTORY, b"", headers=bearer)[0] == 400
    large = b" " * (256 * 1024 + 1)
    assert send(portal, "PUT", INVENTORY, large, size=65536, headers=bearer)[0] == 413
    assert send(portal, "PUT", INVENTORY, said, size=1000, headers=bearer)[0] == 200
