"""Finding devices: the one filter that lists, the API, dynamic groups and deployments use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

import django_filters
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.db.models.lookups import Exact, In, IsNull
from django.utils.module_loading import import_string

from devices.attribute_words import conditions_in
from devices.models import (
    INCONSISTENT,
    AuthSet,
    Credential,
    Device,
    DeviceGroup,
    StoredImport,
    StoredSelection,
)
from portal.core import clock
from portal.core.errors import Refused
from portal.core.search import SHORTEST_INDEXED, Joined, containing, words_of
from portal.core.yes_or_no import YesOrNoFilter

_NOTHING_KNOWN: Final = Q(IsNull(KT("provides__artifact_name"), rhs=True)) | Q(
    Exact(KT("provides__artifact_name"), "")
)


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
    nothing_known = YesOrNoFilter(method="by_knowledge", label="Nothing known of what is installed")
    other_than = django_filters.CharFilter(
        method="having_another", label="Something else installed than", help_text="a name per line"
    )
    credential = django_filters.ModelChoiceFilter(
        queryset=Credential.objects.all(), label="Credential"
    )
    unreachable = YesOrNoFilter(
        field_name="unreachable_reason", lookup_expr="exact", exclude=True, method="by_reach"
    )

    inconsistent = YesOrNoFilter(method="by_consistency", label="Broken")
    to_confirm = YesOrNoFilter(
        method="by_offered_key", label="Shows a host key that nobody has confirmed"
    )
    silent_days = django_filters.NumberFilter(
        method="by_silence", min_value=1, max_value=3650, label="Silent for days"
    )
    outdated = YesOrNoFilter(method="by_age", label="Outdated")
    shut_out = YesOrNoFilter(method="by_keys", label="Pulls and is shut out")
    attribute = django_filters.CharFilter(
        method="by_attributes", label="Attribute", help_text="site=Leipzig; floor>3; os~debian"
    )

    class Meta:
        model = Device
        fields = ("device_type", "driver")

    def search(self, devices: QuerySet[Device], _name: str, words: str) -> QuerySet[Device]:
        return find_devices(devices, words)

    def having(self, devices: QuerySet[Device], _name: str, installed: str) -> QuerySet[Device]:
        return devices.filter(Exact(KT("provides__artifact_name"), installed))

    def by_knowledge(
        self,
        devices: QuerySet[Device],
        _name: str,
        is_unknown: bool,  # noqa: FBT001
    ) -> QuerySet[Device]:
        """Devices of which nobody knows what is installed there; or all others."""
        return devices.filter(_NOTHING_KNOWN if is_unknown else ~_NOTHING_KNOWN)

    def having_another(self, devices: QuerySet[Device], _name: str, names: str) -> QuerySet[Device]:
        """Devices on which none of these is installed, nor known to be."""
        named = [name for line in names.splitlines() if (name := line.strip())]
        return devices.filter(_NOTHING_KNOWN | ~Q(In(KT("provides__artifact_name"), named)))

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

    def by_consistency(
        self,
        devices: QuerySet[Device],
        _name: str,
        is_broken: bool,  # noqa: FBT001
    ) -> QuerySet[Device]:
        broken = Device.objects.filter(provides__artifact_name__endswith=INCONSISTENT)
        found = Q(pk__in=broken.values("pk"))
        return devices.filter(found if is_broken else ~found)

    def by_offered_key(
        self,
        devices: QuerySet[Device],
        _name: str,
        is_offered: bool,  # noqa: FBT001
    ) -> QuerySet[Device]:
        none = Q(offered_host_key="")
        return devices.filter(~none if is_offered else none)

    def by_keys(
        self,
        devices: QuerySet[Device],
        _name: str,
        is_shut_out: bool,  # noqa: FBT001
    ) -> QuerySet[Device]:
        """Devices that pull and may not; or all others."""
        pulls_in_vain = Q(driver=Device.Driver.PULL) & ~_let_in()
        return devices.filter(pulls_in_vain if is_shut_out else ~pulls_in_vain)

    def by_silence(self, devices: QuerySet[Device], _name: str, days: Decimal) -> QuerySet[Device]:
        """Devices that have not answered for so many days, or never."""
        since = clock.now() - timedelta(days=float(days))
        return devices.filter(Q(last_seen=None) | Q(last_seen__lt=since))

    def by_age(
        self,
        devices: QuerySet[Device],
        _name: str,
        is_outdated: bool,  # noqa: FBT001
    ) -> QuerySet[Device]:
        """Devices that could have something newer, as the floor above sees it."""
        ask: Callable[[], Q] = import_string(settings.OUTDATED)
        return devices.filter(ask() if is_outdated else ~ask())

    def by_attributes(self, devices: QuerySet[Device], _name: str, text: str) -> QuerySet[Device]:
        """Devices that have all of these attributes, as people wrote them or as the devices report them."""
        for condition in conditions_in(text):
            devices = devices.filter(condition.as_query())
        return devices


SEARCHED = ("name", "host", "device_type")
"""The columns of the index `device_text`, in its order."""


def find_devices(devices: QuerySet[Device], text: str) -> QuerySet[Device]:
    """Devices in which each word stands in the name, the host or the type."""
    return containing(devices, words_of(text), columns=SEARCHED)


SELECTION_HOURS: Final = 24


def devices_with_any(words: Iterable[str]) -> QuerySet[Device]:
    """Devices with at least one of the words in their name, in no order."""
    wanted = list(words)
    in_name = reduce(or_, (Q(name__icontains=word) for word in wanted), Q())
    found = Device.objects.filter(in_name).order_by()
    if any(len(word) < SHORTEST_INDEXED for word in wanted):
        return found
    # This part alone is answered from the index.
    anywhere = reduce(or_, (Q(searched__icontains=word) for word in wanted), Q())
    return found.alias(searched=Joined(*SEARCHED)).filter(anywhere)


GROUP_WORDS = frozenset(
    {
        "q", "device_type", "driver", "installed", "unreachable", "inconsistent", "silent_days",
        "attribute",
    }
)  # fmt: skip
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


def devices_open_to(user: User) -> QuerySet[Device]:
    """The devices that the user may see and give orders for: all of them, for whoever may see devices.

    The one place for a limit by object: lists, selections and bulk orders ask here.
    """
    devices = Device.objects.all()
    return devices if user.has_perm("devices.view_device") else devices.none()


def stored_selection(selection: UUID | str, user: User) -> QuerySet[Device]:
    """The devices that the user picked in a list: as far as they exist, and as far as the user may touch them, now.

    Refused when it is somebody else's, older than a day, or gone.
    """
    since = clock.now() - timedelta(hours=SELECTION_HOURS)
    try:
        found = StoredSelection.objects.get(pk=selection, owner=user, created_at__gte=since)
    except (StoredSelection.DoesNotExist, ValidationError):
        raise Refused("This selection is gone: pick the devices again.") from None
    picked = (
        Q(pk__in=found.ids) if found.ids else Q(pk__in=devices_matching(found.words).values("pk"))
    )
    return devices_open_to(user).filter(picked)


def stored_import(pk: UUID, user: User | None) -> StoredImport:
    """The file that the user uploaded. Refused when it is somebody else's, older than a day, or gone."""
    since = clock.now() - timedelta(hours=SELECTION_HOURS)
    try:
        return StoredImport.objects.get(pk=pk, owner=user, created_at__gte=since)
    except StoredImport.DoesNotExist:
        raise Refused("This file is gone: upload it again.") from None


