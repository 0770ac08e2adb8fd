"""What nodes say of themselves, restarts by command, and what takes patches away."""

from __future__ import annotations

import os
import shlex
from datetime import timedelta

import pytest
from django_rq import get_queue
from pytest_django import Settings

from patches.errors import NotApplicable
from patches.jobs import look_at_instance, look_at_patch, restart_node
from patches.models import Application, KeptFiles, Node
from patches.services.applicable import refuse_not_applicable
from patches.services.elimination import eliminate, record_installation
from patches.services.nodes import CLEARLY_OVER, RESTARTS, is_being_restarted, request_restart
from portal.core import clock
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.journal.rows import brought_to, held, new_device, new_upgrade
from tests.patches.bay import COUNTER, GREETING, Bay, who
from tests.patches.dying import dies_at
from updates.dispatch import queued
from updates.errors import NotUndoable
from updates.machine import State
from updates.models import Upgrade
from updates.services.recover import recover
from updates.services.upgrades import refuse_not_undoable

pytestmark = pytest.mark.database(transaction=True)


def looked_at(bay: Bay) -> list[Node]:
    look_at_instance(str(bay.instance.pk))
    bay.instance.refresh_from_db()
    return list(Node.objects.order_by("pk"))


def test_a_look_says_how_each_node_is(bay: Bay) -> None:
    bay.nodes[1].stop()

    up, down = looked_at(bay)

    assert (up.is_reachable, up.version, up.trouble) == (True, "1.0.0", "")
    assert up.runtime.startswith("Erlang/OTP ")
    assert (down.is_reachable, down.seen_at) == (False, None)
    assert "knows no node" in down.trouble


def test_code_that_is_not_the_recorded_one_is_a_drift(bay: Bay) -> None:
    bay.apply(bay.patch())
    assert [node.drift for node in looked_at(bay)] == [[], []]

    bay.nodes[0].evaluate("code:purge(bay_greeting)")
    other = bay.world.compiled("bay_greeting", v=9)
    (bay.nodes[0].root / GREETING).write_bytes(other)
    bay.nodes[0].evaluate("code:load_file(bay_greeting)")

    [row] = looked_at(bay)[0].drift
    assert row["path"] == GREETING
    assert row["recorded"] != row["loaded"]
    assert looked_at(bay)[1].drift == []


def test_a_node_is_restarted_by_its_command_and_needs_it_no_more(bay: Bay) -> None:
    node = bay.nodes[0]
    node.evaluate("bay_greeting:linger_with(stays)")
    for version in (2, 3):
        patch = bay.patch(
            {GREETING: bay.world.compiled("bay_greeting", v=version)}, name=f"v{version}"
        )
        bay.apply(patch)
    row = bay.row(node)
    assert "bay_greeting of 1.0.0 + v2 + v3" in row.restart_needed
    assert "bay_greeting" in looked_at(bay)[0].restart_needed, "asking alone changes nothing"
    restarted = bay.nodes[0].root / "restarted"
    Node.objects.filter(pk=row.pk).update(
        restart_command=f"echo on its way; touch {shlex.quote(str(restarted))}"
    )
    row.refresh_from_db()

    request_restart(node=row, actor=who("patches.restart_node"), reason="new code waits")
    node.restart()
    restart_node(str(row.pk))

    row.refresh_from_db()
    assert restarted.exists()
    assert row.restart_said == "Its command ended with status 0.\non its way"
    assert row.restart_needed == ""
    assert bay.answers() == [3, 3]
    assert AuditEvent.objects.filter(action="node.restart", reason="new code waits").exists()


def test_a_restart_needs_a_command_and_a_permission(bay: Bay) -> None:
    row = bay.row(bay.nodes[0])
    with pytest.raises(NotPermitted):
        request_restart(node=row, actor=who(), reason="x")
    with pytest.raises(Refused, match="Nobody has said by which command"):
        request_restart(node=row, actor=who("patches.restart_node"), reason="x")


def killed_at_its_restart(node: Node) -> None:
    """A worker has begun with the command, and is dead."""

    def work() -> None:
        Node.objects.update(restart_command=f"kill -9 {os.getpid()}")
        restart_node(str(node.pk))

    dies_at(work)


def test_a_restart_whose_worker_died_ends_and_is_not_begun_again(bay: Bay, redis_url: str) -> None:
    Node.objects.update(restart_command="to be said")
    row = bay.row(bay.nodes[0])
    request_restart(node=row, actor=who("patches.restart_node"), reason="x")
    killed_at_its_restart(row)
    get_queue("updates").empty()  # type: ignore[no-untyped-call]

    recover()
    row.refresh_from_db()
    assert is_being_restarted(row), "a worker may be at it still"
    with clock.started_at(clock.now() + CLEARLY_OVER + timedelta(seconds=1)):
        recover()

    row.refresh_from_db()
    assert not is_being_restarted(row)
    assert "Nobody knows how its command ended" in row.restart_said
    assert not any(job.startswith("restart-") for job in queued())


