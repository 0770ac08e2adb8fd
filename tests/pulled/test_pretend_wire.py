"""What a pretend device makes of a server that breaks off, packs, redirects or hangs up: a socket that really does so."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portal.simulator.client import Client, Download, Offer, Server
from portal.simulator.device import Habits, PretendDevice
from portal.simulator.errors import Trouble, Unexpected, Unreachable
from portal.simulator.home import Home
from portal.simulator.shelf import Shelf
from portal.simulator.tally import Tally
from portal.simulator.wire import Wire
from updates.formats.mender_artifact import ArtifactSpec, write_artifact

MakeClient = Callable[[str], Client]
Begin = Callable[[Client, str], Download]
CONTENT = b"artifact" * 1000


@contextmanager
def answering(answers: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one answer to each request, hangs up after each, and keeps what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                client, _ = listener.accept()
                with client:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += client.recv(65536)
                    asked.append(head)
                    client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join(10)


def answer(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    told = f"Content-Length: {len(body) if length is None else length}"
    return "\r\n".join([f"HTTP/1.1 {status}", told, *headers, "", ""]).encode() + body


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def client(tally: Tally, tmp_path: Path) -> Iterator[MakeClient]:
    """Makes a device's client for a server; what it keeps open is closed at the end."""
    wires: list[Wire] = []

    def make(address: str) -> Client:
        wires.append(Wire(address, tally))
        server = Server(wires[-1], Shelf(), tally)
        return Client(server, identity={"name": "a"}, key=Home(tmp_path, "a").key(is_small=True))

    yield make
    for wire in wires:
        wire.hang_up()


def offer(address: str) -> Offer:
    return Offer(deployment="d", artifact_name="a", address=f"{address}/file?word=1")


@pytest.fixture
def downloads() -> Iterator[Begin]:
    """Begins a download; its content is closed at the end."""
    begun: list[Download] = []

    def begin(device: Client, address: str) -> Download:
        begun.append(device.download(offer(address)))
        return begun[-1]

    yield begin
    for file in begun:
        file.content.close()


def test_a_download_that_breaks_off_goes_on_where_it_was(
    client: MakeClient, downloads: Begin, tally: Tally
) -> None:
    half = len(CONTENT) // 2
    answers = [
        answer("200 OK", CONTENT[:half], length=len(CONTENT)),
        answer("503 Service Unavailable"),
        answer("206 Partial Content", CONTENT[half:]),
    ]
    with answering(answers) as (address, asked):
        device = client(address)
        file = downloads(device, address)
        assert [device.go_on(file) for _ in answers] == [False, False, True]
    assert f"range: bytes={half}-".encode() in asked[1].lower()
    assert b"authorization" not in asked[0].lower()
    file.content.seek(0)
    assert hashlib.sha256(file.content.read()).digest() == hashlib.sha256(CONTENT).digest()
    assert tally.counts()["broke off"] == tally.counts()["asked to come again"] == 1


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (answer("302 Found", b"", "Location: /elsewhere"), "302"),
        (answer("200 OK", CONTENT, "Content-Encoding: gzip"), "packed"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT, "length"),
        (answer("404 Not Found"), "404"),
        (answer("503 Service Unavailable"), "503"),
    ],
)
def test_a_file_that_a_real_client_would_not_take_is_not_taken(
    said: bytes, says: str, client: MakeClient, downloads: Begin
) -> None:
    with answering([said]) as (address, _):
        device = client(address)
        with pytest.raises(Unexpected, match=says):
            device.go_on(downloads(device, address))


