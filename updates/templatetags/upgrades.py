"""What pages of the floor below show of upgrades: templates stand above all floors."""

from __future__ import annotations

from collections.abc import Iterable

from django import template

from devices.models import Device, DeviceGroup
from updates.models import Deployment, Upgrade
from updates.queries import deployments_to, newest_upgrades

register = template.Library()


@register.simple_tag
def newest_of(devices: Iterable[Device]) -> dict[int, Upgrade]:
    """The newest upgrade of each of the shown devices, by the device's id."""
    return newest_upgrades(device.pk for device in devices)


@register.simple_tag
def deployments_of(group: DeviceGroup) -> list[Deployment]:
    """The newest deployments to the group."""
    return deployments_to(group)


@register.filter
def of(upgrades: dict[int, Upgrade], device: Device) -> Upgrade | None:
    """The one of this device."""
    return upgrades.get(device.pk)
