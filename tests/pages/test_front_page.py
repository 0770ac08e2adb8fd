"""The front page: numbers that lead to their lists, pictures of the last weeks, and whether the portal itself is well."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices.models import Device
from devices.queries import devices_matching
from portal.core.actors import Actor
from portal.dashboard.pictures import SERIES, outcome_bars, version_areas
from tests.environment.redis import RedisServer
from tests.journal.rows import (
    brought_to,
    finished,
    held,
    new_artifact,
    new_device,
    new_upgrade,
)
from tests.pages.conftest import MakeDevice
from updates import statistics
from updates.machine import Outcome, State
from updates.models import Artifact, Release, Upgrade
from updates.recipes.hold import HELD
from updates.services.releases import withdraw_release
from updates.services.upgrades import cancel_upgrade
from updates.statistics import VersionsOverTime

pytestmark = pytest.mark.database

FRONT = reverse("admin:index")


def tiles(client: Client) -> dict[str, tuple[int, str]]:
    """Each tile's word, with its number and where it leads."""
    shown = client.get(FRONT).content.decode()
    found = re.findall(r'<a href="([^"]*)"><strong>(\d+)</strong> <span>([^<]*)</span>', shown)
    return {word: (int(number), url.replace("&amp;", "&")) for url, number, word in found}


def test_every_number_leads_to_a_list_that_opens(operator: Client, waiting: Upgrade) -> None:
    found = tiles(operator)
    assert found["Waiting"][0] == 1
    assert found["Devices"][0] == 1
    for _, url in found.values():
        assert url.startswith("#") or operator.get(url).status_code == 200


def test_the_number_of_waiting_upgrades_leads_to_just_them(
    operator: Client, waiting: Upgrade
) -> None:
    page = reverse("admin:updates_upgrade_change", args=[waiting.pk])
    found = tiles(operator)
    assert page in operator.get(found["Waiting"][1]).content.decode()
    assert page not in operator.get(found["Running"][1]).content.decode()


@pytest.mark.parametrize(
    ("tile", "change"),
    [
        ("Stuck", {"state": "installing"}),  # nobody holds it
        (
            "Stuck",
            {
                "state": "installing",
                "lease_until": timezone.now() + timedelta(hours=1),
                "state_entered_at": timezone.now() - timedelta(days=2),
            },
        ),
        ("Wait for a commit", {"state": "committing", "facts": {HELD: True}}),
    ],
    ids=["dropped", "overdue", "held"],
)
def test_what_does_not_move_is_counted_and_listed_in_one_place(
    operator: Client, waiting: Upgrade, tile: str, change: dict[str, object]
) -> None:
    Upgrade.objects.filter(pk=waiting.pk).update(**change)
    found = tiles(operator)
    assert {word: found[word][0] for word in ("Stuck", "Wait for a commit")} == {
        "Stuck": 0,
        "Wait for a commit": 0,
        tile: 1,
    }
    for word in ("Stuck", "Wait for a commit"):
        listed = operator.get(found[word][1]).content.decode().count("data-upgrade=")
        assert listed == found[word][0]


def test_a_broken_device_needs_a_person(operator: Client, rolled_back: Upgrade) -> None:
    Upgrade.objects.filter(pk=rolled_back.pk).update(outcome="broken")
    Device.objects.update(provides={"artifact_name": "release-2_INCONSISTENT"})
    shown = operator.get(FRONT).content.decode()
    assert "Needs a person" in shown
    assert tiles(operator)["Broken devices"][0] == 1


def test_what_ended_is_counted_in_the_picture(
    operator: Client, waiting: Upgrade, actor: Actor
) -> None:
    cancel_upgrade(upgrade=waiting, actor=actor)
    shown = operator.get(reverse("pictures")).content.decode()
    today = timezone.localdate().isoformat()
    assert f"<title>{today}: 1 cancelled</title>" in shown


def shown_devices(client: Client, url: str) -> list[str]:
    """The devices of the list that the link leads to."""
    listed = client.get(url.replace("&amp;", "&")).content.decode()
    return re.findall(r'data-device="([^"]+)"', listed)


def numbers_with_links(html: str) -> list[tuple[str, int]]:
    """Each link around a number, with that number."""
    found = re.findall(
        r'<a [^>]*href="([^"]+)"[^>]*>(?:(?!</a>).)*<strong>(\d+)</strong>', html, re.S
    )
    return [(url, int(number)) for url, number in found]


