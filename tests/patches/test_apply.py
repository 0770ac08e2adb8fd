"""A patch on its way into real nodes, and back."""

from __future__ import annotations

import pytest

from devices.drivers.beam.terms import Atom
from patches.errors import NotApplicable
from patches.models import Application, Node, Patch, PatchCheck
from patches.services.applicable import refuse_not_applicable
from patches.services.patches import delete_patch
from portal.core.errors import NotPermitted, Refused
from tests.patches.bay import COUNTER, GREETING, NOTE, SPARE, Bay, statuses, who
from updates.errors import NotUndoable
from updates.machine import Outcome
from updates.services.upgrades import retry_upgrade, roll_back_upgrade

pytestmark = pytest.mark.database

TURNER = ("updates.roll_back_upgrade", "updates.retry_upgrade", "patches.apply_patch")


def test_the_running_system_answers_anew_and_keeps_its_state(bay: Bay) -> None:
    for node in bay.nodes:
        node.call("bay_counter", "bump")

    upgrade = bay.apply(bay.patch())

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert bay.answers() == [2, 2]
    assert [node.call("bay_counter", "bump") for node in bay.nodes] == [3, 3], (
        "1 by the old code, 2 by the new"
    )
    assert [(node.root / NOTE).read_bytes() for node in bay.nodes] == [b"two\n"] * 2
    assert list(statuses(upgrade).values()) == [{GREETING: 6, COUNTER: 6, NOTE: None}] * 2
    assert Application.objects.get().standing == Application.Standing.ACTIVE
    assert upgrade.to_version == "1.0.0 + fix"


def test_a_patch_is_reverted_in_memory_and_on_disk(bay: Bay) -> None:
    before = [(node.root / GREETING).read_bytes() for node in bay.nodes]
    upgrade = bay.apply(bay.patch())

    undo = bay.run(roll_back_upgrade(upgrade=upgrade, actor=who(*TURNER), reason="no good"))

    assert undo.outcome == Outcome.SUCCEEDED, undo.error
    assert bay.answers() == [1, 1]
    assert [(node.root / GREETING).read_bytes() for node in bay.nodes] == before
    assert not any((node.root / NOTE).exists() for node in bay.nodes)
    assert Application.objects.get().standing == Application.Standing.REVERTED
    with pytest.raises(NotUndoable, match="taken it back already"):
        roll_back_upgrade(upgrade=upgrade, actor=who(*TURNER), reason="again")


def test_a_restarted_node_keeps_the_patch(bay: Bay) -> None:
    bay.apply(bay.patch())

    bay.nodes[0].restart()

    assert bay.answers() == [2, 2]


def test_a_module_that_a_node_has_not_loaded_is_written_there(bay: Bay) -> None:
    upgrade = bay.apply(bay.patch({SPARE: bay.world.compiled("bay_spare", v=2)}))

    assert upgrade.outcome == Outcome.SUCCEEDED
    assert list(statuses(upgrade).values()) == [{SPARE: 7}] * 2
    assert bay.nodes[0].call("bay_spare", "answer") == 2


def test_what_is_there_already_is_unchanged(bay: Bay) -> None:
    upgrade = bay.apply(bay.patch({GREETING: bay.world.compiled("bay_greeting")}))

    assert (upgrade.outcome, upgrade.unchanged) == (Outcome.SUCCEEDED, True)
    assert Application.objects.get().standing == Application.Standing.NOT_APPLIED


def test_code_that_fails_on_one_node_goes_back_everywhere(bay: Bay) -> None:
    """The check can't know that the folder becomes unwritable afterwards."""
    patch = bay.patch()
    bay.check(patch)
    upgrade = bay.order(patch)
    blocked = bay.nodes[1].root / GREETING
    bay.nodes[1].stop()
    blocked.unlink()
    blocked.mkdir()

    bay.run(upgrade)

    assert upgrade.outcome in (Outcome.FAILED, Outcome.ROLLED_BACK), upgrade.error
    assert bay.nodes[0].call("bay_greeting", "answer") == 1


