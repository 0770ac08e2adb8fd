"""The history's filter and its search: the one that the page, the API, the command line and exports use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

import django_filters
from django.conf import settings
from django.db.models import Q, QuerySet, Subquery, Value
from django.utils.module_loading import import_string

from devices.models import DeviceGroup
from devices.queries import devices_in, devices_with_any
from portal.core.search import containing, words_of
from portal.core.yes_or_no import YesOrNoFilter
from updates.machine import ACTIVE, Outcome, State
from updates.models import Artifact, Instance, Upgrade

SEARCHED = ("from_version", "to_version", "reason", "error", "requested_by_name")
"""The columns of the index `upgrade_text`, in its order."""
FEW = 500
MOST = 4000
"""So many devices, or instances, are looked at to learn which of the words are in few of their names."""
PROBED = 5_000
MANY = 17
"""A word that stands in so many of the newest upgrades is found soon by walking through the history.

The newest are the newest that are over, and what was ordered since: a large deployment that waits has no errors yet.
"""


class UpgradeFilter(django_filters.FilterSet):
    """Words of the history's query. `q` searches versions, device, instance, reason, error and who asked."""

    q = django_filters.CharFilter(method="search", label="Search")
    device = django_filters.CharFilter(field_name="device__name", label="Device")
    instance = django_filters.CharFilter(field_name="instance__name", label="Instance")
    module = django_filters.CharFilter(method="of_module", label="Module")
    group = django_filters.ModelChoiceFilter(
        field_name="device__static_groups",
        queryset=DeviceGroup.objects.all(),
        method="in_group",
        label="Group",
    )
    release = django_filters.CharFilter(method="of_release", label="Release")
    artifact = django_filters.UUIDFilter(field_name="artifact_id", label="Artifact")
    patch = django_filters.UUIDFilter(method="of_patch", label="Patch")
    deployment = django_filters.UUIDFilter(field_name="deployment_id", label="Deployment")
    payload_type = django_filters.CharFilter(method="of_payload_type", label="Payload type")
    kind = django_filters.CharFilter()
    state = django_filters.MultipleChoiceFilter(
        choices=[(s.value, s.value) for s in State], distinct=False
    )
    outcome = django_filters.MultipleChoiceFilter(
        choices=[(o.value, o.value) for o in Outcome], distinct=False
    )
    active = YesOrNoFilter(method="by_activity", label="Running")
    requested_by = django_filters.CharFilter(field_name="requested_by_name", label="Asked by")
    since = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")
    ended_since = django_filters.IsoDateTimeFilter(
        field_name="finished_at", lookup_expr="gte", label="Ended since"
    )

    class Meta:
        model = Upgrade
        fields = ("kind", "state", "outcome")

    def search(self, upgrades: QuerySet[Upgrade], _name: str, words: str) -> QuerySet[Upgrade]:
        return find_upgrades(upgrades, words)

    def in_group(
        self, upgrades: QuerySet[Upgrade], _name: str, group: DeviceGroup
    ) -> QuerySet[Upgrade]:
        return upgrades.filter(device__in=_one_by_one(devices_in(group)))

    def of_module(self, upgrades: QuerySet[Upgrade], _name: str, name: str) -> QuerySet[Upgrade]:
        named = Instance.objects.filter(module__name=name)
        return upgrades.filter(instance__in=_one_by_one(named))

    def of_release(self, upgrades: QuerySet[Upgrade], _name: str, name: str) -> QuerySet[Upgrade]:
        """Upgrades to its artifacts. Where they are seldom among the newest this is said twice: see `containing`."""
        named = Artifact.objects.filter(release__name=name).order_by()
        wanted = Q(artifact__in=list(named.values_list("pk", flat=True)))
        found = upgrades.filter(wanted)
        return found.filter(wanted) if _is_seldom(_newest().filter(wanted)) else found

    def of_payload_type(
        self, upgrades: QuerySet[Upgrade], _name: str, payload_type: str
    ) -> QuerySet[Upgrade]:
        """Upgrades that an Update Module of this name installs."""
        named = Artifact.objects.filter(payload_type=payload_type)
        return upgrades.filter(artifact__in=_one_by_one(named))

    def of_patch(self, upgrades: QuerySet[Upgrade], _name: str, patch: UUID) -> QuerySet[Upgrade]:
        """Upgrades that were to apply it or to take it back, as the floor above knows them."""
        ask: Callable[[UUID], Q] = import_string(settings.ORDERS_OF_PATCH)
        return upgrades.filter(ask(patch))

    def by_activity(
        self,
        upgrades: QuerySet[Upgrade],
        _name: str,
        is_active: bool,  # noqa: FBT001
    ) -> QuerySet[Upgrade]:
        active = Q(state__in=ACTIVE)
        return upgrades.filter(active if is_active else ~active)


