"""Registries that send us elsewhere, have enough of us, lie, or say too much: a server that answers as it is told."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devices.drivers.engine import Platform, RegistryLogin
from devices.drivers.registry import Manifest, resolve, tags
from devices.errors import NotInRegistry, RegistryError, RegistryRefused, RegistryUnreachable

CONFIG = json.dumps(
    {"os": "linux", "architecture": "amd64", "config": {"Labels": {"a": "b"}}}
).encode()


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


MANIFEST = json.dumps(
    {"schemaVersion": 2, "config": {"digest": digest_of(CONFIG), "size": len(CONFIG)}, "layers": []}
).encode()
BLOB = f"/v2/app/blobs/{digest_of(CONFIG)}"
LOGIN = RegistryLogin("oper", "geheim")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # promises more than it sends


class OddServer:
    """`answers` by path; `heard` is what was asked, with the login that was shown."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {
            "/v2/app/manifests/1": Answer(body=MANIFEST),
            BLOB: Answer(body=CONFIG),
        }
        self.heard: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.odd = self  # type: ignore[attr-defined]
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def resolved(self, *, login: RegistryLogin | None = LOGIN) -> Manifest:
        return resolve(
            f"{self.host}/app:1", platform=Platform("linux", "amd64"), login=login, limit_seconds=10
        )


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        odd: OddServer = self.server.odd  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        odd.heard.append((path, self.headers.get("Authorization", "")))
        answer = odd.answers.get(path, Answer(404))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + 100 * answer.cut))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def odd() -> Iterator[OddServer]:
    server = OddServer()
    yield server
    server.stop()


def test_one_that_answers_plainly_is_read(odd: OddServer) -> None:
    found = odd.resolved()
    assert (found.digest, found.image_id, found.labels) == (
        digest_of(MANIFEST),
        digest_of(CONFIG),
        {"a": "b"},
    )


def test_a_blob_that_lies_elsewhere_is_fetched_there_without_our_login(odd: OddServer) -> None:
    odd.answers["/v2/app/manifests/1"] = Answer(401, headers={"WWW-Authenticate": "Basic realm=x"})
    with pytest.raises(RegistryRefused):
        odd.resolved()
    assert [login[:5] for _, login in odd.heard] == ["", "Basic"]
    odd.answers["/v2/app/manifests/1"] = Answer(body=MANIFEST)
    odd.answers[BLOB] = Answer(307, headers={"Location": f"http://{odd.host}/elsewhere?sig=1"})
    odd.answers["/elsewhere"] = Answer(body=CONFIG)
    odd.heard.clear()
    assert odd.resolved().labels == {"a": "b"}
    assert odd.heard[-1] == ("/elsewhere", "")


@pytest.mark.parametrize(
    "place",
    [
        "http://198.18.0.1/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://user:x@127.0.0.1/x",
        "//198.18.0.1/x",
    ],
)
def test_an_address_that_is_not_safe_is_not_followed(odd: OddServer, place: str) -> None:
    odd.answers[BLOB] = Answer(302, headers={"Location": place})
    with pytest.raises(RegistryError, match="leads to an address without HTTPS"):
        odd.resolved()
    odd.answers["/v2/app/manifests/1"] = Answer(
        401, headers={"WWW-Authenticate": f'Bearer realm="{place}",service="x"'}
    )
    with pytest.raises(RegistryError, match="leads to an address without HTTPS"):
        odd.resolved()


def test_one_that_sends_us_in_circles_is_left(odd: OddServer) -> None:
    odd.answers[BLOB] = Answer(302, headers={"Location": BLOB})
    with pytest.raises(RegistryError):
        odd.resolved()
    assert len(odd.heard) < 10


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120), ("soon", None), ("", None), ("-1", None)]
)
def test_one_that_has_enough_of_us_says_until_when(
    odd: OddServer, header: str, seconds: float | None
) -> None:
    body = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}'
    odd.answers["/v2/app/manifests/1"] = Answer(429, body, {"Retry-After": header})
    with pytest.raises(RegistryRefused, match=r"heard too much of us: You have .* limit\.$") as no:
        odd.resolved()
    assert no.value.retry_seconds == seconds


def test_trouble_of_its_own_may_pass(odd: OddServer) -> None:
    odd.answers["/v2/app/manifests/1"] = Answer(503, b"<html>maintenance</html>")
    with pytest.raises(RegistryUnreachable, match=r"has trouble: Service Unavailable\.$"):
        odd.resolved()


