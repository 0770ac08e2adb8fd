"""The demo: a history that took place."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from devices.models import Device, DeviceGroup
from devices.queries import devices_in
from portal.demo.fleet import FAILS_ON_PURPOSE, FLEET, root_of
from updates.machine import Outcome, State
from updates.models import Upgrade

pytestmark = [pytest.mark.e2e, pytest.mark.database]


def _seed() -> str:
    said = StringIO()
    call_command("seed", stdout=said)
    return said.getvalue()


@pytest.fixture
def small_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    """As few devices as the story needs: each upgrade of the demo takes as long as a real one."""
    for device_type, count in {"kiosk": 4, "gateway": 3, "camera": 4}.items():
        monkeypatch.setitem(FLEET, device_type, count)


@pytest.mark.usefixtures("small_fleet")
def test_the_demo_has_every_outcome_in_an_orderly_past_and_on_the_devices() -> None:
    _seed()
    past = Upgrade.objects.filter(state=State.FINISHED)
    assert {upgrade.outcome for upgrade in past} == set(Outcome)
    assert past.filter(unchanged=True).exists()
    assert past.filter(undoes__isnull=False, outcome=Outcome.SUCCEEDED).exists()
    assert past.filter(retries__isnull=False, outcome=Outcome.SUCCEEDED).exists()
    assert timezone.now() - past.earliest("created_at").created_at > timedelta(weeks=7)
    for upgrade in past:
        _is_orderly(upgrade)

    failing = Device.objects.get(name=FAILS_ON_PURPOSE)
    assert set(failing.upgrades.values_list("outcome", flat=True)) == {Outcome.ROLLED_BACK}
    assert list((root_of(FAILS_ON_PURPOSE) / "opt/app").iterdir()) == [], "nothing is left"
    assert "version 2.0" in (root_of("kiosk-02") / "opt/app/index.html").read_text()
    assert all(devices_in(group).exists() for group in DeviceGroup.objects.all())

    live = Upgrade.objects.get(device__name="localhost")
    assert live.state == State.PENDING, "a worker will take it up"
    count = Upgrade.objects.count()
    _seed()
    assert Upgrade.objects.count() == count


def _is_orderly(upgrade: Upgrade) -> None:
    events = list(upgrade.events.order_by("seq"))
    assert [event.seq for event in events] == list(range(1, upgrade.last_seq + 1))
    assert all(before.at <= after.at for before, after in pairwise(events))
    assert upgrade.finished_at is not None
    assert upgrade.finished_at - upgrade.created_at < timedelta(minutes=5)


def test_a_portal_that_is_in_use_gets_no_demo() -> None:
    Device.objects.create(name="mine", device_type="t", driver=Device.Driver.LOCAL)
    with pytest.raises(CommandError, match="devices of its own"):
        _seed()
    assert Device.objects.count() == 1
