"""The requests of Mender's device API, as its client makes them: which path, which body, which answer is a good one."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final
from urllib.parse import quote

from portal.simulator.errors import NotLetIn, NotSent, Unexpected, Unreachable
from portal.simulator.home import OwnKey
from portal.simulator.shelf import Shelf
from portal.simulator.tally import Tally
from portal.simulator.wire import Answer, Broken, Wire
from updates.formats.mender_artifact import ArtifactDescription

AUTHENTICATION: Final = "/api/devices/v1/authentication/auth_requests"
INVENTORY: Final = "/api/devices/v1/inventory/device/attributes"
NEXT: Final = "/api/devices/v2/deployments/device/deployments/next"
DEPLOYMENT: Final = "/api/devices/v1/deployments/device/deployments"

PIECE_BYTES: Final = 64 * 1024
IN_MEMORY_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Offer:
    """What a device is asked to install."""

    deployment: str
    artifact_name: str
    address: str


@dataclass(slots=True)
class Download:
    """What has come of a file so far. It may go on where it broke off."""

    address: str
    content: IO[bytes]
    size: int = 0
    whole: int | None = None
    """How many bytes it has to be, as the first answer said."""


@dataclass(frozen=True, slots=True)
class Server:
    """What all devices of a fleet have in common: the way to the server, what they fetched, and what they count."""

    wire: Wire
    shelf: Shelf
    tally: Tally


class Client:
    """One device's requests. A token that is no longer good is replaced by a fresh one, in the middle of anything."""

    def __init__(self, server: Server, *, identity: Mapping[str, str], key: OwnKey) -> None:
        self._server = server
        self._identity = json.dumps(identity)
        self._key = key
        self._token = ""

    def authenticate(self) -> None:
        """It holds a fresh token. NotLetIn while nobody has accepted it."""
        request = {"id_data": self._identity, "tenant_token": "", "pubkey": self._key.public_pem}
        body = json.dumps(request).encode() + b"\n"
        answer = self._server.wire.ask(
            "authenticate", "POST", AUTHENTICATION, body=body,
            headers={"Content-Type": "application/json", "X-MEN-Signature": self._key.signature(body)},
        )  # fmt: skip
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise NotLetIn("not let in")
        _expect("authenticate", answer, HTTPStatus.OK)
        self._token = answer.body.decode("ascii", errors="replace")
        if self._token.count(".") != 2 or self._token.strip() != self._token:
            raise Unexpected("authenticate: no bare token")

    def tell_inventory(self, attributes: Mapping[str, str]) -> None:
        """The server knows all of them, and no others."""
        words = [{"name": name, "value": value} for name, value in attributes.items()]
        _expect("inventory", self._ask("inventory", "PUT", INVENTORY, words), HTTPStatus.OK)

    def poll(self, provides: Mapping[str, str]) -> Offer | None:
        """What it is to install, if anything."""
        answer = self._ask("poll", "POST", NEXT, {"device_provides": provides})
        if answer.status == HTTPStatus.NO_CONTENT:
            return None
        _expect("poll", answer, HTTPStatus.OK)
        return _offer(answer.body, device_type=provides["device_type"])

    def report(self, offer: Offer, status: str) -> Answer:
        """The status was sent; the answer is the caller's to judge."""
        path = f"{DEPLOYMENT}/{quote(offer.deployment, safe='')}/status"
        return self._ask("status", "PUT", path, {"status": status})

    def send_log(self, offer: Offer, lines: list[str]) -> None:
        """The server has the log of this deployment."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        messages = [{"timestamp": now, "level": "info", "message": line} for line in lines]
        path = f"{DEPLOYMENT}/{quote(offer.deployment, safe='')}/log"
        answer = self._ask("log", "PUT", path, {"messages": messages})
        _expect("log", answer, HTTPStatus.NO_CONTENT)

    def download(self, offer: Offer) -> Download:
        """One that has not begun. Whoever asks for it closes its content."""
        return Download(offer.address, SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))

    def go_on(self, file: Download) -> bool:
        """More of the file has come; whether that was all. It is asked for without a token: the address is enough.

        False when it broke off, or when the server is too busy to go on with it: it may go on later, where it was. NotSent when
        the first answer is no good: clients from 5.0 on ask only once.
        """
        began = time.perf_counter()
        try:
            with self._server.wire.open(file.address, start=file.size) as response:
                if response.status != HTTPStatus.OK and file.whole is None:
                    self._server.wire.hang_up()
                    raise NotSent(f"download: {response.status}")
                if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    self._server.tally.count("asked to come again")
                    response.read()
                    return False
                self._check_head(file, response)
                while piece := response.read(PIECE_BYTES):
                    file.size += file.content.write(piece)
        except (*Broken, Unreachable):
            self._server.wire.hang_up()
            self._server.tally.count("broke off")
            return False
        if file.size == file.whole:
            self._server.tally.took("download", time.perf_counter() - began)
            return True
        self._server.wire.hang_up()
        self._server.tally.count("broke off")
        return False

    def finished(self, file: Download, offer: Offer) -> ArtifactDescription:
        """What was downloaded, every byte of it checked."""
        file.content.seek(0)
        digest = hashlib.sha256()
        while piece := file.content.read(PIECE_BYTES):
            digest.update(piece)
        found = self._server.shelf.description(digest.hexdigest(), file.content)
        if found.name != offer.artifact_name:
            raise Unexpected("download: another artifact than was offered")
        return found

    def _check_head(self, file: Download, response: HTTPResponse) -> None:
        """The answer is one that Mender's client can use: its length told, not packed, and the very part that was missing."""
        wanted = HTTPStatus.PARTIAL_CONTENT if file.size else HTTPStatus.OK
        length = response.headers.get("Content-Length", "")
        whole = file.size + int(length) if length.isascii() and length.isdigit() else None
        if response.status != wanted:
            amiss = str(int(response.status))
        elif whole is None:
            amiss = "its length is not told"
        elif response.headers.get("Content-Encoding"):
            amiss = "packed on the way"
        elif file.whole not in (None, whole):
            amiss = "another length than before"
        else:
            file.whole = whole
            return
        self._server.wire.hang_up()
        raise Unexpected(f"download: {amiss}")

    def _ask(self, what: str, method: str, path: str, words: object) -> Answer:
        body = json.dumps(words).encode()
        answer = self._send(what, method, path, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self.authenticate()
            answer = self._send(what, method, path, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise NotLetIn("not let in")
        return answer

    def _send(self, what: str, method: str, path: str, body: bytes) -> Answer:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        return self._server.wire.ask(what, method, path, body=body, headers=headers)


def _expect(what: str, answer: Answer, status: HTTPStatus) -> None:
    if answer.status != status:
        raise Unexpected(f"{what}: {answer.status}")


def _offer(body: bytes, *, device_type: str) -> Offer:
    """Raises Unexpected for what Mender's client would refuse, or would not even notice."""
    try:
        said: Any = json.loads(body)
        artifact = said["artifact"]
        offer = Offer(said["id"], artifact["artifact_name"], artifact["source"]["uri"])
        types = artifact["device_types_compatible"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unexpected("poll: an offer that cannot be read") from error
    if not all(isinstance(text, str) and text for text in (offer.deployment, offer.address)):
        raise Unexpected("poll: an offer that cannot be read")
    if device_type not in types:
        raise Unexpected("poll: an offer for another device type")
    return offer
