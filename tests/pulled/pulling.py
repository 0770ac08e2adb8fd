"""A device that is let in, and pulls its updates over HTTP as Mender's client does."""

from __future__ import annotations

import json
import uuid
from contextlib import AbstractContextManager
from datetime import timedelta
from itertools import count
from typing import Any, cast

from django.http import HttpResponse
from django.test import Client

from devices.mender_auth import token_of
from devices.models import AuthSet, Device, DeviceIdentity
from portal.core import clock
from portal.core.actors import PORTAL
from tests.journal.rows import new_artifact
from updates.models import Artifact, Upgrade
from updates.services.upgrades import apply_artifact

DEPLOYMENTS = "/api/devices/{}/deployments/device/deployments"
NEXT_V1, NEXT_V2 = f"{DEPLOYMENTS.format('v1')}/next", f"{DEPLOYMENTS.format('v2')}/next"

_numbers = count(1)


def new_pulling(**fields: object) -> Device:
    """A device of type `box` with `old` installed, whose key is accepted."""
    number = next(_numbers)
    device = Device.objects.create(
        **{
            "name": f"puller-{number}",
            "device_type": "box",
            "driver": Device.Driver.PULL,
            "provides": {"artifact_name": "old"},
            "last_seen": clock.now(),
            **fields,
        }
    )
    identity = DeviceIdentity.objects.create(
        id_hash=uuid.uuid4().hex, id_data={"mac": str(number)}, device=device
    )
    AuthSet.objects.create(
        identity=identity,
        public_key="none",
        key_hash=uuid.uuid4().hex,
        status=AuthSet.Status.ACCEPTED,
    )
    return device


class Pulling:
    """Speaks for `device`. `installed` is what it says that it has."""

    def __init__(self, device: Device | None = None, *, installed: str = "old") -> None:
        self.row = device or new_pulling()
        self.installed = installed
        self.token = token_of(AuthSet.objects.get(identity__device=self.row))
        self.client = Client()

    def ordered(self, artifact: Artifact | None = None, **words: Any) -> Upgrade:  # noqa: ANN401
        """An upgrade of this device, by default to `new`."""
        words = {"actor": PORTAL, "reason": "because", **words}
        return apply_artifact(device=self.row, artifact=artifact or new_artifact(), **words)

    def ask(self, **more: object) -> HttpResponse:
        """For its next update, as clients from 3.0 do."""
        provides = {"artifact_name": self.installed, "device_type": "box"}
        return self.send("POST", NEXT_V2, {"device_provides": provides, **more})

    def offered(self, **more: object) -> dict[str, Any]:
        answer = self.ask(**more)
        assert answer.status_code == 200, answer.content
        return cast(dict[str, Any], json.loads(answer.content))

    def says(self, upgrade: Upgrade, status: str, **more: object) -> int:
        """The code by which a status is answered."""
        address = f"{DEPLOYMENTS.format('v1')}/{upgrade.pk}/status"
        return self.send("PUT", address, {"status": status, **more}).status_code

    def send_log(self, upgrade: Upgrade, body: bytes) -> int:
        address = f"{DEPLOYMENTS.format('v1')}/{upgrade.pk}/log"
        return self.send("PUT", address, body).status_code

    def control_map(self, upgrade: Upgrade) -> HttpResponse:
        return self.send("GET", f"{DEPLOYMENTS.format('v2')}/{upgrade.pk}/update_control_map")

    def send(self, method: str, address: str, body: object = b"") -> HttpResponse:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.client.generic(
            method,
            address,
            content,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        return cast(HttpResponse, answer)


def fresh(upgrade: Upgrade) -> Upgrade:
    return Upgrade.objects.get(pk=upgrade.pk)


def ending(upgrade: Upgrade) -> tuple[str, str | None]:
    """The state that it is in, and what is decided."""
    row = fresh(upgrade)
    return row.state, row.outcome


def path_of(upgrade: Upgrade) -> list[str]:
    """The states that it went through, as its history has them."""
    arrows = upgrade.events.filter(kind="arrow").order_by("seq")
    return list(arrows.values_list("to_state", flat=True))


def notes_of(upgrade: Upgrade) -> list[str]:
    return list(upgrade.events.filter(kind="note").order_by("seq").values_list("text", flat=True))


def age(upgrade: Upgrade, **time: float) -> None:
    """It has been in its state for so long (`hours=24`)."""
    Upgrade.objects.filter(pk=upgrade.pk).update(state_entered_at=clock.now() - timedelta(**time))


def later(**time: float) -> AbstractContextManager[None]:
    """Inside the block so much time has passed (`hours=24`)."""
    return clock.started_at(clock.now() + timedelta(**time))
