"""The audit over the API."""

from __future__ import annotations

import pytest

from tests.api.caller import Caller
from tests.api.conftest import MakeDevice
from tests.api.problems import assert_problem

pytestmark = pytest.mark.database


def test_every_effect_is_on_record_with_who_and_when(
    operator: Caller, make_device: MakeDevice
) -> None:
    device = make_device()
    operator.patch(f"devices/{device.pk}", device_type="crate")

    entry = operator.get("audit-events", action="device.change").body["results"][0]

    assert (entry["actor"], entry["subject"]) == ("alice", device.name)
    assert (entry["subject_type"], entry["subject_id"]) == ("devices.device", str(device.pk))
    assert entry["request_id"]
    assert operator.get(f"audit-events/{entry['id']}").body == entry


def test_the_audit_cannot_be_written(operator: Caller) -> None:
    entry = operator.get("audit-events").body["results"][0]

    for answer in (
        operator.post("audit-events", action="nothing.happened"),
        operator.patch(f"audit-events/{entry['id']}", actor="nobody"),
        operator.delete(f"audit-events/{entry['id']}"),
    ):
        assert_problem(answer, status=405, code="API-405")
