"""Upgrades of devices that pull, from the order to the end: what they are offered, and what becomes of what they say."""

from __future__ import annotations

import json

import pytest
from django.conf import settings

from devices.models import Device
from portal.core.actors import PORTAL
from portal.core.errors import Refused
from tests.journal.rows import new_artifact, new_device
from tests.pulled.pulling import (
    NEXT_V1,
    Pulling,
    age,
    ending,
    fresh,
    new_pulling,
    notes_of,
    path_of,
)
from updates.errors import NotUndoable
from updates.machine import HAPPY_PATH, Outcome, State
from updates.models import Check, Upgrade
from updates.services.checks import carry_out_check, request_checks
from updates.services.choosing import NO_TYPE
from updates.services.deployments import deploy_artifact, preview_deployment
from updates.services.force import force_cancel_upgrade
from updates.services.pulled import end_for, end_silent
from updates.services.recover import recover
from updates.services.reports import history_rows
from updates.services.upgrades import (
    cancel_upgrade,
    commit_upgrade,
    retry_upgrade,
    roll_back_upgrade,
)

pytestmark = pytest.mark.database


def test_an_update_from_the_offer_to_its_success() -> None:
    device = Pulling()
    upgrade = device.ordered()
    assert upgrade.executor == Upgrade.Executor.DEVICE
    offer = device.offered()
    assert offer["id"] == str(upgrade.pk)
    assert offer["artifact"]["artifact_name"] == "new"
    assert offer["artifact"]["device_types_compatible"] == ["box"]
    for status in ("downloading", "downloading", "installing", "installing", "success"):
        assert device.says(upgrade, status) == 204
    assert path_of(upgrade) == [state.value for state in HAPPY_PATH]
    row = fresh(upgrade)
    assert (row.outcome, row.progress, row.unchanged) == (Outcome.SUCCEEDED, 100, False)
    assert Device.objects.get(pk=device.row.pk).artifact_name == "new"
    assert [event.seq for event in upgrade.events.order_by("seq")] == list(
        range(1, row.last_seq + 1)
    )


def test_a_success_that_is_the_first_word_walks_every_state() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    assert device.says(upgrade, "success") == 204
    assert path_of(upgrade) == [state.value for state in HAPPY_PATH]


def test_repeats_and_words_from_before_leave_no_trace() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    for status in ("installing", "rebooting", "installing"):
        device.says(upgrade, status)
    before = fresh(upgrade).last_seq
    for status in ("downloading", "rebooting", "installing", "installing"):
        assert device.says(upgrade, status) == 204
    row = fresh(upgrade)
    assert (row.state, row.last_seq) == (State.VERIFYING, before)


def test_a_failed_download_is_over_and_its_log_is_kept() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "downloading")
    assert device.says(upgrade, "failure") == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.FAILED)
    log = b'{"messages":[{"timestamp":"2026-01-01T00:00:00Z","level":"error","message":"no room"}]}'
    for _ in range(2):
        assert device.send_log(upgrade, log) == 204
    said = upgrade.events.filter(kind="output", call="device log")
    assert [event.text for event in said] == ["2026-01-01T00:00:00Z error: no room\n"]
    assert fresh(upgrade).last_seq == upgrade.events.order_by("-seq")[0].seq


def test_a_log_that_was_cut_off_is_kept_as_it_came_and_a_long_one_in_part() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "failure")
    cut = b'{"messages":[{"timestamp":"now","level":"info","message":"a\x00b"},{'
    assert device.send_log(upgrade, cut) == 204
    kept = upgrade.events.filter(kind="output").order_by("seq")
    assert kept[0].text == cut.decode().replace("\0", "\ufffd")
    assert device.send_log(upgrade, b"x" * (settings.OUTPUT_LIMIT_BYTES * 2)) == 204
    size = sum(len(event.text) for event in kept.all())
    assert size < settings.OUTPUT_LIMIT_BYTES * 1.1
    for number in range(5):
        assert device.send_log(upgrade, f"another {number}".encode()) == 204
    assert not kept.filter(text="another 4").exists()


