"""What pages of the floor below show of upgrades: templates stand above all floors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django import template
from django.conf import settings
from django.http import HttpRequest

from devices.models import Device, DeviceGroup
from portal.core.actors import Actor, actor_of
from updates.models import Deployment, Upgrade
from updates.news import SHOWN, News, news
from updates.queries import deployments_to, newest_upgrades

register = template.Library()

BANNERS: Final = 2
"""So many newer versions are told on every page; more would be in the way."""


@dataclass(frozen=True, slots=True)
class Banner:
    """One newer version, and whether who looks may upgrade to it."""

    pk: int
    name: str
    newest: str
    notes_url: str
    may_upgrade: bool
    is_portal: bool


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


@register.inclusion_tag("components/news.html", takes_context=True)
def news_for_everybody(context: dict[str, Any]) -> dict[str, Any]:
    """What people are told on every page, if they may see it. One question of the database."""
    request: HttpRequest | None = context.get("request")
    if request is None or context.get("is_popup") or not request.user.is_authenticated:
        return {}
    actor = actor_of(request.user)
    if not actor.may("updates.view_watchedcontainer"):
        return {}
    told = news()
    portal = next((one for one in told if one.is_portal), None)
    found = [one for one in told if one.newest and not one.upgrade]
    left = len(found) - BANNERS
    sure = "" if len(found) < SHOWN else " or more"
    is_followed = portal is not None and (settings.AUTO_UPGRADE_ENABLED or portal.upgrade)
    return {
        "portal": portal if is_followed else None,
        "portal_to": portal.upgrade_to.rpartition(":")[2] if portal else "",
        "shown": [_banner(one, _may_upgrade(actor, one)) for one in found[:BANNERS]],
        "more": f"And {left}{sure} others could be newer" if left > 0 else "",
        "may_change": actor.may("updates.change_watchedcontainer"),
    }


def _may_upgrade(actor: Actor, one: News) -> bool:
    if one.is_portal:
        return settings.AUTO_UPGRADE_ENABLED and actor.may("updates.upgrade_portal")
    return actor.may("updates.upgrade_container")


def _banner(one: News, may_upgrade: bool) -> Banner:  # noqa: FBT001 - its column
    return Banner(one.pk, one.name, one.newest, one.notes_url, may_upgrade, one.is_portal)