def test_every_version_leads_to_its_devices(operator: Client) -> None:
    for number in range(SERIES + 4):
        for which in range(max(1, 3 - number)):
            new_device(f"box-{number}-{which}", provides={"artifact_name": f"v{number}"})
    new_device("box-broken-1", provides={"artifact_name": "v1_INCONSISTENT"})
    new_device("box-broken-2", provides={"artifact_name": "v2_INCONSISTENT"})
    new_device("box-new-1", provides={})
    new_device("box-new-2", provides={})
    first = operator.get(FRONT).content.decode()
    second = operator.get(FRONT, {"versions": "2"}).content.decode()
    rows = [page[page.index('id="versions"') :] for page in (first, second)]
    assert 'href="?versions=2#versions"' in rows[0]
    legend = operator.get(reverse("pictures")).content.decode()
    for numbers in (
        [*numbers_with_links("".join(rows))],
        numbers_with_links(legend)[len(Outcome) :],
    ):
        found = [shown_devices(operator, url) for url, _ in numbers]
        assert [len(names) for names in found] == [number for _, number in numbers]
        named = sorted(name for names in found for name in names)
        assert named == sorted(Device.objects.values_list("name", flat=True))
    assert len(numbers_with_links(legend)) == len(Outcome) + SERIES + 1


def test_the_legend_of_outcomes_leads_to_what_it_counts(operator: Client) -> None:
    now = timezone.now()
    for ordered, ended in ((70, 1), (70, 69), (2, 1)):
        upgrade = finished(new_upgrade())
        Upgrade.objects.filter(pk=upgrade.pk).update(
            created_at=now - timedelta(days=ordered), finished_at=now - timedelta(days=ended)
        )
    legend = operator.get(reverse("pictures")).content.decode()
    counted = {url: number for url, number in numbers_with_links(legend) if "outcome" in url}
    assert sorted(counted.values()) == [0, 0, 0, 0, 2]
    for url, number in counted.items():
        listed = operator.get(url.replace("&amp;", "&")).content.decode()
        assert len(set(re.findall(r"/updates/upgrade/([0-9a-f-]{36})/change", listed))) == number


def test_who_may_see_the_queue_gets_to_it_by_its_numbers(
    operator: Client, viewer: Client, redis_server: RedisServer
) -> None:
    links = re.compile(r'<a href="([^"]+)">[^<]*(?:worker|live|None lives)')
    found = links.findall(operator.get(reverse("works")).content.decode())
    assert len(found) == 2
    assert [operator.get(url).status_code for url in found] == [200, 200]
    assert not links.findall(viewer.get(reverse("works")).content.decode())


def test_what_is_newer_is_no_link_for_who_may_not_deploy_it(
    operator: Client, viewer: Client
) -> None:
    for name in ("one", "two"):
        new_device(f"has-{name}", provides={"artifact_name": new_artifact(name).name})
    deploy = f"{reverse('admin:updates_deployment_deploy')}?device_type=box"
    assert deploy in operator.get(FRONT).content.decode()
    shown = viewer.get(FRONT).content.decode()
    assert deploy not in shown
    assert '<span title="You lack the permission updates.deploy_artifact.">two</span>' in shown


def test_what_runs_is_asked_for_again_and_comes_when_it_changed(
    operator: Client, waiting: Upgrade, actor: Actor
) -> None:
    page = reverse("admin:updates_upgrade_change", args=[waiting.pk])
    mark = re.search(r"overview/running/\?&amp;mark=(\w+)", operator.get(FRONT).content.decode())
    assert mark is not None
    assert operator.get(reverse("running"), {"mark": mark[1]}).status_code == 204
    cancel_upgrade(upgrade=waiting, actor=actor)
    assert page in operator.get(reverse("running"), {"mark": mark[1]}).content.decode()


def test_what_runs_says_how_far_it_is(operator: Client) -> None:
    brought_to(State.INSTALLING, held(new_upgrade()))
    finished(new_upgrade())
    shown = operator.get(FRONT).content.decode()
    assert re.findall(r"(\d+) %", shown) == ["60"]


