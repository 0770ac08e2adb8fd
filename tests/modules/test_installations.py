"""Settings, holds and skipped versions: who may, what is on record, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.journal.rows import brought_to, held
from tests.modules.rows import new_instance, operator, order, succeeded, upgrade_of
from tests.services.people import somebody
from updates.machine import Outcome, State
from updates.models import Installation, Instance, UpgradeEvent
from updates.services.installations import (
    MOST,
    hold_instance,
    offer_version,
    release_instance,
    save_installation,
    skip_version,
)

pytestmark = pytest.mark.database


def stored() -> Installation:
    return Installation.objects.get()


def test_an_instance_is_held_with_a_reason_and_released() -> None:
    one, olga = new_instance(), operator()
    with pytest.raises(Refused, match="Say why"):
        hold_instance(instance=one, why=" ", actor=olga)
    hold_instance(instance=one, why="The audit is on.", actor=olga)
    assert (stored().is_held, stored().held_why) == (True, "The audit is on.")
    release_instance(instance=one, actor=olga, reason="It is over")
    assert (stored().is_held, stored().held_why) == (False, "")
    with pytest.raises(Refused, match="not held"):
        release_instance(instance=one, actor=olga)
    entries = AuditEvent.objects.order_by("at")
    assert [(row.action, row.subject, row.reason) for row in entries] == [
        ("installation.hold", "mymodule1", "The audit is on."),
        ("installation.release", "mymodule1", "It is over"),
    ]


def test_what_waits_from_an_order_for_several_is_called_off_by_a_hold() -> None:
    one, two, olga = new_instance("mymodule1"), new_instance("mymodule2"), operator()
    order(one, two, canary=True, actor=PORTAL)
    hold_instance(instance=two, why="The audit is on.", actor=olga)
    waited = upgrade_of(two)
    assert (waited.outcome, waited.cancel_requested_by) == (Outcome.CANCELLED, "olga")
    note = waited.events.get(kind=UpgradeEvent.Kind.NOTE)
    assert note.text == "It is held: The audit is on."
    assert AuditEvent.objects.get(action="installation.hold").data == {"called_off": [str(waited)]}
    assert succeeded(upgrade_of(one)).outcome == Outcome.SUCCEEDED


def test_what_is_left_of_an_order_for_several_is_called_off_too() -> None:
    one = new_instance("mymodule1")
    order(one, new_instance("mymodule2", skipped=["1.1.0"]))
    hold_instance(instance=one, why="The audit is on.", actor=PORTAL)
    assert upgrade_of(one).outcome == Outcome.CANCELLED


def test_what_names_it_alone_or_has_begun_goes_on_although_it_is_held() -> None:
    alone, begun = new_instance("mymodule1"), new_instance("mymodule2")
    order(alone)
    order(begun, new_instance("mymodule3"), actor=PORTAL)
    brought_to(State.CHECKING, held(upgrade_of(begun)))
    for one in (alone, begun):
        hold_instance(instance=one, why="The audit is on.", actor=PORTAL)
    assert (upgrade_of(alone).state, upgrade_of(begun).state) == (State.PENDING, State.CHECKING)
    assert not UpgradeEvent.objects.filter(text__startswith="It is held").exists()


def test_versions_are_skipped_and_offered_again() -> None:
    one, olga = new_instance(), operator()
    for version in ("1.1.0", "1.2.0", "1.1.0"):
        skip_version(instance=one, version=version, actor=olga)
    assert stored().skipped == ["1.2.0", "1.1.0"]
    offer_version(instance=one, version="1.2.0", actor=olga)
    assert stored().skipped == ["1.1.0"]
    with pytest.raises(Refused, match=r"1\.2\.0 is not skipped"):
        offer_version(instance=one, version="1.2.0", actor=olga)
    with pytest.raises(Refused, match="Say which version"):
        skip_version(instance=one, version=" ", actor=olga)
    Installation.objects.update(skipped=[f"0.{number}" for number in range(MOST)])
    with pytest.raises(Refused, match="hold it instead"):
        skip_version(instance=one, version="1.0", actor=olga)


def test_settings_are_saved_with_what_they_changed() -> None:
    made = new_instance().installation
    made.on_failed_script, made.keeps_data, made.volumes = "continue", True, ["mymodule-data"]
    made.probes = [{"kind": "container", "container": "mymodule"}]
    made.image = "not/a:setting"
    save_installation(installation=made, actor=operator())
    assert (stored().on_failed_script, stored().volumes) == ("continue", ["mymodule-data"])
    assert stored().image != "not/a:setting"
    assert AuditEvent.objects.get().data["changes"] == {
        "on_failed_script": ["abort", "continue"], "keeps_data": [False, True],
        "volumes": [[], ["mymodule-data"]], "probes": [[], [{"kind": "container", "container": "mymodule"}]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("on_failed_script", "pray"), ("volumes", "data"), ("volumes", [""]), ("volumes", [7]),
        ("volumes", ["v"] * (MOST + 1)), ("volumes", ["fine"]), ("probes", {}), ("probes", ["x"]), ("probes", [{"kind": "hope"}]),
        ("probes", [{}] * (MOST + 1)),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_refused_by_its_field(field: str, value: Any) -> None:  # noqa: ANN401
    made = new_instance().installation
    setattr(made, field, value)
    with pytest.raises(ValidationError) as refused:
        save_installation(installation=made, actor=operator())
    assert list(refused.value.message_dict) == [field]
    assert not AuditEvent.objects.exists()


def test_who_may_not_changes_nothing_and_without_an_installation_there_is_nothing() -> None:
    one, vera = new_instance(), somebody("vera", "view_installation")
    changes: list[Callable[[], Installation]] = [
        lambda: hold_instance(instance=one, why="x", actor=vera),
        lambda: release_instance(instance=one, actor=vera),
        lambda: skip_version(instance=one, version="1", actor=vera),
        lambda: offer_version(instance=one, version="1", actor=vera),
        lambda: save_installation(installation=one.installation, actor=vera),
    ]
    for change in changes:
        with pytest.raises(NotPermitted):
            change()
    one.installation.delete()
    with pytest.raises(Refused, match="not installed from a module image"):
        hold_instance(instance=Instance.objects.get(), why="x", actor=operator())
    assert not AuditEvent.objects.exists()
