"""Pages of the desk ask the database little, however much there is to show."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from devices.models import Device
from portal.core.actors import Actor
from tests.pages.conftest import MakeDevice
from updates.models import Artifact, Upgrade
from updates.services.deployments import deploy_artifact

pytestmark = pytest.mark.database

MOST = 12


def count(client: Client, address: str) -> int:
    client.get(address)  # who somebody is, and the like, is remembered from here on
    cache.clear()
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code in {200, 286}
    return len(asked)


@pytest.mark.parametrize(
    "name", ["index", "updates_upgrade_stuck", "updates_artifact_change", "updates_upgrade_change"]
)
def test_a_page_asks_no_more_when_there_is_more(
    name: str, operator: Client, waiting: Upgrade, make_device: MakeDevice, actor: Actor
) -> None:
    of = {"updates_artifact_change": waiting.artifact_id, "updates_upgrade_change": waiting.pk}
    address = reverse(f"admin:{name}", args=[of[name]] if name in of else [])
    few = count(operator, address)
    for number in range(20):
        make_device(f"more-{number}")
    deploy_artifact(
        artifact=Artifact.objects.get(), devices=Device.objects.all(), actor=actor, reason="All"
    )
    many = count(operator, address)
    assert many <= few + 1
    assert many <= MOST
