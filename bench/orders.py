"""Measures orders to a whole fleet. Each is taken back, so that it can be measured again."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from bench.pages import administrator
from devices.models import Device
from portal.core.actors import actor_of
from updates.models import Artifact
from updates.services.deployments import deploy_artifact, preview_deployment


@dataclass(frozen=True, slots=True)
class OrderFigure:
    """Seconds for the order, and by how much the process's largest size grew, in MiB."""

    name: str
    seconds: float
    grown_mib: float
    limit_seconds: float

    @property
    def is_over(self) -> bool:
        return self.seconds > self.limit_seconds


PREVIEW_SECONDS: Final = 5.0
DEPLOY_SECONDS: Final = 60.0


def measure_orders() -> list[OrderFigure]:
    """The figures of orders to all devices. To be called early: memory that pages have used already hides growth."""
    everybody = Device.objects.order_by("name")
    artifact = Artifact.objects.filter(name__startswith="certificates-")[0]
    actor = actor_of(administrator())

    def preview() -> None:
        preview_deployment(artifact=artifact, devices=everybody)

    def deploy() -> None:
        deploy_artifact(artifact=artifact, devices=everybody, actor=actor, reason="bench")

    count = Device.objects.count()
    return [
        _measure(f"preview for {count:,} devices", preview, limit=PREVIEW_SECONDS),
        _measure(f"deployment to {count:,} devices", deploy, limit=DEPLOY_SECONDS),
    ]


def _measure(name: str, order: Callable[[], None], *, limit: float) -> OrderFigure:
    before = _largest_mib()
    begun = time.perf_counter()
    with transaction.atomic():
        order()
        seconds = time.perf_counter() - begun
        transaction.set_rollback(True)
    return OrderFigure(name, seconds, _largest_mib() - before, limit)


def _largest_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
