"""Devices, groups and credentials over the API."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from devices.models import Credential, Device, DeviceGroup
from portal.core.models import AuditEvent
from tests.api.caller import Caller
from tests.api.conftest import MakeArtifact, MakeDevice
from tests.api.problems import assert_problem

pytestmark = pytest.mark.database

PASSWORD = "open-sesame-4711"
BOX: dict[str, Any] = {
    "name": "box",
    "device_type": "box",
    "driver": "local",
    "attributes": {"site": "Berlin"},
}


@pytest.fixture
def private_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@pytest.fixture
def credential(db: None) -> Credential:
    return Credential.objects.create(
        name="root", kind="password", username="root", secret=PASSWORD, passphrase=""
    )


def test_a_device_is_created_and_changed(operator: Caller) -> None:
    created = operator.post("devices", **BOX)
    changed = operator.patch(f"devices/{created.body['id']}", device_type="crate")

    assert created.status == 201, created.body
    assert operator.get(created.headers["Location"]).body == changed.body
    assert (changed.body["device_type"], changed.body["attributes"]) == (
        "crate",
        {"site": "Berlin"},
    )
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {
        "device.add",
        "device.change",
    }


def test_a_device_without_history_is_deleted(operator: Caller, make_device: MakeDevice) -> None:
    device = make_device()
    DeviceGroup.objects.create(name="Some").members.add(device)

    without = operator.delete(f"devices/{device.pk}")
    answer = operator.delete(f"devices/{device.pk}?reason=Sold")

    assert_problem(without, status=400, code="API-400")
    assert answer.status == 204
    assert not Device.objects.exists()
    assert AuditEvent.objects.get(action="device.delete").reason == "Sold"


def test_a_device_with_history_stays(
    operator: Caller, make_device: MakeDevice, make_artifact: MakeArtifact
) -> None:
    device = make_device()
    artifact = make_artifact()
    operator.post("upgrades", device=device.pk, artifact=str(artifact.pk), reason="Fix")

    answer = operator.delete(f"devices/{device.pk}?reason=Sold")

    assert_problem(answer, status=422, code="FW-100")
    assert Device.objects.exists()
    assert not AuditEvent.objects.filter(action="device.delete").exists()


def test_what_the_device_says_itself_cannot_be_written(
    operator: Caller, make_device: MakeDevice
) -> None:
    device = make_device()

    answer = operator.patch(
        f"devices/{device.pk}", host_key="ssh-ed25519 AAAA", provides={"artifact_name": "mine"}
    )

    assert answer.status == 200
    assert (answer.body["host_key"], answer.body["provides"]) == ("", {})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "no spaces"}, "name"),
        ({"name": "box-001"}, "name"),
        ({"driver": "carrier-pigeon"}, "driver"),
        ({"root": "relative"}, "root"),
        ({"port": 70_000}, "port"),
        ({"credential": 17}, "credential"),
        ({"attributes": {"\n": "x"}}, "attributes"),
        ({"attributes": {"a": {"nested": 1}}}, "attributes.a"),
        ({"attributes": {str(n): "" for n in range(201)}}, "attributes"),
        ({"driver": "ssh"}, ""),
    ],
)
def test_a_device_that_cannot_be_is_refused_by_field(
    operator: Caller, make_device: MakeDevice, wrong: dict[str, Any], field: str
) -> None:
    make_device()

    answer = operator.post("devices", **(BOX | wrong))

    assert_problem(answer, status=400, code="API-400")
    assert list(answer.body["errors"]) == [field]
    assert not Device.objects.filter(name="box").exists()


def test_devices_are_found_by_the_words_of_the_filter(
    operator: Caller, make_device: MakeDevice
) -> None:
    make_device()
    crate = make_device(device_type="crate")

    found = operator.get("devices", device_type="crate").body["results"]
    wrong = operator.get("devices", driver="carrier-pigeon")

    assert [row["id"] for row in found] == [crate.pk]
    assert_problem(wrong, status=400, code="API-400")


def test_a_refreshed_device_says_what_it_is(operator: Caller, make_device: MakeDevice) -> None:
    answer = operator.post(f"devices/{make_device().pk}/refresh")

    assert answer.status == 200, answer.body
    assert answer.body["last_seen"]
    assert answer.body["attributes"]["kernel"]
    assert AuditEvent.objects.get(action="device.refresh").subject == answer.body["name"]


def test_a_device_that_cannot_be_reached_says_why(operator: Caller, credential: Credential) -> None:
    device = operator.post(
        "devices",
        **BOX | {"driver": "ssh", "host": "127.0.0.1", "port": 1, "credential": credential.pk},
    ).body

    answer = operator.post(f"devices/{device['id']}/refresh")

    assert answer.status == 200
    assert answer.body["unreachable_reason"]
    assert answer.body["last_seen"] is None


def test_only_the_key_that_was_offered_can_be_confirmed(
    operator: Caller, make_device: MakeDevice
) -> None:
    device = make_device()
    Device.objects.update(offered_host_key="ssh-ed25519 AAAA")

    wrong = operator.post(f"devices/{device.pk}/confirm-host-key", key="ssh-ed25519 BBBB")
    right = operator.post(f"devices/{device.pk}/confirm-host-key", key="ssh-ed25519 AAAA")

    assert_problem(wrong, status=422, code="FW-100")
    assert (right.body["host_key"], right.body["offered_host_key"]) == ("ssh-ed25519 AAAA", "")


def test_secrets_go_in_and_never_come_out(operator: Caller, private_key: str) -> None:
    created = operator.post(
        "credentials", name="key", kind="ssh_key", username="root", secret=private_key
    )
    one = operator.get(created.headers["Location"])
    listed = operator.get("credentials")
    body = private_key.splitlines()[1]

    assert created.status == 201, created.body
    assert Credential.objects.get().secret == private_key
    for answer in (created, one, listed):
        assert "secret" not in str(answer.body)
        assert body not in str(answer.body)
    assert not any(body in str(row.data) for row in AuditEvent.objects.all())


def test_a_credential_is_replaced(operator: Caller, credential: Credential) -> None:
    Credential.objects.update(passphrase="of the old key")

    answer = operator.patch(f"credentials/{credential.pk}", secret="another")

    credential.refresh_from_db()
    assert answer.status == 200
    assert (credential.secret, credential.passphrase) == ("another", "")


def test_a_key_that_nobody_can_read_is_refused_without_being_repeated(operator: Caller) -> None:
    answer = operator.post(
        "credentials", name="key", kind="ssh_key", username="root", secret=f"-----BEGIN {PASSWORD}"
    )

    assert_problem(answer, status=422, code="FW-100")
    assert PASSWORD not in str(answer.body)
    assert not Credential.objects.exists()


def test_a_static_group_has_the_members_that_it_was_given(
    operator: Caller, make_device: MakeDevice
) -> None:
    one, two, three = make_device(), make_device(), make_device()
    group = operator.post("device-groups", name="Some", kind="static")
    path = f"device-groups/{group.body['id']}"
    operator.post(f"{path}/change-members", add=[one.pk, two.pk])
    changed = operator.post(f"{path}/change-members", add=[three.pk], remove=[one.pk])

    members = operator.get(f"{path}/members").body["results"]

    assert changed.status == 200
    assert [row["name"] for row in members] == [two.name, three.name]
    assert_problem(operator.post(f"{path}/change-members", add=[4711]), status=422, code="FW-100")


def test_a_dynamic_group_has_the_members_that_its_filter_finds(
    operator: Caller, make_device: MakeDevice
) -> None:
    make_device()
    crate = make_device(device_type="crate")
    group = operator.post(
        "device-groups", name="Crates", kind="dynamic", filter={"device_type": "crate"}
    )
    path = f"device-groups/{group.body['id']}"

    members = operator.get(f"{path}/members").body["results"]
    refused = operator.post(f"{path}/change-members", add=[crate.pk])

    assert [row["id"] for row in members] == [crate.pk]
    assert_problem(refused, status=422, code="FW-100")


@pytest.mark.parametrize("words", [{"colour": "red"}, {"driver": "carrier-pigeon"}, {"group": "1"}])
def test_a_group_whose_filter_makes_no_sense_is_refused(
    operator: Caller, words: dict[str, str]
) -> None:
    answer = operator.post("device-groups", name="Odd", kind="dynamic", filter=words)

    assert_problem(answer, status=422, code="FW-100")
    assert not DeviceGroup.objects.exists()


def test_a_group_is_changed_and_deleted_and_its_devices_stay(
    operator: Caller, make_device: MakeDevice
) -> None:
    group = DeviceGroup.objects.create(name="Some")
    group.members.add(make_device())

    changed = operator.patch(f"device-groups/{group.pk}", description="The first ones")
    deleted = operator.delete(f"device-groups/{group.pk}")

    assert changed.body["description"] == "The first ones"
    assert deleted.status == 204
    assert not DeviceGroup.objects.exists()
    assert Device.objects.count() == 1
