"""A device's page and its whole life."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, DeviceGroup
from devices.queries import groups_of
from devices.services import save_device
from portal.core import clock
from portal.core.actors import Actor
from tests.journal.rows import finished, new_artifact, new_device, new_upgrade
from tests.pages.rows import rows
from updates.admin_views.life import versions_of
from updates.models import Instance, Module, Upgrade
from updates.services.upgrades import cancel_upgrade

pytestmark = pytest.mark.database


def life_of(device: Device) -> str:
    return reverse("admin:updates_upgrade_of_device", args=[device.pk])


def order_of(page: str) -> list[str]:
    """What the timeline tells of, from top to bottom."""
    return re.findall(r'data-(upgrade|entry)="', page)


@pytest.fixture
def box() -> Device:
    return new_device("box-1")


def test_upgrades_and_edits_stand_in_one_line_of_time(
    operator: Client, actor: Actor, box: Device
) -> None:
    now = timezone.now()
    with clock.started_at(now - timedelta(days=3)):
        new_upgrade(box)
    with clock.started_at(now - timedelta(days=2)):
        box.device_type = "crate"
        save_device(device=box, actor=actor)
    with clock.started_at(now - timedelta(days=1)):
        new_upgrade(box)
    page = operator.get(life_of(box)).content.decode()
    assert order_of(page) == ["upgrade", "entry", "upgrade"]
    assert "<del>box</del>" in page
    assert "<ins>crate</ins>" in page


def test_what_people_did_to_an_upgrade_stands_with_it(
    operator: Client, actor: Actor, box: Device
) -> None:
    cancel_upgrade(upgrade=new_upgrade(box), actor=actor, reason="Not on a Friday")
    page = operator.get(life_of(box)).content.decode()
    assert order_of(page) == ["upgrade"]
    assert "upgrade.cancel" in page
    assert "Not on a Friday" in page


def test_a_long_life_is_told_page_by_page_and_nothing_twice(
    operator: Client, actor: Actor, box: Device
) -> None:
    now = timezone.now()
    for number in range(40):
        with clock.started_at(now - timedelta(days=100 - 2 * number)):
            new_upgrade(box)
        with clock.started_at(now - timedelta(days=99 - 2 * number)):
            box.attributes = {"round": str(number)}
            save_device(device=box, actor=actor)
    first = operator.get(life_of(box)).content.decode()
    older = re.search(r'hx-get="([^"]+)"', first)
    assert older
    second = operator.get(older[1]).content.decode()
    assert (len(order_of(first)), len(order_of(second))) == (50, 30)
    told = re.findall(r'data-(?:upgrade|entry)="([^"]+)"', first + second)
    assert len(set(told)) == 80
    assert "hx-get" not in second
    assert order_of(first)[:4] == ["entry", "upgrade", "entry", "upgrade"]


def test_who_may_not_read_the_audit_sees_upgrades_only(
    viewer: Client, actor: Actor, box: Device
) -> None:
    save_device(device=box, actor=actor)
    assert order_of(viewer.get(life_of(box)).content.decode()) == ["entry"]
    assert order_of(_reader_of_upgrades().get(life_of(box)).content.decode()) == []


def test_the_strip_tells_what_was_on_the_device_when(box: Device) -> None:
    now = timezone.now()
    for days, name, outcome in (
        (40, "one", "succeeded"),
        (30, "two", "rolled_back"),
        (20, "two", "broken"),
        (10, "one", "succeeded"),
    ):
        upgrade = finished(new_upgrade(box, new_artifact(name)))
        ended = now - timedelta(days=days)
        Upgrade.objects.filter(pk=upgrade.pk).update(finished_at=ended, outcome=outcome)
    strip = versions_of(box)
    assert [(s.version, s.is_broken, s.tone) for s in strip] == [
        ("one", False, 0), ("two", True, 1), ("one", False, 0),
    ]  # fmt: skip
    assert [s.x for s in strip] == [0, 500, 750]
    assert sum(s.width for s in strip) == 1000


def test_the_strip_tells_nothing_of_what_instances_on_the_device_got(box: Device) -> None:
    finished(new_upgrade(box, new_artifact("one")))
    for kind, version, outcome in (
        ("container", "ghcr.io/x/shop:2.0", "succeeded"),
        ("module", "ghcr.io/x/wiki:1.1", "succeeded"),
        ("patch", "fix-1", "broken"),
    ):
        other = finished(new_upgrade(box, new_artifact(version)))
        Upgrade.objects.filter(pk=other.pk).update(kind=kind, outcome=outcome)
    assert [(s.version, s.is_broken) for s in versions_of(box)] == [("one", False)]


def test_a_device_that_never_got_anything_has_no_strip(operator: Client, box: Device) -> None:
    page = operator.get(life_of(box)).content.decode()
    assert versions_of(box) == []
    assert "<svg" not in page
    assert "Nothing has happened to it yet." in page


def test_the_groups_of_a_device_are_found_in_two_queries(
    box: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    static = DeviceGroup.objects.create(name="a static one")
    static.members.add(box)
    DeviceGroup.objects.create(name="b empty")
    dynamic = DeviceGroup.objects.create(name="c finds it", kind="dynamic", filter={"q": "box"})
    DeviceGroup.objects.create(name="d finds others", kind="dynamic", filter={"q": "crate"})
    DeviceGroup.objects.create(name="e makes no sense", kind="dynamic", filter={"colour": "red"})
    old = DeviceGroup.objects.create(name="f old", kind="dynamic", filter={"installed": "old"})
    with django_assert_num_queries(2):
        assert groups_of(box) == [static, dynamic, old]


def test_the_page_leads_on_to_the_place_in_the_life_that_was_asked_for(
    operator: Client, box: Device
) -> None:
    page = reverse("admin:devices_device_change", args=[box.pk])
    shown = operator.get(f"{page}?older=somewhere").content.decode()
    assert f'hx-get="{life_of(box)}?older=somewhere"' in shown


def test_the_instances_on_a_device_stand_above_its_life_with_how_they_are(
    operator: Client, box: Device
) -> None:
    module = Module.objects.create(name="bay")
    for name in ("bay-1", "bay-2"):
        Instance.objects.create(name=name, module=module, device=box, version="1.2")
    Instance.objects.create(name="bay-9", module=module, device=new_device("box-9"), version="1")
    upgrade = new_upgrade(box)
    Upgrade.objects.filter(pk=upgrade.pk).update(instance=Instance.objects.get(name="bay-2"))
    page = operator.get(life_of(box)).content.decode()
    listed = page[page.index('id="instances"') : page.index("</ul>")]
    assert re.findall(r">(bay-\d)</a>:\s+bay 1\.2", listed) == ["bay-1", "bay-2"]
    assert reverse("admin:updates_upgrade_change", args=[upgrade.pk]) in listed
    assert "Waiting" in listed
    assert 'id="instances"' not in _reader_of_upgrades().get(life_of(box)).content.decode()


def test_a_device_without_a_history_can_be_deleted_with_a_reason(
    operator: Client, box: Device
) -> None:
    page = reverse("admin:devices_device_delete", args=[box.pk])
    assert operator.post(page, {"reason": ""}).status_code == 422
    assert operator.post(page, {"reason": "Entered twice"}).status_code == 302
    assert not Device.objects.exists()


def test_a_device_with_a_history_stays(operator: Client, box: Device) -> None:
    new_upgrade(box)
    before = rows()
    answer = operator.post(
        reverse("admin:devices_device_delete", args=[box.pk]), {"reason": "Away with it"}
    )
    assert answer.status_code == 422
    assert "box-1 is part of the history, so it stays." in answer.content.decode()
    assert rows() == before


def _reader_of_upgrades() -> Client:
    user = User.objects.create_user("carol", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_upgrade"))
    client = Client()
    client.force_login(user)
    return client
