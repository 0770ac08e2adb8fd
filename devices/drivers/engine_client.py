"""The docker SDK's client over our own connections: its version agreed on, its errors told as ours, every wait with an end."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import docker
import docker.errors
import paramiko
import requests
import urllib3.exceptions
from docker.utils import compare_version
from requests.adapters import BaseAdapter

from devices.drivers.engine import EngineLimits
from devices.drivers.engine_ways import Way
from devices.drivers.engine_wire import EngineAdapter, Patience
from devices.drivers.shell import OnTick
from devices.errors import DeviceError, EngineRefused, EngineUnreachable, OutOfSpace

# An answer's fields may change with versions: this is the newest whose answers we have read.
NEWEST_API: Final = "1.45"
FULL: Final = "no space left on device"
_FIRST_API: Final = "1.24"
_ANSWER_BYTES: Final = 64 << 20
_PIECE_BYTES: Final = 1 << 18
_WORDS: Final = 2000
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)


class _Api(docker.APIClient):
    """The SDK's client, whatever it is asked over our adapter alone; nothing of the environment or of ~/.netrc is used."""

    def __init__(self, adapter: EngineAdapter, *, version: str) -> None:
        self._ours = adapter
        # The host is never looked up; the adapter knows the way.
        super().__init__(base_url="tcp://localhost:2375", version=version)
        self.trust_env = False
        self.headers["Accept-Encoding"] = "identity"

    def get_adapter(self, url: str) -> BaseAdapter:
        return self._ours


class EngineClient:
    """One engine's API. Opens itself when it is first asked."""

    def __init__(self, way: Way, limits: EngineLimits) -> None:
        self._way = way
        self.limits = limits
        self._adapter = EngineAdapter(
            way.open, connect_seconds=limits.connect_seconds, patience=self.patience()
        )
        self._api: _Api | None = None

    def patience(self, *, seconds: float | None = None, on_tick: OnTick | None = None) -> Patience:
        """For one answer."""
        seconds = seconds or self.limits.answer_seconds
        return Patience(
            limit_seconds=seconds,
            silence_seconds=seconds,
            limit_bytes=_ANSWER_BYTES,
            on_tick=on_tick,
        )

    def patience_for_stream(self) -> Patience:
        """For a stream through a helper container."""
        return Patience(
            limit_seconds=self.limits.helper_seconds, silence_seconds=self.limits.silence_seconds
        )

    @contextlib.contextmanager
    def asked(
        self, patience: Patience | None = None, *, missing: EngineRefused | None = None
    ) -> Iterator[docker.APIClient]:
        """The SDK's client, for one request. `EngineRefused`, `EngineUnreachable`, and what was raised in a tick.

        `missing` is raised where the engine says that it does not have what was asked for.
        """
        with _refusing(missing), self._guarded(patience or self.patience()):
            yield self._agreed()

    @contextlib.contextmanager
    def _guarded(self, patience: Patience) -> Iterator[None]:
        """What libraries raise comes out as our own errors; what a tick or a source of data raised comes out as it was."""
        self._adapter.patience = patience
        try:
            yield
        except docker.errors.APIError as error:
            raise _refusal(error.status_code or 0, str(error.explanation or "")) from None
        except (
            requests.RequestException,
            docker.errors.DockerException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            paramiko.SSHException,
            OSError,
            EOFError,
        ) as error:
            if patience.raised is not None:
                raise patience.raised from None
            raise EngineUnreachable(_broken(error, patience)) from None

    @contextlib.contextmanager
    def streaming(
        self,
        method: str,
        path: str,
        *,
        patience: Patience,
        params: dict[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        missing: EngineRefused | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """The body of the answer, in pieces as they come. It is closed afterwards, read or not."""
        with self.asked(patience) as api:
            response = api.request(
                method,
                f"{api.base_url}/v{api.api_version}{path}",
                params=params,
                json=body,
                headers=headers,
                stream=True,
            )
        with contextlib.closing(response):
            if not response.ok:
                with _refusing(missing), self._guarded(self.patience()):
                    raise _refusal(response.status_code, _message(response))
            yield self._pieces(response, patience)

    def _pieces(self, response: requests.Response, patience: Patience) -> Iterator[bytes]:
        raw = response.raw
        pieces = raw.stream(_PIECE_BYTES, decode_content=False)
        if not raw.chunked:
            # What a command writes comes without lengths: `stream` would hold it back until it has a whole piece.
            pieces = iter(lambda: raw.read1(_PIECE_BYTES, decode_content=False), b"")
        while True:
            with self._guarded(patience):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def _agreed(self) -> _Api:
        if self._api is None:
            first = _Api(self._adapter, version=_FIRST_API)
            answer = first.version(api_version=False)
            self._api = _Api(self._adapter, version=_version_for(answer))
        return self._api

    def close(self) -> None:
        """No connection is open any more."""
        self._way.close()


@contextlib.contextmanager
def _refusing(missing: EngineRefused | None) -> Iterator[None]:
    try:
        yield
    except EngineRefused as refused:
        if missing is not None and refused.status == http.client.NOT_FOUND:
            raise missing from None
        raise


def _version_for(answer: object) -> str:
    said = answer if isinstance(answer, dict) else {}
    newest, oldest = str(said.get("ApiVersion", "")), str(said.get("MinAPIVersion") or _FIRST_API)
    if not _VERSION.fullmatch(newest) or not _VERSION.fullmatch(oldest):
        raise EngineUnreachable("What answers there is no Docker Engine.")
    spoken = newest if compare_version(newest, NEWEST_API) > 0 else NEWEST_API
    return oldest if compare_version(spoken, oldest) > 0 else spoken


def _refusal(status: int, words: str) -> DeviceError:
    said = " ".join(words.split())[:_WORDS].rstrip(".") or f"status {status}"
    if FULL in said:
        return OutOfSpace(f"The device has no room for what its engine is to do: {said}.")
    return EngineRefused(f"The Docker Engine refuses: {said}.", status=status, said=said)


def _message(response: requests.Response) -> str:
    try:
        answer: Any = response.json()
    except requests.JSONDecodeError:
        return ""
    return str(answer.get("message", "")) if isinstance(answer, dict) else ""


def _broken(error: Exception, patience: Patience) -> str:
    timed_out = isinstance(error, TimeoutError | requests.Timeout | urllib3.exceptions.TimeoutError)
    if timed_out or patience.is_over:
        return "The Docker Engine has not answered in time."
    return "The connection to the Docker Engine broke."
