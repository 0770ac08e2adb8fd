"""Artifacts as mender-cli and scripts in the field know them: the same services, permissions and record as on the pages."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from portal.core.actors import PORTAL
from portal.core.models import AuditEvent
from portal.core.tokens import create_token, revoke_token
from tests.journal.rows import new_upgrade
from tests.mender_management.caller import ARTIFACTS, Script, form
from tests.services.uploads import uploaded, written
from updates.models import Artifact

pytestmark = pytest.mark.database


def script_of(*permissions: str) -> Script:
    user = User.objects.create_user(f"script-{uuid.uuid4()}")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return Script(create_token(user=user, name="tests", actor=PORTAL))


@pytest.fixture
def script(db: None) -> Script:
    """Somebody who may do what operators and approvers may."""
    return script_of("view_artifact", "upload_artifact", "delete_artifact")


def on_their_way() -> list[Path]:
    return list(Path(configured.FILE_UPLOAD_TEMP_DIR).iterdir())


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_is_on_record_and_where_it_says(script: Script, chunked: bool) -> None:
    content = written("release-1")
    answer = script.upload(
        content, chunked=chunked, size=str(len(content)), description="For Friday", other="x"
    )
    assert answer.status_code == 201, answer.content
    artifact = Artifact.objects.get()
    assert (artifact.name, artifact.notes) == ("release-1", "For Friday")
    assert AuditEvent.objects.filter(action="artifact.upload").count() == 1
    assert script.get(answer.headers["Location"]).json()["id"] == str(artifact.pk)
    assert on_their_way() == []


def test_a_list_says_what_mender_cli_reads(script: Script) -> None:
    artifact = uploaded("release-1", device_types=["box", "crate"])
    [shown] = script.get(ARTIFACTS).json()
    assert shown["id"] == str(artifact.pk)
    assert (shown["name"], shown["size"], shown["signed"]) == ("release-1", artifact.size, False)
    assert shown["device_types_compatible"] == ["box", "crate"]
    assert shown["artifact_depends"]["device_type"] == ["box", "crate"]
    assert shown["artifact_provides"]["artifact_name"] == "release-1"
    [update] = shown["updates"]
    assert update["type_info"] == {"type": artifact.payload_type}
    assert isinstance(update["meta_data"], list)
    assert [file["checksum"] for file in update["files"]] == [
        file["sha256"] for file in artifact.files
    ]


def test_pages_are_numbered_and_say_where_the_others_are(script: Script) -> None:
    for number in range(3):
        uploaded(f"release-{number}")
    first = script.get(ARTIFACTS, per_page="2")
    assert [row["name"] for row in first.json()] == ["release-2", "release-1"]
    assert first.headers["X-Total-Count"] == "3"
    assert 'per_page=2&page=2>; rel="next"' in first.headers["Link"]
    last = script.get(ARTIFACTS, per_page="2", page="2")
    assert [row["name"] for row in last.json()] == ["release-0"]
    assert 'rel="next"' not in last.headers["Link"]
    assert 'per_page=2&page=1>; rel="prev"' in last.headers["Link"]


@pytest.mark.parametrize(
    "words", [{"page": "0"}, {"page": "x"}, {"per_page": "501"}, {"page": "²"}]
)
def test_a_page_that_is_none_is_a_400(script: Script, words: dict[str, str]) -> None:
    assert script.get(ARTIFACTS, **words).status_code == 400


def test_a_name_finds_its_artifacts(script: Script) -> None:
    uploaded("release-1")
    uploaded("release-2")
    assert [row["name"] for row in script.get(ARTIFACTS, name="release-1").json()] == ["release-1"]
    assert script.get(ARTIFACTS, name="\0").json() == []


def changed(content: bytes) -> bytes:
    return content[:600] + b"\xff" + content[601:]


REFUSED = {
    "no artifact": form(b"nothing"),
    "another byte": form(changed(written())),
    "another size": form(written(), size="5"),
    "no size": form(written(), size="x"),
    "an id of its own": form(written(), artifact_id=str(uuid.uuid4())),
    "too long a description": form(written(), description="x" * 2001),
    "no text": form(written(), description="\0"),
    "cut off": form(written())[:-5000],
    "empty": b"",
    "no form": b"no form",
    "no file": form(b"").replace(b'"artifact"', b'"other"'),
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_is_refused_and_leaves_nothing(
    script: Script, what: str, chunked: bool
) -> None:
    answer = script.send(REFUSED[what], chunked=chunked)
    assert answer.status_code == 400, answer.content
    assert set(answer.json()) == {"error", "request_id"}
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert not Artifact.objects.exists()
    assert on_their_way() == []


def test_the_same_file_and_another_one_for_the_same_devices_collide(script: Script) -> None:
    content = written("release-1")
    assert script.upload(content).status_code == 201
    assert script.upload(content).status_code == 409
    other = written("release-1", device_types=["box", "crate"])
    assert script.upload(other).status_code == 409


@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_the_limit_is_a_413(
    script: Script,
    settings: Settings,
    chunked: bool,
) -> None:
    settings.UPLOAD_LIMIT_BYTES = 1000
    assert script.upload(written()).status_code == 413
    assert script.upload(bytes(3 * 2**20), chunked=chunked).status_code == 413
    assert on_their_way() == []


def test_an_artifact_that_nobody_needs_can_be_deleted(
    script: Script, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    artifact = uploaded("release-1")
    with django_capture_on_commit_callbacks(execute=True):
        assert script.delete(f"{ARTIFACTS}/{artifact.pk}").status_code == 204
    assert not Artifact.objects.exists()
    assert script.delete(f"{ARTIFACTS}/{artifact.pk}").status_code == 404
    assert AuditEvent.objects.filter(action="artifact.delete").count() == 1


def test_one_that_the_history_needs_stays(script: Script) -> None:
    artifact = new_upgrade().artifact
    assert artifact is not None
    answer = script.delete(f"{ARTIFACTS}/{artifact.pk}")
    assert answer.status_code == 409
    assert "history" in answer.json()["error"]
    assert Artifact.objects.filter(pk=artifact.pk).exists()


def test_each_effect_asks_for_its_permission(db: None) -> None:
    artifact = uploaded()
    nobody, viewer = script_of(), script_of("view_artifact")
    assert nobody.get(ARTIFACTS).status_code == 403
    assert viewer.get(ARTIFACTS).status_code == 200
    assert viewer.upload(written("release-2")).status_code == 403
    assert viewer.delete(f"{ARTIFACTS}/{artifact.pk}").status_code == 403
    assert Artifact.objects.get() == artifact


def test_only_a_live_token_opens_anything(script: Script) -> None:
    answer = Script().get(ARTIFACTS)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert Script("fwt_wrong").get(ARTIFACTS).status_code == 401
    user = User.objects.create_superuser("root")
    browser = Client()
    browser.force_login(user)
    assert browser.get(ARTIFACTS).status_code == 401
    token = Script(create_token(user=user, name="tests", actor=PORTAL))
    assert token.get(ARTIFACTS).status_code == 200
    revoke_token(token=user.api_tokens.get(), actor=PORTAL)
    assert token.get(ARTIFACTS).status_code == 401


def test_an_address_that_there_is_not_says_so_and_leads_nowhere(script: Script) -> None:
    answer = script.get(f"{ARTIFACTS}/")
    assert answer.status_code == 404
    assert "no such address" in answer.json()["error"]


def test_meta_data_is_what_the_artifact_holds(script: Script) -> None:
    artifact = uploaded()
    Artifact.objects.update(meta_data=json.dumps({"dest_dir": "/srv"}))
    shown: dict[str, Any] = script.get(f"{ARTIFACTS}/{artifact.pk}").json()
    assert shown["updates"][0]["meta_data"] == [{"dest_dir": "/srv"}]


def test_a_link_gives_the_file_without_a_token_and_expires(
    script: Script, settings: Settings
) -> None:
    content = written("release-1")
    script.upload(content)
    artifact = Artifact.objects.get()
    link: dict[str, str] = script.get(f"{ARTIFACTS}/{artifact.pk}/download").json()
    path = link["uri"].removeprefix("http://testserver")
    answer: Any = Client().get(path)
    assert b"".join(answer) == content
    assert timezone.now() < datetime.fromisoformat(link["expire"])
    settings.DOWNLOAD_LINK_SECONDS = -1
    assert Client().get(path).status_code == 404
    assert Script().get(f"{ARTIFACTS}/{artifact.pk}/download").status_code == 401