@pytest.mark.parametrize(
    ("installed", "outcome"),
    [
        ("old", Outcome.ROLLED_BACK),
        ("new_INCONSISTENT", Outcome.BROKEN),
        ("new", Outcome.BROKEN),
        ("third", Outcome.BROKEN),
    ],
)
def test_after_a_failure_the_device_s_next_word_says_how_it_is_left(
    installed: str, outcome: Outcome
) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    for substate in ("ArtifactInstall_Error", "ArtifactRollback", "ArtifactRollback"):
        assert device.says(upgrade, "failure", substate=substate) == 204
    assert ending(upgrade) == (State.ROLLING_BACK, None)
    device.installed = installed
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.FINISHED, outcome)
    row = fresh(upgrade)
    assert row.error == "The device reported a failure while installing."
    assert Device.objects.get(pk=device.row.pk).artifact_name == installed
    assert notes_of(upgrade) == [
        "It says: failure, ArtifactInstall_Error.",
        "It says: failure, ArtifactRollback.",
    ]
    assert device.says(upgrade, "failure") == 204


def test_a_device_that_forgot_its_update_is_offered_it_again_or_tells_by_what_it_has() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "downloading")
    assert device.offered()["id"] == str(upgrade.pk)
    assert ending(upgrade) == (State.DOWNLOADING, None)
    device.says(upgrade, "installing")
    device.installed = "new"
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.SUCCEEDED)


def test_the_next_one_is_offered_by_the_poll_that_ends_the_one_before() -> None:
    device = Pulling()
    first = device.ordered()
    device.offered()
    device.says(first, "failure")
    again = retry_upgrade(upgrade=fresh(first), actor=PORTAL, reason="once more")
    assert again.executor == Upgrade.Executor.DEVICE
    device.offered()
    device.says(again, "rebooting")
    device.says(again, "failure")
    deploy_artifact(
        artifact=new_artifact("newer"),
        devices=Device.objects.filter(pk=device.row.pk),
        actor=PORTAL,
        reason="on top",
    )
    assert device.offered()["artifact"]["artifact_name"] == "newer"
    assert ending(again) == (State.FINISHED, Outcome.ROLLED_BACK)


def test_what_a_device_has_already_is_unchanged_without_an_offer() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.installed = "new"
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.SUCCEEDED)
    assert fresh(upgrade).unchanged
    assert upgrade.events.last() is not None


def test_what_a_device_has_already_is_installed_again_where_that_was_asked_for() -> None:
    device = Pulling(installed="new")
    upgrade = device.ordered(force=True)
    assert device.offered()["id"] == str(upgrade.pk)
    assert device.says(upgrade, "already-installed") == 204
    assert fresh(upgrade).unchanged


def test_what_does_not_fit_any_more_fails_without_an_offer() -> None:
    device = Pulling()
    upgrade = device.ordered(new_artifact(depends_names=["old"]))
    device.installed = "other"
    assert device.ask().status_code == 204
    row = fresh(upgrade)
    assert (row.outcome, row.error_code) == (Outcome.FAILED, "UPD-101")
    assert row.error == "It needs artifact_name old; the device has other."


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_older_ways_to_ask_are_answered_the_same(method: str) -> None:
    device = Pulling()
    upgrade = device.ordered()
    if method == "GET":
        answer = device.send("GET", f"{NEXT_V1}?artifact_name=old&device_type=box")
    else:
        answer = device.send("POST", NEXT_V1, {"artifact_name": "old", "device_type": "box"})
    assert json.loads(answer.content)["id"] == str(upgrade.pk)


def test_a_cancel_of_what_waits_is_the_end_of_it() -> None:
    device = Pulling()
    upgrade = device.ordered()
    cancel_upgrade(upgrade=upgrade, actor=PORTAL)
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.CANCELLED)
    assert device.says(upgrade, "installing") == 409


