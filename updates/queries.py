"""Reading upgrades: the history's filter, the timeline's cursor, a deployment's counts."""

from __future__ import annotations

from dataclasses import dataclass

import django_filters
from django.db.models import Count, Q, QuerySet

from updates.machine import ACTIVE, Outcome, State
from updates.models import Artifact, Deployment, Upgrade, UpgradeEvent

PAGE = 200


class UpgradeFilter(django_filters.FilterSet):
    """Words of the history's query. `q` searches versions, device, reason, error and who asked."""

    q = django_filters.CharFilter(method="search", label="Search")
    device = django_filters.CharFilter(field_name="device__name", label="Device")
    artifact = django_filters.UUIDFilter(field_name="artifact_id", label="Artifact")
    deployment = django_filters.UUIDFilter(field_name="deployment_id", label="Deployment")
    kind = django_filters.CharFilter()
    state = django_filters.MultipleChoiceFilter(choices=[(s.value, s.value) for s in State])
    outcome = django_filters.MultipleChoiceFilter(choices=[(o.value, o.value) for o in Outcome])
    active = django_filters.BooleanFilter(method="by_activity", label="Running")
    requested_by = django_filters.CharFilter(field_name="requested_by_name", label="Asked by")
    since = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Upgrade
        fields = ("kind", "state", "outcome")

    def search(self, upgrades: QuerySet[Upgrade], _name: str, words: str) -> QuerySet[Upgrade]:
        return upgrades.filter(
            Q(device__name__icontains=words)
            | Q(to_version__icontains=words)
            | Q(from_version__icontains=words)
            | Q(reason__icontains=words)
            | Q(error__icontains=words)
            | Q(requested_by_name__icontains=words)
        )

    def by_activity(
        self,
        upgrades: QuerySet[Upgrade],
        _name: str,
        is_active: bool,  # noqa: FBT001
    ) -> QuerySet[Upgrade]:
        active = Q(state__in=ACTIVE)
        return upgrades.filter(active if is_active else ~active)


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


@dataclass(frozen=True, slots=True)
class Counts:
    """A deployment's upgrades, counted: by outcome when they are over, else waiting or running."""

    waiting: int
    running: int
    outcomes: dict[str, int]

    @property
    def total(self) -> int:
        return self.waiting + self.running + sum(self.outcomes.values())

    @property
    def is_over(self) -> bool:
        return self.waiting == 0 and self.running == 0


def counts(deployment: Deployment) -> Counts:
    """Counted from the rows themselves, each time: a counter kept beside them could lie."""
    over = Q(state=State.FINISHED)
    found = deployment.upgrades.aggregate(
        waiting=Count("pk", filter=Q(state=State.PENDING)),
        running=Count("pk", filter=Q(state__in=ACTIVE)),
        **{word.value: Count("pk", filter=over & Q(outcome=word)) for word in Outcome},
    )
    return Counts(
        waiting=found["waiting"],
        running=found["running"],
        outcomes={word.value: found[word.value] for word in Outcome},
    )


def history() -> QuerySet[Upgrade]:
    """All upgrades, newest first, with what a list shows."""
    return Upgrade.objects.select_related("device", "artifact", "deployment")


def upgrades_of(artifact: Artifact) -> QuerySet[Upgrade]:
    """Every upgrade that was to install `artifact`, newest first."""
    return history().filter(artifact=artifact)
