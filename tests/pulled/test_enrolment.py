"""A device that pulls, from its first question to its end: who is let in, and what is kept of what it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP384R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from django.contrib.auth.models import User

from devices.auth_request import read_device_key
from devices.models import UNKNOWN_TYPE, AuthSet, Device, DeviceIdentity, InstalledRecord
from devices.queries import shut_out
from devices.services.enrolment import (
    accept,
    accept_many,
    decommission,
    dismiss,
    preauthorise,
    reject,
)
from devices.services.preauthorising import preauthorise_many
from portal.core import clock
from portal.core.actors import PORTAL, Actor
from portal.core.errors import Conflict, NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.pulled.pretend import PretendDevice, PrivateKey, fresh_key, public_text

pytestmark = pytest.mark.database

MAC = {"mac": "02:00:00:00:00:01"}
KEYS: dict[str, Callable[[], PrivateKey]] = {
    "RSA": lambda: generate_rsa_key(public_exponent=65537, key_size=2048),
    "ECDSA P-256": fresh_key,
    "ECDSA P-384": lambda: generate_private_key(SECP384R1()),
    "Ed25519": Ed25519PrivateKey.generate,
}


def let_in(device: PretendDevice) -> Device:
    """The device asked, was accepted and has a token."""
    assert device.ask().status_code == 401
    row = accept(auth_set=the_set(device), actor=PORTAL)
    assert device.ask().status_code == 200
    return row


def the_set(device: PretendDevice) -> AuthSet:
    return AuthSet.objects.get(key_hash=read_device_key(public_text(device.key)).hash)


@pytest.mark.parametrize("kind", KEYS)
def test_an_accepted_device_gets_a_bare_token_whatever_its_key(kind: str) -> None:
    device = PretendDevice(MAC, key=KEYS[kind]())
    row = let_in(device)
    answer = device.ask()
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/jwt"
    assert answer.content.count(b".") == 2 and answer.content == answer.content.strip()
    assert (row.name, row.driver, row.device_type) == ("02-00-00-00-00-01", "pull", UNKNOWN_TYPE)
    assert device.report({"os": "Yocto"}).status_code == 200


def test_asking_again_changes_nothing_while_nobody_decides() -> None:
    device = PretendDevice(MAC)
    for _ in range(3):
        assert device.ask().status_code == 401
    assert the_set(device).status == AuthSet.Status.PENDING
    assert AuthSet.objects.count() == DeviceIdentity.objects.count() == 1


def test_the_order_of_the_identitys_keys_makes_no_other_identity() -> None:
    first = PretendDevice({"mac": "a", "serial": "b"})
    second = PretendDevice({"serial": "b", "mac": "a"})
    first.ask()
    second.ask()
    assert DeviceIdentity.objects.count() == 1
    assert AuthSet.objects.count() == 2


def test_a_rejected_devices_token_is_dead_at_once() -> None:
    device = PretendDevice(MAC)
    let_in(device)
    assert device.report({"a": "1"}).status_code == 200
    reject(auth_set=the_set(device), actor=PORTAL)
    assert device.report({"a": "2"}).status_code == 401
    assert device.ask().status_code == 401
    assert Device.objects.get().reported["a"] == "1"


def test_a_new_key_of_a_known_device_is_the_same_device_and_the_old_key_ends() -> None:
    device, flashed = PretendDevice(MAC), PretendDevice(MAC)
    row = let_in(device)
    assert let_in(flashed) == row
    assert the_set(device).status == AuthSet.Status.REJECTED
    assert device.report({"a": "1"}).status_code == 401
    assert flashed.report({"a": "1"}).status_code == 200


def test_a_decommissioned_device_is_forgotten_and_comes_back_as_itself() -> None:
    device = PretendDevice(MAC)
    row = let_in(device)
    decommission(device=row, actor=PORTAL, reason="sold")
    assert not AuthSet.objects.exists()
    assert device.report({"a": "1"}).status_code == 401
    assert shut_out() == {row.pk}
    assert let_in(device) == row
    assert shut_out() == set()
    assert AuditEvent.objects.filter(action="device.decommission", reason="sold").count() == 1


def test_a_preauthorised_device_is_in_at_its_first_question() -> None:
    device = PretendDevice(MAC)
    preauthorise(id_data=MAC, key=read_device_key(public_text(device.key)), actor=PORTAL)
    other = PretendDevice(MAC)
    assert other.ask().status_code == 401
    assert device.ask().status_code == 200
    assert the_set(device).status == AuthSet.Status.ACCEPTED
    with pytest.raises(Conflict, match="accepted"):
        preauthorise(id_data=MAC, key=read_device_key(public_text(device.key)), actor=PORTAL)


def test_a_dismissed_key_may_ask_again_and_an_accepted_one_is_not_dismissed() -> None:
    device = PretendDevice(MAC)
    device.ask()
    dismiss(auth_set=the_set(device), actor=PORTAL)
    assert not DeviceIdentity.objects.exists()
    let_in(device)
    with pytest.raises(Refused, match="decommission"):
        dismiss(auth_set=the_set(device), actor=PORTAL)


def test_many_are_accepted_at_once_and_who_asks_with_two_keys_is_left() -> None:
    fleet = [PretendDevice({"serial": f"S{number}"}) for number in range(5)]
    twice = [PretendDevice({"serial": "twice"}), PretendDevice({"serial": "twice"})]
    Device.objects.create(name="S1", device_type="x", driver="local")
    for device in (*fleet, *twice):
        device.ask()
    done = accept_many(auth_sets=AuthSet.objects.all(), actor=PORTAL, reason="delivery")
    names = [device.name for device in done.devices]
    assert names[0] == "S0" and names[1].startswith("S1-") and len(set(names)) == 5
    assert [sentence for _, sentence in done.left] == [
        "serial=twice asks with several keys: pick one."
    ] * 2
    assert all(device.ask().status_code == 200 for device in fleet)
    assert all(device.ask().status_code == 401 for device in twice)
    assert AuditEvent.objects.filter(action="device.accept", reason="delivery").count() == 5


def test_inventory_is_typed_put_replaces_patch_adds_and_the_identity_stays_under_it() -> None:
    device = PretendDevice(MAC)
    let_in(device)
    assert device.report({"floor": 3, "os": "Yocto", "disks": ["a", "b"]}).content == b""
    assert device.report({"os": "Debian"}, method="PATCH").status_code == 200
    row = Device.objects.get()
    assert row.reported == {**MAC, "floor": 3, "os": "Debian", "disks": ["a", "b"]}
    assert device.report({"mem": 512.5}).status_code == 200
    row.refresh_from_db()
    assert row.reported == {**MAC, "mem": 512.5}


def test_what_is_installed_is_what_the_device_says_and_each_change_is_on_record() -> None:
    device = PretendDevice(MAC)
    let_in(device)
    for name in ("v1", "v1", "v2"):
        device.report({"artifact_name": name, "device_type": "beaglebone"})
    row = Device.objects.get()
    assert (row.artifact_name, row.device_type) == ("v2", "beaglebone")
    assert list(InstalledRecord.objects.values_list("artifact_name", flat=True)) == ["v2", "v1"]


def test_last_seen_follows_a_device_that_is_heard_of() -> None:
    device = PretendDevice(MAC)
    row = let_in(device)
    long_ago = clock.now() - timedelta(days=1)
    Device.objects.filter(pk=row.pk).update(last_seen=long_ago)
    device.report({"a": "1"})
    row.refresh_from_db()
    assert row.last_seen is not None and row.last_seen > long_ago


def one_line(key: PrivateKey) -> str:
    return "".join(public_text(key).splitlines()[1:-1])


def test_a_file_preauthorises_many_whatever_form_their_keys_have() -> None:
    one, two = PretendDevice({"mac": "a", "serial": "1"}), PretendDevice({"mac": "b"})
    file = f'mac,serial,public_key\na,1,{one_line(one.key)}\nb,,"{public_text(two.key)}"\n'
    made = preauthorise_many(content=file.encode(), actor=PORTAL, reason="delivery")
    assert [key.status for key in made] == ["preauthorized"] * 2
    assert one.ask().status_code == two.ask().status_code == 200
    assert set(Device.objects.values_list("name", flat=True)) == {"1", "b"}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("b,rubbish", "Line 3: The public key is none"),
        (",{key}", "Line 3: The identity is empty"),
        ("a,{first}", "Line 3: This key of mac=a is known, and preauthorized"),
        ("b,{key},c", "Line 3 has 3 cells"),
    ],
)
def test_one_wrong_row_and_nothing_is_preauthorised(rows: str, sentence: str) -> None:
    first, key = one_line(fresh_key()), one_line(fresh_key())
    file = f"mac,public_key\na,{first}\n{rows.format(key=key, first=first)}\n"
    with pytest.raises(Refused, match=sentence):
        preauthorise_many(content=file.encode(), actor=PORTAL)
    assert not AuthSet.objects.exists() and not DeviceIdentity.objects.exists()


@pytest.mark.parametrize("head", ["mac", "public_key", "mac,mac,public_key", ""])
def test_a_file_without_its_columns_is_refused(head: str) -> None:
    with pytest.raises(Refused, match="column"):
        preauthorise_many(content=head.encode(), actor=PORTAL)


def test_deciding_and_decommissioning_ask_for_their_permissions() -> None:
    device = PretendDevice(MAC)
    row = let_in(device)
    nobody = Actor("nobody", User.objects.create_user("nobody"))
    one, key = the_set(device), read_device_key(public_text(fresh_key()))
    for act in (
        lambda: accept(auth_set=one, actor=nobody),
        lambda: reject(auth_set=one, actor=nobody),
        lambda: dismiss(auth_set=one, actor=nobody),
        lambda: preauthorise(id_data={"a": "b"}, key=key, actor=nobody),
        lambda: preauthorise_many(content=b"", actor=nobody),
        lambda: decommission(device=row, actor=nobody),
    ):
        with pytest.raises(NotPermitted):
            act()
    assert device.report({"a": "1"}).status_code == 200