def test_a_cancel_of_what_was_only_offered_is_heard_at_the_next_poll() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    cancel_upgrade(upgrade=fresh(upgrade), actor=PORTAL)
    assert ending(upgrade) == (State.CHECKING, None)
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.CANCELLED)
    for status in ("downloading", "installing", "failure", "success"):
        assert device.says(upgrade, status) == 409


def test_a_cancel_while_it_installs_sends_the_device_back() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    cancel_upgrade(upgrade=fresh(upgrade), actor=PORTAL)
    assert device.says(upgrade, "rebooting") == 409
    assert device.says(upgrade, "installing") == 409
    # The log comes only after a failure that was taken.
    assert device.says(upgrade, "failure") == 204
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.ROLLED_BACK)
    assert device.says(upgrade, "installing") == 409


def test_a_cancel_that_comes_after_the_commit_is_too_late() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    cancel_upgrade(upgrade=fresh(upgrade), actor=PORTAL)
    assert device.says(upgrade, "success") == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.SUCCEEDED)


def test_what_was_ended_by_force_stays_so_and_the_truth_is_noted_once() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    force_cancel_upgrade(upgrade=fresh(upgrade), actor=PORTAL, reason="it hangs")
    for _ in range(3):
        assert device.says(upgrade, "success") == 409
    assert ending(upgrade) == (State.FINISHED, Outcome.BROKEN)
    assert notes_of(upgrade) == ["After it was over, the device said: success."]
    assert Device.objects.get(pk=device.row.pk).artifact_name == "old"


def test_a_decommissioned_device_leaves_nothing_open() -> None:
    device = Pulling()
    first = device.ordered()
    device.offered()
    device.says(first, "installing")
    some = Device.objects.filter(pk=device.row.pk)
    deploy_artifact(artifact=new_artifact("newer"), devices=some, actor=PORTAL, reason="later")
    end_for(device.row)
    assert ending(first) == (State.FINISHED, Outcome.BROKEN)
    second = Upgrade.objects.get(device=device.row, to_version="newer")
    assert ending(second) == (State.FINISHED, Outcome.CANCELLED)
    assert device.says(first, "success") == 409


def test_one_that_holds_waits_for_somebody_s_commit() -> None:
    device = Pulling()
    upgrade = device.ordered(holds=True)
    offer = device.offered(update_control_map=True)
    waits = offer["update_control_map"]["states"]["ArtifactCommit_Enter"]["action"]
    assert (waits, offer["update_control_map"]["id"]) == ("pause", str(upgrade.pk))
    device.says(upgrade, "installing")
    for _ in range(2):
        assert device.says(upgrade, "pause_before_committing") == 204
    assert fresh(upgrade).is_held
    assert len(notes_of(upgrade)) == 1
    assert _action(device, upgrade) == "pause"
    commit_upgrade(upgrade=fresh(upgrade), actor=PORTAL, reason="looks well")
    assert _action(device, upgrade) == "continue"
    assert not fresh(upgrade).is_held
    device.says(upgrade, "pause_before_committing")
    assert not fresh(upgrade).is_held
    device.says(upgrade, "success")
    assert ending(upgrade) == (State.FINISHED, Outcome.SUCCEEDED)


def test_a_pause_with_a_substate_leaves_one_note_of_each() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    for _ in range(3):
        device.says(upgrade, "pause_before_rebooting", substate="at night")
    assert notes_of(upgrade) == [
        "It says: pause_before_rebooting, at night.",
        "The device waits before it restarts.",
    ]


def _action(device: Pulling, upgrade: Upgrade) -> str:
    told = json.loads(device.control_map(upgrade).content)["update_control_map"]
    return str(told["states"]["ArtifactCommit_Enter"]["action"])


