"""Choosing devices for an order: named ones, members of groups, those that a filter finds, or all."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet
from rest_framework import serializers

from devices.models import Device, DeviceGroup
from devices.queries import devices_chosen, devices_matching
from devices.services.bulk import MEANT_ABOVE
from portal.core.actors import Actor
from portal.core.errors import NotPermitted, Refused

MOST = 10_000
LARGEST_ID = 2**63 - 1


def id_list(*, required: bool, of: str) -> serializers.ListField:
    """A field for up to 10,000 ids of rows that have numbers."""
    number = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    return serializers.ListField(
        child=number, max_length=MOST, required=required, help_text=f"Ids of {of}."
    )


class ChoiceSerializer(serializers.Serializer[dict[str, Any]]):
    """`all`, a `filter`, or any of `devices` and `groups`; a device that is found twice counts once."""

    devices = id_list(required=False, of="devices")
    groups = id_list(required=False, of="device groups")
    filter = serializers.DictField(
        child=serializers.CharField(max_length=1000),
        required=False,
        help_text="Words of the device list's query, all of which have to be true of a device.",
    )
    all = serializers.BooleanField(default=False, help_text="All devices.")

    def validate_devices(self, ids: list[int]) -> list[int]:
        return _known(ids, Device.objects.all())

    def validate_groups(self, ids: list[int]) -> list[int]:
        return _known(ids, DeviceGroup.objects.all())

    def validate_filter(self, words: dict[str, str]) -> dict[str, str]:
        try:
            devices_matching(words)
        except Refused as error:
            raise serializers.ValidationError(str(error)) from error
        return words

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_named = any(attrs.get(field) for field in ("devices", "groups", "all"))
        if not is_named and not attrs.get("filter"):
            raise serializers.ValidationError("Choose devices, groups, a filter, or all devices.")
        if is_named and attrs.get("filter"):
            raise serializers.ValidationError(
                "Choose one way only: devices and groups, or a filter, or all devices."
            )
        return attrs


class MeantChoiceSerializer(ChoiceSerializer):
    """A choice whose number has to be said when it is a big one, and the reason for what is done to it."""

    reason = serializers.CharField(max_length=2000, help_text="Why: it is kept in the history.")
    count = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        help_text=f"How many devices you mean; has to be said for more than {MEANT_ABOVE}.",
    )


def selection_of(order: dict[str, Any]) -> dict[str, Any]:
    """How the order chose its devices, as it is kept with it: the words of `devices_chosen`."""
    if order["all"]:
        return {"everything": True}
    if order.get("filter"):
        return {"filter": order["filter"]}
    return {"devices": order.get("devices", []), "groups": order.get("groups", [])}


def open_devices_of(order: dict[str, Any], *, actor: Actor) -> QuerySet[Device]:
    """The devices that the order chose, as they are now, and as far as the actor may see them and give orders for them.

    NotPermitted for whoever does not log in.
    """
    if actor.user is None:
        raise NotPermitted("An order for devices belongs to somebody who logs in.")
    return devices_chosen(selection_of(order), by=actor.user)


def _known(ids: list[int], rows: QuerySet[Model]) -> list[int]:
    known = set(rows.filter(pk__in=ids).values_list("pk", flat=True))
    if unknown := set(ids) - known:
        raise serializers.ValidationError(f"There is none with the id {min(unknown)}.")
    return sorted(known)