def test_a_restart_of_which_no_beginning_is_known_ends_too(bay: Bay, redis_url: str) -> None:
    Node.objects.update(restart_said=RESTARTS)
    assert all(is_being_restarted(node) for node in Node.objects.all())

    recover()

    assert not any(is_being_restarted(node) for node in Node.objects.all())


def test_another_version_takes_every_patch_away_for_good(bay: Bay) -> None:
    patch = bay.patch()
    upgrade = bay.apply(patch)

    record_installation(
        instance=bay.instance,
        version="1.0.0",
        actor=who("updates.change_instance"),
        reason="from its image",
    )

    application = Application.objects.get()
    assert application.standing == Application.Standing.ELIMINATED
    assert "recorded that 1.0.0 was installed" in application.ended_why
    assert not KeptFiles.objects.exists()
    bay.check(patch)
    with pytest.raises(NotApplicable, match="can't be applied again"):
        refuse_not_applicable(patch, bay.instance)
    upgrade.refresh_from_db()
    with pytest.raises(NotUndoable, match="not in force any more"):
        refuse_not_undoable(upgrade)


def test_a_version_that_the_nodes_report_takes_patches_away_too(bay: Bay) -> None:
    bay.apply(bay.patch())
    for node in bay.nodes:
        app = node.root / GREETING.rpartition("/")[0] / "bay.app"
        app.write_text(app.read_text().replace("1.0.0", "2.0.0"))
        node.restart()

    looked_at(bay)

    assert bay.instance.version == "2.0.0"
    assert Application.objects.get().standing == Application.Standing.ELIMINATED


def test_an_upgrade_of_another_kind_takes_patches_away(bay: Bay) -> None:
    """What the hook of finished upgrades does once an instance has got another tree."""
    bay.apply(bay.patch())

    eliminate(bay.instance, why="An upgrade has replaced what was patched.")

    assert not Application.objects.filter(standing=Application.Standing.ACTIVE).exists()
    assert [node.drift for node in looked_at(bay)] == [[], []]


def test_who_knows_the_modules_of_a_patch(bay: Bay) -> None:
    bay.nodes[1].stop()
    (bay.nodes[1].root / COUNTER).unlink()
    patch = bay.patch(
        {GREETING: bay.world.compiled("bay_greeting", v=2), "lib/x/ebin/bay_new.beam": b"x"}
    )

    look_at_patch(str(patch.pk))

    patch.refresh_from_db()
    assert patch.known_to == {
        GREETING: [bay.row(bay.nodes[0]).name],
        "lib/x/ebin/bay_new.beam": [],
    }


def test_nodes_on_another_device_take_part(bay: Bay) -> None:
    Node.objects.filter(pk=bay.row(bay.nodes[1]).pk).update(device=new_device("elsewhere"))

    upgrade = bay.apply(bay.patch())

    assert upgrade.outcome == "succeeded"
    assert bay.answers() == [2, 2]


def test_nodes_are_asked_from_time_to_time(bay: Bay, settings: Settings, redis_url: str) -> None:
    """By `recover`, which runs every minute: once for an instance, and not again before it is due."""
    recover()
    assert f"nodes-{bay.instance.pk}" in queued()
    looked_at(bay)
    get_queue("updates").empty()  # type: ignore[no-untyped-call]

    recover()
    assert queued() == set()
    settings.NODE_LOOK_SECONDS = 1
    Node.objects.update(asked_at=clock.now() - timedelta(seconds=5))
    recover()
    assert queued() == {f"nodes-{bay.instance.pk}"}


def test_a_look_in_the_middle_of_a_patch_judges_nothing(bay: Bay) -> None:
    bay.apply(bay.patch())
    upgrade = new_upgrade(bay.instance.device)
    journal = brought_to(State.CHECKING, held(upgrade))
    for node in bay.nodes:
        (node.root / GREETING).write_bytes(bay.world.compiled("bay_greeting", v=3))
        node.restart()
        node.call("bay_greeting", "answer")

    assert [node.drift for node in looked_at(bay)] == [[], []]

    brought_to(State.FINISHED, journal)
    Upgrade.objects.filter(pk=upgrade.pk).update(finished_at=clock.now() - timedelta(hours=1))
    assert all(node.drift for node in looked_at(bay))
