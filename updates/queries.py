"""Reading upgrades: the history, the timeline's cursor, what does not move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.fields.json import KT
from django.db.models.lookups import Exact
from django.utils.timesince import timesince

from devices.models import Device, DeviceGroup
from portal.core import clock
from updates.container_advice import SEE_WATCHDOG
from updates.limits import counts_from, is_not_held, last_word, limit_seconds, overdue, silent
from updates.machine import ACTIVE, State
from updates.models import Artifact, Deployment, Instance, Upgrade, UpgradeEvent
from updates.recipes.hold import HELD
from updates.recipes.state_scripts import RESUME_AT
from updates.turns import ahead

PAGE = 200
SEARCHED_DEPLOYMENTS = 1000
"""How many of the newest deployments are looked through for those of one group."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events after a cursor, the cursor for the next page, and whether there will be nothing more."""

    events: list[UpgradeEvent]
    cursor: int
    is_end: bool


def events_after(upgrade: Upgrade, cursor: int, *, limit: int = PAGE) -> EventPage:
    """Up to `limit` events with a number above `cursor`. `upgrade` is as fresh as the caller read it: before this call."""
    events = list(upgrade.events.filter(seq__gt=cursor).order_by("seq")[:limit])
    last = events[-1].seq if events else cursor
    is_end = upgrade.state == State.FINISHED and last >= upgrade.last_seq
    return EventPage(events, last, is_end)


def history() -> QuerySet[Upgrade]:
    """All upgrades, newest first, with what a list shows."""
    rows = Upgrade.objects.select_related("device", "artifact", "deployment", "instance")
    return rows.defer("deployment__left_out", "deployment__selection")


def instances_on(device: Device, *, limit: int) -> list[tuple[Instance, Upgrade | None]]:
    """The first `limit` instances on the device by name, each with its newest upgrade."""
    newest = Upgrade.objects.filter(instance=OuterRef("pk")).order_by("-created_at", "-id")
    rows = (
        Instance.objects.filter(device=device)
        .select_related("module")
        .annotate(newest=Subquery(newest.values("pk")[:1]))
        .order_by("name")
    )
    found: list[Any] = list(rows[:limit])
    upgrades = Upgrade.objects.defer("plan").in_bulk([row.newest for row in found if row.newest])
    return [(row, upgrades.get(row.newest)) for row in found]


def newest_upgrades(devices: Iterable[int]) -> dict[int, Upgrade]:
    """The newest upgrade of each of these devices that has any, by the device's id: in one query."""
    newest = Upgrade.objects.filter(device=OuterRef("pk")).order_by("-created_at", "-id")
    ids = Device.objects.filter(pk__in=list(devices)).values(
        newest=Subquery(newest.values("pk")[:1])
    )
    rows = Upgrade.objects.filter(pk__in=ids).defer("plan")
    return {row.device_id: row for row in rows}


def deployments_to(group: DeviceGroup, *, limit: int = 10) -> list[Deployment]:
    """The newest deployments that were ordered for this group, with their artifacts."""
    newest = Deployment.objects.order_by("-created_at").values_list("pk", "selection__groups")
    found = [pk for pk, groups in newest[:SEARCHED_DEPLOYMENTS] if group.pk in (groups or [])]
    deployments = Deployment.objects.select_related("release").defer("left_out", "selection")
    return list(deployments.filter(pk__in=found[:limit]).order_by("-created_at"))


def upgrades_of(artifact: Artifact) -> QuerySet[Upgrade]:
    """Every upgrade that was to install `artifact`, newest first."""
    return history().filter(artifact=artifact)


def installed_on(names: Iterable[str]) -> dict[str, int]:
    """On how many devices each of these releases is installed; one that is on none is left out."""
    installed = KT("provides__artifact_name")
    wanted = reduce(or_, (Q(Exact(installed, name)) for name in names), Q(pk=None))
    found = Device.objects.filter(wanted).annotate(installed=installed).order_by()
    return dict(found.values_list("installed").annotate(count=Count("pk")))


class Standstill(StrEnum):
    """Why an upgrade does not move: it waits, nobody holds it, it takes too long, its device says nothing of it, or somebody
    has to want its commit."""

    WAITING = "waiting"
    UNHELD = "unheld"
    OVERDUE = "overdue"
    SILENT = "silent"
    HELD = "held"


