"""The history on disk: append-only, whole, masked, and opened for many at once."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from devices.models import Device
from portal.core.actors import PORTAL
from portal.core.models import AuditEvent
from tests.journal.rows import (
    brought_to,
    finished,
    held,
    let_lapse,
    new_artifact,
    new_device,
    new_upgrade,
    numbers,
)
from updates.journal import open_upgrades
from updates.machine import Event, State
from updates.models import Upgrade, UpgradeEvent
from updates.output import MASK
from updates.queries import events_after
from updates.runner import Failure
from updates.services.planning import plan_artifact
from updates.services.upgrades import build

pytestmark = pytest.mark.database

MANY = 2_000


def output_of(upgrade: Upgrade, call: str) -> str:
    rows = upgrade.events.filter(kind=UpgradeEvent.Kind.OUTPUT, call=call).order_by("seq")
    return "".join(rows.values_list("text", flat=True))


def test_an_event_cannot_be_changed() -> None:
    upgrade = new_upgrade()
    before = UpgradeEvent.objects.get(upgrade=upgrade)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        UpgradeEvent.objects.filter(upgrade=upgrade).update(text="it never happened")

    assert UpgradeEvent.objects.get(upgrade=upgrade).text == before.text


def test_an_event_cannot_be_deleted_where_the_database_can_forbid_it() -> None:
    upgrade = new_upgrade()
    if connection.vendor == "sqlite":  # there a flush is a DELETE like any other
        with pytest.raises(ProtectedError):
            upgrade.delete()
        return
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        UpgradeEvent.objects.filter(upgrade=upgrade).delete()
    assert UpgradeEvent.objects.filter(upgrade=upgrade).exists()


def test_an_audit_entry_cannot_be_changed() -> None:
    entry = AuditEvent.objects.create(
        at="2026-01-01T00:00:00Z", actor="ann", action="a", subject_type="t", subject_id="1"
    )

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.filter(pk=entry.pk).update(actor="bob")


def test_what_the_history_tells_of_cannot_be_deleted() -> None:
    upgrade = finished(new_upgrade())

    for thing in (upgrade, upgrade.device, upgrade.artifact):
        assert thing is not None
        with pytest.raises(ProtectedError):
            thing.delete()


def test_output_is_stored_in_pieces_and_whole_when_the_next_arrow_is_taken(
    settings: Settings,
) -> None:
    settings.OUTPUT_CHUNK_BYTES = 100
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    said = "".join(f"line {number}\n" for number in range(100))

    for start in range(0, len(said), 7):
        journal.output("call", said[start : start + 7].encode())
    assert upgrade.events.filter(kind=UpgradeEvent.Kind.OUTPUT).exists()
    journal.take(Event.DONE)

    assert output_of(upgrade, "call") == said
    rows = upgrade.events.filter(kind=UpgradeEvent.Kind.OUTPUT)
    assert max(len(row.text) for row in rows) <= 100


def test_another_worker_goes_on_at_the_byte_where_the_dead_one_had_stored_up_to(
    settings: Settings,
) -> None:
    settings.OUTPUT_CHUNK_BYTES = 10
    said = b"0123456789abcdefghij-secret-word-klmnop"
    upgrade = new_upgrade()
    first = brought_to(State.INSTALLING, held(upgrade, secrets=("secret-word",)))
    first.output("call", said[:25])  # dies with "-secr" in its hands
    let_lapse(upgrade)

    second = held(upgrade, worker="worker-2", secrets=("secret-word",))
    second.output("call", said[second.output_stored("call") :])
    second.take(Event.DONE)

    assert output_of(upgrade, "call") == f"0123456789abcdefghij-{MASK}-klmnop"


def test_secrets_are_in_no_failure_either() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade, secrets=("secret-word",)))
    journal.take(
        Event.FAILED,
        failure=Failure(code="X", sentence="No secret-word here.", output="a secret-word there"),
    )
    brought_to(State.FINISHED, journal)

    upgrade.refresh_from_db()
    last = upgrade.events.exclude(data={}).get()
    assert "secret-word" not in f"{upgrade.error} {last.text} {last.data}"
    assert MASK in upgrade.error


def test_output_of_bytes_that_no_database_stores_is_kept_as_text() -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    journal.output("call", b"a\0b\xff")
    journal.take(Event.DONE)

    assert output_of(upgrade, "call") == "a\ufffdb\ufffd"


@pytest.mark.parametrize("bad", ["\0", "\ud800"])
def test_a_failure_or_a_note_that_no_database_stores_is_kept_as_text(bad: str) -> None:
    upgrade = new_upgrade()
    journal = brought_to(State.CHECKING, held(upgrade))
    journal.note(f"It was{bad} looked at.")
    says = f"It refuses:{bad} no."
    journal.take(Event.FAILED, failure=Failure(code="UPD-1", sentence=says, output=f"no{bad}"))
    upgrade.refresh_from_db()
    assert upgrade.error == "It refuses:\ufffd no."
    noted, arrow = upgrade.events.order_by("-seq")[1], upgrade.events.latest("seq")
    assert noted.text == "It was\ufffd looked at."
    assert (arrow.text, arrow.data["output"]) == (upgrade.error, "no\ufffd")


def test_many_orders_are_opened_in_few_statements() -> None:
    artifact = new_artifact()
    devices = Device.objects.bulk_create(
        Device(name=f"many-{n}", device_type="box", driver="local", root="/r") for n in range(MANY)
    )
    upgrades = [
        build(
            plan_artifact(artifact=artifact, device=device, update_module=None),
            artifact=artifact,
            device=device,
            actor=PORTAL,
            reason="all",
        )
        for device in devices
    ]

    with CaptureQueriesContext(connection) as queries:
        open_upgrades(upgrades)

    # Per 500 on PostgreSQL, and per 23 on SQLite, which takes fewer values in a statement.
    assert len(queries) < MANY / 18
    assert Upgrade.objects.filter(artifact=artifact, state=State.PENDING).count() == MANY
    events = UpgradeEvent.objects.filter(upgrade__artifact=artifact)
    assert set(events.values_list("seq", "to_state", "event")) == {(1, "pending", "ordered")}


def test_an_order_s_first_event_says_who_and_why() -> None:
    upgrade = new_upgrade()

    event = upgrade.events.get()
    assert event.text == "Ordered by portal: a test"
    assert event.at == upgrade.created_at


def test_the_timeline_is_read_to_its_end_by_a_cursor() -> None:
    upgrade = new_upgrade(new_device())
    journal = brought_to(State.INSTALLING, held(upgrade))
    for number in range(250):
        journal.note(f"note {number}")
    seen: list[int] = []
    cursor = 0

    for _ in range(2):
        upgrade.refresh_from_db()
        page = events_after(upgrade, cursor)
        seen, cursor = [*seen, *(event.seq for event in page.events)], page.cursor
        assert not page.is_end
    brought_to(State.FINISHED, journal)
    while not page.is_end:
        upgrade.refresh_from_db()
        page = events_after(upgrade, cursor)
        seen, cursor = [*seen, *(event.seq for event in page.events)], page.cursor

    assert seen == numbers(upgrade)


def test_a_chatty_call_does_not_fill_the_history(settings: Settings) -> None:
    settings.OUTPUT_LIMIT_BYTES = 10_000
    upgrade = new_upgrade()
    journal = brought_to(State.INSTALLING, held(upgrade))
    for number in range(10_000):
        journal.output("chatty", b"line %06d\n" % number)
    journal.note("It has ended.", call="chatty")

    said = output_of(upgrade, "chatty")
    assert said.startswith("line 000000\n")
    assert said.endswith("line 009999\n")
    assert said.count("bytes left out") == 1
    assert len(said) < settings.OUTPUT_LIMIT_BYTES + 20_000
    assert journal.output_stored("chatty") == 120_000
