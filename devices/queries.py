"""Finding devices: the one filter that lists, the API, dynamic groups and deployments use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.lookups import Exact

from devices.models import Device, DeviceGroup
from portal.core.errors import Refused
from portal.core.search import containing


class DeviceFilter(django_filters.FilterSet):
    """Words of a device list's query. `q` searches name, host and type; `installed` is the artifact's name."""

    q = django_filters.CharFilter(method="search", label="Search")
    device_type = django_filters.CharFilter()
    driver = django_filters.ChoiceFilter(choices=Device.Driver)
    group = django_filters.ModelChoiceFilter(
        field_name="static_groups",
        queryset=DeviceGroup.objects.all(),
        method="in_group",
        label="Group",
    )
    installed = django_filters.CharFilter(method="having", label="Installed")
    unreachable = django_filters.BooleanFilter(
        field_name="unreachable_reason", lookup_expr="exact", exclude=True, method="by_reach"
    )

    class Meta:
        model = Device
        fields = ("device_type", "driver")

    def search(self, devices: QuerySet[Device], _name: str, words: str) -> QuerySet[Device]:
        return find_devices(devices, words)

    def having(self, devices: QuerySet[Device], _name: str, installed: str) -> QuerySet[Device]:
        return devices.filter(Exact(KT("provides__artifact_name"), installed))

    def in_group(
        self, devices: QuerySet[Device], _name: str, group: DeviceGroup
    ) -> QuerySet[Device]:
        return devices.filter(pk__in=devices_in(group).values("pk"))

    def by_reach(
        self,
        devices: QuerySet[Device],
        _name: str,
        is_unreachable: bool,  # noqa: FBT001
    ) -> QuerySet[Device]:
        blank = Q(unreachable_reason="")
        return devices.filter(~blank if is_unreachable else blank)


SEARCHED = ("name", "host", "device_type")
"""The columns of the index `device_text`, in its order."""


def find_devices(devices: QuerySet[Device], words: str) -> QuerySet[Device]:
    """Devices in which each word stands in the name, the host or the type."""
    return containing(devices, words, columns=SEARCHED)


GROUP_WORDS = frozenset({"q", "device_type", "driver", "installed", "unreachable"})
"""Words that a dynamic group's filter may use: not `group`, or groups could contain each other in a circle."""


def devices_matching(words: Mapping[str, Any]) -> QuerySet[Device]:
    """Devices that a filter finds. Refused, with the reason, when the filter makes no sense."""
    found = DeviceFilter(dict(words), queryset=Device.objects.all())
    if unknown := set(words) - set(found.filters):
        raise Refused(f"A device filter knows no {', '.join(sorted(unknown))}.")
    if not found.is_valid():
        field, problems = next(iter(found.errors.items()))
        raise Refused(f"The device filter is wrong: {field}: {problems[0]}")
    return found.qs


def devices_in(group: DeviceGroup) -> QuerySet[Device]:
    """The members of a static group; whatever a dynamic group's filter finds now."""
    if group.kind == DeviceGroup.Kind.STATIC:
        return Device.objects.filter(static_groups=group)
    if unknown := set(group.filter) - GROUP_WORDS:
        raise Refused(f"A group's filter knows no {', '.join(sorted(unknown))}.")
    return devices_matching(group.filter)


def groups_of(device: Device) -> list[DeviceGroup]:
    """The groups that the device is in right now, by name: in two queries, however many groups there are."""
    inside: dict[str, Exists] = {}
    groups = {str(group.pk): group for group in DeviceGroup.objects.order_by("name")}
    for key, group in groups.items():
        try:
            inside[f"in_{key}"] = Exists(devices_in(group).filter(pk=OuterRef("pk")))
        except Refused:
            continue  # its page says what is wrong with its filter
    row = Device.objects.filter(pk=device.pk).annotate(**inside).values(*inside).first() or {}
    return [group for key, group in groups.items() if row.get(f"in_{key}")]


def select_devices(
    *,
    devices: list[int] | None = None,
    groups: list[int] | None = None,
    everything: bool = False,
) -> QuerySet[Device]:
    """The devices of an order: named ones, members of groups, or all; each once."""
    if everything:
        return Device.objects.all()
    wanted = Q(pk__in=devices or [])
    for group in DeviceGroup.objects.filter(pk__in=groups or []):
        wanted |= Q(pk__in=devices_in(group).values("pk"))
    return Device.objects.filter(wanted)