def test_an_update_whose_file_is_not_sent_has_failed(tally: Tally, tmp_path: Path) -> None:
    """As with clients from 5.0 on: they ask once for the first byte, and tell the failure with a log."""
    habits = Habits(
        device_type="x", poll_seconds=1, install_seconds=0, failure_rate=0, reboot_rate=0, seed=0
    )
    busy = answer("503 Service Unavailable", b"", "Connection: close")
    with answering([busy]) as (elsewhere, _):
        source = {"uri": f"{elsewhere}/file"}
        artifact = {"artifact_name": "a", "source": source, "device_types_compatible": ["x"]}
        told = json.dumps({"id": "d", "artifact": artifact}).encode()
        answers = [answer("200 OK", told), *[answer("204 No Content")] * 3]
        with answering(answers) as (address, asked):
            wire = Wire(address, tally)
            device = PretendDevice(1, Server(wire, Shelf(), tally), habits, tmp_path)
            assert not any(device.turn())
            wire.hang_up()
    paths = [head.split()[1].rpartition(b"/")[2] for head in asked]
    assert paths == [b"next", b"status", b"status", b"log"]
    assert tally.counts()["failed"] == 1
    assert tally.troubles() == {"download: 503": 1}


def test_what_is_no_artifact_is_found_out(client: MakeClient, downloads: Begin) -> None:
    with answering([answer("200 OK", CONTENT)]) as (address, _):
        device = client(address)
        file = downloads(device, address)
        assert device.go_on(file)
        with pytest.raises(Unexpected, match="no artifact"):
            device.finished(file, offer(address))


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"id":"","artifact":{}}', b"\xff", b'{"id":"d","artifact":null}']
)
def test_an_offer_that_cannot_be_read_is_told_from_none(body: bytes, client: MakeClient) -> None:
    with answering([answer("200 OK", body), answer("204 No Content")]) as (address, _):
        device = client(address)
        provides = {"device_type": "x", "artifact_name": "a"}
        with pytest.raises(Unexpected, match="cannot be read"):
            device.poll(provides)
        assert device.poll(provides) is None


def test_a_quoted_token_is_none(client: MakeClient) -> None:
    with (
        answering([answer("200 OK", b'"a.b.c"\n')]) as (address, _),
        pytest.raises(Unexpected, match="bare token"),
    ):
        client(address).authenticate()


def test_nobody_there_is_a_trouble_and_no_crash(client: MakeClient) -> None:
    with answering([]) as (address, _):
        pass
    with pytest.raises(Unreachable):
        client(address).authenticate()


def test_an_answer_that_is_cut_off_is_no_answer(client: MakeClient) -> None:
    with (
        answering([answer("200 OK", b"a.b.c", length=500)]) as (address, _),
        pytest.raises(Trouble),
    ):
        client(address).authenticate()


def test_keys_and_what_is_installed_outlive_the_process(tmp_path: Path) -> None:
    for is_small in (True, False):
        home = Home(tmp_path, f"device-{is_small}")
        made = home.key(is_small=is_small)
        assert (
            Home(tmp_path, f"device-{is_small}").key(is_small=is_small).public_pem
            == made.public_pem
        )
        home.keep({"artifact_name": "new"})
        assert Home(tmp_path, f"device-{is_small}").provides() == {"artifact_name": "new"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.pem")} == {0o600}


def test_times_are_right_to_a_few_percent() -> None:
    tally = Tally()
    for milliseconds in range(1, 1001):
        tally.took("poll", milliseconds / 1000)
    found = tally.latencies()["poll"]
    assert found.count == 1000
    assert found.p50_ms == pytest.approx(500, rel=0.03)
    assert found.p99_ms == pytest.approx(990, rel=0.03)


def test_an_artifact_is_read_once_by_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "artifact.mender"
    with file.open("wb") as out:
        write_artifact(
            ArtifactSpec(name="kiosk-2", payload_type=None, device_types=("kiosk",)), out
        )
    content, shelf = file.read_bytes(), Shelf()
    digest = hashlib.sha256(content).hexdigest()
    for known in (content, b"never looked at"):
        assert shelf.description(digest, BytesIO(known)).name == "kiosk-2"
    with pytest.raises(Unexpected):
        shelf.description("0" * 64, BytesIO(content[:-2000]))


@pytest.mark.parametrize(
    "words",
    [
        ["--server", "ftp://fleet.example"],
        ["--server", "fleet.example"],
        ["--devices", "0"],
        ["--devices", "many"],
        ["--failure-rate", "1.5"],
        ["--poll", "-1"],
        ["--poll", "nan"],
    ],
)
def test_a_fleet_that_cannot_be_is_refused(words: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("simulate", *words)
