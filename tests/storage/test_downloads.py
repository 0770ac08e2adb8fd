"""Downloads, whole and in part, from a folder and from a bucket, from the page and from the API (RFC 9110, sections 13, 14)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.http import StreamingHttpResponse
from django.test import Client, RequestFactory

from portal.core.actors import PORTAL
from portal.core.downloads import StoredFile, download
from portal.core.tokens import create_token
from portal.core.transfers import transfers
from tests.journal.rows import new_artifact
from updates.models import Artifact

pytestmark = pytest.mark.database

CONTENT = bytes(range(256)) * 4096 + b"the end"
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ETAG = f'"{SHA256}"'


@dataclass
class Downloads:
    """Asks for one artifact's file, at the page's address or the API's."""

    client: Client
    url: str
    headers: dict[str, str]

    def get(self, **headers: str) -> StreamingHttpResponse:
        return self.client.get(self.url, headers={**self.headers, **_dashed(headers)})  # type: ignore[return-value]

    def head(self, **headers: str) -> StreamingHttpResponse:
        return self.client.head(self.url, headers={**self.headers, **_dashed(headers)})  # type: ignore[return-value]


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def stored(storage: Storage, db: None) -> Artifact:
    name = storage.save("artifacts/one.mender", ContentFile(CONTENT))
    return new_artifact("Kiosk 1.1/b", file=name, size=SIZE, sha256=SHA256)


@pytest.fixture(params=["page", "api"])
def downloads(request: pytest.FixtureRequest, stored: Artifact) -> Downloads:
    """Somebody who may look at artifacts, and at nothing else."""
    viewer = User.objects.create_user("vera", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_artifact"))
    client = Client()
    if request.param == "page":
        client.force_login(viewer)
        return Downloads(client, f"/updates/artifact/{stored.pk}/download/", {})
    token = create_token(user=viewer, name="tests", actor=PORTAL)
    bearer = {"Authorization": f"Bearer {token}"}
    return Downloads(client, f"/api/v1/artifacts/{stored.pk}/file", bearer)


def test_the_whole_file_comes_in_pieces_with_its_length(downloads: Downloads) -> None:
    answer = downloads.get()
    assert answer.status_code == 200
    assert answer.streaming
    pieces = list(answer)
    assert b"".join(pieces) == CONTENT
    assert len(pieces) > 1
    assert answer["Content-Length"] == str(SIZE)
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["ETag"] == ETAG
    assert answer["Content-Disposition"] == 'attachment; filename="Kiosk_1.1_b-box.mender"'


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        (f"bytes={SIZE - 3}-", SIZE - 3, SIZE),
        (f"bytes=300000-{SIZE + 100}", 300_000, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
    ],
)
def test_a_part_is_a_part(downloads: Downloads, asked: str, first: int, stop: int) -> None:
    answer = downloads.get(range=asked)
    assert answer.status_code == 206
    assert answer.getvalue() == CONTENT[first:stop]
    assert answer["Content-Range"] == f"bytes {first}-{stop - 1}/{SIZE}"
    assert answer["Content-Length"] == str(stop - first)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_what_the_file_does_not_have_is_416_with_its_length(
    downloads: Downloads, asked: str
) -> None:
    answer = downloads.get(range=asked)
    assert answer.status_code == 416
    assert answer["Content-Range"] == f"bytes */{SIZE}"
    assert not answer.getvalue()


@pytest.mark.parametrize(
    "asked",
    ["bytes=9-5", "bytes=-", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=" + "9" * 5000],
)
def test_what_is_no_single_range_is_answered_with_the_whole(
    downloads: Downloads, asked: str
) -> None:
    answer = downloads.get(range=asked)
    assert (answer.status_code, answer.getvalue()) == (200, CONTENT)


def test_a_download_goes_on_only_if_it_is_still_the_same_file(downloads: Downloads) -> None:
    goes_on = downloads.get(range="bytes=10-", if_range=ETAG)
    another = downloads.get(range="bytes=10-", if_range='"of another file"')
    by_time = downloads.get(range="bytes=10-", if_range="Sat, 21 Nov 2026 05:00:00 GMT")
    assert (goes_on.status_code, goes_on.getvalue()) == (206, CONTENT[10:])
    assert (another.status_code, another.getvalue()) == (200, CONTENT)
    assert (by_time.status_code, by_time.getvalue()) == (200, CONTENT)


def test_who_has_the_file_gets_no_second_one(downloads: Downloads) -> None:
    answer = downloads.get(if_none_match=ETAG)
    assert (answer.status_code, answer["ETag"]) == (304, ETAG)
    assert downloads.get(if_match='"of another file"').status_code == 412


def test_head_tells_the_length_and_sends_nothing(downloads: Downloads) -> None:
    answer = downloads.head(range="bytes=5-9")
    assert answer.status_code == 200
    assert answer["Content-Length"] == str(SIZE)
    assert answer["ETag"] == ETAG
    assert not answer.getvalue()


def test_a_download_is_never_packed(downloads: Downloads) -> None:
    answer = downloads.get(accept_encoding="gzip, br")
    assert "Content-Encoding" not in answer
    assert "no-transform" in answer["Cache-Control"]
    assert answer.getvalue() == CONTENT


def test_a_file_that_the_storage_lost_is_said_to_be(downloads: Downloads, storage: Storage) -> None:
    storage.delete("artifacts/one.mender")
    answer = downloads.get()
    assert answer.status_code == 503
    assert b"does not have this file any more" in answer.content


def test_one_download_too_many_is_asked_to_come_again(downloads: Downloads) -> None:
    under_way = [transfers.begin() for _ in range(settings.TRANSFERS_AT_ONCE)]
    refused = downloads.get()
    for transfer in under_way:
        transfer.end()
    assert refused.status_code == 503
    assert downloads.get().getvalue() == CONTENT
    assert b"Try again in a minute" in refused.content


def test_who_may_not_see_artifacts_gets_no_file(downloads: Downloads) -> None:
    Permission.objects.get(codename="view_artifact").user_set.clear()
    assert downloads.get().status_code == 403


def test_an_answer_that_is_not_read_to_its_end_closes_the_file(
    use: Callable[[str], None], tmp_path: Path
) -> None:
    use(f"file://{tmp_path}")
    path = tmp_path / default_storage.save("one", ContentFile(CONTENT))
    file = StoredFile(name="one", called="one", size=SIZE, sha256=SHA256)
    answer = download(RequestFactory().get("/"), file)
    assert isinstance(answer, StreamingHttpResponse)
    next(iter(answer))
    during = path in opened()
    others = [transfers.begin() for _ in range(settings.TRANSFERS_AT_ONCE - 1)]
    answer.close()
    assert (during, path in opened()) == (True, False)
    for transfer in [*others, transfers.begin()]:
        transfer.end()


def opened() -> list[Path]:
    """The files that this process holds open."""
    paths = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            paths.append(link.readlink())
    return paths
