"""The list of devices: finding, paging, saved filters, the way to a verb."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Protocol

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Credential, Device, DeviceGroup, StoredSelection
from devices.queries import devices_in, stored_selection
from portal.core.errors import Refused
from portal.core.models import AuditEvent, SavedFilter
from tests.journal.rows import new_device, new_upgrade
from tests.pages.rows import rows

pytestmark = pytest.mark.database

DEVICES = "/devices/device/"
PICK = "/devices/device/pick/"
KEEP = "/devices/device/filters/"


class Answer(Protocol):
    @property
    def content(self) -> bytes: ...


def shown(answer: Answer) -> list[str]:
    """The devices on a page of the list, from top to bottom."""
    return re.findall(r'data-device="([^"]+)"', answer.content.decode())


@pytest.fixture
def fleet(db: None) -> None:
    now = timezone.now()
    key = Credential.objects.create(name="key", kind="password", username="root", secret="s3cret")
    new_device("box-1", last_seen=now, attributes={"site": "Leipzig", "floor": 1})
    new_device("box-2", last_seen=now - timedelta(days=9), attributes={"site": "Leipzig"})
    new_device(
        "crate-1", device_type="crate", driver="ssh", host="192.0.2.1", credential=key,
        unreachable_reason="No route to host", provides={"artifact_name": "new_INCONSISTENT"},
    )  # fmt: skip
    new_device("crate-2", device_type="crate", provides={})


@pytest.mark.parametrize(
    ("words", "finds"),
    [
        ("", ["box-1", "box-2", "crate-1", "crate-2"]),
        ("q=box", ["box-1", "box-2"]),
        ("q=192.0.2", ["crate-1"]),
        ("device_type=crate", ["crate-1", "crate-2"]),
        ("installed=old", ["box-1", "box-2"]),
        ("unreachable=true", ["crate-1"]),
        ("unreachable=false&driver=local", ["box-1", "box-2", "crate-2"]),
        ("silent_days=7", ["box-2", "crate-1", "crate-2"]),
        ("inconsistent=true", ["crate-1"]),
        ("nothing_known=true", ["crate-2"]),
        ("nothing_known=false", ["box-1", "box-2", "crate-1"]),
        ("other_than=old", ["crate-1", "crate-2"]),
        ("other_than=old%0D%0Anew&nothing_known=false", ["crate-1"]),
        ("inconsistent=false", ["box-1", "box-2", "crate-2"]),
        ("attribute=site%3DLeipzig", ["box-1", "box-2"]),
        ("attribute=site%3DLeipzig%3B+floor%3D1", ["box-1"]),
        ("attribute=colour%3Dred", []),
    ],
)
def test_devices_are_found_by_what_is_known_of_them(
    words: str, finds: list[str], operator: Client, fleet: None
) -> None:
    assert shown(operator.get(f"{DEVICES}?{words}")) == finds


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("colour=red", "A device filter knows no colour."),
        ("attribute=red", "Attributes are asked for as site=Leipzig; floor"),
        ("silent_days=0", "The device filter is wrong: silent_days"),
        ("driver=smoke", "The device filter is wrong: driver"),
        ("unreachable=yes", "The device filter is wrong: unreachable: Say true or false."),
        ("outdated=maybe", "The device filter is wrong: outdated: Say true or false."),
    ],
)
def test_words_that_make_no_sense_are_refused_with_a_sentence(
    words: str, says: str, operator: Client, fleet: None
) -> None:
    answer = operator.get(f"{DEVICES}?{words}")
    assert answer.status_code == 422
    assert says in answer.content.decode()


def test_a_big_fleet_is_paged_by_name_there_and_back(operator: Client, db: None) -> None:
    names = [f"box-{number:03}" for number in range(120)]
    for name in names:
        new_device(name)
    first = operator.get(f"{DEVICES}?device_type=box")
    second = operator.get(DEVICES + _link(first, "next"))
    third = operator.get(DEVICES + _link(second, "next"))
    assert shown(first) + shown(second) + shown(third) == names
    assert _link(third, "next") == ""
    assert shown(operator.get(DEVICES + _link(third, "prev"))) == names[50:100]
    assert shown(operator.get(DEVICES + _link(second, "prev"))) == names[:50]


def test_the_newest_upgrades_come_in_one_query(
    operator: Client, fleet: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        operator.get(DEVICES)
    box = Device.objects.get(name="box-1")
    newest = new_upgrade(box)
    page = operator.get(DEVICES).content.decode()
    assert reverse("admin:updates_upgrade_change", args=[newest.pk]) in page
    assert "Waiting" in page


def test_a_saved_filter_is_ones_own_until_it_is_shared(
    operator: Client, viewer: Client, fleet: None
) -> None:
    kept = operator.post(KEEP, {"name": "Crates", "query": "device_type=crate"}, follow=True)
    assert shown(kept) == ["crate-1", "crate-2"]
    assert "Crates" in kept.content.decode()
    assert "Crates" not in viewer.get(DEVICES).content.decode()
    operator.post(KEEP, {"name": "Crates", "query": "device_type=crate", "shared": "on"})
    assert "Crates" in viewer.get(DEVICES).content.decode()
    assert SavedFilter.objects.count() == 1
    assert AuditEvent.objects.filter(action__startswith="filter.").count() == 2


def test_who_may_not_share_keeps_filters_for_themselves(viewer: Client, fleet: None) -> None:
    order = {"name": "Mine", "query": "q=box", "shared": "on"}
    refused = viewer.post(KEEP, order, follow=True)
    assert "lacks the permission core.share_savedfilter" in refused.content.decode()
    assert not SavedFilter.objects.exists()
    viewer.post(KEEP, order | {"shared": ""})
    assert not SavedFilter.objects.get().is_shared


def test_a_shared_filter_is_deleted_by_those_who_may_share(
    operator: Client, viewer: Client, fleet: None
) -> None:
    operator.post(KEEP, {"name": "Crates", "query": "device_type=crate", "shared": "on"})
    drop = reverse("admin:devices_device_drop_filter", args=[SavedFilter.objects.get().pk])
    viewer.post(drop)
    assert SavedFilter.objects.exists()
    operator.post(drop)
    assert not SavedFilter.objects.exists()


def test_somebody_elses_own_filter_is_not_there(
    operator: Client, viewer: Client, fleet: None
) -> None:
    operator.post(KEEP, {"name": "Crates", "query": "device_type=crate"})
    drop = reverse("admin:devices_device_drop_filter", args=[SavedFilter.objects.get().pk])
    assert viewer.post(drop).status_code == 404


def test_picked_devices_lead_to_the_page_of_the_verb(
    operator: Client, alice: User, fleet: None
) -> None:
    ids = list(Device.objects.filter(name__startswith="box").values_list("pk", flat=True))
    answer = operator.post(PICK, {"device": ids, "verb": "deploy", "query": ""})
    selection = StoredSelection.objects.get()
    deploy = reverse("admin:updates_deployment_deploy")
    assert answer.headers["Location"] == f"{deploy}?selection={selection.pk}"
    found = stored_selection(selection.pk, alice)
    assert set(found.values_list("pk", flat=True)) == set(ids)


def test_all_that_the_filter_finds_is_asked_for_anew_each_time(
    operator: Client, alice: User, fleet: None
) -> None:
    operator.post(
        PICK, {"everything": "on", "verb": "refresh", "query": "device_type=crate&older=a"}
    )
    selection = StoredSelection.objects.get()
    assert selection.words == {"device_type": "crate"}
    assert stored_selection(selection.pk, alice).count() == 2
    new_device("crate-3", device_type="crate")
    assert stored_selection(selection.pk, alice).count() == 3


def test_a_selection_is_good_for_its_owner_and_for_a_day(
    operator: Client, alice: User, fleet: None
) -> None:
    operator.post(PICK, {"everything": "on", "verb": "refresh", "query": ""})
    selection = StoredSelection.objects.get()
    other = User.objects.create_user("eve", is_staff=True)
    other.user_permissions.set(Permission.objects.all())
    with pytest.raises(Refused, match="This selection is gone"):
        stored_selection(selection.pk, other)
    StoredSelection.objects.update(created_at=timezone.now() - timedelta(hours=25))
    with pytest.raises(Refused, match="This selection is gone"):
        stored_selection(selection.pk, alice)
    operator.post(PICK, {"everything": "on", "verb": "refresh", "query": ""})
    assert StoredSelection.objects.get().pk != selection.pk


def test_a_selection_of_who_may_not_see_devices_any_more_is_empty(
    operator: Client, alice: User, fleet: None
) -> None:
    operator.post(PICK, {"everything": "on", "verb": "refresh", "query": ""})
    alice.user_permissions.clear()
    fresh = User.objects.get(pk=alice.pk)
    assert not stored_selection(StoredSelection.objects.get().pk, fresh).exists()


def test_nothing_picked_is_said(operator: Client, fleet: None) -> None:
    before = rows()
    answer = operator.post(PICK, {"verb": "refresh", "query": "q=box"}, follow=True)
    assert "Pick devices first" in answer.content.decode()
    assert rows() == before


def test_what_a_viewer_may_not_do_is_said_at_the_button(viewer: Client, fleet: None) -> None:
    page = viewer.get(DEVICES).content.decode()
    for permission in (
        "updates.deploy_artifact",
        "devices.refresh_device",
        "devices.delete_device",
    ):
        assert f"You lack the permission {permission}." in page
    assert 'name="verb"' not in page


def test_the_filtered_list_is_taken_away_as_csv(operator: Client, fleet: None) -> None:
    Device.objects.filter(name="crate-1").update(attributes={"note": "=1+1; a"})
    before = rows()
    answer = operator.get(f"{DEVICES}devices.csv?device_type=crate")
    content = answer.getvalue().decode()
    assert "s3cret" not in content
    found = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [row["name"] for row in found] == ["crate-1", "crate-2"]
    assert found[0]["credential"] == "key"
    assert found[0]["attributes"] == r"note==1+1\; a"
    assert rows() == before


def test_a_group_takes_the_same_words(fleet: None) -> None:
    words = {"attribute": "site=Leipzig", "silent_days": "7"}
    group = DeviceGroup.objects.create(name="silent", kind="dynamic", filter=words)
    assert [device.name for device in devices_in(group)] == ["box-2"]


def _link(answer: Answer, rel: str) -> str:
    found = re.search(rf'href="(\?[^"]*)" rel="{rel}"', answer.content.decode())
    return found[1].replace("&amp;", "&") if found else ""
