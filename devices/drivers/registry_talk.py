"""HTTP with one registry: its logins, its redirects, its refusals, and limits on all it says."""

from __future__ import annotations

import datetime
import email.utils
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from devices.drivers.dial import is_loopback
from devices.drivers.engine import RegistryLogin
from devices.drivers.references import DEFAULT_HOST, Reference
from devices.errors import NotInRegistry, RegistryError, RegistryRefused, RegistryUnreachable

_HUB: Final = "registry-1.docker.io"
_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 20.0
_PIECE_BYTES: Final = 65536
_TOKEN_BYTES: Final = 1 << 20
_REFUSAL_BYTES: Final = 1 << 16
_CHALLENGE_CHARACTERS: Final = 4096
_WORDS: Final = 1000
_ROWS: Final = 1000
"""How many rows of a list are asked for at once; registries may give fewer."""
_REDIRECTS: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"', re.ASCII)


class _SystemTrust(HTTPAdapter):
    """Trusts whom this machine trusts, so that a private authority is a matter of its certificate store (or SSL_CERT_FILE)."""

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,  # noqa: FBT001, FBT002 - the signature of what it overrides
        **options: Any,  # noqa: ANN401
    ) -> None:
        context = ssl.create_default_context()
        super().init_poolmanager(connections, maxsize, block, ssl_context=context, **options)


