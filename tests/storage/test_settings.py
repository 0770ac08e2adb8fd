"""STORAGE_URL, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.settings.storage import incoming, storage_of

VAR = Path("/var/fleetwright")


@pytest.mark.parametrize(
    ("url", "location"),
    [("", "/var/fleetwright/storage"), ("file:///srv/a%20folder", "/srv/a folder")],
)
def test_a_folder_is_the_storage(url: str, location: str) -> None:
    assert storage_of(url, var=VAR)["OPTIONS"]["location"] == location


def test_a_bucket_is_enough() -> None:
    storage = storage_of("s3://fleet", var=VAR)
    assert storage["OPTIONS"] == {
        "bucket_name": "fleet",
        "location": "",
        "endpoint_url": None,
        "region_name": None,
        "addressing": "auto",
    }


def test_a_bucket_elsewhere_is_named_by_its_endpoint() -> None:
    url = "s3://fleet/a/prefix/?endpoint=https://s3.example:9000&region=eu-1&addressing=path"
    assert storage_of(url, var=VAR)["OPTIONS"] == {
        "bucket_name": "fleet",
        "location": "a/prefix",
        "endpoint_url": "https://s3.example:9000",
        "region_name": "eu-1",
        "addressing": "path",
    }


@pytest.mark.parametrize(
    "url",
    [
        "fleet",
        "file://host/folder",
        "file:folder",
        "s3:///prefix",
        "s3://key:secret@fleet",
        "https://fleet.example/",
        "s3://fleet?endpoint=s3.example",
        "s3://fleet?endpoint=file:///etc",
        "s3://fleet?addressing=both",
        "s3://fleet?acl=public-read",
    ],
)
def test_what_names_no_storage_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        storage_of(url, var=VAR)
    assert "secret" not in str(refusal.value)


def test_uploads_on_their_way_lie_beside_the_storage(tmp_path: Path) -> None:
    folder = Path(incoming(tmp_path))
    assert folder.is_dir()
    assert folder.parent == Path(storage_of("", var=tmp_path)["OPTIONS"]["location"]).parent