def test_what_it_complains_of_is_printable_whatever_it_sends(odd: OddServer) -> None:
    body = rb'{"errors":[{"message":"no\u0000 such\ud800 \u001b[31mimage\n here"}]}'
    odd.answers["/v2/app/manifests/1"] = Answer(404, body)
    with pytest.raises(
        NotInRegistry, match=r"has no such image: no\ufffd such\ufffd \ufffd.31mimage here\.$"
    ):
        odd.resolved()


Change = Callable[[OddServer], None]


def _answer(path: str, answer: Answer) -> Change:
    return lambda odd: odd.answers.__setitem__(path, answer)


def _manifest(document: object) -> Change:
    return _answer("/v2/app/manifests/1", Answer(body=json.dumps(document).encode()))


LIES = {
    "another config": _answer(BLOB, Answer(body=CONFIG + b" ")),
    "no JSON": _answer("/v2/app/manifests/1", Answer(body=b"\xff<html>")),
    "deep JSON": _answer("/v2/app/manifests/1", Answer(body=b"[" * 100_000)),
    "a list": _manifest([]),
    "the first format": _manifest({"schemaVersion": 1, "fsLayers": []}),
    "no digest": _manifest({"config": {"digest": "../../x"}, "layers": []}),
    "odd entries": _manifest({"manifests": [1, {"platform": 2}, {"platform": {"os": "linux"}}]}),
    "an entry without a digest": _manifest(
        {"manifests": [{"platform": {"os": "linux", "architecture": "amd64"}}]}
    ),
    "too much": _answer("/v2/app/manifests/1", Answer(body=b" " * (5 << 20))),
    "too little": _answer(BLOB, Answer(body=CONFIG, cut=True)),
    "no token": _answer(
        "/v2/app/manifests/1", Answer(401, headers={"WWW-Authenticate": "Bearer realm=x"})
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_what_cannot_be_so_is_an_error(odd: OddServer, lie: Change) -> None:
    lie(odd)
    with pytest.raises(RegistryError):
        odd.resolved()


def test_a_token_that_is_none_is_an_error(odd: OddServer) -> None:
    odd.answers["/v2/app/manifests/1"] = Answer(
        401, headers={"WWW-Authenticate": f'Bearer realm="http://{odd.host}/token"'}
    )
    for body in (b"{}", b'{"token": 1}', b'{"token": "a\\nb: c"}', b"x"):
        odd.answers["/token"] = Answer(body=body)
        with pytest.raises(RegistryError, match="gives no token"):
            odd.resolved()


def test_odd_values_in_a_config_are_read_as_nothing(odd: OddServer) -> None:
    config = json.dumps({"os": 1, "config": {"Labels": ["x"]}}).encode()
    odd.answers[f"/v2/app/blobs/{digest_of(config)}"] = Answer(body=config)
    described = {"digest": digest_of(config), "size": "x"}
    _manifest({"config": described, "layers": [1, {"size": -5}, {"size": 7}]})(odd)
    found = odd.resolved()
    assert (found.labels, found.size) == ({}, 7)


def test_a_list_of_tags_without_an_end_is_given_up(
    odd: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.drivers.registry._TAG_PAGES", 3)
    again = {"Link": '</v2/app/tags/list?last=1&n=1>; rel="next"'}
    odd.answers["/v2/app/tags/list"] = Answer(body=b'{"tags": ["1"]}', headers=again)
    with pytest.raises(RegistryError, match="longer list than is read"):
        tags(f"{odd.host}/app", login=None)
    assert len(odd.heard) == 3


def test_the_next_page_is_asked_of_the_same_repository_wherever_the_registry_points(
    odd: OddServer,
) -> None:
    away = {"Link": '<http://198.18.0.1/v2/other/tags/list>; rel="next"'}
    odd.answers["/v2/app/tags/list"] = Answer(body=b'{"tags": ["1", 7, "a b"]}', headers=away)
    assert tags(f"{odd.host}/app", login=LOGIN) == ["1"]
    assert [path for path, _ in odd.heard] == ["/v2/app/tags/list"]


@pytest.mark.parametrize("body", [b"[]", b"no", b'{"tags": 5}', b'{"tags": null}'])
def test_a_list_of_tags_that_is_none_is_empty_or_an_error(odd: OddServer, body: bytes) -> None:
    odd.answers["/v2/app/tags/list"] = Answer(body=body)
    if b"null" in body:
        assert tags(f"{odd.host}/app", login=None) == []
    else:
        with pytest.raises(RegistryError):
            tags(f"{odd.host}/app", login=None)
