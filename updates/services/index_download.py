"""Fetching the index of a repository: one file over HTTP, within limits of time and size."""

from __future__ import annotations

import ipaddress
import time
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from updates.errors import RepositoryRefused
from updates.formats.repodata import LARGEST_BYTES

CONNECT_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 15.0
ALL_SECONDS: Final = 60.0

_FILE: Final = "/repodata.json"
_VIEW: Final = "?view=latest"
_MOST_REDIRECTS: Final = 3
_PIECE_BYTES: Final = 64 * 1024


def checked_url(text: str) -> str:
    """The address of a repository, without a slash at its end. RepositoryRefused with `repository_url` if it can be none.

    Plain HTTP is for this machine only: whoever changes an index on its way decides what is installed.
    """
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _bad_url(url, "it is no web address") from None
    if not url.isascii() or not url.isprintable() or " " in url or not host or port == 0:
        raise _bad_url(url, "it is no web address")
    if parts.username is not None or parts.query or parts.fragment:
        raise _bad_url(url, "names, queries and fragments have no place in it")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise _bad_url(url, "it must begin with https://")
    return url


def download_index(url: str) -> bytes:
    """What the repository at this checked address answers.

    RepositoryRefused: `repodata_not_found` when it has no index, `repository_not_accessible` for everything else that goes
    wrong on the way.
    """
    session = requests.Session()
    # Unpacked, a small answer could be a large one.
    session.headers.update({"User-Agent": "fleetwright", "Accept-Encoding": "identity"})
    session.auth = _NoLogin()
    try:
        with session, _answer(session, url + _FILE + _VIEW) as answer:
            return _content(answer, url)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _not_accessible(url, _words(error)) from error


def _answer(session: requests.Session, address: str) -> requests.Response:
    """The last answer of a chain of redirects, none of which leads to another host."""
    home = _origin(urlsplit(address))
    for _ in range(_MOST_REDIRECTS + 1):
        answer = session.get(
            address,
            timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
            stream=True,
            allow_redirects=False,
        )
        if not answer.is_redirect:
            return answer
        answer.close()
        address = urljoin(address, answer.headers["Location"])
        if _origin(urlsplit(address)) != home:
            raise _not_accessible(address, "it is another host, to which the repository led")
    raise _not_accessible(address, "the repository led from one address to the next")


def _content(answer: requests.Response, url: str) -> bytes:
    if answer.status_code == requests.codes.not_found:
        raise RepositoryRefused("repodata_not_found", f"There is no repodata.json at {url}.")
    if answer.status_code != requests.codes.ok:
        raise _not_accessible(url, f"it answered with status {answer.status_code}")
    until = time.monotonic() + ALL_SECONDS
    content = bytearray()
    # What has come, at once: a server that sends a byte now and then must not keep us for hours.
    while piece := answer.raw.read1(_PIECE_BYTES):
        content += piece
        if len(content) > LARGEST_BYTES:
            raise _not_accessible(url, f"its index has more than {LARGEST_BYTES} bytes")
        if time.monotonic() > until:
            raise _not_accessible(url, f"its index took longer than {ALL_SECONDS:.0f} seconds")
    return bytes(content)


class _NoLogin(AuthBase):
    """Keeps requests from looking for a password in files of whoever runs the portal."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    try:
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return parts.scheme, "", None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(error: requests.RequestException | urllib3.exceptions.HTTPError) -> str:
    """What went wrong, without the objects that requests puts into its messages."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not one that is trusted here"
        case requests.Timeout() | urllib3.exceptions.TimeoutError():
            return "it did not answer in time"
        case requests.ConnectionError():
            return "it cannot be reached"
        case _:
            return "its answer cannot be read"


def _bad_url(url: str, why: str) -> RepositoryRefused:
    return RepositoryRefused("repository_url", f"{url[:300]!r} cannot be a repository: {why}.")


def _not_accessible(url: str, why: str) -> RepositoryRefused:
    return RepositoryRefused(
        "repository_not_accessible", f"The repository at {url[:300]} cannot be used: {why}."
    )
