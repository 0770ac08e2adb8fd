"""The fleet in numbers: what is installed where, how upgrades ended, and how both came about. Aggregates only, no rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

from django.core.cache import cache
from django.db.models import Count, Q
from django.db.models.fields.json import KT
from django.db.models.functions import TruncDate, TruncWeek
from django.db.models.lookups import In, IsNull
from django.utils import timezone

from devices.models import Device
from updates.machine import Outcome
from updates.models import Artifact, Upgrade
from updates.plan import Kind

INCONSISTENT: Final = "_INCONSISTENT"
"""What stands at the end of the name of an artifact that left its device in between."""

IN_BETWEEN: Final = "in between"
"""What the pictures call all of those together."""

KEPT_SECONDS: Final = 30

Known = dict[tuple[str, str], dict[str, datetime]]
"""By device type and name: when the artifact of each payload type that a device may have by this name was uploaded last."""
Newest = dict[tuple[str, str], tuple[datetime, str]]
"""By device type and payload type: when the newest artifact was uploaded, and its name."""


def ended_by_day(since: datetime) -> dict[date, Counter[str]]:
    """How many upgrades ended with each outcome, for each day since then on which any did."""
    rows = (
        Upgrade.objects.filter(finished_at__gte=since)
        .annotate(day=TruncDate("finished_at"))
        .order_by()
        .values_list("day", "outcome")
        .annotate(Count("pk"))
    )
    days: dict[date, Counter[str]] = defaultdict(Counter)
    for day, outcome, count in rows:
        days[day][outcome] = count
    return dict(days)


@dataclass(frozen=True, slots=True)
class Installed:
    """`count` devices of one type have `version`. `newest` is the one that they could have; empty when they have it.

    How many of them want a look: `unreachable`, `silent` (not heard of since a certain time, or never), and `unconfirmed`,
    which show a host key that nobody has confirmed.
    """

    device_type: str
    version: str
    count: int
    newest: str
    unreachable: int = 0
    silent: int = 0
    unconfirmed: int = 0

    @property
    def is_broken(self) -> bool:
        """Whether an upgrade left these devices in between."""
        return self.version.endswith(INCONSISTENT)


def installed(*, silent_since: datetime) -> list[Installed]:
    """What is installed, by device type, the most frequent first. Devices are gone through once.

    Outdated is a device with an artifact of a payload type of which another device of its type has one that was uploaded
    later. An artifact that nobody has yet makes nobody outdated, nor does one that is withdrawn.
    """
    rows: list[dict[str, Any]] = [
        dict(row)
        for row in Device.objects.annotate(version=KT("provides__artifact_name"))
        .order_by()
        .values("device_type", "version")
        .annotate(
            count=Count("pk"),
            unreachable=Count("pk", filter=~Q(unreachable_reason="")),
            silent=Count("pk", filter=Q(last_seen=None) | Q(last_seen__lt=silent_since)),
            unconfirmed=Count("pk", filter=~Q(offered_host_key="")),
        )
    ]
    known, withdrawn = _known()
    newest = _newest(rows, known, withdrawn)
    found = [
        Installed(**row | {"version": row["version"] or ""}, newest=_better(row, newest, known))
        for row in rows
    ]
    return sorted(found, key=lambda row: (-row.count, row.device_type, row.version))


def outdated() -> Q:
    """Which devices those are that `installed` counts as outdated. What is the newest is looked up every half minute."""
    old = cache.get_or_set("outdated-versions", _outdated_versions, KEPT_SECONDS)
    installed_version = KT("provides__artifact_name")
    # Said of every pair, so that "not outdated" is true of what nobody knows.
    known = Q(IsNull(installed_version, rhs=False))
    pairs = (
        Q(device_type=device_type) & known & Q(In(installed_version, versions))
        for device_type, versions in (old or {}).items()
    )
    return reduce(or_, pairs, Q(pk=None))


def _outdated_versions() -> dict[str, list[str]]:
    """By device type."""
    rows: list[dict[str, Any]] = [
        dict(row)
        for row in Device.objects.annotate(version=KT("provides__artifact_name"))
        .order_by()
        .values("device_type", "version")
        .distinct()
    ]
    known, withdrawn = _known()
    newest = _newest(rows, known, withdrawn)
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if _better(row, newest, known):
            found[row["device_type"]].append(row["version"])
    return dict(found)


def _known() -> tuple[Known, set[str]]:
    """All artifacts, and the names of those that are withdrawn."""
    known: Known = defaultdict(dict)
    withdrawn: set[str] = set()
    columns = ("name", "payload_type", "device_types", "uploaded_at", "release__withdrawn_at")
    for name, payload_type, types, uploaded, withdrawn_at in Artifact.objects.order_by(
        "uploaded_at"
    ).values_list(*columns):
        for device_type in types:
            known[device_type, name][payload_type] = uploaded
        if withdrawn_at is not None:
            withdrawn.add(name)
    return dict(known), withdrawn


def _newest(rows: Iterable[dict[str, Any]], known: Known, withdrawn: set[str]) -> Newest:
    """The artifact that was uploaded last, of those that devices of a type have and others could still get."""
    found: Newest = {}
    for row in rows:
        device_type, version = row["device_type"], row["version"]
        if version in withdrawn:
            continue
        for payload_type, uploaded in known.get((device_type, version), {}).items():
            place, this = (device_type, payload_type), (uploaded, version)
            found[place] = max(this, found.get(place, this))
    return found


def _better(row: dict[str, Any], newest: Newest, known: Known) -> str:
    """The newer artifact that the row's devices could have; empty while they may have the newest already."""
    found = []
    for payload_type, uploaded in known.get((row["device_type"], row["version"]), {}).items():
        best = newest.get((row["device_type"], payload_type))
        if best is None or best[0] <= uploaded:
            return ""
        found.append(best)
    return max(found)[1] if found else ""


