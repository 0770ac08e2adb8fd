"""Pages of devices, groups and credentials."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Credential, Device
from portal.core.models import AuditEvent

pytestmark = pytest.mark.database

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


@pytest.fixture
def credential(db: None) -> Credential:
    return Credential.objects.create(
        name="lab", kind="password", username="root", secret="s3cret-word", passphrase="pass-word"
    )


@pytest.fixture
def remote(credential: Credential) -> Device:
    return Device.objects.create(
        name="box-9",
        device_type="box",
        driver=Device.Driver.SSH,
        host="192.0.2.9",
        credential=credential,
        offered_host_key=KEY,
    )


def test_a_refreshed_device_shows_what_it_is(operator: Client, device: Device) -> None:
    page = reverse("admin:devices_device_refresh", args=[device.pk])
    shown = operator.post(page, follow=True).content.decode()
    assert "box-1 answered." in shown
    assert "hostname" in shown
    device.refresh_from_db()
    assert device.last_seen is not None


def test_a_host_key_is_shown_by_its_fingerprint_and_then_pinned(
    operator: Client, remote: Device
) -> None:
    page = reverse("admin:devices_device_host_key", args=[remote.pk])
    assert FINGERPRINT in operator.get(page).content.decode()
    assert operator.post(page, {"key": KEY}).status_code == 302
    remote.refresh_from_db()
    assert (remote.host_key, remote.offered_host_key) == (KEY, "")


def test_a_key_that_changed_while_somebody_looked_is_not_pinned(
    operator: Client, remote: Device
) -> None:
    page = reverse("admin:devices_device_host_key", args=[remote.pk])
    Device.objects.update(offered_host_key=KEY[:-4] + "AAAA")
    response = operator.post(page, {"key": KEY})
    assert response.status_code == 422
    assert "The device shows another key by now" in response.content.decode()
    remote.refresh_from_db()
    assert remote.host_key == ""


def test_a_changed_key_is_shown_beside_the_confirmed_one(operator: Client, remote: Device) -> None:
    Device.objects.update(host_key=KEY[:-4] + "AAAA")
    page = reverse("admin:devices_device_host_key", args=[remote.pk])
    shown = operator.get(page).content.decode()
    assert "another key than the one that was confirmed" in shown
    assert shown.count("SHA256:") == 2


def test_a_secret_is_never_shown_and_stays_when_nothing_is_typed(
    operator: Client, credential: Credential
) -> None:
    page = reverse("admin:devices_credential_change", args=[credential.pk])
    shown = operator.get(page).content.decode()
    assert "s3cret-word" not in shown
    assert "pass-word" not in shown
    assert "Set. Leave it empty to keep" in shown
    operator.post(page, {"name": "lab", "kind": "password", "username": "admin"})
    credential.refresh_from_db()
    assert (credential.username, credential.secret) == ("admin", "s3cret-word")


def test_a_typed_secret_replaces_the_old_one_and_is_not_in_the_record(
    operator: Client, credential: Credential
) -> None:
    page = reverse("admin:devices_credential_change", args=[credential.pk])
    typed = {"name": "lab", "kind": "password", "username": "root", "new_secret": "an0ther-word"}
    operator.post(page, typed)
    credential.refresh_from_db()
    assert (credential.secret, credential.passphrase) == ("an0ther-word", "pass-word")
    entry = AuditEvent.objects.get(action="credential.replace")
    assert (entry.actor, entry.data) == ("alice", {"changes": {"secret": "changed"}})


def test_a_new_credential_needs_a_secret(operator: Client) -> None:
    page = reverse("admin:devices_credential_add")
    shown = operator.post(page, {"name": "lab", "kind": "password", "username": "root"})
    assert "A credential needs a secret." in shown.content.decode()
    assert not Credential.objects.exists()


def test_a_key_that_nobody_can_read_is_asked_again(operator: Client) -> None:
    page = reverse("admin:devices_credential_add")
    typed = {"name": "lab", "kind": "ssh_key", "username": "root", "new_secret": "not-one-at-all"}
    shown = operator.post(page, typed)
    assert "key" in shown.context["adminform"].form.errors["new_secret"][0]
    assert "not-one-at-all" not in shown.content.decode()
    assert not Credential.objects.exists()


def test_a_device_is_added_and_edited_on_record(operator: Client) -> None:
    given = {
        "name": "box-5", "device_type": "box", "driver": "local", "port": "22", "root": "/tmp/box-5",
    }  # fmt: skip
    operator.post(reverse("admin:devices_device_add"), given)
    device = Device.objects.get()
    edit = reverse("admin:devices_device_edit", args=[device.pk])
    edited = operator.post(edit, given | {"device_type": "crate"})
    assert edited.headers["Location"] == reverse("admin:devices_device_change", args=[device.pk])
    device.refresh_from_db()
    assert device.device_type == "crate"
    entries = AuditEvent.objects.order_by("at").values_list("action", flat=True)
    assert list(entries) == ["device.add", "device.change"]


def test_a_device_by_ssh_without_a_credential_is_asked_again(operator: Client) -> None:
    given = {
        "name": "box-5", "device_type": "box", "driver": "ssh", "host": "192.0.2.5", "port": "22",
        "root": "/",
    }  # fmt: skip
    response = operator.post(reverse("admin:devices_device_add"), given)
    assert "A device reached by SSH needs a host and a credential." in response.content.decode()
    assert not Device.objects.exists()


def test_a_credential_that_opens_nothing_is_deleted_with_a_reason(
    operator: Client, credential: Credential
) -> None:
    page = reverse("admin:devices_credential_delete", args=[credential.pk])
    assert 'id="opened"' not in operator.get(page).content.decode()
    assert operator.post(page, {"reason": ""}).status_code == 422
    assert operator.post(page, {"reason": "The lab is closed"}).status_code == 302
    assert not Credential.objects.exists()
    assert AuditEvent.objects.get(action="credential.delete").reason == "The lab is closed"


def test_a_credential_in_use_stays_and_names_the_first_of_its_devices(
    operator: Client, credential: Credential
) -> None:
    Device.objects.bulk_create(
        Device(name=f"box-{n:03}", device_type="box", driver="ssh", host="h", credential=credential)
        for n in range(200)
    )
    page = reverse("admin:devices_credential_delete", args=[credential.pk])
    answer = operator.post(page, {"reason": "The lab is closed"})
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "give them another credential first" in shown
    assert "<strong data-count>200</strong> devices are opened with it" in shown
    assert "box-009</a>" in shown
    assert "box-010</a>" not in shown
    assert Credential.objects.filter(pk=credential.pk).exists()
    assert not AuditEvent.objects.filter(action="credential.delete").exists()
    listed = operator.get(
        f"{reverse('admin:devices_device_changelist')}?credential={credential.pk}"
    )
    assert "<strong data-count>200</strong> devices" in listed.content.decode()


@pytest.mark.parametrize("quoted", ["_31", "1_2F", "%2B1"])
def test_no_spelling_of_an_address_leads_to_djangos_own_delete_page(
    quoted: str, operator: Client, credential: Credential, device: Device
) -> None:
    """Django reads an underscore and two hexadecimal digits as a character: _31 is 1."""
    for model in ("device", "credential", "devicegroup"):
        assert operator.get(f"/devices/{model}/{quoted}/delete/").status_code == 404
