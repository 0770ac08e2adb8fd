"""Taking artifacts and Update Modules in, over the pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from portal.core.models import AuditEvent
from portal.core.transfers import transfers
from tests.pages.conftest import WEB_FILE, MakeFile
from tests.pages.rows import rows, stored_files
from updates.models import Artifact, UpdateModule, Upgrade

pytestmark = pytest.mark.database

UPLOAD = "admin:updates_artifact_upload"
UPLOAD_MODULE = "admin:updates_updatemodule_upload"


def test_an_uploaded_artifact_shows_what_it_is_made_of(
    operator: Client, mender_file: MakeFile
) -> None:
    file = SimpleUploadedFile("release-1.mender", mender_file())
    response = operator.post(reverse(UPLOAD), {"file": file, "notes": "For the lab"}, follow=True)
    artifact = Artifact.objects.get()
    shown = response.content.decode()
    assert response.redirect_chain == [
        (reverse("admin:updates_artifact_change", args=[artifact.pk]), 302)
    ]
    for words in ("release-1", "index.html", "web-file", "For the lab", "Check it on devices"):
        assert words in shown


def test_a_broken_file_shows_the_form_again_and_leaves_nothing_behind(
    operator: Client, mender_file: MakeFile
) -> None:
    rows_before, files_before = rows(), stored_files()
    file = SimpleUploadedFile("release-1.mender", mender_file()[:700])
    response = operator.post(reverse(UPLOAD), {"file": file})
    shown = response.content.decode()
    assert response.status_code == 422
    assert 'data-code="truncated"' in shown
    assert 'id="id_file"' in shown
    assert "uploaded and verified" not in shown
    assert (rows(), stored_files()) == (rows_before, files_before)


def test_the_same_file_twice_is_refused(
    operator: Client, artifact: Artifact, mender_file: MakeFile
) -> None:
    with artifact.file.open("rb") as stored:
        again = SimpleUploadedFile("other-name.mender", stored.read())
    files_before = stored_files()
    response = operator.post(reverse(UPLOAD), {"file": again})
    assert response.status_code == 422
    assert 'data-code="uploaded-before"' in response.content.decode()
    assert stored_files() == files_before


def test_an_artifact_nobody_used_can_be_deleted_with_a_reason(
    operator: Client, artifact: Artifact
) -> None:
    page = reverse("admin:updates_artifact_delete_page", args=[artifact.pk])
    assert operator.post(page, {"reason": ""}).status_code == 422
    assert Artifact.objects.exists()
    assert operator.post(page, {"reason": "A typing error"}).status_code == 302
    assert not Artifact.objects.exists()
    assert AuditEvent.objects.get(action="artifact.delete").reason == "A typing error"


def test_an_artifact_of_the_history_stays_and_its_button_says_why(
    operator: Client, waiting: Upgrade, artifact: Artifact
) -> None:
    page = reverse("admin:updates_artifact_delete_page", args=[artifact.pk])
    assert operator.post(page, {"reason": "Tidying"}).status_code == 422
    assert Artifact.objects.filter(pk=artifact.pk).exists()
    shown = operator.get(reverse("admin:updates_artifact_change", args=[artifact.pk])).content
    assert b"It is part of the history of devices, so it stays." in shown


def test_an_update_module_is_uploaded_as_a_new_version(
    operator: Client, update_module: UpdateModule
) -> None:
    file = SimpleUploadedFile("web-file", WEB_FILE + b"# second\n")
    response = operator.post(
        reverse(UPLOAD_MODULE), {"name": "web-file", "file": file}, follow=True
    )
    assert UpdateModule.objects.get(version=2).name == "web-file"
    assert "# second" in response.content.decode()


def test_a_file_that_is_no_program_is_no_update_module(operator: Client) -> None:
    file = SimpleUploadedFile("web-file", b"hello")
    response = operator.post(reverse(UPLOAD_MODULE), {"name": "web-file", "file": file})
    assert response.status_code == 422
    assert b"is a program" in response.content
    assert not UpdateModule.objects.exists()


def test_a_viewer_sees_why_there_is_no_upload(viewer: Client) -> None:
    shown = viewer.get(reverse("admin:updates_artifact_changelist")).content.decode()
    assert "You lack the permission updates.upload_artifact." in shown
    refused = viewer.get(reverse(UPLOAD))
    assert refused.status_code == 403
    assert "bob lacks the permission updates.upload_artifact." in refused.content.decode()


def test_a_script_that_uploads_gets_the_address_of_the_artifact(
    operator: Client, mender_file: MakeFile
) -> None:
    file = SimpleUploadedFile("release-1.mender", mender_file())
    response = operator.post(
        reverse(UPLOAD), {"file": file}, headers={"Accept": "application/json"}
    )
    artifact = Artifact.objects.get()
    assert response.status_code == 201
    assert response.json() == {
        "url": reverse("admin:updates_artifact_change", args=[artifact.pk]),
        "says": "release-1, web-file, for box",
    }
    assert "What next:" in operator.get(response.json()["url"]).content.decode()


@pytest.mark.parametrize(("content", "code"), [(b"nonsense", "truncated"), (b"", "form")])
def test_a_script_that_uploads_gets_the_sentence_of_a_refusal(
    content: bytes, code: str, operator: Client
) -> None:
    before = (rows(), stored_files())
    file = SimpleUploadedFile("release-1.mender", content)
    response = operator.post(
        reverse(UPLOAD), {"file": file}, headers={"Accept": "application/json"}
    )
    assert response.status_code == 422
    assert response.json()["sentence"].endswith(".")
    assert response.json()["code"] == code
    assert (rows(), stored_files()) == before


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_request_that_announces_too_much_is_refused_before_it_is_read(
    accept: str, operator: Client
) -> None:
    response = operator.generic(
        "POST",
        reverse(UPLOAD),
        b"never read",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(settings.UPLOAD_LIMIT_BYTES * 2),
        headers={"Accept": accept},
    )
    assert response.status_code == 413
    assert "This file is too big" in response.content.decode()


def announced(browser: Client, size: int, url: str, accept: str = "application/json") -> Any:  # noqa: ANN401
    return browser.generic(
        "POST",
        url,
        b"never read",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(size),
        headers={"Accept": accept},
    )


@pytest.mark.parametrize("url", ["/login/", "/updates/artifact/upload/", "/no/such/page/"])
def test_nothing_large_is_read_of_somebody_who_is_not_logged_in(url: str) -> None:
    response = announced(Client(), 2 * 2**20, url)
    assert response.status_code == 403
    assert response.json() == {"sentence": "Log in first.", "code": "FW-102"}


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_one_upload_too_many_is_asked_to_come_again(accept: str, operator: Client) -> None:
    under_way = [transfers.begin() for _ in range(settings.TRANSFERS_AT_ONCE)]
    try:
        page = announced(operator, 2 * 2**20, reverse(UPLOAD), accept)
        api = announced(operator, 2 * 2**20, "/api/v1/artifacts", accept)
    finally:
        for transfer in under_way:
            transfer.end()
    assert (page.status_code, api.status_code) == (503, 503)
    assert "Try again in a minute" in page.content.decode()
    assert page["Retry-After"] == "30"
    assert api.json()["code"] == "FW-104"


def test_uploads_are_streamed_to_disk() -> None:
    assert settings.FILE_UPLOAD_HANDLERS == [
        "django.core.files.uploadhandler.TemporaryFileUploadHandler"
    ]


def test_a_viewer_is_told_on_the_list_why_not(viewer: Client) -> None:
    shown = viewer.get(reverse("admin:updates_artifact_changelist")).content.decode()
    assert "You lack the permission updates.upload_artifact." in shown
