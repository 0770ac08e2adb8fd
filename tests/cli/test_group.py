"""`manage.py group`: made, edited, filled and deleted."""

from __future__ import annotations

import pytest

from devices.models import DeviceGroup
from portal.core.models import AuditEvent
from tests.cli.conftest import new_box, run

pytestmark = pytest.mark.database


def test_a_group_of_named_devices_is_made_filled_and_deleted() -> None:
    new_box("box-1")
    new_box("box-2")
    assert run("group", "add", "Pilot", "--description", "They go first").status == 0
    said = run("group", "members", "Pilot", "add", "box-1", "box-2", "--reason", "Friday")
    assert said.lines == ["2 came, 0 went: 2 are in Pilot."]
    said = run("group", "members", "Pilot", "exactly", "box-2", "--reason", "Friday", "--json")
    assert said.json == {"added": 0, "removed": 1}
    said = run("group", "members", "Pilot", "add", "box-3", "--reason", "Friday")
    assert (said.status, said.error.startswith("There is no device named box-3")) == (1, True)
    assert run("group", "delete", "Pilot", "--reason", "Over").lines == [
        "Pilot is gone; its devices stay."
    ]
    assert AuditEvent.objects.filter(action="group.delete", reason="Over").exists()


def test_a_group_by_a_filter_is_made_and_edited() -> None:
    new_box("box-1")
    said = run("group", "add", "Boxes", "--filter", "device_type=box")
    assert (said.facts["kind"], said.facts["devices"]) == ("dynamic", "1")
    said = run("group", "edit", "Boxes", "--name", "Crates", "--filter", "device_type=crate")
    assert (said.facts["name"], said.facts["devices"]) == ("Crates", "0")
    assert run("group", "edit", "Crates", "--filter", "nonsense").status == 1
    assert run("group", "edit", "Crates", "--filter", "nonsense=1").status == 1
    assert run("group", "edit", "Crates", "--signed-only", "yes").facts["signed only"] == "yes"
    assert DeviceGroup.objects.get().filter == {"device_type": "crate"}
