"""Pages of groups: who is in one now, membership by name, the live preview of a filter, what was done to it."""

from __future__ import annotations

import re
from typing import Protocol

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from devices.models import Credential, Device, DeviceGroup
from devices.services import save_group
from portal.core.actors import Actor
from portal.core.models import AuditEvent
from tests.journal.rows import new_device, new_release
from tests.pages.rows import rows
from updates.models import Deployment
from updates.queries import deployments_to

pytestmark = pytest.mark.database

ADD = "/devices/devicegroup/add/"
PREVIEW = "/devices/devicegroup/preview/"


class Answer(Protocol):
    @property
    def content(self) -> bytes: ...


def page_of(group: DeviceGroup, word: str = "change") -> str:
    return reverse(f"admin:devices_devicegroup_{word}", args=[group.pk])


def shown(answer: Answer) -> list[str]:
    return re.findall(r'data-device="([^"]+)"', answer.content.decode())


@pytest.fixture
def pilot(db: None) -> DeviceGroup:
    group = DeviceGroup.objects.create(name="pilot")
    group.members.add(new_device("box-1"), new_device("box-2"))
    return group


@pytest.fixture
def boxes(db: None) -> DeviceGroup:
    return DeviceGroup.objects.create(name="boxes", kind="dynamic", filter={"q": "box"})


def test_a_groups_page_shows_its_devices_and_their_versions(
    operator: Client, boxes: DeviceGroup, pilot: DeviceGroup
) -> None:
    new_device("crate-1", device_type="crate")
    new_device("box-3", provides={"artifact_name": "new"})
    answer = operator.get(page_of(boxes))
    assert shown(answer) == ["box-1", "box-2", "box-3"]
    text = answer.content.decode()
    assert re.findall(r'data-version="([^"]*)"', text) == ["old", "new"]
    assert 'value="2"' in text
    assert listed_for_versions(operator, boxes) == [["box-1", "box-2"], ["box-3"]]
    assert shown(operator.get(page_of(pilot))) == ["box-1", "box-2"]


def listed_for_versions(browser: Client, group: DeviceGroup) -> list[list[str]]:
    """The devices that each number of the versions in the group leads to."""
    text = browser.get(page_of(group)).content.decode()
    links = re.findall(r'<strong><a href="([^"]+)">(\d+)</a></strong>', text)
    lists = [shown(browser.get(url.replace("&amp;", "&"))) for url, _ in links]
    assert [len(names) for names in lists] == [int(number) for _, number in links]
    return lists


def test_versions_that_are_many_or_not_known_lead_to_their_devices_too(
    operator: Client, boxes: DeviceGroup
) -> None:
    for number in range(15):
        new_device(f"box-{number:02}", provides={"artifact_name": f"v{min(number, 13)}"})
    new_device("box-98", provides={})
    new_device("box-99", provides={})
    new_device("crate-1", device_type="crate", provides={})
    static = DeviceGroup.objects.create(name="all of them")
    static.members.set(Device.objects.filter(name__startswith="box"))
    for group in (boxes, static):
        lists = listed_for_versions(operator, group)
        assert ["box-98", "box-99"] in lists
        assert len(lists) == 13
        assert sorted(name for names in lists for name in names) == sorted(
            static.members.values_list("name", flat=True)
        )


def test_a_big_groups_page_shows_fifty_of_them(
    operator: Client, boxes: DeviceGroup, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        new_device(f"box-{number:02}", provides={"artifact_name": f"v{number}"})
    with django_assert_max_num_queries(12):
        first = operator.get(page_of(boxes))
    assert len(shown(first)) == 50
    assert 'data-version="others"' in first.content.decode()
    second = operator.get(f"{page_of(boxes)}?older=box-49")
    assert shown(second) == [f"box-{number}" for number in range(50, 60)]


def test_deployments_to_the_group_stand_on_its_page(operator: Client, pilot: DeviceGroup) -> None:
    for name, groups in (("first", [pilot.pk]), ("others", [pilot.pk + 1]), ("named", None)):
        Deployment.objects.create(
            name=name,
            release=new_release(),
            selection={"groups": groups} if groups else {"everything": True},
            reason="Try it",
            requested_by_name="alice",
            created_at=pilot.created_at,
        )
    assert [row.name for row in deployments_to(pilot)] == ["first"]
    assert ">first</a>" in operator.get(page_of(pilot)).content.decode()


def test_a_group_whose_filter_makes_no_sense_says_so(operator: Client) -> None:
    group = DeviceGroup.objects.create(name="odd", kind="dynamic", filter={"colour": "red"})
    new_device("box-1")
    answer = operator.get(page_of(group))
    assert "A group&#x27;s filter knows no colour." in answer.content.decode()
    assert shown(answer) == []


def test_the_list_of_groups_counts_in_one_query(
    operator: Client, pilot: DeviceGroup, boxes: DeviceGroup
) -> None:
    page = reverse("admin:devices_devicegroup_changelist")
    with CaptureQueriesContext(connection) as few:
        text = operator.get(page).content.decode()
    assert "2 devices" in text
    assert "all with q: box" in text
    for number in range(20):
        DeviceGroup.objects.create(name=f"g{number}", kind="dynamic", filter={"q": "box"})
    with CaptureQueriesContext(connection) as many:
        operator.get(page)
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("change", "stay"),
    [
        ("add", ["box-1", "box-2", "box-3", "box-4"]),
        ("remove", ["box-1"]),
        ("exactly", ["box-2", "box-3", "box-4"]),
    ],
)
def test_members_come_and_go_by_name(
    change: str, stay: list[str], operator: Client, pilot: DeviceGroup
) -> None:
    new_device("box-3")
    new_device("box-4")
    order = {
        "names": "box-2, box-3\n",
        "file": ContentFile(b"name;root\nbox-4;/a\n", "more.csv"),
        "change": change,
        "reason": "Second week",
    }
    operator.post(page_of(pilot, "members"), order)
    assert [device.name for device in pilot.members.order_by("name")] == stay
    entry = AuditEvent.objects.get(action="group.change_members")
    assert entry.reason == "Second week"


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("box-1 box-7 box-8", "There is no device named box-7, box-8: nothing was changed."),
        ("", "Name at least one device."),
    ],
)
def test_a_wrong_name_changes_nothing(
    names: str, says: str, operator: Client, pilot: DeviceGroup
) -> None:
    before = rows()
    answer = operator.post(
        page_of(pilot, "members"), {"names": names, "change": "exactly", "reason": "Because"}
    )
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert rows() == before


