"""The portal's side of the talk with one agent: each proves that it has the key, and every message is bound to it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from typing import Any, Final, Self

from devices.drivers.dial import Line
from devices.drivers.nodes import Trouble
from devices.drivers.python_node.rooms import ENTRY, engine, rooms
from devices.errors import DeviceError

MAGIC: Final = b"FWA1"
NONCE_BYTES: Final = 32
MAX_ANSWER_BYTES: Final = 192 << 20
PART_BYTES: Final = 1 << 16


class NoAnswer(DeviceError):
    """A process gave no answer that could be used; `trouble` says what kind of trouble it is."""

    def __init__(self, trouble: Trouble, sentence: str) -> None:
        super().__init__(sentence)
        self.trouble = trouble


class Conversation:
    """With the process of that number, or whichever answers (0); it has so many seconds to begin.

    NoAnswer if it can't be trusted, or does not trust us.

    Close it, or use it in a `with`.
    """

    def __init__(self, line: Line, *, key: bytes, seconds: float, process: int = 0) -> None:
        self._line, self._key, self._seconds = line, key, seconds
        self._is_greeted = False
        self._until = time.monotonic() + seconds
        try:
            self._bound = self._greet(process)
        except BaseException:
            line.close()
            raise
        self._is_greeted = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._line.close()

    def processes(self) -> list[int]:
        """The processes of the system that the agent knows, the oldest first."""
        self._until = time.monotonic() + self._seconds
        found = self._ask({"processes": True}).get("processes")
        if not isinstance(found, list) or not all(type(number) is int for number in found):
            raise NoAnswer(Trouble.PROTOCOL, "The agent's answer cannot be understood.")
        return found

    def ask(self, request: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """What the engine answers to `request`. An agent that has another engine gets ours."""
        self._until = time.monotonic() + seconds
        order = {"engine": engine(), "room": ENTRY, "request": request, "seconds": seconds}
        answer = self._ask(order)
        if "engine" in answer:
            answer = self._ask({**order, "rooms": rooms()})
        if "bug" in answer:
            raise NoAnswer(Trouble.PROTOCOL, f"The agent failed: {answer['bug']}.")
        if "busy" in answer:
            raise NoAnswer(Trouble.TIMED_OUT, "It was busy with another call all the time.")
        if "stale" in answer:
            raise NoAnswer(Trouble.STALE, "A newer holder of the upgrade has been here.")
        return answer

    def _greet(self, process: int) -> bytes:
        self._send(MAGIC + process.to_bytes(4, "big"))
        theirs = self._receive(NONCE_BYTES)
        ours = secrets.token_bytes(NONCE_BYTES)
        bound = theirs + ours
        self._send(ours + self._proof(b"caller", bound))
        verdict = self._receive(1)
        if verdict == b"0":
            raise NoAnswer(Trouble.REFUSED, "The agent does not take our key.")
        if verdict != b"1":
            raise NoAnswer(Trouble.PROTOCOL, "Who answers there is no agent of ours.")
        if not hmac.compare_digest(self._receive(NONCE_BYTES), self._proof(b"agent", bound)):
            raise NoAnswer(Trouble.REFUSED, "Who answers there does not have our key.")
        return bound

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(order).encode()
        proof = self._proof(b"call", self._bound, body)
        self._send(len(body).to_bytes(4, "big") + proof + body)
        size, answered = int.from_bytes(self._receive(4), "big"), self._receive(NONCE_BYTES)
        if size > MAX_ANSWER_BYTES:
            raise NoAnswer(Trouble.PROTOCOL, "The agent's answer is too long.")
        answer = self._receive(size)
        if not hmac.compare_digest(answered, self._proof(b"answer", proof, answer)):
            raise NoAnswer(Trouble.PROTOCOL, "The agent's answer was changed on its way.")
        self._bound = answered
        found = json.loads(answer)
        if not isinstance(found, dict):
            raise NoAnswer(Trouble.PROTOCOL, "The agent's answer cannot be understood.")
        return found

    def _proof(self, word: bytes, *parts: bytes) -> bytes:
        return hmac.new(self._key, b"\0".join([word, *parts]), hashlib.sha256).digest()

    def _send(self, data: bytes) -> None:
        try:
            self._line.settimeout(self._left())
            self._line.sendall(data)
        except TimeoutError:
            raise self._too_late() from None
        except OSError:
            raise self._gone() from None

    def _receive(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            try:
                self._line.settimeout(self._left())
                part = self._line.recv(min(size - len(found), PART_BYTES))
            except TimeoutError:
                raise self._too_late() from None
            except OSError:
                raise self._gone() from None
            if not part:
                raise self._gone()
            found += part
        return bytes(found)

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _too_late(self) -> NoAnswer:
        return NoAnswer(Trouble.TIMED_OUT, "It did not answer in time.")

    def _gone(self) -> NoAnswer:
        when = "during the call" if self._is_greeted else "before it had answered"
        return NoAnswer(Trouble.DIED, f"It closed the connection {when}.")
