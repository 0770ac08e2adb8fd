"""A folder and a bucket, each as the portal's storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from django.core.files.storage import Storage, default_storage
from pytest_django import Settings

from portal.settings.storage import storage_of
from tests.environment.s3 import KEYS, S3Server
from tests.environment.workdir import workdir

_buckets = count(1)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    server = S3Server(workdir())
    yield server
    server.stop()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(keys: None, s3_server: S3Server) -> str:
    """The name of a new bucket."""
    name = f"bucket-{next(_buckets)}"
    s3_server.new_bucket(name)
    return name


@pytest.fixture
def use(settings: Settings, tmp_path: Path) -> Callable[[str], None]:
    """The portal's storage is the one that a STORAGE_URL names: `use("file:///…")`."""

    def choose(url: str) -> None:
        settings.STORAGES = {**settings.STORAGES, "default": storage_of(url, var=tmp_path)}

    return choose


@pytest.fixture
def in_bucket(use: Callable[[str], None], bucket: str, s3_server: S3Server) -> Storage:
    """The portal's storage is `bucket`."""
    use(f"s3://{bucket}/fleet?endpoint={s3_server.url}&region=us-east-1&addressing=path")
    return default_storage


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, use: Callable[[str], None], tmp_path: Path) -> Storage:
    """The portal's storage: each test of it runs with a folder and with a bucket."""
    if request.param == "bucket":
        found: Storage = request.getfixturevalue("in_bucket")
        return found
    use(f"file://{tmp_path / 'kept'}")
    return default_storage


@pytest.fixture
def held(s3_server: S3Server, bucket: str) -> Callable[[], list[str]]:
    """What the bucket holds, and the uploads to it that were begun and not ended."""

    def names() -> list[str]:
        client = s3_server.client()
        objects = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        begun = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        return [each["Key"] for each in objects] + [f"begun: {each['Key']}" for each in begun]

    return names