def test_a_dynamic_group_takes_no_members(operator: Client, boxes: DeviceGroup) -> None:
    new_device("box-1")
    page = page_of(boxes, "members")
    answer = operator.post(page, {"names": "box-1", "change": "add", "reason": "Because"})
    assert answer.status_code == 422
    assert "The members of a dynamic group are what its filter finds" in answer.content.decode()


def test_the_preview_shows_whom_a_filter_finds_while_it_is_typed(
    operator: Client, pilot: DeviceGroup
) -> None:
    new_device("crate-1", device_type="crate")
    before = rows()
    seen = operator.get(f"{PREVIEW}?q=box&device_type=&name=whatever").content.decode()
    assert "<strong data-count>2</strong>" in seen
    assert "<span>box-1</span>" in seen
    assert "crate-1" not in seen
    refused = operator.get(f"{PREVIEW}?silent_days=soon").content.decode()
    assert "The device filter is wrong: silent_days" in refused
    everybody = operator.get(PREVIEW).content.decode()
    assert "An empty filter finds the whole fleet" in everybody
    static = operator.get(f"{PREVIEW}?kind=static").content.decode()
    assert "A static group has no filter" in static
    assert operator.post(PREVIEW).status_code == 405
    assert rows() == before


def test_the_preview_is_for_those_who_may_see_devices(stranger: Client) -> None:
    assert stranger.get(PREVIEW).status_code == 403
    assert Client().get(PREVIEW).headers["HX-Refresh"] == "true"


def test_a_dynamic_group_is_made_with_all_the_words_of_the_list(operator: Client) -> None:
    new_device("lab-1", attributes={"site": "Leipzig"})
    new_device("lab-2")
    given = {"name": "Lab", "kind": "dynamic", "q": "lab", "attribute": "site=Leipzig"}
    operator.post(ADD, given)
    group = DeviceGroup.objects.get()
    assert group.filter == {"q": "lab", "attribute": "site=Leipzig"}
    assert shown(operator.get(page_of(group))) == ["lab-1"]
    wrong = operator.post(page_of(group, "edit"), given | {"attribute": "red"})
    assert "Attributes are asked for as" in wrong.content.decode()


def test_a_static_group_has_members_and_no_filter(operator: Client) -> None:
    device = new_device("box-1")
    mixed = {"name": "Lab", "kind": "static", "members": [device.pk], "q": "lab"}
    refused = operator.post(ADD, mixed).content.decode()
    assert "A static group has members, not a filter." in refused
    operator.post(ADD, mixed | {"q": ""})
    assert list(DeviceGroup.objects.get().members.all()) == [device]


def test_an_edit_leaves_the_members_alone_and_is_on_the_page(
    operator: Client, pilot: DeviceGroup
) -> None:
    answer = operator.post(
        page_of(pilot, "edit"), {"name": "pilots", "kind": "static", "description": "Early"}
    )
    assert answer.headers["Location"] == page_of(pilot)
    assert pilot.members.count() == 2
    text = operator.get(page_of(pilot)).content.decode()
    assert "<del>pilot</del>" in text
    assert "<ins>pilots</ins>" in text


def test_who_may_not_read_the_audit_does_not_see_it_on_the_pages(
    stranger: Client, actor: Actor, pilot: DeviceGroup
) -> None:
    save_group(group=pilot, actor=actor)
    assert stranger.get(page_of(pilot)).status_code == 403


def test_a_group_is_deleted_with_a_reason_and_its_devices_stay(
    operator: Client, pilot: DeviceGroup
) -> None:
    page = page_of(pilot, "delete")
    assert operator.post(page, {"reason": ""}).status_code == 422
    operator.post(page, {"reason": "The pilot is over"})
    assert not DeviceGroup.objects.exists()
    assert Device.objects.count() == 2
    assert AuditEvent.objects.get(action="group.delete").reason == "The pilot is over"


def test_edits_of_a_credential_are_on_its_page_without_its_secrets(operator: Client) -> None:
    operator.post(
        reverse("admin:devices_credential_add"),
        {"name": "key", "kind": "password", "username": "root", "new_secret": "s3cret-one"},
    )
    page = reverse("admin:devices_credential_change", args=[Credential.objects.get().pk])
    operator.post(
        page, {"name": "key", "kind": "password", "username": "fleet", "new_secret": "s3cret-two"}
    )
    text = operator.get(page).content.decode()
    assert "<del>root</del>" in text
    assert "<ins>fleet</ins>" in text
    assert "was replaced" in text
    assert "s3cret" not in text
    assert "s3cret" not in str(list(AuditEvent.objects.values_list("data", flat=True)))
