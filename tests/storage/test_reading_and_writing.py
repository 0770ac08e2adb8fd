"""What goes into the storage comes out of it, from wherever it is read; what fails there leaves nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, cast

import pytest
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage

from portal.core.bucket import PART_BYTES, RANGE_BYTES
from portal.core.errors import StorageUnavailable
from tests.environment.s3 import S3Server
from tests.storage.made_up import MadeUpFile

LONG = bytes(range(256)) * (RANGE_BYTES // 256 * 2) + b"and a bit"


def test_a_file_is_read_back(storage: Storage) -> None:
    name = storage.save("artifacts/one", ContentFile(LONG))
    with storage.open(name) as file:
        assert file.read() == LONG
    assert storage.size(name) == len(LONG)


def test_a_file_is_read_in_pieces_from_anywhere(storage: Storage) -> None:
    name = storage.save("artifacts/one", ContentFile(LONG))
    with storage.open(name) as file:
        assert (file.read(5), file.tell()) == (LONG[:5], 5)
        file.seek(RANGE_BYTES - 2)
        assert file.read(4) == LONG[RANGE_BYTES - 2 : RANGE_BYTES + 2]
        file.seek(-3, io.SEEK_END)
        assert file.read() == LONG[-3:]
        assert file.read(1) == b""
        assert b"".join(file.chunks(100_000)) == LONG


def test_an_empty_file_is_one_too(storage: Storage) -> None:
    name = storage.save("artifacts/none", ContentFile(b""))
    with storage.open(name) as file:
        assert file.read() == b""


def test_what_is_not_there_says_so(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.open("artifacts/none")
    with pytest.raises(FileNotFoundError):
        storage.size("artifacts/none")
    assert not storage.exists("artifacts/none")
    storage.delete("artifacts/none")


def test_what_is_deleted_is_gone(storage: Storage) -> None:
    name = storage.save("artifacts/one", ContentFile(b"one"))
    storage.delete(name)
    assert not storage.exists(name)


def test_a_name_cannot_lead_out_of_the_storage(storage: Storage) -> None:
    with pytest.raises(Exception, match=r"[Dd]enied|[Dd]etected|outside"):
        storage.save("../elsewhere", ContentFile(b"one"))


def test_a_large_file_goes_up_in_parts(
    in_bucket: Storage, s3_server: S3Server, bucket: str
) -> None:
    size = 2 * PART_BYTES + 5
    in_bucket.save("large", File(cast(IO[bytes], MadeUpFile(size))))
    head = s3_server.client().head_object(Bucket=bucket, Key="fleet/large")
    assert head["ContentLength"] == size
    assert head["ETag"].endswith('-3"')


def test_an_upload_that_breaks_off_leaves_nothing(
    in_bucket: Storage, held: Callable[[], list[str]]
) -> None:
    with pytest.raises(OSError, match="the client went away"):
        in_bucket.save(
            "large", File(cast(IO[bytes], MadeUpFile(3 * PART_BYTES, fails_at=2 * PART_BYTES)))
        )
    assert held() == []


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed(in_bucket: Storage) -> None:
    name = in_bucket.save("one", ContentFile(LONG))
    with in_bucket.open(name) as file:
        file.read(1)
        in_bucket.save(name, ContentFile(LONG[::-1]))
        with pytest.raises(StorageUnavailable):
            file.seek(RANGE_BYTES + 1)
            file.read(1)


def test_a_storage_that_is_away_says_so_and_not_its_keys(
    in_bucket: Storage, s3_server: S3Server
) -> None:
    s3_server.stop()
    try:
        with pytest.raises(StorageUnavailable) as refusal:
            in_bucket.open("one")
        assert "s3cret" not in str(refusal.value)
    finally:
        s3_server.start()


def test_a_bucket_that_is_not_there_takes_nothing(
    use: Callable[[str], None], keys: None, s3_server: S3Server
) -> None:
    use(f"s3://no-such-bucket?endpoint={s3_server.url}&region=us-east-1&addressing=path")
    with pytest.raises(StorageUnavailable, match="bucket"):
        default_storage.save("one", ContentFile(b"one"))
