"""Devices that pull: who asks to be let in, and what they report."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse

from devices.keys import identities_with, status_of
from devices.models import AuthSet, Device, DeviceIdentity
from portal.mender_management.address import Address
from portal.mender_management.errors import NotRead
from portal.mender_management.pages import page_of


class DevicesThatAsk(Address):
    permission = "devices.view_authset"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Those with a key, whatever became of it; of one `status`, if it is given."""
        rows = _asked_for(request).prefetch_related("auth_sets").order_by("pk")
        return page_of(rows, described, request=request)


class NumberThatAsk(Address):
    permission = "devices.view_authset"

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"count": _asked_for(request).count()})


class Inventory(Address):
    permission = "devices.view_device"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Devices that were let in, with what they report."""
        rows = Device.objects.filter(driver=Device.Driver.PULL).exclude(identity=None)
        return page_of(rows.select_related("identity").order_by("name"), reported, request=request)


def described(identity: DeviceIdentity) -> dict[str, Any]:
    """As Mender's server says it. Both times are None only where nobody ever asked nor decided."""
    keys = sorted(identity.auth_sets.all(), key=lambda key: str(key.pk))
    times = sorted(
        moment
        for key in keys
        for moment in (key.requested_at, key.last_asked_at, key.decided_at)
        if moment is not None
    )
    return {
        "id": str(identity.pk),
        "identity_data": identity.id_data,
        "status": status_of(identity),
        "created_ts": times[0].isoformat() if times else None,
        "updated_ts": times[-1].isoformat() if times else None,
        "auth_sets": [_key(identity, key) for key in keys],
        "decommissioning": False,
    }


def reported(device: Device) -> dict[str, Any]:
    """Under the same id as in the other list. What identifies the device is told apart from what it reports."""
    identity = device.identity
    seen = device.last_seen
    installed = {"device_type": device.device_type, **device.provides}
    told = {**device.reported, **installed}
    attributes = [
        {"name": name, "value": value, "scope": "identity"}
        for name, value in identity.id_data.items()
    ] + [
        {"name": name, "value": value, "scope": "inventory"}
        for name, value in sorted(told.items())
        if name not in identity.id_data
    ]
    return {
        "id": str(identity.pk),
        "attributes": attributes,
        "updated_ts": seen.isoformat() if seen else None,
    }


def _asked_for(request: HttpRequest) -> QuerySet[DeviceIdentity]:
    given = request.GET.get("status", "")
    if not given:
        return identities_with()
    if given not in AuthSet.Status.values:
        raise NotRead(f"status is one of {', '.join(AuthSet.Status.values)}.")
    return identities_with(AuthSet.Status(given))


def _key(identity: DeviceIdentity, key: AuthSet) -> dict[str, Any]:
    moment = key.requested_at or key.decided_at
    return {
        "id": str(key.pk),
        "pubkey": key.public_key,
        "identity_data": identity.id_data,
        "status": key.status,
        "ts": moment.isoformat() if moment else None,
    }
