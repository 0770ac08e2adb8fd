"""A bucket as Django's storage: written in parts, read in ranges, so that no file's size decides what memory it takes.

django-storages does the most of it. It would fetch a whole object to hand out its first byte, and keep it in memory; here an open
file asks for what is read next. A reader may so take as long as its device does: no answer of the storage stands open meanwhile,
and one that breaks off is asked for again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, Final, cast

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage

from portal.core.errors import StorageUnavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART_BYTES: Final = 16 * 2**20
"""S3 takes 10,000 parts of one upload: 156 GiB. One part at a time is in memory."""
RANGE_BYTES: Final = 4 * 2**20
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
TRIES: Final = 3


class BucketStorage(S3Storage):  # type: ignore[misc] # django-storages carries no types
    """Raises FileNotFoundError for what is not there, StorageUnavailable when the bucket does not do what it is asked."""

    def __init__(self, *, addressing: str, **options: object) -> None:
        super().__init__(
            transfer_config=TransferConfig(
                multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False
            ),
            client_config=Config(
                signature_version="s3v4",
                s3={"addressing_style": addressing},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": TRIES},
                # Many that speak S3 do not know the newer checksums; we have our own, of all that matters.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
            **options,
        )

    def delete(self, name: str) -> None:
        with _asked():
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _asked():
            return bool(super().exists(name))

    def size(self, name: str) -> int:
        with _asked():
            return int(super().size(name))

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        if mode != "rb":
            raise ValueError("What is in the storage is read or replaced, never written to.")
        raw = ObjectReader(
            self.connection.meta.client,
            bucket=str(self.bucket_name),
            key=str(self._normalize_name(name)),
        )
        return File(cast(IO[bytes], io.BufferedReader(raw, RANGE_BYTES)), name)

    def _save(self, name: str, content: File[bytes]) -> str:
        with _asked():
            return str(super()._save(name, content))


class ObjectReader(io.RawIOBase):
    """One version of an object, from anywhere in it. What is read after it was replaced is refused, not mixed."""

    def __init__(self, client: Any, *, bucket: str, key: str) -> None:  # noqa: ANN401 - made by boto3 at run time
        self._get = client.get_object
        self._where = {"Bucket": bucket, "Key": key}
        with _asked():
            head = client.head_object(**self._where)
        self._size = int(head["ContentLength"])
        self._version = {"IfMatch": str(head["ETag"])}
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("There is nothing before a file's beginning.")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        size = min(len(view), self._size - self._position)
        if size <= 0:
            return 0
        content = self._range(size)
        view[:size] = content
        self._position += size
        return size

    def _range(self, size: int) -> bytes:
        last = self._position + size - 1
        for is_last_try in (False, True):
            try:
                with _asked():
                    answer = self._get(
                        **self._where, **self._version, Range=f"bytes={self._position}-{last}"
                    )
                    content: bytes = answer["Body"].read()
            except StorageUnavailable:
                if is_last_try:
                    raise
                continue
            if len(content) == size:
                return content
        raise StorageUnavailable("The storage gave less of a file than it has of it.")


@contextmanager
def _asked() -> Iterator[None]:
    """What goes wrong between us and the bucket is one of our errors; keys are in none of boto's sentences."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = error.response.get("Error", {}).get("Code")
        if status == HTTPStatus.NOT_FOUND and code != "NoSuchBucket":
            raise FileNotFoundError("The storage does not have this file.") from error
        raise StorageUnavailable(f"The storage refuses: {error}") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageUnavailable(f"The storage does not answer: {error}") from error
