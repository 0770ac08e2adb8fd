"""Pages about watched containers, and what is said of them on every page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from devices.models import Device
from portal.core import clock
from tests.journal.rows import new_device
from tests.watching.rows import SHOP, container, seen, watched
from updates.models import ContainerCheck, Installation, Upgrade, WatchedContainer
from updates.services.portal_follow import recover_portal

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Shown

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

LIST = "/updates/watchedcontainer/"
NEWER: dict[str, Any] = {"newest": "1.1.0", "newest_digest": f"sha256:{'b' * 64}"}


@pytest.fixture
def device() -> Device:
    return new_device("far")


def text(answer: Shown) -> str:
    return answer.content.decode()


def place(row: WatchedContainer, verb: str = "") -> str:
    return f"{LIST}{row.pk}/{f'{verb}/' if verb else 'change/'}"


def test_nobody_is_promised_more_than_what_is_backed_up(operator: Client, device: Device) -> None:
    row = watched("shop", device=device, volumes=["data", "/srv/shop"])
    wants = container("shop", volumes=["data", "f" * 64], written_paths=["/srv/shop", "/srv/more"])
    seen(device, wants)
    order, page = text(operator.get(place(row, "upgrade"))), text(operator.get(place(row)))
    assert f"Backed up before, to {row.backup_dir}: volume data, /srv/shop." in order
    assert "with the data that was backed up" in order
    assert "NOT backed up, and not put back if it fails: /srv/more, unnamed volume ffffff" in order
    assert "volume data, /srv/shop" in page
    assert "Not backed up: /srv/more, unnamed volume ffffff" in page
    WatchedContainer.objects.update(volumes=[])
    order, page = text(operator.get(place(row, "upgrade"))), text(operator.get(place(row)))
    assert "NO data of it is backed up" in order
    assert "with the data that was backed up" not in order
    assert "a backup holds no files" in page


def test_from_an_engines_page_containers_are_watched_together_or_alone(
    operator: Client, device: Device
) -> None:
    both = [container(name, project="shop", volumes=["data"]) for name in ("job", "web")]
    seen(device, *both, container("alone"))
    where = f"{LIST}on/{device.pk}/"
    assert where in text(operator.get(f"/devices/device/{device.pk}/engine/"))
    shown = text(operator.get(where))
    for label in ("Watch all 2", "Watch web alone", "Watch job alone", ">Watch<"):
        assert label in shown
    form = f"{where}watch/?container=job&container=web"
    assert f"{SHOP}:1.0.0" in text(operator.get(form))
    given = {"image": f"{SHOP}:1.0.0", "name": "shop", "reason": "It is ours"}
    assert operator.post(form, given | {"reason": ""}).status_code == 422
    wrong = operator.post(f"{where}watch/?container=gone", given)
    assert "was not seen to have gone" in text(wrong)
    shown = text(operator.post(form, given, follow=True))
    row = WatchedContainer.objects.get()
    assert row.containers == ["job", "web"]
    assert "shop is watched." in shown
    assert "Watched: shop" in text(operator.get(where))


def test_the_list_finds_what_could_be_newer(operator: Client) -> None:
    watched("old", **NEWER)
    watched("new", newest="1.0.0")
    watched("gone", unwatched_at=clock.now(), **NEWER)
    shown = text(operator.get(LIST))
    assert all(name in shown for name in (">old<", ">new<"))
    assert ">gone<" not in shown
    shown = text(operator.get(f"{LIST}?newer=yes"))
    assert (">old<" in shown, ">new<" in shown) == (True, False)
    shown = text(operator.get(f"{LIST}?newer=no"))
    assert (">old<" in shown, ">new<" in shown) == (False, True)
    assert ">gone<" in text(operator.get(f"{LIST}?watched=no"))


def test_a_page_says_what_runs_what_is_newest_and_how_old_that_is(operator: Client) -> None:
    row = watched("shop", notes_url="https://example.org/notes", **NEWER)
    row.answered_at, row.asked_at = clock.now() - timedelta(hours=5), clock.now()
    row.error = "The registry ghcr.io cannot be reached."
    row.save()
    shown = text(operator.get(place(row)))
    for words in ("1.0.0", "1.1.0", "https://example.org/notes", "cannot be reached", "5\xa0hours"):
        assert words in shown
    assert "is what the registry said 5\xa0hours" in shown


def test_settings_are_edited_and_refused_at_their_field(operator: Client) -> None:
    row = watched("shop")
    shown = text(operator.get(place(row, "settings")))
    assert "best on an encrypted volume" in shown
    given = {
        "containers": "shop", "track": "candidate", "volumes": "data\nmore\n", "backup_dir": "/backups",
        "keeps_backups": "2", "hook": "sync 'all of it'", "dumps": "", "probes": "", "health_seconds": "60",
        "stop_seconds": "5", "notes_template": "", "project_dir": "",
    }  # fmt: skip
    wrong = operator.post(place(row, "settings"), given | {"backup_dir": "/", "probes": "{"})
    assert "This is no JSON" in text(wrong)
    wrong = operator.post(place(row, "settings"), given | {"backup_dir": "/"})
    assert "That is the whole device" in text(wrong)
    assert operator.post(place(row, "settings"), given).status_code == 302
    row.refresh_from_db()
    assert (row.volumes, row.hook) == (["data", "more"], ["sync", "all of it"])
    assert (row.track, row.keeps_backups, row.backup_dir) == ("candidate", 2, "/backups")


def test_an_upgrade_is_ordered_for_the_newest_or_for_an_older_version_with_a_warning(
    operator: Client,
) -> None:
    row = watched("shop", **NEWER)
    shown = text(operator.get(f"{place(row, 'upgrade')}?version=latest"))
    assert 'value="1.1.0"' in shown
    assert "is put back, with the data that was backed up" in shown
    given = {"version": "v1.1.0", "reason": "It is time"}
    answer = operator.post(place(row, "upgrade"), given)
    upgrade = Upgrade.objects.get()
    assert answer.headers["Location"] == f"/updates/upgrade/{upgrade.pk}/change/"
    assert upgrade.to_version == f"{SHOP}:1.1.0"
    assert upgrade.plan["backup"]["wanted"]
    followed = text(operator.get(answer.headers["Location"]))
    assert f'href="{place(row)}"' in followed
    assert f'href="/updates/backup/of/{row.pk}/"' in followed
    again = operator.post(place(row, "upgrade"), given)
    assert again.status_code == 422
    assert "is pending" in text(again)
    assert "is pending" in text(operator.get(place(row)))


def test_a_downgrade_is_warned_of(operator: Client) -> None:
    row = watched("shop")
    shown = text(operator.get(f"{place(row, 'upgrade')}?version=0.9.0"))
    assert (
        "This is an older version. Downgrading is not recommended if the database schema" in shown
    )
    shown = text(operator.get(f"{place(row, 'upgrade')}?version=1.1.0"))
    assert "This is an older version" not in shown
    assert "not recommended if the database schema has changed" in shown


def test_to_go_without_a_backup_needs_a_permission_of_its_own(
    operator: Client, viewer: Client
) -> None:
    row = watched("shop", **NEWER)
    assert "Make no backup" in text(operator.get(place(row, "upgrade")))
    given = {"version": "latest", "no_backup": "on", "force": "on", "reason": "Quick"}
    assert operator.post(place(row, "upgrade"), given).status_code == 302
    plan = Upgrade.objects.get().plan
    assert (plan["backup"]["wanted"], plan["force"]) == (False, True)


def test_who_may_only_look_is_told_why_not_and_changes_nothing(viewer: Client) -> None:
    row = watched("shop", **NEWER)
    shown = text(viewer.get(place(row)))
    for permission in ("upgrade_container", "change_watchedcontainer"):
        assert f"You lack the permission updates.{permission}." in shown
    for verb in ("upgrade", "settings", "unwatch", "skip", "snooze", "ask", "check", "offer"):
        assert viewer.post(place(row, verb), {"version": "1", "reason": "x"}).status_code == 403
    before = WatchedContainer.objects.values().get()
    for verb in ("", "preflight"):
        viewer.get(place(row, verb))
    assert WatchedContainer.objects.values().get() == before


def test_a_preflight_is_asked_for_and_each_finding_is_shown_with_its_age(operator: Client) -> None:
    row = watched("shop", **NEWER)
    assert "Nobody has looked yet" in text(operator.get(place(row)))
    shown = text(operator.post(place(row, "check"), {"version": "2.0.0"}, follow=True))
    assert f"{SHOP}:2.0.0" in shown
    assert "on its way, asked by alice" in shown
    ContainerCheck.objects.update(
        verdict="refused", checked_at=clock.now(),
        findings=[{"what": "space", "ok": False, "says": "There is no room."}],
    )  # fmt: skip
    polled = operator.get(f"{place(row, 'preflight')}?mark=old")
    assert polled.status_code == 286
    assert "There is no room." in text(polled)
    for where in (place(row), place(row, "upgrade")):
        shown = text(operator.get(where))
        assert "There is no room." in shown
        assert "Stale" not in shown
    WatchedContainer.objects.update(digest=f"sha256:{'c' * 64}")
    assert "Stale: Another image runs there by now." in text(operator.get(place(row)))


def test_newer_versions_are_told_on_every_page_to_those_who_may_see_them(
    operator: Client, viewer: Client, stranger: Client, settings: Settings
) -> None:
    row = watched("shop", notes_url="https://example.org/notes", **NEWER)
    says = "Version 1.1.0 of shop is now available."
    for address in ("/", "/devices/device/", place(row), "/updates/upgrade/"):
        assert says in text(operator.get(address))
    shown = text(operator.get("/"))
    assert "View Release Notes →" in shown
    assert "Upgrade Now" in shown
    shown = text(viewer.get("/"))
    assert says in shown
    assert "Upgrade Now" not in shown
    assert says not in text(stranger.get("/"))
    settings.VERSION_CHECK_DISABLED = True
    assert says not in text(operator.get("/"))
    assert "VERSION_CHECK_DISABLED" in text(operator.get(place(row)))


def test_who_skips_or_snoozes_a_version_is_not_told_any_more(operator: Client) -> None:
    one, two = watched("one", **NEWER), watched("two", **NEWER)
    shown = text(operator.get(f"{place(one, 'skip')}?version=1.1.0"))
    assert 'value="1.1.0"' in shown
    operator.post(place(one, "skip"), {"version": "1.1.0"})
    operator.post(place(two, "snooze"), {"days": "7"})
    assert "is now available" not in text(operator.get("/"))
    assert "snoozed until" in text(operator.get(place(two)))
    assert "Offer 1.1.0 again" in text(operator.get(place(one)))
    operator.post(place(one, "offer"), {"version": "1.1.0"})
    assert "Offer 1.1.0 again" not in text(operator.get(place(one)))


def test_many_newer_versions_are_not_all_on_every_page(operator: Client) -> None:
    for number in range(25):
        watched(f"shop-{number}", **NEWER)
    shown = text(operator.get("/"))
    assert shown.count("is now available") == 2
    assert "And 18 or more others could be newer" in shown


def test_stopping_to_watch_asks_why(operator: Client) -> None:
    row = watched("shop")
    assert operator.post(place(row, "unwatch"), {"reason": ""}).status_code == 422
    shown = text(operator.post(place(row, "unwatch"), {"reason": "Sold"}, follow=True))
    assert "It is watched no longer" in shown
    assert "shop is watched no longer." in text(operator.get(place(row)))


def test_the_portals_own_page_says_why_it_cannot_upgrade_itself_and_what_to_do(
    operator: Client, settings: Settings
) -> None:
    settings.AUTO_UPGRADE_ENABLED = False
    shown = text(operator.get(f"{LIST}portal/"))
    assert settings.VERSION in shown
    assert "AUTO_UPGRADE_ENABLED is not true." in shown
    assert 'disabled title="The portal ' in shown
    assert any(
        words in shown for words in ("git checkout", "kubectl set image", 'data-method="docker"')
    )


def test_the_page_of_its_instance_leads_to_the_container_and_refuses_the_wrong_verb(
    operator: Client,
) -> None:
    row = watched()
    instance = row.instance
    shown = text(operator.get(reverse("admin:updates_instance_change", args=[instance.pk])))
    for address in (place(row), place(row, "preflight"), f"/updates/backup/of/{row.pk}/"):
        assert f'href="{address}"' in shown
    assert "was not installed from a module image" not in shown
    assert "shop is a watched container, and not of a module image" in shown
    adopt = reverse("admin:updates_installation_adopt", args=[instance.pk])
    assert f'href="{adopt}"' not in shown
    answer = operator.post(adopt, {"image": f"{SHOP}:1.0.0", "reason": "It is ours"})
    assert answer.status_code == 422
    assert "is a watched container" in text(answer)
    assert not Installation.objects.exists()
    row.unwatched_at = clock.now()
    row.save()
    shown = text(operator.get(reverse("admin:updates_instance_change", args=[instance.pk])))
    assert f'href="{adopt}"' in shown


def test_the_portal_is_told_of_newer_versions_where_it_cannot_upgrade_itself(
    operator: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    settings.AUTO_UPGRADE_ENABLED, settings.IMAGE_NAME = False, "ghcr.io/example/fleetwright"
    recover_portal()
    page = text(operator.get(f"{LIST}portal/"))
    assert "fleetwright=ghcr.io/example/fleetwright:NEW_VERSION" in page

    WatchedContainer.objects.filter(is_portal=True).update(newest="9.0.0", answered_at=clock.now())
    shown = text(operator.get("/"))
    assert "9.0.0 of fleetwright is now available" in shown
    assert "version=latest" not in shown
    assert f"{LIST}portal/" in shown
    page = text(operator.get(f"{LIST}portal/"))
    assert "fleetwright=ghcr.io/example/fleetwright:9.0.0" in page

    settings.VERSION = "9.0.0"  # somebody has done that
    recover_portal()
    assert "is now available" not in text(operator.get("/"))
    settings.VERSION_CHECK_DISABLED = True
    WatchedContainer.objects.all().delete()
    recover_portal()
    assert not WatchedContainer.objects.exists()