PRESSING: Final = (Standstill.UNHELD, Standstill.OVERDUE, Standstill.SILENT)
"""They want somebody to look; the others only wait."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """An upgrade that does not move, why as a sentence, what has to end before it, and whether it can be put back to work."""

    upgrade: Upgrade
    kind: Standstill
    why: str
    can_recover: bool
    waits_for: Upgrade | None = None


def stuck(*, limit: int = PAGE, offset: int = 0) -> list[Stuck]:
    """Up to `limit` upgrades that do not move: those that nobody holds, then the overdue ones, then those of silent devices,
    then what waits; oldest first."""
    now = clock.now()
    worst_first = Case(
        When(_unheld(now), then=0),
        When(overdue(now), then=1),
        When(silent(now), then=2),
        default=3,
        output_field=IntegerField(),
    )
    rows = stuck_upgrades().order_by(worst_first, "created_at", "id")
    return explained(rows[offset : offset + limit])


def stuck_upgrades(*kinds: Standstill) -> QuerySet[Upgrade]:
    """Upgrades that do not move, for one of these reasons; none given: for any.

    What a worker holds within its time limit is not among them.
    """
    found = history().exclude(state=State.FINISHED).filter(_for_any_of(kinds or Standstill))
    return found.annotate(ahead=ahead())


def count_stuck(sorts: Mapping[str, Iterable[Standstill]], **others: Q) -> dict[str, int]:
    """How many `stuck_upgrades` there are of each sort, and how many of the `others` that are not over; in one query."""
    conditions = {word: _for_any_of(kinds) for word, kinds in sorts.items()} | others
    wanted = {word: Count("pk", filter=condition) for word, condition in conditions.items()}
    return Upgrade.objects.exclude(state=State.FINISHED).order_by().aggregate(**wanted)


def _for_any_of(kinds: Iterable[Standstill]) -> Q:
    now = clock.now()
    reasons = {
        Standstill.WAITING: _waiting(now),
        Standstill.UNHELD: _unheld(now),
        Standstill.OVERDUE: overdue(now),
        Standstill.SILENT: silent(now),
        Standstill.HELD: _held(),
    }
    return reduce(or_, (reasons[kind] for kind in kinds))


def explained(rows: Iterable[Upgrade]) -> list[Stuck]:
    """Rows of `stuck_upgrades`, each with the reason why it does not move."""
    now = clock.now()
    found: list[Any] = list(rows)
    waiting = [row.ahead for row in found if row.state == State.PENDING and row.ahead]
    waited_for = history().in_bulk(waiting)
    return [_explain(row, ahead=waited_for.get(row.ahead), now=now) for row in found]


def _explain(row: Upgrade, *, ahead: Upgrade | None, now: datetime) -> Stuck:
    if row.state == State.PENDING and ahead is not None:
        why = f"It waits for {ahead}, which is {_word(ahead)} and has to end first."
        return Stuck(row, Standstill.WAITING, why, can_recover=False, waits_for=ahead)
    by_worker = row.executor == Upgrade.Executor.WORKER
    if row.state == State.PENDING:
        return Stuck(row, Standstill.WAITING, _why_not_begun(row, now), can_recover=by_worker)
    if row.facts.get(HELD) and row.cancel_requested_at is None:
        why = "It is installed, and waits until somebody commits it, or cancels it."
        if row.executor == Upgrade.Executor.DEVICE:
            seen = row.device.last_seen or last_word(row)
            why = f"{why} Its device was last heard of {timesince(seen, now)} ago."
        return Stuck(row, Standstill.HELD, why, can_recover=False)
    if by_worker and row.lease_until is None:
        why = f"It was handed over while {_word(row)}, and no worker has taken it up yet."
        return Stuck(row, Standstill.UNHELD, why, can_recover=True)
    if by_worker and row.lease_until is not None and row.lease_until < now:
        since = timesince(row.lease_until, now)
        why = f"Its worker {row.worker} was lost while {_word(row)}: its lease ran out {since} ago."
        return Stuck(row, Standstill.UNHELD, why, can_recover=True)
    return _explain_late(row, now)


def _explain_late(row: Upgrade, now: datetime) -> Stuck:
    allowed = timedelta(seconds=limit_seconds(row) or 0)
    said = timesince(now - allowed, now)
    for_so_long = f"{_word(row)} for {timesince(row.state_entered_at, now)}"
    if row.executor != Upgrade.Executor.DEVICE:
        why = f"It has been {for_so_long}, and {said} are allowed."
        if row.executor == Upgrade.Executor.WATCHDOG:
            why = f"{why} The portal's watchdog has it in hand. {SEE_WATCHDOG}"
        return Stuck(row, Standstill.OVERDUE, why, can_recover=False)
    heard = last_word(row)
    why = (
        f"Its device has been {for_so_long}, and has said nothing of it for {timesince(heard, now)}. {_last_heard(row, now)} "
        f"{'It should have been ended' if heard < now - allowed else 'The portal ends it'} after {said} of silence."
    )
    kind = Standstill.OVERDUE if counts_from(row) < now - allowed else Standstill.SILENT
    return Stuck(row, kind, why, can_recover=False)


def _why_not_begun(row: Upgrade, now: datetime) -> str:
    if row.executor == Upgrade.Executor.DEVICE:
        return f"Its turn has come: the device gets it when it asks next. {_last_heard(row, now)}"
    if row.executor == Upgrade.Executor.WATCHDOG:
        return f"Its turn has come, and the portal's watchdog has not taken it yet. {SEE_WATCHDOG}"
    return "Its turn has come, and nobody has taken it up yet: all workers are busy, or none runs."


def _waiting(now: datetime) -> Q:
    return Q(state=State.PENDING) & (Q(lease_until=None) | Q(lease_until__lt=now))


def _unheld(now: datetime) -> Q:
    nobody = Q(lease_until=None) | Q(lease_until__lt=now)
    return Q(state__in=ACTIVE, executor=Upgrade.Executor.WORKER) & nobody & does_not_rest(now)


def does_not_rest(now: datetime) -> Q:
    """A worker has something to do for it: it waits for no state script's next try, and for nobody's commit."""
    tried_again = Q(**{f"facts__{RESUME_AT}__isnull": True}) | Q(
        **{f"facts__{RESUME_AT}__lte": now.timestamp()}
    )
    return Q(cancel_requested_at__isnull=False) | (tried_again & is_not_held())


def _held() -> Q:
    return Q(state__in=ACTIVE, cancel_requested_at=None) & ~is_not_held()


def _last_heard(row: Upgrade, now: datetime) -> str:
    seen = row.device.last_seen
    return f"It last asked {timesince(seen, now)} ago." if seen else "It has not asked yet."


def _word(row: Upgrade) -> str:
    return row.state.replace("_", " ")