def _one_by_one(rows: QuerySet[Any]) -> list[Any] | QuerySet[Any]:
    """The ids, named one by one unless they are very many: that is a look into a table of numbers for each upgrade, where a
    question about each upgrade's device is a walk through an index."""
    ids = list(rows.order_by().values_list("pk", flat=True)[: MOST + 1])
    return ids if len(ids) <= MOST else rows.order_by().values("pk")


def find_upgrades(upgrades: QuerySet[Upgrade], text: str) -> QuerySet[Upgrade]:
    """Upgrades in which each word stands in a version, the reason, the error, or the name of the person, device or instance."""
    words = words_of(text)
    on_target = _on_target_named(words)

    def those(rows: QuerySet[Upgrade], *, expect_few: bool) -> QuerySet[Upgrade]:
        return containing(rows, words, columns=SEARCHED, or_else=on_target, expect_few=expect_few)

    return those(upgrades, expect_few=_is_seldom(those(_newest(), expect_few=False)))


def _newest() -> QuerySet[Upgrade]:
    newest = Upgrade.objects.order_by("-created_at")
    start = newest.filter(state=State.FINISHED).values("created_at")[PROBED : PROBED + 1]
    return newest.filter(created_at__gte=Subquery(start))


def _is_seldom(among_newest: QuerySet[Upgrade]) -> bool:
    return among_newest[:MANY].count() < MANY


def _on_target_named(words: list[str]) -> dict[str, Q]:
    """For each word: upgrades of devices, or instances, with it in their name. A few are named one by one, for the index's sake.

    In two queries at most. The second is about words that the first has seen in few names, when it has not seen all names.
    """
    found, is_all = _targets_named(words)
    many = {word for word in words if found[word].count > FEW}
    seldom = [word for word in words if word not in many]
    if not is_all and many and seldom:
        rest, is_all = _targets_named(seldom)
        found |= rest
        many |= {word for word in seldom if rest[word].count > FEW}
    return {
        word: found[word].as_query() if word not in many and is_all else _question_about(word)
        for word in words
    }


@dataclass(frozen=True, slots=True)
class _Named:
    """The ids of devices and of instances with a word in their name."""

    devices: list[int] = field(default_factory=list)
    instances: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.devices) + len(self.instances)

    def as_query(self) -> Q:
        return Q(device__in=self.devices) | Q(instance__in=self.instances)


def _question_about(word: str) -> Q:
    return Q(device__in=devices_with_any([word])) | Q(instance__in=_instances_with_any([word]))


def _targets_named(words: list[str]) -> tuple[dict[str, _Named], bool]:
    """Which targets have each word in their name, and whether these are all of them."""
    devices = devices_with_any(words).annotate(is_device=Value(True))  # noqa: FBT003 - a column
    instances = _instances_with_any(words).annotate(is_device=Value(False))  # noqa: FBT003
    columns = ("is_device", "pk", "name")
    rows = devices.values_list(*columns).union(instances.values_list(*columns), all=True)
    named = list(rows[: MOST + 1])
    found = {word: _Named() for word in words}
    for is_device, pk, name in named:
        for word in words:
            if word.lower() in name.lower():
                (found[word].devices if is_device else found[word].instances).append(pk)
    return found, len(named) <= MOST


def _instances_with_any(words: Iterable[str]) -> QuerySet[Instance]:
    """Instances with at least one of the words in their name, in no order."""
    in_name = reduce(or_, (Q(name__icontains=word) for word in words), Q())
    return Instance.objects.filter(in_name).order_by()