@dataclass(frozen=True, slots=True)
class VersionsOverTime:
    """How many devices had each version at the end of each of these moments, the last of which is now."""

    moments: list[datetime]
    counts: dict[str, list[int]]


def versions_over_time(
    today: Iterable[Installed], *, weeks: int, now: datetime
) -> VersionsOverTime:
    """Counted backwards from what is installed `today`, by what upgrades changed; week by week, from Monday to Monday.

    A device that was left in between counts as "in between", one that nobody knows anything of as "".
    """
    monday = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    monday -= timedelta(days=monday.weekday())
    starts = [monday - timedelta(weeks=back) for back in range(weeks)]
    moves = _moves(since=starts[-1])
    have = Counter[str]()
    for row in today:
        have[IN_BETWEEN if row.is_broken else row.version] += row.count
    by_moment = [(now, Counter(have))]
    for start in starts:
        for (came_from, went_to), count in moves.get(start.date(), Counter()).items():
            have[went_to] -= count
            have[came_from] += count
        by_moment.append((start, Counter(have)))
    by_moment.reverse()
    names = sorted(set().union(*(counts for _, counts in by_moment)))
    return VersionsOverTime(
        moments=[moment for moment, _ in by_moment],
        counts={name: [max(0, counts[name]) for _, counts in by_moment] for name in names},
    )


def _moves(*, since: datetime) -> dict[date, Counter[tuple[str, str]]]:
    """From what to what devices themselves went, and how often, in the week that begins on each date."""
    rows = (
        Upgrade.objects.filter(
            finished_at__gte=since,
            kind=Kind.ARTIFACT,
            outcome__in=[Outcome.SUCCEEDED, Outcome.BROKEN],
            unchanged=False,
        )
        .annotate(week=TruncWeek("finished_at"))
        .order_by()
        .values_list("week", "from_version", "to_version", "outcome")
        .annotate(Count("pk"))
    )
    found: dict[date, Counter[tuple[str, str]]] = defaultdict(Counter)
    for week, came_from, went_to, outcome, count in rows:
        went_to = IN_BETWEEN if outcome == Outcome.BROKEN else went_to
        came_from = IN_BETWEEN if came_from.endswith(INCONSISTENT) else came_from
        found[week.date()][came_from, went_to] += count
    return found