class _Anonymous(AuthBase):
    """No login; not even one of ~/.netrc, which requests would look for otherwise."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class RegistryTalk:
    """Questions about one repository, until `close`. All of them together take `limit_seconds` at most."""

    def __init__(
        self, reference: Reference, *, login: RegistryLogin | None, limit_seconds: float
    ) -> None:
        self.host = reference.host
        self._path = reference.path
        self._login = login
        self._auth: AuthBase = _Anonymous()
        self._until = time.monotonic() + limit_seconds
        self._session = requests.Session()
        self._session.mount("https://", _SystemTrust())
        self._session.headers["User-Agent"] = "fleetwright"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def get(self, place: str, *, accept: str, limit_bytes: int) -> bytes:
        """What the repository has at `place` (`manifests/…`, `blobs/…`), whole. Any `RegistryError`."""
        with self._answered(place, accept=accept) as response:
            return self._body(response, limit_bytes)

    def pages(self, place: str, *, limit_bytes: int, most: int) -> Iterator[bytes]:
        """The list that the repository has at `place`, page by page. `RegistryError` when there are more than `most` pages."""
        query = f"n={_ROWS}"
        for _ in range(most):
            with self._answered(f"{place}?{query}", accept="application/json") as response:
                said = self._body(response, limit_bytes)
                # Its words for the next page, but not where it is: we know that.
                query = urlsplit(response.links.get("next", {}).get("url", "")).query
            yield said
            if not query:
                return
        raise RegistryError(f"The registry {self.host} has a longer list than is read.")

    def _answered(self, place: str, *, accept: str) -> requests.Response:
        """The answer, which is a good one, and is not read yet. Who takes it closes it."""
        host = _HUB if self.host == DEFAULT_HOST else self.host
        scheme = "http" if is_loopback(_name(host)) else "https"
        url = f"{scheme}://{host}/v2/{self._path}/{place}"
        response = self._asked(url, accept=accept, auth=self._auth)
        if response.status_code == requests.codes.unauthorized:
            with response:
                self._auth = self._login_for(response.headers.get("WWW-Authenticate", ""))
            response = self._asked(url, accept=accept, auth=self._auth)
        return self._followed(response, accept=accept)

    def _followed(self, response: requests.Response, *, accept: str) -> requests.Response:
        """The answer, perhaps from where the registry says that it is: that place is asked without our login."""
        for _ in range(_REDIRECTS):
            if response.status_code not in _MOVED:
                break
            place = urljoin(response.url, response.headers.get("Location", ""))
            response.close()
            response = self._asked(self._safe(place), accept=accept, auth=_Anonymous())
        if response.status_code != requests.codes.ok:
            with response:
                raise self._refusal(response)
        return response

    def _asked(
        self, url: str, *, accept: str, auth: AuthBase, params: Mapping[str, str] | None = None
    ) -> requests.Response:
        left = self._until - time.monotonic()
        if left <= 0:
            raise RegistryUnreachable(f"The registry {self.host} has not answered in time.")
        try:
            return self._session.get(
                url,
                params=params,
                headers={"Accept": accept},
                auth=auth,
                timeout=(min(left, _CONNECT_SECONDS), min(left, _READ_SECONDS)),
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            raise self._unreachable(error) from None

    def _body(self, response: requests.Response, limit_bytes: int) -> bytes:
        body = bytearray()
        try:
            for piece in response.iter_content(_PIECE_BYTES):
                body += piece
                if len(body) > limit_bytes:
                    raise RegistryError(
                        f"The registry {self.host} says more than {limit_bytes} bytes about an image."
                    )
                if time.monotonic() > self._until:
                    raise RegistryUnreachable(f"The registry {self.host} has not ended in time.")
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._unreachable(error) from None
        return bytes(body)

    def _login_for(self, challenge: str) -> AuthBase:
        """What the registry asks for: our name and secret, or a token that they are good for (or nobody's name is)."""
        kind, _, rest = challenge[:_CHALLENGE_CHARACTERS].partition(" ")
        if kind.lower() == "bearer":
            return _Bearer(self._token(dict(_PARAMETER.findall(rest))))
        if kind.lower() != "basic" or self._login is None:
            raise RegistryRefused(f"The registry {self.host} wants a login; none is stored for it.")
        return self._basic(self._login)

    def _token(self, wanted: dict[str, str]) -> str:
        params = {"scope": f"repository:{self._path}:pull"}
        if "service" in wanted:
            params["service"] = wanted["service"]
        auth = _Anonymous() if self._login is None else self._basic(self._login)
        realm = self._safe(wanted.get("realm", ""))
        with self._asked(realm, accept="application/json", auth=auth, params=params) as response:
            if response.status_code != requests.codes.ok:
                raise self._refusal(response)
            answer = _json(self._body(response, _TOKEN_BYTES))
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError(f"The registry {self.host} gives no token where it says it does.")
        return token

    @staticmethod
    def _basic(login: RegistryLogin) -> AuthBase:
        # As bytes: a text would be taken for Latin-1.
        return HTTPBasicAuth(login.username.encode(), login.secret.encode())

    def _safe(self, url: str) -> str:
        """The address, if it is one that we follow: HTTPS, or this machine itself for a registry that is there, too."""
        parts = urlsplit(url)
        secure = parts.scheme == "https" and parts.hostname
        near = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not (secure or (near and is_loopback(_name(self.host)))) or parts.username is not None:
            raise RegistryError(f"The registry {self.host} leads to an address without HTTPS.")
        return url

    def _refusal(self, response: requests.Response) -> RegistryError:
        status = response.status_code
        said = self._words(response)
        if status == requests.codes.not_found:
            return NotInRegistry(f"The registry {self.host} has no such image: {said}.")
        if status == requests.codes.too_many_requests:
            return RegistryRefused(
                f"The registry {self.host} has heard too much of us: {said}.",
                retry_seconds=_retry_seconds(response.headers.get("Retry-After", "")),
            )
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            return RegistryRefused(f"The registry {self.host} does not let us in: {said}.")
        if status >= requests.codes.server_error:
            return RegistryUnreachable(f"The registry {self.host} has trouble: {said}.")
        return RegistryError(f"The registry {self.host} refuses: {said}.")

    def _words(self, response: requests.Response) -> str:
        """What the registry complains of, on one line, and printable."""
        answer = _json(self._body(response, _REFUSAL_BYTES))
        errors = answer.get("errors")
        found = []
        for one in errors if isinstance(errors, list) else []:
            if isinstance(one, dict):
                found.append(str(one.get("message") or one.get("code") or ""))
        said = "; ".join(found) or str(answer.get("details") or response.reason)
        line = " ".join(said.split())[:_WORDS].rstrip(".")
        printable = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
        return printable or f"status {response.status_code}"

    def _unreachable(self, error: Exception) -> RegistryUnreachable:
        if isinstance(error, requests.exceptions.SSLError):
            return RegistryUnreachable(
                f"The certificate of the registry {self.host} is not accepted, or it speaks no TLS."
            )
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return RegistryUnreachable(f"The registry {self.host} has not answered in time.")
        return RegistryUnreachable(f"The registry {self.host} cannot be reached.")


def _name(host: str) -> str:
    """The host without its port."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.partition(":")[0]


def _json(body: bytes) -> dict[str, Any]:
    """The object that the body is; empty if it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _retry_seconds(text: str) -> float | None:
    """Seconds, or a date (RFC 9110); None where it is neither."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        return None
    return max((when - datetime.datetime.now(datetime.UTC)).total_seconds(), 0.0)
