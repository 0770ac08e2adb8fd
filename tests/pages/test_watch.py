"""The page of an upgrade: what it shows, what its polls bring, what its buttons do."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device
from devices.services.bulk import mark_of_these
from portal.core.actors import Actor
from tests.pages.rows import rows
from tests.pages.shown import mark_in
from updates.models import Artifact, Upgrade
from updates.services.upgrades import cancel_upgrade

pytestmark = pytest.mark.database


def page_of(upgrade: Upgrade) -> str:
    return reverse("admin:updates_upgrade_change", args=[upgrade.pk])


def live_of(upgrade: Upgrade) -> str:
    return reverse("admin:updates_upgrade_live", args=[upgrade.pk])


@pytest.fixture
def cancelled(waiting: Upgrade, actor: Actor) -> Upgrade:
    return cancel_upgrade(upgrade=waiting, actor=actor)


def test_a_succeeded_upgrade_shows_its_way_its_output_and_its_events(
    operator: Client, succeeded: Upgrade
) -> None:
    shown = operator.get(page_of(succeeded)).content.decode()
    assert 'data-state="finished"' in shown
    assert 'data-outcome="succeeded"' in shown
    assert "The change is in place." in shown
    assert '<b class="fw-call">ArtifactInstall</b><span>installing &lt;page&gt;\n</span>' in shown
    assert shown.count('<li class="fw-event') == succeeded.events.exclude(kind="output").count()
    assert "Try it" in shown


def test_a_failed_upgrade_says_what_failed_where_and_what_to_do_now(
    operator: Client, rolled_back: Upgrade
) -> None:
    shown = operator.get(page_of(rolled_back)).content.decode()
    assert 'data-outcome="rolled_back"' in shown
    assert "It failed, and what was there before is back." in shown
    assert "Installing failed in ArtifactInstall" in shown
    assert "What to do now" in shown
    assert "Likely cause" in shown
    assert 'class="fw-past fw-wrong"\n    data-step="installing"' in shown


def test_a_poll_brings_only_what_is_new_and_stops_at_the_end(
    operator: Client, succeeded: Upgrade
) -> None:
    cursor = succeeded.last_seq - 2
    late = operator.get(live_of(succeeded), {"after": str(cursor), "mark": "old"})
    shown = late.content.decode()
    assert late.status_code == 286
    assert shown.count('id="event-') == 2
    assert f'id="event-{succeeded.last_seq}"' in shown
    assert 'id="upgrade-now" hx-swap-oob="true"' in shown
    assert "hx-get" not in shown


def test_a_poll_without_news_brings_nothing(
    operator: Client, waiting: Upgrade, actor: Actor
) -> None:
    mark = mark_in(operator.get(page_of(waiting)).content)
    question = {"after": str(waiting.last_seq), "mark": mark}
    assert operator.get(live_of(waiting), question).status_code == 204
    cancel_upgrade(upgrade=waiting, actor=actor)
    news = operator.get(live_of(waiting), question)
    assert news.status_code == 286
    assert 'data-outcome="cancelled"' in news.content.decode()


@pytest.mark.parametrize("cursor", ["", "-1", "many", "٣"])
def test_a_cursor_that_is_no_number_begins_at_the_start(
    cursor: str, operator: Client, waiting: Upgrade
) -> None:
    shown = operator.get(live_of(waiting), {"after": cursor}).content.decode()
    assert 'id="event-1"' in shown


def test_an_upgrade_is_cancelled_with_a_reason(operator: Client, waiting: Upgrade) -> None:
    page = reverse("admin:updates_upgrade_cancel", args=[waiting.pk])
    response = operator.post(page, {"reason": "The wrong device"}, follow=True)
    assert response.redirect_chain == [(page_of(waiting), 302)]
    assert 'data-outcome="cancelled"' in response.content.decode()


def test_a_succeeded_upgrade_is_rolled_back_by_a_new_one(
    operator: Client, succeeded: Upgrade
) -> None:
    page = reverse("admin:updates_upgrade_roll_back", args=[succeeded.pk])
    response = operator.post(page, {"reason": "Nobody likes it"}, follow=True)
    undo = Upgrade.objects.get(undoes=succeeded)
    assert response.redirect_chain == [(page_of(undo), 302)]
    assert "Takes back" in response.content.decode()
    assert "Rolled back by" in operator.get(page_of(succeeded)).content.decode()


def test_a_failed_upgrade_is_retried_by_a_new_one(operator: Client, rolled_back: Upgrade) -> None:
    page = reverse("admin:updates_upgrade_retry", args=[rolled_back.pk])
    operator.post(page, {"reason": "The network was down"})
    assert Upgrade.objects.get(retries=rolled_back).device == rolled_back.device


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("cancel", "too late to cancel"),
        ("retry", "It succeeded, so there is nothing to retry."),
    ],
)
def test_a_verb_that_comes_too_late_is_refused_on_its_form(
    verb: str, says: str, operator: Client, succeeded: Upgrade
) -> None:
    before = rows()
    page = reverse(f"admin:updates_upgrade_{verb}", args=[succeeded.pk])
    response = operator.post(page, {"reason": "Because"})
    assert response.status_code == 422
    assert says in response.content.decode()
    assert rows() == before


def test_a_finished_upgrades_buttons_say_why_they_are_off(
    operator: Client, cancelled: Upgrade
) -> None:
    shown = operator.get(page_of(cancelled)).content.decode()
    assert "Only an upgrade that succeeded can be rolled back." in shown
    assert f'href="{reverse("admin:updates_upgrade_retry", args=[cancelled.pk])}"' in shown


def test_a_waiting_upgrade_can_be_cancelled_and_nothing_else(
    operator: Client, waiting: Upgrade
) -> None:
    shown = operator.get(page_of(waiting)).content.decode()
    assert f'href="{reverse("admin:updates_upgrade_cancel", args=[waiting.pk])}"' in shown
    assert reverse("admin:updates_upgrade_retry", args=[waiting.pk]) not in shown


def test_a_viewers_buttons_say_which_permission_is_missing(
    viewer: Client, succeeded: Upgrade, device: Device
) -> None:
    shown = viewer.get(page_of(succeeded)).content.decode()
    assert "You lack the permission updates.retry_upgrade." in shown
    assert "You lack the permission updates.roll_back_upgrade." in shown


def test_a_broken_device_can_be_given_another_artifact_right_there(
    operator: Client, rolled_back: Upgrade
) -> None:
    shown = operator.get(page_of(rolled_back)).content.decode()
    assert reverse("admin:updates_upgrade_apply", args=[rolled_back.device_id]) in shown


def test_an_artifact_is_applied_to_one_device(
    operator: Client, device: Device, artifact: Artifact
) -> None:
    page = reverse("admin:updates_upgrade_apply", args=[device.pk])
    order = {"artifact": str(artifact.pk), "reason": "Try it"}
    response = operator.post(page, order)
    assert response.headers["Location"] == page_of(Upgrade.objects.get())
    busy = operator.post(page, order)
    assert busy.status_code == 422
    assert page_of(Upgrade.objects.get()) in busy.content.decode()


def test_an_artifact_is_previewed_for_one_device_without_any_effect(
    operator: Client, device: Device, artifact: Artifact
) -> None:
    before = rows()
    page = reverse("admin:updates_upgrade_apply", args=[device.pk])
    asked = operator.get(f"{page}?artifact={artifact.pk}").content.decode()
    order = {"artifact": str(artifact.pk), "reason": "Try it", "preview": "yes"}
    previewed = operator.post(page, order)
    assert previewed.status_code == 200
    for shown in (asked, previewed.content.decode()):
        assert "device type is box." in shown
        assert "ArtifactCommit makes the change permanent." in shown
        assert "<code>artifact_name</code>" in shown
    assert rows() == before


def test_an_upgrade_that_waits_names_what_it_waits_for(
    operator: Client, waiting: Upgrade, artifact: Artifact, device: Device
) -> None:
    operator.post(
        reverse("admin:updates_deployment_deploy"),
        {
            "artifact": str(artifact.pk), "devices": [device.pk], "reason": "Again",
            "expected": mark_of_these([device.pk]), "confirm": "yes",
        },
    )  # fmt: skip
    behind = Upgrade.objects.exclude(pk=waiting.pk).get()
    shown = operator.get(page_of(behind)).content.decode()
    assert "It waits for" in shown
    assert page_of(waiting) in shown


def test_the_front_page_has_no_numbers_for_who_may_not_see_upgrades(
    stranger: Client, cancelled: Upgrade
) -> None:
    shown = stranger.get(reverse("admin:index")).content.decode()
    assert "You lack the permission updates.view_upgrade" in shown
    assert page_of(cancelled) not in shown
