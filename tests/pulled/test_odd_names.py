"""Names and types of an unusual length or writing: each device is judged by what it said, and none stands in another's way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse

from devices.models import LONGEST_TYPE, UNKNOWN_TYPE, Device, InstalledRecord
from devices.services.devices import save_device
from devices.services.imports import preview_import
from portal.core.actors import PORTAL
from tests.journal.rows import new_artifact
from tests.pulled.pretend import INVENTORY
from tests.pulled.pulling import NEXT_V1, NEXT_V2, Pulling, ending, fresh, new_pulling
from updates.formats.mender_artifact.limits import Limits
from updates.machine import Outcome, State
from updates.models import Check
from updates.plan import INCONSISTENT
from updates.services.checks import request_checks
from updates.services.deployments import deploy_artifact

pytestmark = pytest.mark.database

RANDOM = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(125))
"""What no database compresses to fit into an index."""
FOUR_BYTES = "".join(chr(0x1F300 + ord(letter)) for letter in RANDOM[:2000])


def _row(device: Pulling) -> Device:
    return Device.objects.get(pk=device.row.pk)


def _report(device: Pulling, **values: object) -> int:
    said = [{"name": name, "value": value} for name, value in values.items()]
    return device.send("PUT", INVENTORY, said).status_code


def _all(*devices: Pulling) -> QuerySet[Device]:
    return Device.objects.filter(pk__in=[device.row.pk for device in devices])


@pytest.mark.parametrize("name", ["x" * 400, RANDOM[:2000], FOUR_BYTES])
def test_a_device_with_too_long_a_name_is_updated_all_the_same(name: str) -> None:
    device = Pulling(installed=name)
    upgrade = device.ordered()
    assert device.offered()["id"] == str(upgrade.pk)
    assert device.offered()["id"] == str(upgrade.pk)
    kept = _row(device).artifact_name
    assert kept == f"{name[:299]}…"
    assert fresh(upgrade).from_version == kept
    assert list(InstalledRecord.objects.values_list("artifact_name", flat=True)) == [kept]
    assert device.says(upgrade, "installing") == device.says(upgrade, "failure") == 204
    device.ask()
    assert ending(upgrade) == (State.FINISHED, Outcome.ROLLED_BACK)


def test_every_way_to_say_a_name_has_room_for_the_same() -> None:
    device = Pulling()
    ways: tuple[Callable[[str], HttpResponse], ...] = (
        lambda name: device.send("POST", NEXT_V2, {"device_provides": {"artifact_name": name}}),
        lambda name: device.send("POST", NEXT_V1, {"artifact_name": name}),
        lambda name: device.send("GET", f"{NEXT_V1}?artifact_name={name}"),
        lambda name: device.send("PUT", INVENTORY, [{"name": "artifact_name", "value": name}]),
    )
    for number, way in enumerate(ways):
        assert way(f"{number}{RANDOM[:1900]}").status_code in (200, 204)
        assert _row(device).artifact_name == f"{number}{RANDOM[:298]}…"


@pytest.mark.parametrize("name", [RANDOM, FOUR_BYTES])
def test_an_inventory_with_too_long_a_name_is_taken(name: str) -> None:
    device = Pulling()
    assert _report(device, artifact_name=name, device_type="box") == 200
    assert _row(device).artifact_name == f"{name[:299]}…"
    assert _row(device).reported["artifact_name"] == name


def test_a_name_that_is_cut_still_says_that_an_update_broke_off() -> None:
    device = Pulling()
    assert _report(device, artifact_name=RANDOM[:500] + INCONSISTENT) == 200
    assert _row(device).artifact_name == f"{RANDOM[:286]}…{INCONSISTENT}"


def test_one_device_with_too_long_a_name_does_not_keep_the_others_from_an_order() -> None:
    long, other = Pulling(installed="x" * 400), Pulling()
    long.ask()
    artifact = new_artifact()
    request_checks(artifact=artifact, devices=_all(long, other), actor=PORTAL)
    assert Check.objects.count() == 2
    deployment = deploy_artifact(
        artifact=artifact, devices=_all(long, other), actor=PORTAL, reason="because"
    )
    assert deployment.upgrades.count() == 2


ODD_NAMES = ["n" * 210, "n" * 256, "two  blanks", f"{'n' * 150}  {'n' * 100}"]


@pytest.mark.parametrize("old", ODD_NAMES)
def test_the_name_before_means_that_it_is_back(old: str) -> None:
    device = Pulling(installed=old)
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    device.says(upgrade, "failure")
    device.ask()
    assert ending(upgrade) == (State.FINISHED, Outcome.ROLLED_BACK)


@pytest.mark.parametrize("new", ODD_NAMES)
def test_the_new_name_means_that_it_succeeded(new: str) -> None:
    device = Pulling()
    upgrade = device.ordered(new_artifact(new))
    device.offered()
    device.says(upgrade, "installing")
    device.installed = new
    device.ask()
    assert ending(upgrade) == (State.FINISHED, Outcome.SUCCEEDED)


@pytest.mark.parametrize("new", ODD_NAMES)
def test_an_order_for_many_to_an_odd_name(new: str) -> None:
    device = Pulling()
    deployment = deploy_artifact(
        artifact=new_artifact(new), devices=_all(device), actor=PORTAL, reason="because"
    )
    assert deployment.upgrades.get().to_version == new


def test_an_odd_name_makes_one_line_in_the_history() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "installing")
    device.installed = f"third\n\n{'x' * 280}"
    device.ask()
    assert ending(upgrade) == (State.FINISHED, Outcome.BROKEN)
    assert "\n" not in fresh(upgrade).error


def test_devices_and_artifacts_have_room_for_the_same_types() -> None:
    assert Limits().device_type_characters == LONGEST_TYPE


ODD_TYPES = ["Raspberry Pi 4", "board/rev:2", "Gerät", "box, large", "_box", "y" * 100]


@pytest.mark.parametrize("kind", ODD_TYPES)
def test_any_type_that_an_artifact_may_name_is_taken(kind: str) -> None:
    device = Pulling(new_pulling(device_type=UNKNOWN_TYPE))
    said = {"device_provides": {"artifact_name": "old", "device_type": kind}}
    assert device.send("POST", NEXT_V2, said).status_code == 204
    assert _row(device).device_type == kind
    upgrade = device.ordered(new_artifact(device_types=[kind]))
    offer = json.loads(device.send("POST", NEXT_V2, said).content)
    assert offer["id"] == str(upgrade.pk)
    assert offer["artifact"]["device_types_compatible"] == [kind]
    assert _report(device, device_type=kind) == 200
    assert _row(device).device_type == kind


@pytest.mark.parametrize("kind", ODD_TYPES)
def test_people_may_write_the_same_types(kind: str) -> None:
    device = Device(name="by-hand", device_type=kind, driver="local", root="/nowhere")
    assert save_device(device=device, actor=PORTAL).device_type == kind
    file = f'name,device_type,driver,root\nimported,"{kind}",local,/nowhere\n'
    (row,) = preview_import(content=file.encode(), actor=PORTAL).rows
    assert (row.verdict, row.problems) == ("new", [])


NO_TYPES = [" box", "box ", "box\n", "a/../b", "a\tb", "z" * 101, ""]


@pytest.mark.parametrize("kind", NO_TYPES[:-1])
def test_a_type_that_no_artifact_can_name_is_nobodys(kind: str) -> None:
    device = Pulling()
    upgrade = device.ordered()
    said = {"device_provides": {"artifact_name": "old", "device_type": kind}}
    assert device.send("POST", NEXT_V2, said).status_code == 204
    assert _row(device).device_type == UNKNOWN_TYPE
    assert ending(upgrade) == (State.FINISHED, Outcome.FAILED)
    assert "no artifact can be for" in fresh(upgrade).error
    device.ask()
    assert _row(device).device_type == "box"


@pytest.mark.parametrize("kind", NO_TYPES)
def test_nobody_writes_such_a_type(kind: str) -> None:
    with pytest.raises(ValidationError, match="device_type"):
        save_device(
            device=Device(name="by-hand", device_type=kind, driver="local", root="/"), actor=PORTAL
        )


def test_a_device_that_does_not_say_its_type_keeps_it() -> None:
    device = Pulling()
    assert (
        device.send("POST", NEXT_V2, {"device_provides": {"artifact_name": "old"}}).status_code
        == 204
    )
    assert _row(device).device_type == "box"
