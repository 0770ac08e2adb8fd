"""What devices report is taken as far as it can be; what is refused is in the log once, and on the device's page."""

from __future__ import annotations

import pytest

from devices.models import Device, DeviceIdentity
from tests.pulled.pretend import INVENTORY
from tests.pulled.pulling import Pulling

pytestmark = pytest.mark.database

TOO_MANY = {f"n{number}": "1" for number in range(600)}


def _report(device: Pulling, values: object) -> int:
    said = (
        [{"name": name, "value": value} for name, value in values.items()]
        if isinstance(values, dict)
        else values
    )
    return device.send("PUT", INVENTORY, said).status_code


def _kept(device: Pulling) -> dict[str, object]:
    return Device.objects.get(pk=device.row.pk).reported


def _noted(device: Pulling) -> tuple[str, str]:
    identity = DeviceIdentity.objects.get(device=device.row)
    return identity.refused_what, identity.refused_why


def test_a_value_that_is_too_long_is_cut_and_says_so() -> None:
    device = Pulling()
    assert _report(device, {"dmesg": "d" * 20_000, "site": "Leipzig"}) == 200
    kept = _kept(device)
    assert kept["site"] == "Leipzig"
    assert kept["dmesg"] == f"{'d' * 8160} … (cut: it has 20,000)"
    assert len(str(kept["dmesg"])) <= 8192


@pytest.mark.parametrize("values", [[f"package-{n}" for n in range(2000)], list(range(2000))])
def test_a_list_that_is_too_long_is_cut_and_says_so(values: list[str | int]) -> None:
    device = Pulling()
    assert _report(device, {"packages": values, "site": "Leipzig"}) == 200
    kept = _kept(device)
    assert kept["site"] == "Leipzig"
    assert kept["packages"] == [*map(str, values[:199]), "… (cut: it has 2,000)"]


def test_what_just_fits_is_kept_as_it_is() -> None:
    device = Pulling()
    values = {"text": "t" * 8192, "numbers": list(range(200)), "texts": ["x"] * 200}
    assert _report(device, values) == 200
    assert {name: _kept(device)[name] for name in values} == values
