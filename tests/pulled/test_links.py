"""The links by which devices fetch artifacts: they are the credential, they expire, and what breaks off goes on."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.test import Client
from pytest_django import Settings

from portal.core import clock
from tests.journal.rows import new_artifact
from tests.pulled.pulling import Pulling
from updates.models import Artifact
from updates.services.pulled import linked
from updates.services.pulled.link import SALT

pytestmark = pytest.mark.database

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def artifact(storage: Storage) -> Artifact:
    name = storage.save("artifacts/one.mender", ContentFile(CONTENT))
    return new_artifact(file=name, size=len(CONTENT))


def _link(device: Pulling, artifact: Artifact) -> str:
    device.ordered(artifact)
    source = device.offered()["artifact"]["source"]
    assert datetime.fromisoformat(source["expire"]) > clock.now() + timedelta(hours=23)
    return str(source["uri"])


def test_the_link_alone_is_enough_and_what_broke_off_goes_on(artifact: Artifact) -> None:
    uri = _link(Pulling(), artifact)
    assert uri.startswith("http://testserver/api/devices/v1/download/")
    whole = Client().get(uri, headers={"Accept-Encoding": "gzip"})
    assert b"".join(whole) == CONTENT
    assert whole["Content-Length"] == str(len(CONTENT))
    assert "Content-Encoding" not in whole
    for asked, part in (("bytes=1000-", CONTENT[1000:]), ("bytes=5-9", CONTENT[5:10])):
        rest = Client().get(uri, headers={"Range": asked})
        assert rest.status_code == 206
        assert rest["Content-Range"].endswith(f"/{len(CONTENT)}")
        assert b"".join(rest) == part


def test_a_link_that_was_changed_or_is_too_old_leads_nowhere(
    artifact: Artifact, settings: Settings
) -> None:
    uri = _link(Pulling(), artifact)
    place, _, word = uri.rpartition("/")
    for wrong in (word[:-1], word[:-1] + "~", f"{artifact.pk}", "x", f"{word}:{word}"):
        assert Client().get(f"{place}/{wrong}").status_code == 404
    settings.DOWNLOAD_LINK_SECONDS = -1
    assert Client().get(uri).status_code == 404


@pytest.mark.parametrize("reach", [True, False])
def test_devices_that_reach_the_bucket_fetch_from_there(
    in_bucket: Storage, settings: Settings, reach: bool
) -> None:
    settings.DEVICES_REACH_STORAGE = reach
    name = in_bucket.save("artifacts/one.mender", ContentFile(CONTENT))
    uri = _link(Pulling(), new_artifact(file=name, size=len(CONTENT)))
    assert uri.startswith("http://testserver/") != reach
    if reach:
        asked = urllib.request.Request(uri, headers={"Range": "bytes=1000-"})  # noqa: S310
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - our own server's
            assert (answer.status, answer.read()) == (206, CONTENT[1000:])


def test_a_link_of_a_version_before_leads_there_still(artifact: Artifact) -> None:
    word = signing.dumps(str(artifact.pk), salt=SALT)
    assert linked(word).artifact == artifact


def test_a_folder_gives_no_links_of_its_own(
    use: Callable[[str], None], tmp_path: object, settings: Settings
) -> None:
    use(f"file://{tmp_path}")
    settings.DEVICES_REACH_STORAGE = True
    assert _link(Pulling(), new_artifact()).startswith("http://testserver/")