def test_one_that_holds_and_is_cancelled_has_no_map_any_more() -> None:
    device = Pulling()
    upgrade = device.ordered(holds=True)
    device.offered(update_control_map=True)
    device.says(upgrade, "pause_before_committing")
    age(upgrade, days=10)
    end_silent()
    assert ending(upgrade) == (State.VERIFYING, None)
    cancel_upgrade(upgrade=fresh(upgrade), actor=PORTAL)
    assert device.control_map(upgrade).status_code == 404
    assert device.says(upgrade, "failure") == 204
    device.ask()
    assert ending(upgrade) == (State.FINISHED, Outcome.ROLLED_BACK)


def test_one_that_holds_is_not_given_to_a_client_that_cannot() -> None:
    device = Pulling()
    upgrade = device.ordered(holds=True)
    assert device.ask().status_code == 204
    assert ending(upgrade) == (State.FINISHED, Outcome.FAILED)
    assert "order it without waiting" in fresh(upgrade).error


def test_pulled_and_pushed_devices_take_part_in_one_deployment() -> None:
    pulls, pushed, unknown = new_pulling(), new_device(), new_pulling(device_type="unknown")
    outside = new_pulling()
    outside.identity.auth_sets.update(status="rejected")
    chosen = Device.objects.filter(pk__in=[pulls.pk, pushed.pk, unknown.pk, outside.pk])
    artifact = new_artifact()
    preview = preview_deployment(artifact=artifact, devices=chosen)
    assert {device.pk for device in preview.takes} == {pulls.pk, pushed.pk}
    assert {device.pk: why for device, why in preview.left_out} == {
        unknown.pk: NO_TYPE,
        outside.pk: "It pulls its updates, and none of its keys is accepted.",
    }
    deployment = deploy_artifact(artifact=artifact, devices=chosen, actor=PORTAL, reason="both")
    assert dict(deployment.upgrades.values_list("device_id", "executor")) == {
        pulls.pk: Upgrade.Executor.DEVICE,
        pushed.pk: Upgrade.Executor.WORKER,
    }
    assert {row.device_id for row in recover()} <= {pushed.pk}


def test_a_device_that_is_shut_out_gets_no_order() -> None:
    device = Pulling()
    device.row.identity.auth_sets.update(status="rejected")
    with pytest.raises(Refused, match="none of its keys is accepted"):
        device.ordered()


def test_nothing_takes_back_by_hand_what_a_device_did_itself() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "success")
    with pytest.raises(NotUndoable, match="deploy an older artifact"):
        roll_back_upgrade(upgrade=fresh(upgrade), actor=PORTAL, reason="no")


def test_a_check_is_decided_from_what_the_device_last_said() -> None:
    device = Pulling()
    fits, does_not = new_artifact(), new_artifact("other", device_types=["crate"])
    for artifact, verdict in ((fits, "compatible"), (does_not, "refused")):
        [check] = request_checks(artifact=artifact, devices=[device.row], actor=PORTAL)
        carried = carry_out_check(Check.objects.get(pk=check.pk))
        assert carried.verdict == verdict
        assert "what it last said" in carried.findings[0]["says"]


def test_the_history_tells_of_it_as_of_any_other() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "success")
    [row] = history_rows(Upgrade.objects.filter(pk=upgrade.pk))
    assert (row["from_version"], row["to_version"], row["outcome"]) == ("old", "new", "succeeded")


def test_older_orders_go_first_and_each_has_its_turn() -> None:
    device = Pulling()
    some = Device.objects.filter(pk=device.row.pk)
    for name in ("first", "second", "third"):
        deploy_artifact(artifact=new_artifact(name), devices=some, actor=PORTAL, reason=name)
    for name in ("first", "second", "third"):
        offer = device.offered()
        assert offer["artifact"]["artifact_name"] == name
        device.says(Upgrade.objects.get(pk=offer["id"]), "success")
        device.installed = name
    assert device.ask().status_code == 204
