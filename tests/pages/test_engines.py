"""Pages about engines of devices, and about logins to registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device, EngineAccess, EngineLook, RegistryLogin
from portal.core import clock
from tests.environment.certificates import certified
from tests.journal.rows import new_device

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Shown

pytestmark = pytest.mark.database

LOGINS = "/devices/registrylogin/"
IMAGE = {
    "id": "sha256:" + "1" * 64,
    "tags": ["ghcr.io/example/shop:1"],
    "digests": [],
    "size": 5 << 20,
    "created": "2026-01-01T00:00:00+00:00",
}


@pytest.fixture
def device() -> Device:
    return new_device("far", driver=Device.Driver.LOCAL)


def place(device: Device, verb: str = "") -> str:
    return f"/devices/device/{device.pk}/engine/{verb}"


def text(answer: Shown) -> str:
    return answer.content.decode()


def test_the_way_is_said_on_a_page_whose_key_goes_in_and_never_comes_out(
    operator: Client, device: Device
) -> None:
    assert "nobody has said it" in text(operator.get(place(device)))
    texts = certified("engine.example")
    given = {
        "way": "tcp",
        "host": "engine.example",
        "port": "2376",
        "authority": texts.authority,
        "certificate": texts.certificate,
        "new_key": texts.key,
    }
    refused = operator.post(place(device, "edit/"), given | {"new_key": certified().key})
    assert refused.status_code == 422
    assert "cannot be used" in text(refused)
    assert "PRIVATE KEY" not in text(refused)
    shown = text(operator.post(place(device, "edit/"), given, follow=True))
    assert "TCP with TLS, engine.example:2376" in shown
    assert "PRIVATE KEY" not in shown + text(operator.get(place(device, "edit/")))
    again = given | {"new_key": "", "host": "other.example"}
    assert operator.post(place(device, "edit/"), again).status_code == 302
    access = EngineAccess.objects.get()
    assert (access.host, access.key.strip()) == ("other.example", texts.key.strip())
    missing = operator.post(place(device, "edit/"), again | {"host": ""})
    assert "needs a host" in text(missing)


@pytest.mark.usefixtures("redis_server")
def test_asking_is_a_job_and_what_it_said_last_is_shown_with_its_age(
    operator: Client, device: Device
) -> None:
    refused = operator.post(place(device, "ask/"), follow=True)
    assert "is not known: say it first" in text(refused)
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX)
    assert "is being asked" in text(operator.post(place(device, "ask/"), follow=True))
    assert "load this page again" in text(operator.get(place(device)))
    EngineLook.objects.update(
        answered_at=clock.now(),
        version="Docker Engine 28",
        free_bytes=3 << 30,
        images=[IMAGE, IMAGE | {"id": "sha256:" + "2" * 64, "tags": []}],
        containers=[{"name": "shopkeeper", "image_id": IMAGE["id"], "state": "running"}],
    )
    shown = text(operator.get(place(device)))
    assert "Docker Engine 28" in shown
    assert "3.0\xa0GB" in shown
    images = reverse("admin:updates_imageremoval_of_device", args=[device.pk])
    assert f'<a href="{images}">2 images</a>, 1 container' in shown
    EngineLook.objects.update(error="It has gone.", error_at=clock.now())
    shown = text(operator.get(place(device)))
    assert "It has gone." in shown
    assert "What is shown is what it said" in shown


def test_the_way_is_forgotten_with_a_reason(operator: Client, device: Device) -> None:
    nothing = operator.post(place(device, "forget/"), {"reason": "Sold"})
    assert "Nobody has said how it is reached" in text(nothing)
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX)
    assert operator.post(place(device, "forget/"), {"reason": ""}).status_code == 422
    done = operator.post(place(device, "forget/"), {"reason": "Sold"}, follow=True)
    assert "is forgotten" in text(done)
    assert not EngineAccess.objects.exists()


def test_who_may_only_look_is_told_why_not(viewer: Client, device: Device) -> None:
    shown = text(viewer.get(place(device)))
    assert "You lack the permission devices.change_engineaccess." in shown
    for verb in ("ask/", "edit/", "forget/"):
        assert viewer.post(place(device, verb), {"reason": "x"}).status_code == 403


def test_a_login_is_kept_changed_and_deleted(operator: Client) -> None:
    given = {"registry": "index.docker.io", "username": "us", "new_secret": "geheim\r\n"}
    wrong = operator.post(f"{LOGINS}add/", given | {"registry": "https://x/"})
    assert "is not a registry" in text(wrong)
    assert "geheim" not in text(wrong)
    assert "needs a secret" in text(operator.post(f"{LOGINS}add/", given | {"new_secret": ""}))
    assert operator.post(f"{LOGINS}add/", given).status_code == 302
    login = RegistryLogin.objects.get()
    assert (login.registry, login.secret) == ("docker.io", "geheim")
    page = f"{LOGINS}{login.pk}/"
    assert "geheim" not in text(operator.get(f"{page}change/"))
    kept = {"registry": "docker.io", "username": "they", "new_secret": ""}
    assert operator.post(f"{page}change/", kept).status_code == 302
    login.refresh_from_db()
    assert (login.username, login.secret) == ("they", "geheim")
    assert "docker.io" in text(operator.get(LOGINS))
    operator.post(f"{page}delete/", {"reason": "Gone"})
    assert not RegistryLogin.objects.exists()
