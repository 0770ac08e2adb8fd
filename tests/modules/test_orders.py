"""Orders of a module image: who gets it, who is left out and why, whose turn it is, and what is on record afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.journal.rows import held, new_device
from tests.modules.rows import (
    NEW,
    NEW_DIGEST,
    OLD,
    OLD_DIGEST,
    broke,
    failed,
    new_instance,
    operator,
    order,
    rolled_back,
    succeeded,
    upgrade_of,
)
from tests.services.people import somebody
from updates.errors import TargetBusy
from updates.machine import Event, Outcome, State
from updates.models import Installation, Instance, ModuleOrder, Upgrade
from updates.plan import ModulePlan, ModuleVerb
from updates.services import order_cancels
from updates.services.module_choice import Wanted
from updates.services.module_updates import (
    cancel_module_order,
    order_module,
    preview_module,
    reinstall,
)
from updates.services.upgrades import cancel_upgrade, retry_upgrade
from updates.services.waiting import ready, waits_for

pytestmark = pytest.mark.database


def three() -> tuple[Instance, Instance, Instance]:
    """Each on a device of its own."""
    return new_instance("mymodule1"), new_instance("mymodule2"), new_instance("mymodule3")


def notes_of(upgrade: Upgrade) -> list[str]:
    return list(upgrade.events.filter(kind="note").order_by("seq").values_list("text", flat=True))


def test_every_instance_has_an_upgrade_of_its_own_that_names_the_order() -> None:
    one, two, _ = three()
    done = order(one, two, force=True)

    upgrades = list(done.upgrades.order_by("created_at"))
    assert [(row.instance, row.device, row.state) for row in upgrades] == [
        (one, one.device, State.PENDING),
        (two, two.device, State.PENDING),
    ]
    assert {(row.from_version, row.to_version, row.reason) for row in upgrades} == {
        (OLD, NEW, "It is time")
    }
    plan = ModulePlan.from_json(upgrades[0].plan)
    assert (plan.verb, plan.image, plan.force, plan.overrides) == (
        ModuleVerb.UPDATE, NEW, True, False,
    )  # fmt: skip
    assert (plan.installed.image, plan.installed.digest) == (OLD, OLD_DIGEST)
    entry = AuditEvent.objects.get(action="module.update")
    assert (entry.actor, entry.subject_id, entry.reason) == ("olga", str(done.pk), "It is time")
    assert entry.data["instances"] == ["mymodule1", "mymodule2"]


def test_who_may_not_have_it_is_left_out_with_the_reason() -> None:
    one = new_instance("mymodule1")
    other = new_instance("wiki1", source="ghcr.io/nethserver/wiki")
    kept = new_instance("mymodule2", is_held=True, held_why="The audit is on.")
    choosy = new_instance("mymodule3", skipped=["1.1.0"])
    empty = new_instance("mymodule4", image="")
    gone = new_instance("mymodule5", uninstalled_at=one.created_at)
    by_hand = new_instance("mymodule6")
    by_hand.installation.delete()
    by_hand.refresh_from_db()

    wanted = Wanted(image=NEW, instances=[one, other, kept, choosy, empty, gone, by_hand])
    preview = preview_module(wanted)
    assert preview.takes == [one]
    assert not Upgrade.objects.exists()
    assert not AuditEvent.objects.exists()

    done = order_module(wanted, actor=operator(), reason="It is time")
    assert done.left_out == [
        ["wiki1", "It is an instance of wiki, and the image is one of mymodule."],
        ["mymodule2", "It is held: The audit is on."],
        ["mymodule3", "Version 1.1.0 is skipped there."],
        ["mymodule4", "Its installation has not succeeded yet: retry that."],
        ["mymodule5", "It is uninstalled."],
        ["mymodule6", "It was not installed from a module image; take it under control first."],
    ]
    assert [row.instance for row in done.upgrades.all()] == [one]


def test_nobody_left_is_a_refusal_that_says_why() -> None:
    one = new_instance("mymodule1", is_held=True, held_why="The audit is on.")
    two = new_instance("mymodule2", is_held=True, held_why="So is theirs.")
    actor = operator()
    with pytest.raises(Refused, match=r"None of the chosen .* mymodule1, for one: It is held"):
        order(one, two, actor=actor)
    with pytest.raises(Refused, match=r"^No instance is chosen\.$"):
        order(actor=actor)
    with pytest.raises(Refused, match="upper case"):
        order(one, actor=actor, image="ghcr.io/NethServer/mymodule:1")
    assert not ModuleOrder.objects.exists()
    assert not AuditEvent.objects.exists()


def test_one_that_is_held_gets_it_when_a_person_names_it_alone() -> None:
    one = new_instance(is_held=True, held_why="The audit is on.", skipped=["1.1.0"])
    with pytest.raises(Refused, match="It is held"):
        order(one, actor=PORTAL)
    done = order(one)
    assert done.upgrades.get().instance == one
    assert "It is held: The audit is on." in AuditEvent.objects.get().data["notes"]["mymodule1"]


def test_another_products_image_takes_an_override_and_its_permission() -> None:
    one = new_instance()
    other = "ghcr.io/nethserver/wiki:2.0.0"
    with pytest.raises(Refused, match=r"instance of mymodule, and the image is one of wiki"):
        order(one, actor=somebody("otto", "order_module"), image=other)
    with pytest.raises(NotPermitted):
        order(one, actor=somebody("ole", "order_module"), image=other, overrides=True)
    done = order(one, actor=operator("override_module"), image=other, overrides=True)
    assert ModulePlan.from_json(done.upgrades.get().plan).overrides
    assert AuditEvent.objects.get().data["overrides"]


def test_who_may_not_order_orders_nothing() -> None:
    with pytest.raises(NotPermitted):
        order(new_instance(), actor=somebody("vera", "view_moduleorder"))
    with pytest.raises(Refused, match="Say why"):
        order_module(
            Wanted(image=NEW, instances=[new_instance("mymodule2")]), actor=PORTAL, reason="  "
        )
    assert not Upgrade.objects.exists()


def test_an_instance_with_an_upgrade_that_is_not_over_is_busy() -> None:
    one, two, _ = three()
    actor = operator()
    first = order(one, actor=actor).upgrades.get()
    with pytest.raises(
        TargetBusy, match=r"mymodule1: It is busy: .* on mymodule1 is pending"
    ) as no:
        order(one, actor=actor)
    assert no.value.holder == str(first.pk)
    held(first).take(Event.DONE)
    done = order(one, two, actor=actor)
    assert done.left_out == [["mymodule1", f"It is busy: {first} is checking."]]
    assert done.upgrades.get().instance == two


def test_something_else_on_the_device_only_means_that_it_waits() -> None:
    device = new_device("both")
    one, two = new_instance("mymodule1", device=device), new_instance("mymodule2", device=device)
    actor = operator()
    first, second = order(one, actor=actor).upgrades.get(), order(two, actor=actor).upgrades.get()
    assert (waits_for(first), waits_for(second)) == (None, first)
    assert list(ready()) == [first]


def test_the_others_wait_for_the_canary_and_start_when_it_has_succeeded() -> None:
    one, two, three_ = three()
    order(one, two, three_, canary=True)
    canary, second, third = upgrade_of(one), upgrade_of(two), upgrade_of(three_)
    assert [waits_for(row) for row in (canary, second, third)] == [None, canary, canary]
    assert list(ready()) == [canary]
    with pytest.raises(TargetBusy):
        held(second).take(Event.DONE)

    succeeded(canary)
    assert {row.pk for row in ready()} == {second.pk, third.pk}


def test_a_canary_waits_for_what_is_before_it_on_its_own_device() -> None:
    device = new_device("both")
    first = new_instance("mymodule8", device=device)
    canary, other = new_instance("mymodule1", device=device), new_instance("mymodule2")
    actor = operator()
    earlier = order(first, actor=actor).upgrades.get()
    order(canary, other, actor=actor, canary=True)
    assert waits_for(upgrade_of(canary)) == earlier
    assert waits_for(upgrade_of(other)) == upgrade_of(canary)
    assert list(ready()) == [earlier]


@pytest.mark.parametrize(
    ("end", "word"), [(failed, "failed"), (rolled_back, "rolled back"), (broke, "broken")]
)
def test_a_canary_that_does_not_succeed_cancels_the_others_and_says_so(
    end: Callable[[Upgrade], Upgrade], word: str
) -> None:
    one, two, _ = three()
    order(one, two, canary=True)
    canary, second = upgrade_of(one), upgrade_of(two)
    end(canary)
    second.refresh_from_db()
    assert (second.state, second.outcome) == (State.FINISHED, Outcome.CANCELLED)
    assert second.cancel_requested_by == "portal"
    assert notes_of(second) == [
        f"It waited for {canary}, which was to succeed first and ended as {word}."
    ]


def test_a_cancelled_canary_takes_the_others_with_it() -> None:
    one, two, _ = three()
    actor = operator()
    order(one, two, actor=actor, canary=True)
    cancel_upgrade(upgrade=upgrade_of(one), actor=actor)
    assert upgrade_of(two).outcome == Outcome.CANCELLED


def test_with_stop_at_failure_those_that_have_not_begun_are_cancelled() -> None:
    one, two, three_ = three()
    order(one, two, three_, stops_at_failure=True)
    running = held(upgrade_of(two))
    running.take(Event.DONE)
    rolled_back(upgrade_of(one))
    waiting = upgrade_of(three_)
    assert waiting.outcome == Outcome.CANCELLED
    assert notes_of(waiting) == [
        f"The order stops at the first failure: {upgrade_of(one)} ended as rolled back."
    ]
    assert upgrade_of(two).cancel_requested_at is None, "what has begun goes on"


def test_a_cancel_of_one_is_no_failure_and_without_the_choice_nothing_stops() -> None:
    one, two, three_ = three()
    actor = operator()
    order(one, two, actor=actor, stops_at_failure=True)
    cancel_upgrade(upgrade=upgrade_of(one), actor=actor)
    assert upgrade_of(two).state == State.PENDING
    order(one, three_, actor=actor)
    failed(upgrade_of(one))
    assert upgrade_of(three_).state == State.PENDING


def test_a_cancel_of_the_order_reaches_all_that_can_be_cancelled() -> None:
    one, two, three_ = three()
    actor = operator()
    done = order(one, two, three_, actor=actor)
    succeeded(upgrade_of(one))
    held(upgrade_of(two)).take(Event.DONE)
    assert cancel_module_order(order=done, actor=actor, reason="Not today") == 2
    assert upgrade_of(two).cancel_requested_by == "olga"
    assert upgrade_of(three_).outcome == Outcome.CANCELLED
    assert AuditEvent.objects.get(action="module_order.cancel").data == {"upgrades": 2}
    with pytest.raises(NotPermitted):
        cancel_module_order(order=done, actor=somebody("vera"), reason="")


def test_a_large_order_is_cancelled_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    instances = three()
    actor = operator()
    done = order(*instances, actor=actor, canary=True)
    monkeypatch.setattr(order_cancels, "AT_ONCE", 1)
    monkeypatch.setattr(order_cancels, "PIECE", 2)
    assert cancel_module_order(order=done, actor=actor, reason="Not today") == 3
    assert [upgrade_of(one).state for one in instances] == [State.PENDING] * 3
    assert [order_cancels.carry_out_cancel(str(done.pk)) for _ in range(2)] == [1, 0]
    assert {upgrade_of(one).outcome for one in instances} == {Outcome.CANCELLED}
    assert notes_of(upgrade_of(instances[2])) == ["olga asked for a cancel."]


def test_what_the_recipe_says_is_installed_is_on_record_afterwards() -> None:
    one = new_instance()
    order(one)
    succeeded(upgrade_of(one))
    made = Installation.objects.get(instance=one)
    one.refresh_from_db()
    assert (one.version, made.image, made.digest) == ("1.1.0", NEW, NEW_DIGEST)
    assert (made.images, made.uninstalled_at) == ([NEW, "docker.io/library/redis:7"], None)


@pytest.mark.parametrize("end", [failed, rolled_back])
def test_what_was_not_changed_stays_on_record(end: Callable[[Upgrade], Upgrade]) -> None:
    one = new_instance()
    order(one)
    end(upgrade_of(one))
    made = Installation.objects.get(instance=one)
    one.refresh_from_db()
    assert (one.version, made.image, made.digest) == ("1.0.0", OLD, OLD_DIGEST)


def test_what_an_upgrade_broke_shows_in_the_version_until_one_succeeds() -> None:
    one = new_instance()
    actor = operator()
    order(one, actor=actor)
    broke(upgrade_of(one))
    one.refresh_from_db()
    assert one.version == "1.0.0_INCONSISTENT"
    retry_upgrade(upgrade=upgrade_of(one), actor=actor, reason="Again")
    broke(upgrade_of(one))
    one.refresh_from_db()
    assert one.version == "1.0.0_INCONSISTENT"
    retry_upgrade(upgrade=upgrade_of(one), actor=actor, reason="Again")
    succeeded(upgrade_of(one))
    one.refresh_from_db()
    assert one.version == "1.1.0"


def test_a_reinstall_orders_the_same_image_with_force() -> None:
    one = new_instance()
    done = reinstall(instance=one, actor=operator(), reason="Files were lost")
    plan = ModulePlan.from_json(done.upgrades.get().plan)
    assert (plan.image, plan.force) == (OLD, True)
    bare = new_instance("mymodule2", image="")
    with pytest.raises(Refused, match="mymodule2 is not installed from a module image"):
        reinstall(instance=bare, actor=PORTAL, reason="Files were lost")
