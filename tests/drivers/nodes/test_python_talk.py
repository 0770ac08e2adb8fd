"""The door of a Python process: who is let in, and what somebody can do who is not."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.drivers.nodes import Trouble
from devices.drivers.python_node import runtime
from devices.drivers.python_node.conversation import Conversation, NoAnswer
from devices.drivers.python_node.doors import FolderDoors
from devices.drivers.python_node.rooms import ORDER
from tests.environment.python_nodes import PythonService

SECONDS = 3.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PythonService]:
    service = PythonService(tmp_path_factory.mktemp("talk") / "root")
    service.start()
    yield service
    service.remove()


@pytest.fixture
def line(service: PythonService) -> Iterator[socket.socket]:
    """A connection to the process, and nothing said yet."""
    (process,) = service.processes()
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(SECONDS)
        line.connect(str(service.folder / f"{process}.sock"))
        yield line


def proof(key: bytes, word: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"\0".join([word, *parts]), hashlib.sha256).digest()


def receive(line: socket.socket, size: int) -> bytes:
    with line.makefile("rb", buffering=0) as stream:
        found = b""
        while len(found) < size and (part := stream.read(size - len(found))):
            found += part
        return found


def let_in(line: socket.socket, key: bytes) -> bytes:
    """What the messages are bound to."""
    line.sendall(b"FWA1" + bytes(4))
    bound = receive(line, 32)
    ours = secrets.token_bytes(32)
    bound += ours
    line.sendall(ours + proof(key, b"caller", bound))
    assert line.recv(1) == b"1"
    assert receive(line, 32) == proof(key, b"agent", bound)
    return bound


def test_every_room_of_the_engine_is_sent() -> None:
    files = Path(runtime.__file__).with_name("engine").glob("*.py")
    assert {path.stem for path in files} == {*ORDER, "__init__"}


def test_who_speaks_another_language_is_left_alone(line: socket.socket) -> None:
    line.sendall(b"GET / HT")
    assert line.recv(1) == b""


def test_a_proof_of_another_connection_opens_nothing(
    service: PythonService, line: socket.socket
) -> None:
    (process,) = service.processes()
    with socket.socket(socket.AF_UNIX) as other:
        other.settimeout(SECONDS)
        other.connect(str(service.folder / f"{process}.sock"))
        other.sendall(b"FWA1" + bytes(4))
        elsewhere = receive(other, 32)
    ours = secrets.token_bytes(32)
    line.sendall(b"FWA1" + bytes(4))
    receive(line, 32)
    line.sendall(ours + proof(service.key, b"caller", elsewhere + ours))
    assert line.recv(64) == b"0"


def test_the_agents_own_proof_sent_back_opens_nothing(
    service: PythonService, line: socket.socket
) -> None:
    line.sendall(b"FWA1" + bytes(4))
    theirs = receive(line, 32)
    line.sendall(theirs + proof(service.key, b"agent", theirs + theirs))
    assert line.recv(64) == b"0"


def test_a_message_that_was_changed_is_not_obeyed(
    service: PythonService, line: socket.socket
) -> None:
    bound = let_in(line, service.key)
    body = b'{"processes": true}'
    said = proof(service.key, b"call", bound, body)
    line.sendall(len(body).to_bytes(4, "big") + said + body.replace(b"true", b"null"))
    assert line.recv(1) == b""


def test_a_message_is_good_once(service: PythonService, line: socket.socket) -> None:
    bound = let_in(line, service.key)
    body = b'{"processes": true}'
    message = len(body).to_bytes(4, "big") + proof(service.key, b"call", bound, body) + body
    line.sendall(message)
    size = int.from_bytes(receive(line, 4), "big")
    assert len(receive(line, 32 + size)) == 32 + size
    line.sendall(message)
    assert line.recv(1) == b""


def test_a_message_without_end_is_not_waited_for(
    service: PythonService, line: socket.socket
) -> None:
    bound = let_in(line, service.key)
    line.sendall(b"\xff\xff\xff\xff" + proof(service.key, b"call", bound, b""))
    assert line.recv(1) == b""


def test_an_agent_with_another_engine_gets_ours(service: PythonService) -> None:
    (process,) = service.processes()
    service.run("import sys, fleetwright_agent\nfleetwright_agent._agent._engine = 'old'")
    with FolderDoors(service.folder, key=service.key, seconds=SECONDS).open(process) as talk:
        answer = talk.ask({"operation": "inspect", "paths": []}, seconds=SECONDS)
    assert answer["version"] == "1.0.0"


def test_what_the_agent_stumbles_over_is_told(service: PythonService) -> None:
    (process,) = service.processes()
    with (
        FolderDoors(service.folder, key=service.key, seconds=SECONDS).open(process) as talk,
        pytest.raises(NoAnswer, match="KeyError") as told,
    ):
        talk.ask({"operation": "check"}, seconds=SECONDS)
    assert told.value.trouble is Trouble.PROTOCOL


def test_who_never_ends_its_greeting_is_given_up(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(NoAnswer) as told:
        Conversation(ours, key=b"k" * 16, seconds=0.2)
    assert told.value.trouble is Trouble.TIMED_OUT
    ours, theirs = socket.socketpair()
    theirs.sendall(b"HTTP/1.1 400 Bad Request, and so on and on")
    with theirs, pytest.raises(NoAnswer) as told:
        Conversation(ours, key=b"k" * 16, seconds=0.2)
    assert told.value.trouble is Trouble.PROTOCOL
