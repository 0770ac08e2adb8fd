"""Who asks to be let in, and what an operator does about it: on the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from devices.models import AuthSet, Device, DeviceIdentity
from devices.services.bulk import mark_of_these
from devices.services.enrolment import accept, reject, reject_many
from portal.core.actors import PORTAL
from portal.core.models import AuditEvent
from tests.environment.at_once import waiting_for_us
from tests.pulled.pretend import PretendDevice, fresh_key, public_text

pytestmark = pytest.mark.database

LIST = "/devices/authset/"
ACCEPT = "/devices/authset/accept/"
REJECT_MANY = "/devices/authset/reject-many/"
FORGET_MANY = "/devices/authset/dismiss-many/"
Browser = Callable[..., Client]


WHY = {"reason": "Not ours"}


def seen(*keys: AuthSet) -> dict[str, Any]:
    """What a page that showed these keeps for its confirmation."""
    return {"expected": mark_of_these(key.pk for key in keys)}


@pytest.fixture
def browser(db: None) -> Browser:
    """Somebody with these permissions of devices, logged in."""

    def log_in(*codenames: str) -> Client:
        person = User.objects.create_user("-".join(codenames) or "nobody", is_staff=True)
        wanted = Permission.objects.filter(
            content_type__app_label="devices", codename__in=codenames
        )
        person.user_permissions.set(wanted)
        client = Client()
        client.force_login(person)
        return client

    return log_in


@pytest.fixture
def operator(browser: Browser) -> Client:
    return browser("view_authset", "decide_authset", "view_device", "decommission_device")


def asked(mac: str) -> AuthSet:
    device = PretendDevice({"mac": mac})
    assert device.ask().status_code == 401
    return AuthSet.objects.get(identity__id_data={"mac": mac})


def status_of(key: AuthSet) -> str:
    return str(AuthSet.objects.get(pk=key.pk).status)


def test_the_list_shows_who_asks_and_with_which_key(operator: Client) -> None:
    key = asked("52:54:00:00:00:01")
    shown = operator.get(LIST).content.decode()
    assert "mac=52:54:00:00:00:01" in shown
    assert key.key_hash[:16] in shown
    assert f"{ACCEPT}?key={key.pk}" in shown


def test_a_search_finds_in_identities_and_keys(operator: Client) -> None:
    one, other = asked("aa:01"), asked("aa:02")
    for text in ("aa:01", "MAC :01", one.key_hash[:12].upper()):
        shown = operator.get(LIST, {"q": text}).content.decode()
        assert str(one.pk) in shown
        assert str(other.pk) not in shown
    assert operator.get(LIST, {"q": "\x01", "older": "x", "status": "y"}).status_code == 200


@pytest.mark.parametrize("status", ["pending", "accepted", "rejected", "preauthorized"])
def test_each_list_costs_the_same_however_long_it_is(
    operator: Client, status: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        key = asked(f"{number:02}")
        AuthSet.objects.filter(pk=key.pk).update(status=status, decided_at=key.requested_at)
    with django_assert_max_num_queries(12):
        first = operator.get(LIST, {"status": status})
    shown = first.content.decode()
    assert shown.count("data-key=") == 25
    older = shown.partition("older=")[2].partition('"')[0]
    rest = operator.get(f"{LIST}?status={status}&older={older}").content.decode()
    assert rest.count("data-key=") == 5


def test_accepting_says_what_it_does_first_and_leads_to_the_device(operator: Client) -> None:
    key = asked("01")
    before = operator.get(ACCEPT, {"key": str(key.pk)})
    assert key.key_hash in before.content.decode()
    assert status_of(key) == "pending"
    done = operator.post(f"{ACCEPT}?key={key.pk}", seen(key) | {"reason": "It is ours"})
    device = Device.objects.get()
    assert done.headers["Location"] == reverse("admin:devices_device_change", args=[device.pk])
    assert status_of(key) == "accepted"
    event = AuditEvent.objects.get(action="device.accept")
    assert (event.reason, event.subject_id) == ("It is ours", str(device.pk))


def test_all_that_a_search_finds_are_accepted_if_they_still_are_as_many(operator: Client) -> None:
    keys = [asked(f"aa:{number}") for number in range(3)]
    other = asked("bb:1")
    address = f"{ACCEPT}?everything=on&status=pending&q=aa"
    assert 'data-keys="3"' in operator.get(address).content.decode()
    late = asked("aa:9")
    refused = operator.post(address, seen(*keys))
    assert refused.status_code == 422
    assert "it would be 4 devices now, and not 3" in refused.content.decode()
    assert {status_of(key) for key in (*keys, late)} == {"pending"}
    operator.post(address, seen(*keys, late))
    assert {status_of(key) for key in (*keys, late)} == {"accepted"}
    assert status_of(other) == "pending"


def test_keys_are_counted_as_keys(operator: Client) -> None:
    identity = asked("aa:1").identity
    AuthSet.objects.bulk_create(
        AuthSet(identity=identity, public_key="x", key_hash=f"{number:064}", status="pending")
        for number in range(100)
    )
    keys = list(AuthSet.objects.all())
    address = f"{REJECT_MANY}?everything=on"
    assert "Number of keys" in operator.get(address).content.decode()
    for typed, by_then, says in (
        ("100", keys, "You said 100, and it would be 101 keys."),
        ("101", keys[1:], "it would be 101 keys now, and not 100."),
        ("101", [*keys[1:], AuthSet()], "the keys are not those that you saw"),
    ):
        refused = operator.post(address, seen(*by_then) | WHY | {"number": typed})
        assert says in refused.content.decode()
    address = f"{ACCEPT}?everything=on"
    assert "Number of devices" in operator.get(address).content.decode()


def test_a_stranger_in_the_place_of_another_is_not_let_in_unseen(operator: Client) -> None:
    keys = [asked(f"aa:{number}") for number in range(3)]
    address = f"{ACCEPT}?everything=on"
    reject(auth_set=keys[0], actor=PORTAL)
    stranger = asked("aa:9")
    refused = operator.post(address, seen(*keys))
    assert refused.status_code == 422
    assert "the devices are not those that you saw" in refused.content.decode()
    assert status_of(stranger) == "pending"


def test_a_flood_is_rejected_and_the_wanted_one_is_not(operator: Client) -> None:
    strangers = [asked(f"aa:{number}") for number in range(3)]
    wanted = asked("bb:1")
    assert f'formaction="{REJECT_MANY}"' in operator.get(LIST).content.decode()
    address = f"{REJECT_MANY}?everything=on&status=pending&q=aa"
    assert 'data-keys="3"' in operator.get(address).content.decode()
    assert operator.post(address, seen(*strangers)).status_code == 422, "without a reason"
    assert operator.post(address, seen(*strangers, wanted) | WHY).status_code == 422
    assert operator.post(address, seen(*strangers) | WHY).status_code == 302
    assert {status_of(key) for key in strangers} == {"rejected"}
    assert status_of(wanted) == "pending"
    rejected = AuditEvent.objects.filter(action="authset.reject", reason="Not ours")
    assert [event.data["before"] for event in rejected] == ["pending"] * 3


@pytest.mark.parametrize("status", ["pending", "rejected"])
def test_a_flood_is_forgotten_and_accepted_keys_are_not(operator: Client, status: str) -> None:
    ours = asked("aa:ours")
    accept(auth_set=ours, actor=PORTAL)
    strangers = [asked(f"aa:{number}") for number in range(3)]
    AuthSet.objects.filter(pk__in=[key.pk for key in strangers]).update(status=status)
    picked = f"{FORGET_MANY}?" + "&".join(f"key={key.pk}" for key in (*strangers, ours))
    assert operator.post(picked, seen(*strangers) | WHY).status_code == 302
    assert AuthSet.objects.get() == ours
    assert DeviceIdentity.objects.count() == 1
    assert AuditEvent.objects.filter(action="authset.dismiss", reason="Not ours").count() == 3


@pytest.mark.database(transaction=True)
@pytest.mark.parametrize(
    ("colleague", "verb", "ends"), [(accept, REJECT_MANY, "accepted"), (reject, ACCEPT, "rejected")]
)
@pytest.mark.parametrize("picked", ["everything=on", "key={key.pk}"])
def test_what_somebody_decides_in_that_very_moment_stays_decided(
    operator: Client, colleague: Callable[..., object], verb: str, ends: str, picked: str
) -> None:
    key, other = asked("aa:1"), asked("bb:1")
    address = f"{verb}?status=pending&key={other.pk}&{picked.format(key=key)}"
    with waiting_for_us(lambda: operator.post(address, seen(key, other) | WHY)):
        colleague(auth_set=key, actor=PORTAL)
    assert status_of(key) == ends


def test_nobody_who_is_let_in_is_shut_out_among_many(operator: Client) -> None:
    ours, stranger = asked("aa:1"), asked("bb:1")
    accept(auth_set=ours, actor=PORTAL)
    assert reject_many(auth_sets=AuthSet.objects.all(), actor=PORTAL) == [stranger]
    assert status_of(ours) == "accepted"


def test_more_than_a_hundred_want_their_number_typed(operator: Client, settings: Settings) -> None:
    settings.NEW_DEVICES_PER_MINUTE = 1000
    keys = [asked(f"{number}") for number in range(101)]
    address = f"{ACCEPT}?everything=on"
    for words in ({}, {"number": 100}):
        assert operator.post(address, seen(*keys) | words).status_code == 422
    assert not Device.objects.exists()
    operator.post(address, seen(*keys) | {"number": 101})
    assert Device.objects.count() == 101


def test_nothing_picked_is_said(operator: Client) -> None:
    answer = operator.get(ACCEPT, {"status": "rejected"}, follow=True)
    assert "Pick devices first" in answer.content.decode()
    assert operator.get(ACCEPT, {"key": "x"}).status_code == 404
    assert operator.get(ACCEPT, {"everything": "on"}).status_code == 404


def test_a_rejected_key_has_a_way_back(operator: Client) -> None:
    key = asked("01")
    operator.post(f"{LIST}{key.pk}/reject/", {"reason": "Not ours"})
    assert status_of(key) == "rejected"
    shown = operator.get(LIST, {"status": "rejected"}).content.decode()
    assert f"{ACCEPT}?key={key.pk}" in shown
    operator.post(f"{ACCEPT}?key={key.pk}", seen(key))
    assert status_of(key) == "accepted"


def test_a_forgotten_key_is_gone_and_may_ask_again(operator: Client) -> None:
    key = asked("01")
    reject(auth_set=key, actor=PORTAL)
    operator.post(f"{LIST}{key.pk}/dismiss/", {"reason": "A typing mistake"})
    assert not AuthSet.objects.exists()
    assert status_of(asked("01")) == "pending"


def test_an_accepted_one_is_rejected_or_decommissioned_and_not_forgotten(operator: Client) -> None:
    key = asked("01")
    accept(auth_set=key, actor=PORTAL)
    refused = operator.post(f"{LIST}{key.pk}/dismiss/", {"reason": "x"})
    assert refused.status_code == 422
    assert status_of(key) == "accepted"


def test_somebody_preauthorised_is_let_in_at_once(operator: Client) -> None:
    device = PretendDevice({"mac": "01", "sn": "7"})
    words = {
        "identity": "mac=01\nsn=7\n",
        "public_key": public_text(device.key),
        "reason": "From the factory's list",
    }
    assert operator.post(f"{LIST}preauthorise/", words).status_code == 302
    assert device.ask().status_code == 200


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"identity": "mac"}, "name=value"),
        ({"identity": "mac=1\nmac=2"}, "twice"),
        ({"public_key": "nothing"}, "PEM"),
        ({"identity": "\n"}, "required"),
    ],
)
def test_what_nobody_could_ask_with_is_refused_at_its_field(
    operator: Client, words: dict[str, str], sentence: str
) -> None:
    good = {"identity": "mac=1", "public_key": public_text(fresh_key()), "reason": "x"}
    answer = operator.post(f"{LIST}preauthorise/", good | words)
    assert answer.status_code in (200, 422)
    assert sentence in answer.content.decode()
    assert not AuthSet.objects.exists()


def test_a_file_preauthorises_all_of_its_rows_or_none(operator: Client) -> None:
    devices = [PretendDevice({"mac": f"0{number}"}) for number in range(3)]
    rows = [
        f"0{number},{''.join(public_text(device.key).splitlines()[1:-1])}"
        for number, device in enumerate(devices)
    ]

    def send(*lines: str) -> int:
        content = "\n".join(["mac,public_key", *lines]).encode()
        words = {"file": SimpleUploadedFile("a.csv", content), "reason": "From the factory"}
        return operator.post(f"{LIST}preauthorise-file/", words).status_code

    assert send(*rows, "03,nothing") == 422
    assert not AuthSet.objects.exists()
    assert send(*rows) == 302
    assert [device.ask().status_code for device in devices] == [200, 200, 200]


def test_a_viewer_sees_all_of_it_and_is_told_why_not(browser: Browser) -> None:
    viewer = browser("view_authset", "view_device")
    key = asked("01")
    assert "devices.decide_authset" in viewer.get(LIST).content.decode()
    many = [f"{address}?key={key.pk}" for address in (ACCEPT, REJECT_MANY, FORGET_MANY)]
    for address in (*many, f"{LIST}{key.pk}/reject/", f"{LIST}preauthorise/"):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, seen(key) | {"reason": "x"}).status_code == 403
    assert status_of(key) == "pending"
    assert browser().get(LIST).status_code == 403


def device_of(mac: str) -> tuple[PretendDevice, Device]:
    device = PretendDevice({"mac": mac})
    device.ask()
    key = AuthSet.objects.get(identity__id_data={"mac": mac})
    accepted = accept(auth_set=key, actor=PORTAL)
    device.ask()
    return device, accepted


def test_a_devices_page_says_who_it_is_and_what_it_reports(
    operator: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    pretend, device = device_of("01")
    pretend.report({"device_type": "box", "artifact_name": "release-1", "kernel": "6.1"})
    address = reverse("admin:devices_device_change", args=[device.pk])
    with django_assert_max_num_queries(12):
        shown = operator.get(address).content.decode()
    assert 'data-status="accepted"' in shown
    assert "<code>kernel</code>" in shown
    assert "<strong>release-1</strong>" in shown
    assert "nothing connects to it" in shown
    found = operator.get(address, {"reported": "KERN"}).content.decode()
    assert "<code>kernel</code>" in found
    assert '<td data-label="Attribute"><code>mac</code></td>' not in found


def test_decommissioning_says_what_it_does_and_keeps_the_device(operator: Client) -> None:
    pretend, device = device_of("01")
    address = reverse("admin:devices_device_decommission", args=[device.pk])
    assert "history stay" in operator.get(address).content.decode()
    assert operator.post(address, {"reason": "Scrapped"}).status_code == 302
    assert pretend.report({"a": "b"}).status_code == 401
    assert Device.objects.filter(pk=device.pk).exists()
    shown = operator.get(reverse("admin:devices_device_change", args=[device.pk]))
    assert 'data-status="noauth"' in shown.content.decode()


def test_a_device_that_is_pushed_to_cannot_be_decommissioned(operator: Client) -> None:
    box = Device.objects.create(name="box", device_type="box", driver=Device.Driver.LOCAL)
    address = reverse("admin:devices_device_decommission", args=[box.pk])
    refused = operator.post(address, {"reason": "x"})
    assert refused.status_code == 422
    assert "does not pull" in refused.content.decode()


def test_the_list_of_devices_finds_those_that_pull_and_may_not(operator: Client) -> None:
    _, inside = device_of("01")
    _, outside = device_of("02")
    reject(auth_set=AuthSet.objects.get(identity__device=outside), actor=PORTAL)
    box = Device.objects.create(name="box", device_type="box", driver=Device.Driver.LOCAL)
    address = reverse("admin:devices_device_changelist")
    for words, expected in (
        ({"shut_out": "true"}, {outside}),
        ({"shut_out": "false"}, {inside, box}),
        ({"driver": "pull"}, {inside, outside}),
    ):
        shown = operator.get(address, words).content.decode()
        found = {device for device in (inside, outside, box) if f'data-device="{device}"' in shown}
        assert found == expected