def test_processes_in_old_code_live_on_and_the_node_waits_for_a_restart(bay: Bay) -> None:
    node = bay.nodes[0]
    node.call("bay_greeting", "linger_with", Atom("stays"))
    first = bay.apply(bay.patch({GREETING: bay.world.compiled("bay_greeting", v=2)}, name="first"))
    second = bay.apply(
        bay.patch({GREETING: bay.world.compiled("bay_greeting", v=3)}, name="second")
    )

    assert (first.outcome, second.outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    assert statuses(second)[bay.row(node).name] == {GREETING: 4}
    assert node.evaluate("is_process_alive(whereis(stays))") == "true"
    assert "bay_greeting" in bay.row(node).restart_needed
    assert bay.row(bay.nodes[1]).restart_needed == ""
    node.restart()
    assert bay.answers() == [3, 3], "a restart completes it"


def test_without_a_check_nothing_is_applied(bay: Bay) -> None:
    with pytest.raises(NotApplicable, match="Check it on bay-1 first"):
        bay.order(bay.patch())


def test_a_stale_check_is_none(bay: Bay) -> None:
    patch = bay.patch()
    bay.check(patch)
    Node.objects.filter(pk=bay.row(bay.nodes[1]).pk).delete()

    with pytest.raises(NotApplicable, match="other nodes by now"):
        bay.order(patch)


def test_a_patch_for_another_version_is_refused(bay: Bay) -> None:
    patch = bay.patch(version="0.9.0")

    check = bay.check(patch)

    assert "for version 0.9.0; installed is 1.0.0, by what its nodes report" in check.refusal
    with pytest.raises(NotApplicable, match=r"0\.9\.0"):
        bay.order(patch, override=True)


def test_what_the_check_refuses_needs_a_permission_and_is_left_out(bay: Bay) -> None:
    patch = bay.patch(
        {
            GREETING: bay.world.compiled("bay_greeting", v=2),
            COUNTER: b"no code",
            "lib/bay_spare.beam": b"",
        }
    )
    check = bay.check(patch)

    assert check.integral == 2
    with pytest.raises(NotApplicable, match=r"not_beam \(2\)"):
        bay.order(patch)
    with pytest.raises(NotPermitted):
        bay.order(patch, override=True, actor=who("patches.apply_patch"))
    upgrade = bay.run(bay.order(patch, override=True))

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert bay.answers() == [2, 2]
    assert list(statuses(upgrade).values()) == [{GREETING: 6}] * 2


def test_a_node_that_is_away_is_an_error_of_its_own(bay: Bay) -> None:
    bay.nodes[1].stop()

    check = bay.check(bay.patch())

    assert check.integral == 1
    away = check.results.get(node=bay.row(bay.nodes[1]))
    assert (away.is_reachable, away.status) == (False, 1)
    assert check.results.get(node=bay.row(bay.nodes[0])).status == 6


def test_a_deleted_patch_cannot_be_applied_and_can_be_reverted(bay: Bay) -> None:
    patch = bay.patch()
    upgrade = bay.apply(patch)
    name = str(patch.file.name)

    delete_patch(patch=patch, actor=who("patches.delete_patch"), reason="done")

    patch.refresh_from_db()
    assert not patch.file and not Patch._meta.get_field("file").storage.exists(name)
    with pytest.raises(NotApplicable, match="deleted"):
        refuse_not_applicable(patch, bay.instance)
    undo = bay.run(roll_back_upgrade(upgrade=upgrade, actor=who(*TURNER), reason="back"))
    assert undo.outcome == Outcome.SUCCEEDED, undo.error
    assert bay.answers() == [1, 1]


def test_a_patch_below_another_is_not_reverted(bay: Bay) -> None:
    first = bay.apply(bay.patch(name="first"))
    bay.apply(bay.patch({GREETING: bay.world.compiled("bay_greeting", v=3)}, name="second"))

    with pytest.raises(NotUndoable, match="second stands on top of it"):
        roll_back_upgrade(upgrade=first, actor=who(*TURNER), reason="back")


def test_the_whole_of_a_version_is_no_patch(bay: Bay) -> None:
    names = ("bay_app", "bay_counter", "bay_greeting", "bay_spare")
    check = bay.check(
        bay.patch(
            {f"{GREETING.rpartition('/')[0]}/{n}.beam": bay.world.compiled(n, v=2) for n in names}
        )
    )

    assert "all 4 modules" in check.refusal


def test_a_retry_follows_the_rules_of_an_order(bay: Bay) -> None:
    patch = bay.patch()
    bay.check(patch)
    bay.nodes[0].freeze()
    upgrade = bay.run(bay.order(patch))
    bay.nodes[0].go_on()
    assert upgrade.outcome == Outcome.FAILED
    bay.check(patch)

    again = bay.run(retry_upgrade(upgrade=upgrade, actor=who(*TURNER), reason="now"))

    assert again.outcome == Outcome.SUCCEEDED, again.error
    assert bay.answers() == [2, 2]


def test_a_deletion_while_it_is_applied_is_refused(bay: Bay) -> None:
    patch = bay.patch()
    bay.check(patch)
    bay.order(patch)

    with pytest.raises(Refused, match="being applied"):
        delete_patch(patch=patch, actor=who("patches.delete_patch"), reason="oops")


def test_checks_are_kept_with_their_answers(bay: Bay) -> None:
    check = bay.check(bay.patch())

    assert PatchCheck.objects.get() == check
    assert check.integral == 6
    assert (check.version, check.version_says) == ("1.0.0", "by what its nodes report")
    assert check.results.count() == 2
