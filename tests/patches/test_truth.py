"""What the history says is what the nodes run and have on their disks, also after odd turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django_rq import get_queue
from pytest_django import Settings

from devices.drivers.beam.terms import Atom, Term
from devices.drivers.nodes import PatchFile, Trouble, Turn
from patches.asking import ask_all
from patches.jobs import look_at_instance, restart_node, run_patch, run_patch_check
from patches.models import Application, KeptFiles, Node, Patch, PatchCheck
from patches.services import nodes as node_services
from patches.services import patch_checks
from patches.services.node_records import save_node
from patches.services.patch_checks import request_patch_checks
from patches.services.patches import delete_patch
from patches.services.recipes import patch_recipe
from portal.core.errors import NotPermitted
from tests.drivers.nodes.python_under_test import PythonUnderTest
from tests.environment.erlang import EBIN, ErlangNode
from tests.failures.door import Fault, Job
from tests.patches.bay import COUNTER, GREETING, SPARE, Bay, statuses, who
from tests.patches.test_statuses import applied, checked, on_record, the_status, uploaded
from tests.patches.test_traps import FAILING, SLOW, during_installing, taking_nothing
from updates import dispatch
from updates.machine import Outcome, State
from updates.models import Instance, Upgrade
from updates.services.recover import recover
from updates.services.upgrades import cancel_upgrade, retry_upgrade, roll_back_upgrade

pytestmark = pytest.mark.database(transaction=True)
JOB = Job(lambda upgrade, _shell, *, ways: patch_recipe(upgrade, ways=ways), run_patch)


def greeting(bay: Bay, version: int) -> Patch:
    return bay.patch({GREETING: bay.world.compiled("bay_greeting", v=version)}, name=f"v{version}")


def taken_back(bay: Bay, upgrade: Upgrade) -> Upgrade:
    actor = who("updates.roll_back_upgrade")
    return bay.run(roll_back_upgrade(upgrade=upgrade, actor=actor, reason="back"))


def linger(bay: Bay) -> None:
    for node in bay.nodes:
        node.evaluate("bay_greeting:linger_with(stays)")


def restarts(bay: Bay) -> list[str]:
    look_at_instance(str(bay.instance.pk))
    return [node.restart_needed for node in Node.objects.order_by("pk")]


def test_what_only_waits_on_the_disk_is_taken_back_there(bay: Bay) -> None:
    linger(bay)
    bay.apply(greeting(bay, 2))
    waits = bay.apply(greeting(bay, 3))
    assert {status[GREETING] for status in statuses(waits).values()} == {4}

    undo = taken_back(bay, waits)

    assert (undo.outcome, undo.unchanged) == (Outcome.SUCCEEDED, False), undo.error
    assert restarts(bay) == ["", ""]
    for node in bay.nodes:
        node.restart()
    assert bay.answers() == [2, 2]


def test_a_way_back_that_waits_for_a_restart_says_so_until_it_was_restarted(bay: Bay) -> None:
    """Processes in the code before the patch keep it from coming back: there is room for two versions only."""
    linger(bay)
    upgrade = bay.apply(greeting(bay, 2))

    undo = taken_back(bay, upgrade)

    assert undo.outcome == Outcome.SUCCEEDED, undo.error
    assert {status[GREETING] for status in statuses(undo).values()} == {4}
    assert all("patched code still runs" in says for says in restarts(bay))
    for node in bay.nodes:
        node.restart()
    assert bay.answers() == [1, 1]
    assert restarts(bay) == ["", ""]


def test_a_rollback_that_cannot_unload_the_patch_is_broken_at_once(bay: Bay) -> None:
    bay.nodes[0].evaluate("bay_greeting:linger_with(stays)")
    patch = greeting(bay, 2)
    bay.check(patch)

    with taking_nothing(bay.nodes[1].root / EBIN):
        upgrade = bay.run(bay.order(patch))

    assert upgrade.outcome == Outcome.BROKEN, upgrade.error
    assert upgrade.repeats == 0
    assert "patched code still runs" in bay.row(bay.nodes[0]).restart_needed
    bay.nodes[0].restart()
    assert bay.answers() == [1, 1], "its file is the old one"


def test_what_runs_but_is_not_on_the_disk_is_written(bay: Bay) -> None:
    new = bay.world.compiled("bay_greeting", v=2)
    for node in bay.nodes:
        old = (node.root / GREETING).read_bytes()
        (node.root / GREETING).write_bytes(new)
        node.evaluate("begin code:purge(bay_greeting), code:load_file(bay_greeting) end")
        (node.root / GREETING).write_bytes(old)
    patch = greeting(bay, 2)
    bay.check(patch)

    upgrade = bay.run(bay.order(patch))

    assert not upgrade.unchanged, "a restart would lose it"


def test_a_version_that_the_portal_did_not_know_is_noted_before_the_patch(bay: Bay) -> None:
    Instance.objects.filter(pk=bay.instance.pk).update(version="0.9.0")
    bay.instance.refresh_from_db()

    upgrade = bay.apply(bay.patch())
    look_at_instance(str(bay.instance.pk))

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert Application.objects.get().standing == Application.Standing.ACTIVE
    bay.instance.refresh_from_db()
    assert bay.instance.version == "1.0.0"


def test_a_look_in_the_middle_takes_nothing_away(bay: Bay) -> None:
    patch = bay.patch({GREETING: bay.world.compile(SLOW)})
    bay.check(patch)
    upgrade = bay.order(patch)
    Instance.objects.filter(pk=bay.instance.pk).update(version="0.9.0")

    with (
        taking_nothing(bay.nodes[1].root / EBIN),
        during_installing(upgrade, lambda: look_at_instance(str(bay.instance.pk))),
    ):
        bay.run(upgrade)

    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    assert bay.answers() == [1, 1]
    assert not KeptFiles.objects.exists(), "nobody needs them any more"


def test_a_look_that_a_patch_overtook_does_not_forget_the_restart(
    bay: Bay, monkeypatch: pytest.MonkeyPatch
) -> None:
    linger(bay)
    bay.apply(greeting(bay, 2))
    patch = greeting(bay, 3)

    def overtaken(*words: Any, **more: Any) -> Any:  # noqa: ANN401
        answers = list(ask_all(*words, **more))
        bay.apply(patch)
        return iter(answers)

    monkeypatch.setattr(node_services, "ask_all", overtaken)
    assert all(restarts(bay))


def broken(bay: Bay, patch: Patch) -> Upgrade:
    """Its apply went wrong, and so did its way back: one node had died meanwhile, and is there again."""
    bay.check(patch)
    upgrade = bay.order(patch)
    with taking_nothing(bay.nodes[1].root / EBIN):
        dies = Fault("node dies", bay.nodes[0].stop, bay.nodes[0].start)
        JOB.meets(dies, upgrade=upgrade, state=State.ROLLING_BACK)
    assert upgrade.outcome == Outcome.BROKEN, upgrade.error
    bay.nodes[0].call("bay_greeting", "answer")
    return upgrade


def two_modules(bay: Bay) -> Patch:
    return bay.patch(
        {COUNTER: bay.world.compiled("bay_counter", v=2), GREETING: bay.world.compile(SLOW)},
        name="two modules",
    )


def test_what_broke_and_was_applied_again_goes_back_to_what_was_before(
    bay: Bay, settings: Settings
) -> None:
    settings.PATCH_AWAY_SECONDS = 1
    patch = two_modules(bay)
    broken(bay, patch)

    again = bay.apply(patch)
    undo = taken_back(bay, again)

    assert (again.outcome, undo.outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED), undo.error
    assert bay.answers() == [1, 1]
    assert {row.standing for row in Application.objects.all()} == {"not_applied", "reverted"}
    assert not KeptFiles.objects.exists()


def test_the_way_back_ends_at_the_patch_in_force_that_replaced_what_broke(
    bay: Bay, settings: Settings
) -> None:
    settings.PATCH_AWAY_SECONDS = 1
    broken(bay, two_modules(bay))
    standing = bay.apply(greeting(bay, 3))
    undo = taken_back(bay, bay.apply(greeting(bay, 4)))
    assert (undo.outcome, bay.answers()) == (Outcome.SUCCEEDED, [3, 3]), undo.error

    last = taken_back(bay, standing)

    assert (last.outcome, bay.answers()) == (Outcome.SUCCEEDED, [1, 1]), last.error


def test_a_patch_in_force_that_could_not_be_loaded_replaced_nothing_of_what_broke(
    bay: Bay, settings: Settings
) -> None:
    settings.PATCH_AWAY_SECONDS = 1
    broken(bay, two_modules(bay))
    failing = bay.apply(bay.patch({GREETING: bay.world.compile(FAILING)}, name="failing"))
    assert {status[GREETING] for status in statuses(failing).values()} == {4}

    undo = taken_back(bay, bay.apply(greeting(bay, 4)))

    assert (undo.outcome, bay.answers()) == (Outcome.SUCCEEDED, [1, 1]), undo.error


def test_a_retry_asks_for_the_same_permissions(bay: Bay) -> None:
    bay.nodes[1].stop()
    patch = bay.patch()
    bay.check(patch)
    upgrade = bay.order(patch, override=True)
    cancel_upgrade(upgrade=upgrade, actor=who("updates.cancel_upgrade"))

    with pytest.raises(NotPermitted):
        actor = who("updates.retry_upgrade", "patches.apply_patch")
        retry_upgrade(upgrade=upgrade, actor=actor, reason="x")


def test_a_node_whose_address_is_none_hides_nobody_else(bay: Bay) -> None:
    bad = Node(
        instance=bay.instance, device=bay.instance.device, name="bad", address="bay 1@localhost",
        secret="c", root="/tmp", application="bay",
    )  # fmt: skip
    with pytest.raises(ValidationError, match="name@host"):
        save_node(node=bad, actor=who("patches.add_node"))
    bad.save()

    check = bay.check(bay.patch())

    assert check.results.count() == 3
    said = check.results.get(node=bad)
    assert (said.status, said.trouble) == (1, "unreachable")
    assert "name@host" in said.detail


def test_modules_that_a_node_lacks_are_no_part_of_what_it_runs(
    bay: Bay, started: Callable[..., list[ErlangNode]]
) -> None:
    [lacking] = started(1, without=("bay_spare",))
    bay.join(lacking)

    check = bay.check(
        bay.patch(
            {
                path: bay.world.compiled(path.rpartition("/")[2].removesuffix(".beam"), v=2)
                for path in (GREETING, COUNTER, SPARE)
            }
        )
    )

    assert (check.integral, check.refusal) == (6, "")


def test_a_check_that_was_asked_for_anew_is_not_written_over(
    bay: Bay, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, asker = bay.patch(), who("patches.check_patch")
    [check] = request_patch_checks(patch=patch, instances=[bay.instance], actor=asker)
    PatchCheck.objects.filter(pk=check.pk).update(requested_at=check.requested_at)

    def ask_anew(*_words: object) -> object:
        request_patch_checks(patch=patch, instances=[bay.instance], actor=asker)
        return [], ""

    monkeypatch.setattr("patches.services.patch_checks._ask", ask_anew)
    run_patch_check(str(check.pk))

    check.refresh_from_db()
    assert check.checked_at is None, "the new one is still under way"


def test_a_check_that_was_asked_for_anew_takes_no_late_answers_of_the_one_before(
    bay: Bay, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch, node = bay.patch(), bay.nodes[0]
    node.stop()
    [check] = request_patch_checks(
        patch=patch, instances=[bay.instance], actor=who("patches.check_patch")
    )

    def overtaken(*words: Any, **more: Any) -> Any:  # noqa: ANN401
        answers = list(ask_all(*words, **more))
        monkeypatch.setattr(patch_checks, "ask_all", ask_all)
        node.start()
        node.call("bay_greeting", "answer")
        assert bay.check(patch).integral == 6
        return iter(answers)

    monkeypatch.setattr(patch_checks, "ask_all", overtaken)
    run_patch_check(str(check.pk))

    assert [row.status for row in check.results.all()] == [6, 6]
    assert bay.row(node).is_reachable


def test_what_redis_forgot_is_enqueued_again(bay: Bay, redis_url: str) -> None:
    patch, row = bay.patch(), bay.row(bay.nodes[0])
    Node.objects.update(restart_command="true")
    row.refresh_from_db()
    node_services.request_restart(node=row, actor=who("patches.restart_node"), reason="x")
    before = dispatch.queued()
    assert any(job.startswith("restart-") for job in before)
    forget_all()

    recover()

    assert before <= dispatch.queued() and f"patch-look-{patch.pk}" in before
    restart_node(str(row.pk))
    forget_all()
    recover()
    assert not any(job.startswith("restart-") for job in dispatch.queued()), "once is enough"


def forget_all() -> None:
    get_queue("updates").connection.flushall()


def test_a_patch_that_was_eliminated_is_uploaded_anew_after_its_archive_was_deleted(
    bay: Bay,
) -> None:
    patch = bay.patch()

    delete_patch(patch=patch, actor=who("patches.delete_patch"), reason="anew")

    assert bay.patch().pk != patch.pk


def test_the_history_names_what_is_still_in_force(bay: Bay) -> None:
    one = bay.apply(greeting(bay, 2))
    bay.apply(bay.patch({COUNTER: bay.world.compiled("bay_counter", v=2)}, name="two"))

    undo = taken_back(bay, one)

    assert (undo.from_version, undo.to_version) == ("1.0.0 + v2 + two", "1.0.0 + two")


def test_of_a_patch_that_is_refused_as_a_whole_nothing_is_applied(bay: Bay) -> None:
    wrong = {"lib/wrong/bay_greeting.beam": bay.world.compiled("bay_greeting", v=2)}

    upgrade = bay.apply(bay.patch(wrong), override=True)

    assert upgrade.outcome == Outcome.FAILED
    assert "Nothing is left of it" in upgrade.error


def test_what_a_node_says_can_always_be_kept(
    python_node: PythonUnderTest,
) -> None:
    """A patch may make its node say what no database stores."""
    instance = on_record(python_node)
    python_node.answer()
    desk = python_node.module(2)
    assert desk.data is not None
    patch = uploaded(
        instance, replace(desk, data=desk.data + b'\nraise RuntimeError("\\0\\ud800")\n')
    )
    checked(instance, patch)

    upgrade = applied(instance, patch)

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert the_status(upgrade) == 4
    assert python_node.answer() == 1


def test_a_way_back_that_broke_is_tried_again(bay: Bay, settings: Settings) -> None:
    settings.PATCH_AWAY_SECONDS = 1
    upgrade = bay.apply(bay.patch())
    order = roll_back_upgrade(
        upgrade=upgrade, actor=who("updates.roll_back_upgrade"), reason="back"
    )
    with taking_nothing(bay.nodes[1].root / EBIN):
        broken = bay.run(order)
    assert broken.outcome in (Outcome.BROKEN, Outcome.ROLLED_BACK), broken.error

    actor = who("updates.retry_upgrade", "updates.roll_back_upgrade")
    again = bay.run(retry_upgrade(upgrade=broken, actor=actor, reason="it can be written now"))

    assert again.outcome == Outcome.SUCCEEDED, again.error
    assert bay.answers() == [1, 1]
    assert Application.objects.get().standing == Application.Standing.REVERTED


def test_a_request_that_lay_before_a_frozen_node_comes_too_late(bay: Bay) -> None:
    """Nobody waits for it any more, and the way back is done: it must not be carried out when the node thaws."""
    node = bay.nodes[0]
    runtime = node.runtime()
    files = [PatchFile(GREETING, bay.world.compiled("bay_greeting", v=2))]
    runtime.check(files)
    request: dict[Term, Term] = {Atom("deadline"): 1, Atom("milliseconds"): 1000}

    assert node.call("fleetwright_hot_patch", "run", Atom("apply"), request) == "timed_out"
    assert runtime.apply(files, turn=Turn("one", 3)).is_reachable
    stale = runtime.apply(files, turn=Turn("one", 2))
    assert stale.reason is Trouble.STALE
