"""Artifacts come into either storage whole or not at all."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pytest
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.core.files.uploadedfile import TemporaryUploadedFile

from portal.core.actors import PORTAL
from portal.core.errors import StorageUnavailable
from tests.api.caller import Caller
from tests.api.conftest import MakeFile, mender_file, operator
from tests.api.problems import assert_problem
from tests.environment.s3 import S3Server
from updates.errors import ArtifactRefused
from updates.models import Artifact
from updates.services.artifacts import received_artifact, upload_artifact
from updates.services.receiving import verified

pytestmark = pytest.mark.database

__all__ = ["mender_file", "operator"]


class CountedFile(io.BytesIO):
    """Counts the bytes that were read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.taken += len(content)
        return content


def names(storage: Storage) -> list[str]:
    try:
        return storage.listdir("artifacts")[1]
    except FileNotFoundError:
        return []


def test_an_artifact_is_stored_as_it_came(storage: Storage, mender_file: MakeFile) -> None:
    artifact = upload_artifact(file=ContentFile(mender_file()), actor=PORTAL)
    assert names(storage) == [Path(str(artifact.file.name)).name]
    with artifact.file.open("rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == artifact.sha256


def test_a_refused_artifact_leaves_nothing(storage: Storage, mender_file: MakeFile) -> None:
    with pytest.raises(ArtifactRefused):
        upload_artifact(file=ContentFile(mender_file()[:700]), actor=PORTAL)
    assert names(storage) == []


def test_an_artifact_that_does_not_get_on_record_leaves_nothing(
    storage: Storage, mender_file: MakeFile
) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        received_artifact(file=ContentFile(mender_file()), actor=PORTAL),
    ):
        raise ZeroDivisionError
    assert names(storage) == []


def test_an_upload_on_the_same_disk_only_gets_a_new_name(
    use: Callable[[str], None], tmp_path: Path, mender_file: MakeFile
) -> None:
    use(f"file://{tmp_path / 'kept'}")
    content = mender_file()
    with TemporaryUploadedFile("one.mender", "application/octet-stream", 0, None) as upload:
        upload.write(content)
        upload.size = len(content)
        came = Path(upload.temporary_file_path())
        node = came.stat().st_ino
        artifact = upload_artifact(file=upload, actor=PORTAL)
        assert not came.exists()
        assert Path(artifact.file.path).stat().st_ino == node


def test_an_upload_is_read_once_to_be_judged(mender_file: MakeFile) -> None:
    content = mender_file()
    counted = CountedFile(content)
    description, sha256 = verified(File(cast(IO[bytes], counted)))
    assert counted.taken == len(content)
    assert (description.name, sha256) == ("release-1", hashlib.sha256(content).hexdigest())


def test_a_full_disk_is_a_refusal(
    use: Callable[[str], None], tmp_path: Path, mender_file: MakeFile
) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    use(f"file://{tmp_path / 'kept'}")
    with pytest.raises(StorageUnavailable, match="does not take the file"):
        upload_artifact(file=ContentFile(mender_file()), actor=PORTAL)
    assert not Artifact.objects.exists()


def test_the_api_says_that_the_storage_is_away_and_that_one_may_try_again(
    in_bucket: Storage, s3_server: S3Server, operator: Caller, mender_file: MakeFile
) -> None:
    content = mender_file()
    s3_server.stop()
    try:
        answer = operator.upload("artifacts", content)
    finally:
        s3_server.start()
    assert_problem(answer, status=503, code="FW-103")
    assert answer.body["retryable"] is True
    assert not Artifact.objects.exists()
