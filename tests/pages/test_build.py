"""Putting an artifact together on a page."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from portal.core.actors import PORTAL
from tests.environment.programs import program
from tests.pages.rows import rows, stored_files
from updates.formats.mender_artifact import open_payload, open_scripts
from updates.models import Artifact
from updates.services.keys import Generated, generate_signing_key

pytestmark = pytest.mark.database

DEBIANS_MODULES = Path("/usr/share/mender/modules/v3")
COMMON = {
    "name": "kiosk-1.1",
    "device_types": "kiosk, kiosk-large",
    "packing": "gzip",
    "software_version": "on",
}


def address(kind: str) -> str:
    return reverse("admin:updates_artifact_build", args=[kind])


def preview(browser: Client, kind: str, **fields: str) -> str:
    url = reverse("admin:updates_artifact_build_preview", args=[kind])
    response = browser.post(url, {**COMMON, **fields})
    assert response.status_code == 200
    return response.content.decode()


def payload_of(artifact: Artifact) -> dict[str, bytes]:
    with artifact.file.open("rb") as stored:
        return {file.name: b"".join(file.chunks()) for file in open_payload(stored).files()}  # type: ignore[arg-type]


def built(browser: Client, kind: str, **fields: object) -> Artifact:
    response = browser.post(address(kind), {**COMMON, **fields})
    assert response.status_code == 302, response.content.decode()
    artifact = Artifact.objects.get()
    assert response["Location"] == reverse("admin:updates_artifact_change", args=[artifact.pk])
    return artifact


def test_a_file_becomes_a_single_file_artifact(operator: Client) -> None:
    artifact = built(
        operator,
        "single-file",
        file=SimpleUploadedFile("app.conf", b"volume=3\n"),
        folder="/etc/kiosk",
        permissions="640",
        notes="Quieter",
    )
    assert (artifact.payload_type, artifact.notes) == ("single-file", "Quieter")
    assert artifact.device_types == ["kiosk", "kiosk-large"]
    assert artifact.provides == {"rootfs-image.single-file.version": "kiosk-1.1"}
    assert artifact.clears_provides == ["rootfs-image.single-file.*"]
    assert payload_of(artifact) == {
        "dest_dir": b"/etc/kiosk\n",
        "filename": b"app.conf\n",
        "permissions": b"640\n",
        "app.conf": b"volume=3\n",
    }


def test_a_zip_becomes_a_directory_artifact(operator: Client) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("site/index.html", "<h1>Hello</h1>")
    upload = SimpleUploadedFile("site.zip", archive.getvalue())
    artifact = built(operator, "directory", archive=upload, folder="/srv/www")
    payload = payload_of(artifact)
    assert payload["dest_dir"] == b"/srv/www\n"
    with tarfile.open(fileobj=io.BytesIO(payload["update.tar"])) as tree:
        assert tree.getnames() == ["site/index.html"]


@pytest.mark.parametrize("kind", ["single-file", "directory"])
def test_debians_own_update_module_installs_what_was_built(
    operator: Client, tmp_path: Path, kind: str
) -> None:
    program("mender", package="mender-client")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("app.conf", "volume=3\n")
    upload: dict[str, dict[str, object]] = {
        "single-file": {
            "file": SimpleUploadedFile("app.conf", b"volume=3\n"),
            "permissions": "640",
        },
        "directory": {"archive": SimpleUploadedFile("all.zip", archive.getvalue())},
    }
    there = tmp_path / "there"
    artifact = built(operator, kind, folder=str(there), **upload[kind])
    tree = tmp_path / "tree"
    for folder in ("files", "tmp"):
        (tree / folder).mkdir(parents=True)
    for name, content in payload_of(artifact).items():
        (tree / "files" / name).write_bytes(content)
    module = DEBIANS_MODULES / kind
    subprocess.run([str(module), "ArtifactInstall", str(tree)], check=True, cwd=tree, timeout=60)
    assert (there / "app.conf").read_text() == "volume=3\n"


@pytest.mark.parametrize(
    "folder", ["/", "//", "opt", "/opt my", "/opt/*", "/a/../b", "/a//b", "/$HOME", "/a\nb"]
)
def test_a_folder_that_a_module_could_take_for_another_is_refused(
    operator: Client, folder: str
) -> None:
    data = {**COMMON, "file": SimpleUploadedFile("a", b"x"), "folder": folder, "permissions": "644"}
    response = operator.post(address("single-file"), data)
    assert response.status_code == 422
    assert 'data-code="folder"' in response.content.decode()


def test_any_update_module_gets_its_files_and_everything_else_that_there_is(
    operator: Client,
) -> None:
    artifact = built(
        operator,
        "any",
        own_type="web-file",
        contents=[SimpleUploadedFile("a.html", b"a"), SimpleUploadedFile("b.html", b"b")],
        scripts=[SimpleUploadedFile("ArtifactInstall_Enter_00_stop", b"#!/bin/sh\n")],
        group="stable",
        depends_names="kiosk-1.0 kiosk-0.9",
        depends="board: one\nboard: two",
        provides="web.version: 1.1",
        clears_provides="web.*",
        meta_data='{"port": 80}',
        software_version="",
    )
    assert payload_of(artifact) == {"a.html": b"a", "b.html": b"b"}
    assert (artifact.group, artifact.depends_names) == ("stable", ["kiosk-1.0", "kiosk-0.9"])
    assert artifact.depends == {"board": ["one", "two"]}
    assert (artifact.provides, artifact.clears_provides) == ({"web.version": "1.1"}, ["web.*"])
    assert artifact.meta_data == '{"port": 80}'
    with artifact.file.open("rb") as stored:
        scripts = list(open_scripts(stored))  # type: ignore[arg-type]
    assert scripts == [("ArtifactInstall_Enter_00_stop", b"#!/bin/sh\n")]


def test_the_portal_signs_with_a_key_that_it_holds(operator: Client) -> None:
    key = generate_signing_key(name="release", kind=Generated.ECDSA, actor=PORTAL)
    artifact = built(operator, "any", own_type="web-file", key=str(key.pk))
    assert artifact.is_signed
    assert artifact.signed_by is not None
    assert artifact.signed_by.fingerprint == key.fingerprint
    assert b"PRIVATE KEY" not in operator.get(address("any")).content


def test_who_may_not_use_keys_is_offered_none(operator: Client) -> None:
    key = generate_signing_key(name="release", kind=Generated.ECDSA, actor=PORTAL)
    Permission.objects.get(codename="use_signingkey").user_set.clear()
    assert "Signed by" not in operator.get(address("any")).content.decode()
    assert not built(operator, "any", own_type="web-file", key=str(key.pk)).is_signed


@pytest.mark.parametrize("kind", ["script", "deb"])
def test_scripts_and_packages_are_payloads_of_their_own(operator: Client, kind: str) -> None:
    files = [SimpleUploadedFile("first.sh", b"#!/bin/sh\n")]
    artifact = built(operator, kind, contents=files)
    assert artifact.payload_type == kind
    assert list(payload_of(artifact)) == ["first.sh"]


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("single-file", {"file": ("a b", b"x"), "folder": "/opt", "permissions": "644"}, "payload-file-name"),
        ("single-file", {"file": ("a", b"x"), "folder": "../opt", "permissions": "644"}, "folder"),
        ("single-file", {"file": ("a", b"x"), "folder": "/opt", "permissions": "rw"}, "permissions"),
        ("directory", {"archive": ("a.zip", b"no zip"), "folder": "/opt"}, "archive-broken"),
        ("any", {"own_type": "../../etc"}, "payload-type"),
        ("any", {"own_type": "web-file", "meta_data": "[]"}, "json-type"),
        ("any", {"own_type": "web-file", "scripts": ("Anything_00", b"x")}, "script-name"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_artifact_is_refused_and_leaves_nothing(
    operator: Client, kind: str, fields: dict[str, str | tuple[str, bytes]], code: str
) -> None:
    before = (rows(), stored_files())
    data = {
        name: value if isinstance(value, str) else SimpleUploadedFile(*value)
        for name, value in fields.items()
    }
    response = operator.post(address(kind), {**COMMON, **data})
    assert response.status_code == 422
    assert f'data-code="{code}"' in response.content.decode()
    assert (rows(), stored_files()) == before


def test_the_preview_shows_the_composition_before_any_file_is_sent(operator: Client) -> None:
    before = (rows(), stored_files())
    shown = preview(operator, "single-file", folder="/opt", permissions="644")
    assert "data-composition" in shown
    for words in (
        "dest_dir",
        "your-file",
        "rootfs-image.single-file.version",
        "kiosk, kiosk-large",
    ):
        assert words in shown
    assert (rows(), stored_files()) == before


def test_the_preview_says_what_is_missing_and_what_is_wrong(operator: Client) -> None:
    empty = preview(operator, "any")
    assert "once there is something under: Payload type." in empty
    assert "This field is required" not in empty
    wrong = preview(operator, "any", own_type="web-file", meta_data="{")
    assert 'data-code="json-syntax"' in wrong
    assert "Each line is a key" in preview(operator, "any", own_type="x", provides="no colon")


def test_there_is_no_form_for_what_nobody_knows(operator: Client) -> None:
    assert operator.get(address("bootloader")).status_code == 404


def test_each_kind_has_its_form(operator: Client) -> None:
    for kind in ("single-file", "directory", "script", "deb", "any"):
        response = operator.get(address(kind))
        assert response.status_code == 200
        assert 'aria-current="page"' in response.content.decode()


def test_a_viewer_builds_nothing_and_is_told_why(viewer: Client) -> None:
    response = viewer.get(address("any"))
    assert response.status_code == 403
    assert "lacks the permission updates.upload_artifact" in response.content.decode()
    url = reverse("admin:updates_artifact_build_preview", args=["any"])
    assert viewer.post(url, COMMON).status_code == 403