def devices_in(group: DeviceGroup) -> QuerySet[Device]:
    """The members of a static group; whatever a dynamic group's filter finds now."""
    if group.kind == DeviceGroup.Kind.STATIC:
        return Device.objects.filter(static_groups=group)
    if unknown := set(group.filter) - GROUP_WORDS:
        raise Refused(f"A group's filter knows no {', '.join(sorted(unknown))}.")
    return devices_matching(group.filter)


def signed_only_groups(*, devices: list[int] | None = None) -> dict[int, str]:
    """Devices that take signed artifacts only, by id, with the name of a group for which that is so; of all, or of `devices`.

    Refused while the filter of such a group makes no sense: better no order than one past it.
    """
    guarded: dict[int, str] = {}
    for group in DeviceGroup.objects.filter(signed_only=True).order_by("-name"):
        found = devices_in(group)
        if devices is not None:
            found = found.filter(pk__in=devices)
        guarded.update(dict.fromkeys(found.values_list("pk", flat=True), group.name))
    return guarded


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
    *, devices: list[int] | None = None, groups: list[int] | None = None
) -> QuerySet[Device]:
    """Named devices and members of groups, each once."""
    wanted = Q(pk__in=devices or [])
    for group in DeviceGroup.objects.filter(pk__in=groups or []):
        wanted |= Q(pk__in=devices_in(group).values("pk"))
    return Device.objects.filter(wanted)


def devices_chosen(words: Mapping[str, Any], *, by: User | None) -> QuerySet[Device]:
    """The devices that an order means right now, as far as `by` may touch them; for the portal itself, all that it means.

    `words` are kept with the order: `everything`, a `filter` as the device list has it, a `selection` that was picked there, or
    `devices` and `groups`. Refused when they make no sense.
    """
    if by is not None and "selection" in words:
        return stored_selection(words["selection"], by)
    may_touch = Device.objects.all() if by is None else devices_open_to(by)
    if "everything" in words:
        return may_touch
    found = devices_matching(words["filter"]) if "filter" in words else select_devices(**words)
    return may_touch.filter(pk__in=found.values("pk"))


def shut_out(*, devices: list[int] | None = None) -> set[int]:
    """The ids of devices that pull and may not, of all or of `devices`: no key of theirs is accepted, no order reaches them."""
    pulling = Device.objects.filter(~_let_in(), driver=Device.Driver.PULL)
    if devices is not None:
        pulling = pulling.filter(pk__in=devices)
    return set(pulling.order_by().values_list("pk", flat=True))


def _let_in() -> Q:
    accepted = AuthSet.objects.filter(
        identity__device=OuterRef("pk"), status=AuthSet.Status.ACCEPTED
    )
    return Q(Exists(accepted))
