"""HTTP as a device speaks it: a connection that is kept open, no redirect that is followed, an end to every wait."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from portal.simulator.errors import Unexpected, Unreachable
from portal.simulator.tally import Tally

ANSWER_SECONDS: Final = 60.0
ANSWER_BYTES: Final = 1024 * 1024
"""What an answer may have at most; a file that is downloaded comes in pieces instead."""

Broken = (http.client.HTTPException, OSError)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Wire:
    """Requests to one server. Each thread has a connection of its own, made when it is needed and kept."""

    def __init__(self, server: str, tally: Tally) -> None:
        """`server`: its address, such as https://fleet.example; ValueError when it is none."""
        self._server = _place(server)
        self._tally = tally
        self._own = threading.local()

    def ask(
        self, what: str, method: str, path: str, *, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """The answer, whatever its status. Unreachable when there is none. Its time is kept under `what`."""
        began = time.perf_counter()
        response = self._response(method, f"{self._server.path.rstrip('/')}{path}", body, headers)
        try:
            answer = Answer(response.status, response.read(ANSWER_BYTES + 1))
        except Broken as error:
            raise self._gone(error) from error
        if response.length or len(answer.body) > ANSWER_BYTES:
            self.hang_up()
            raise Unexpected(f"{what}: an answer that was cut off, or has no end")
        self._tally.took(what, time.perf_counter() - began)
        return answer

    def open(self, address: str, *, start: int) -> http.client.HTTPResponse:
        """The answer to a GET of a whole address from the byte `start` on, of which only the head was read.

        On the kept connection, if it is of this server. Whoever does not read it to its end calls `hang_up`.
        """
        place = _place(address)
        path = place.path + (f"?{place.query}" if place.query else "")
        headers = {"Range": f"bytes={start}-"} if start else {}
        if (place.scheme, place.netloc) == (self._server.scheme, self._server.netloc):
            return self._response("GET", path, b"", headers)
        try:
            elsewhere = _connection(place)
            elsewhere.request("GET", path, headers={**headers, "Connection": "close"})
            return elsewhere.getresponse()
        except Broken as error:
            raise Unreachable(f"download: {type(error).__name__}") from error

    def hang_up(self) -> None:
        """This thread's connection is closed; the next request makes a new one."""
        kept: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        self._own.connection = None
        if kept is not None:
            kept.close()

    def _response(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """The head of the answer. A connection that the server closed meanwhile is made anew, once."""
        is_kept = getattr(self._own, "connection", None) is not None
        try:
            return self._send(method, path, body, headers)
        except Broken as error:
            gone = self._gone(error)
            if not is_kept:
                raise gone from error
        try:
            return self._send(method, path, body, headers)
        except Broken as error:
            raise self._gone(error) from error

    def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = _connection(self._server)
        connection.request(method, path, body or None, dict(headers))
        return connection.getresponse()

    def _gone(self, error: Exception) -> Unreachable:
        self.hang_up()
        is_timeout = isinstance(error, socket.timeout)
        return Unreachable(f"no answer: {'too late' if is_timeout else type(error).__name__}")


def _place(address: str) -> SplitResult:
    place = urlsplit(address)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise ValueError(f"{address!r} is no address with http or https.")
    return place


def _connection(place: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    return kind(place.hostname or "", place.port, timeout=ANSWER_SECONDS)