def test_without_redis_the_page_opens_and_says_so(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    assert operator.get(FRONT).status_code == 200
    shown = operator.get(reverse("works")).content.decode()
    assert 'class="fw-unwell" data-part="Redis"' in shown


def test_a_device_is_outdated_when_one_of_its_type_has_something_newer(
    make_device: MakeDevice, artifact: Artifact, mender_file: object
) -> None:
    old, new = artifact, Artifact.objects.get(pk=artifact.pk)
    new.pk, new.name, new.sha256 = None, "release-9", "0" * 64
    new.save(force_insert=True)
    Artifact.objects.filter(pk=new.pk).update(uploaded_at=timezone.now() + timedelta(hours=1))
    for name, version in (("a", old.name), ("b", old.name), ("c", "release-9")):
        device = make_device(name)
        device.provides = {"artifact_name": version}
        device.save()
    other = make_device("d", device_type="another")
    other.provides = {"artifact_name": old.name}
    other.save()
    found = {
        (row.device_type, row.version): row.newest
        for row in statistics.installed(silent_since=timezone.now())
    }
    assert found == {
        ("box", old.name): "release-9",
        ("box", "release-9"): "",
        ("another", old.name): "",
    }
    listed = devices_matching({"outdated": "true"})
    assert [device.name for device in listed.order_by("name")] == ["a", "b"]
    assert not devices_matching({"outdated": "false"}).filter(name__in=["a", "b"]).exists()


def newest_of() -> dict[tuple[str, str], str]:
    """What the table says that devices of a type with a version could have."""
    cache.clear()
    found = statistics.installed(silent_since=timezone.now())
    return {(row.device_type, row.version): row.newest for row in found}


def test_a_withdrawn_release_makes_nobody_outdated(actor: Actor) -> None:
    for name in ("one", "two", "three"):
        new_device(f"has-{name}", provides={"artifact_name": new_artifact(name).name})
    assert newest_of() == {("box", "one"): "three", ("box", "two"): "three", ("box", "three"): ""}
    withdraw_release(release=Release.objects.get(name="three"), actor=actor, reason="It bricks")
    # Nobody goes back to something older for it.
    assert newest_of() == {("box", "one"): "two", ("box", "two"): "", ("box", "three"): ""}
    assert [device.name for device in devices_matching({"outdated": "true"})] == ["has-one"]


def test_a_release_of_two_payload_types_is_on_each_device_the_one_for_its_type() -> None:
    new_artifact("one", payload_type="rootfs-image", device_types=["box"])
    new_artifact("one", payload_type="single-file", device_types=["crate"])
    new_artifact("two", payload_type="rootfs-image", device_types=["box"])
    new_artifact("three", payload_type="single-file", device_types=["crate"])
    for device_type, name in (("box", "one"), ("box", "two"), ("crate", "one"), ("crate", "three")):
        provides = {"artifact_name": name}
        new_device(f"{device_type}-{name}", device_type=device_type, provides=provides)
    assert newest_of() == {
        ("box", "one"): "two",
        ("box", "two"): "",
        ("crate", "one"): "three",
        ("crate", "three"): "",
    }


def test_versions_are_counted_backwards_from_today(succeeded: Upgrade) -> None:
    Upgrade.objects.filter(pk=succeeded.pk).update(finished_at=timezone.now())
    found = statistics.versions_over_time(
        statistics.installed(silent_since=timezone.now()), weeks=3, now=timezone.now()
    )
    assert found.counts["release-1"] == [0, 0, 0, 1]
    assert found.counts[""] == [1, 1, 1, 0]


def test_what_instances_got_is_no_version_of_their_devices(succeeded: Upgrade) -> None:
    now = timezone.now()
    Upgrade.objects.filter(pk=succeeded.pk).update(
        kind="container", from_version="shop:1.0", to_version="shop:2.0"
    )
    found = statistics.versions_over_time(statistics.installed(silent_since=now), weeks=3, now=now)
    assert found.counts == {"release-1": [1, 1, 1, 1]}


def test_areas_add_up_to_all_devices() -> None:
    now = timezone.now()
    counts = {f"v{number}": [number, 1] for number in range(10)}
    found = VersionsOverTime(moments=[now - timedelta(weeks=1), now], counts=counts)
    areas = version_areas(found)
    assert areas.top == 45
    assert len(areas.areas) == SERIES + 1
    assert areas.areas[-1].name == "others"
    assert areas.areas[-1].points.startswith("0,0.00 ")


def test_bars_are_as_high_as_their_share() -> None:
    day = date(2026, 5, 4)
    days = {day: Counter({"succeeded": 3, "broken": 1}), day + timedelta(days=1): Counter(failed=1)}
    bars = outcome_bars(days, first=day, last=day + timedelta(days=1)).bars
    assert [(bar.word, bar.x, bar.y, bar.height) for bar in bars] == [
        ("broken", 0, 75, 25),
        ("succeeded", 0, 0, 75),
        ("failed", 10, 75, 25),
    ]


def test_a_fleet_without_history_has_empty_pictures() -> None:
    day = date(2026, 5, 4)
    assert outcome_bars({}, first=day, last=day).bars == []
    empty = VersionsOverTime(moments=[timezone.now(), timezone.now()], counts={})
    assert version_areas(empty).areas == []
