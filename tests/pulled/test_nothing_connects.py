"""To a device that pulls nothing connects: whatever would is refused or left out, in words."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile

from devices.errors import NeverReached
from devices.models import Device, DeviceIdentity, EngineAccess
from devices.services import delete_device, dialled, opened, refresh_device, save_device
from devices.services.engine_looks import request_look
from devices.services.engine_settings import save_engine_access
from devices.services.imports import Verdict, preview_import
from portal.core.actors import PORTAL
from portal.core.errors import Refused
from updates.models import Instance, Module, ModuleCheck, UpdateModule
from updates.services.module_checks import request_module_checks
from updates.services.modules import save_instance

pytestmark = pytest.mark.database
SENTENCE = "pulls by itself"


@pytest.fixture
def pulling(db: None) -> Device:
    return Device.objects.create(name="buoy", device_type="x", driver=Device.Driver.PULL)


def test_no_shell_and_no_dial_leads_there(pulling: Device) -> None:
    for way in (opened, dialled):
        with pytest.raises(NeverReached, match=SENTENCE), way(pulling) as opening:
            opening.run(["true"], limit_seconds=1)  # type: ignore[union-attr]


def test_it_is_not_asked_and_not_called_unreachable(pulling: Device) -> None:
    with pytest.raises(Refused, match=SENTENCE):
        refresh_device(device=pulling, actor=PORTAL)
    pulling.refresh_from_db()
    assert pulling.unreachable_reason == ""


def test_its_engine_is_neither_told_nor_asked(pulling: Device) -> None:
    access = EngineAccess(device=pulling, way=EngineAccess.Way.TCP, host="127.0.0.1")
    with pytest.raises(Refused, match=SENTENCE):
        save_engine_access(access=access, actor=PORTAL)
    with pytest.raises(Refused, match=SENTENCE):
        request_look(device=pulling, actor=PORTAL)


def test_it_has_no_instances(pulling: Device) -> None:
    module = Module.objects.create(name="shop")
    instance = Instance(module=module, device=pulling, name="shop1", version="1.0.0")
    with pytest.raises(ValidationError, match=SENTENCE):
        save_instance(instance=instance, actor=PORTAL)


def test_checks_of_update_modules_leave_it_out(pulling: Device) -> None:
    other = Device.objects.create(name="box", device_type="x", driver=Device.Driver.LOCAL)
    module = UpdateModule.objects.create(
        name="web-file", version=1, sha256="0" * 64, size=1, file=ContentFile(b"x", "web-file")
    )
    request_module_checks(module=module, devices=[pulling, other], actor=PORTAL)
    assert [check.device for check in ModuleCheck.objects.all()] == [other]
    with pytest.raises(Refused, match=SENTENCE):
        request_module_checks(module=module, devices=[pulling], actor=PORTAL)


def test_nobody_says_that_a_device_pulls_or_does_not(pulling: Device) -> None:
    new = Device(name="new", device_type="x", driver=Device.Driver.PULL)
    with pytest.raises(ValidationError, match="asked to be let in"):
        save_device(device=new, actor=PORTAL)
    pulling.driver = Device.Driver.LOCAL
    with pytest.raises(ValidationError, match=SENTENCE):
        save_device(device=pulling, actor=PORTAL)
    file = b"name,device_type,driver\nbuoy,x,local\nnew,x,pull\n"
    preview = preview_import(content=file, actor=PORTAL)
    assert [row.verdict for row in preview.rows] == [Verdict.WRONG, Verdict.WRONG]


def test_one_that_was_let_in_is_decommissioned_and_not_deleted(pulling: Device) -> None:
    DeviceIdentity.objects.create(id_hash="0" * 64, id_data={"mac": "a"}, device=pulling)
    with pytest.raises(Refused, match="decommission it"):
        delete_device(device=pulling, actor=PORTAL, reason="sold")
    assert Device.objects.filter(pk=pulling.pk).exists()


def test_the_rest_of_it_can_be_edited(pulling: Device) -> None:
    pulling.name = "lighthouse"
    assert save_device(device=pulling, actor=PORTAL).name == "lighthouse"
    preview = preview_import(content=b"name,attributes\nlighthouse,site=Sylt\n", actor=PORTAL)
    assert [row.verdict for row in preview.rows] == [Verdict.CHANGED]
