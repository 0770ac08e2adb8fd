"""Orders to many: who gets it, who is left out and why, who waits; and one word that stops them all."""

from __future__ import annotations

import pytest

from devices.models import Device
from portal.core.errors import Refused
from portal.core.models import AuditEvent
from tests.journal.rows import brought_to, finished, held, new_artifact, new_device, new_upgrade
from tests.services.people import operator, somebody
from updates.machine import State
from updates.models import Deployment, Upgrade
from updates.progress import counts
from updates.services.deployments import cancel_deployment, deploy_artifact, preview_deployment

pytestmark = pytest.mark.database


def fleet() -> dict[str, Device]:
    return {
        "takes": new_device("a-takes"),
        "also": new_device("b-also"),
        "has it": new_device("c-has-it", provides={"artifact_name": "new"}),
        "other": new_device("d-other", device_type="crate"),
    }


def deploy(*, reason: str = "everybody", force: bool = False) -> Deployment:
    """A new artifact to all devices."""
    return deploy_artifact(
        artifact=new_artifact(),
        devices=Device.objects.all(),
        actor=operator(),
        reason=reason,
        force=force,
    )


def test_a_preview_says_who_gets_it_and_changes_nothing() -> None:
    devices = fleet()
    preview = preview_deployment(artifact=new_artifact(), devices=Device.objects.order_by("name"))

    assert preview.takes == [devices["takes"], devices["also"]]
    assert preview.unchanged == [devices["has it"]]
    assert preview.left_out == [
        (devices["other"], "It needs device type box; the device has crate.")
    ]
    assert not Upgrade.objects.exists()
    assert not AuditEvent.objects.exists()


def test_everybody_whom_it_fits_has_an_upgrade_and_the_others_a_reason() -> None:
    devices = fleet()
    deployment = deploy()

    ordered = deployment.upgrades.order_by("device__name")
    assert [row.device for row in ordered] == [devices["takes"], devices["also"]]
    assert {(row.state, row.reason, row.last_seq) for row in ordered} == {
        (State.PENDING, "everybody", 1)
    }
    assert deployment.left_out == [
        ["d-other", "It needs device type box; the device has crate."],
        ["c-has-it", "It already has it."],
    ]
    entry = AuditEvent.objects.get()
    assert (entry.action, entry.reason) == ("deployment.create", "everybody")
    assert entry.data == {"devices": 2, "left_out": 2}


def test_force_is_also_for_those_who_have_it() -> None:
    devices = fleet()

    assert deploy(force=True).upgrades.filter(device=devices["has it"]).exists()


def test_a_deployment_for_nobody_is_refused_and_leaves_nothing() -> None:
    new_device(device_type="crate")

    with pytest.raises(Refused, match="fits none"):
        deploy()
    assert not Deployment.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_deployment_without_a_reason_is_refused_and_leaves_nothing(reason: str) -> None:
    fleet()

    with pytest.raises(Refused, match="Say why"):
        deploy(reason=reason)
    assert not Deployment.objects.exists()
    assert not Upgrade.objects.exists()


def test_on_a_busy_device_it_waits_for_its_turn() -> None:
    running = new_upgrade()
    journal = brought_to(State.INSTALLING, held(running))
    waiting = deploy().upgrades.get()

    assert waiting.state == State.PENDING
    brought_to(State.FINISHED, journal)
    finished(waiting)


def test_a_cancel_reaches_all_that_can_still_be_cancelled() -> None:
    for _ in range(4):
        new_device()
    deployment = deploy()
    _, running, late, over = deployment.upgrades.order_by("device__name")
    brought_to(State.INSTALLING, held(running))
    brought_to(State.COMMITTING, held(late))
    finished(over)

    assert (
        cancel_deployment(
            deployment=deployment, actor=somebody("carl", "cancel_upgrade"), reason="stop"
        )
        == 2
    )

    found = counts(deployment)
    assert (found.waiting, found.running) == (0, 2)
    assert (found.outcomes["cancelled"], found.outcomes["succeeded"]) == (1, 1)
    running.refresh_from_db()
    late.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert late.cancel_requested_at is None
    entry = AuditEvent.objects.get(action="deployment.cancel")
    assert (entry.reason, entry.data) == ("stop", {"upgrades": 2})


def test_counts_add_up_at_any_time() -> None:
    for _ in range(3):
        new_device()
    deployment = deploy()
    first, second, _ = deployment.upgrades.all()
    finished(first)
    brought_to(State.INSTALLING, held(second))

    found = counts(deployment)
    assert (found.waiting, found.running, found.outcomes["succeeded"]) == (1, 1, 1)
    assert found.total == 3
    assert not found.is_over
