"""Update Modules in the portal: who needs one, who has one, what a look found; and the walk-through, carried out."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from devices.models import Device
from portal.core.actors import Actor
from tests.formats.build import artifact as written
from tests.formats.build import named
from tests.pages.conftest import MakeDevice
from updates.jobs import run_artifact, run_module_check
from updates.models import Artifact, CarriedModule, ModuleCheck, UpdateModule, Upgrade
from updates.services.artifacts import upload_artifact, upload_update_module
from updates.services.upgrades import apply_artifact, roll_back_upgrade

pytestmark = pytest.mark.database


def page_of(module: UpdateModule, verb: str = "change") -> str:
    return reverse(f"admin:updates_updatemodule_{verb}", args=[module.pk])


def scripts(client: Client) -> dict[str, bytes]:
    """The Update Modules of the walk-through, as somebody copies them from the page."""
    shown = client.get(reverse("admin:updates_updatemodule_walk_through")).content.decode()
    found = re.findall(r'data-script="(\w+)">(.*?)</pre>', shown, re.DOTALL)
    return {name: html.unescape(text).encode() for name, text in found}


def test_the_page_says_who_needs_it_and_who_has_one(
    operator: Client, artifact: Artifact, update_module: UpdateModule, make_device: MakeDevice
) -> None:
    same, other = make_device("box-same"), make_device("box-other")
    for device, digest in ((same, update_module.sha256), (other, "0" * 64)):
        CarriedModule.objects.create(
            device=device, name="web-file", sha256=digest, seen_at=artifact.uploaded_at
        )
    shown = " ".join(operator.get(page_of(update_module)).content.decode().split())
    assert "Artifacts that need it" in shown
    assert reverse("admin:updates_artifact_change", args=[artifact.pk]) in shown
    assert shown.count("data-carrier") == 2
    assert "the same as v1" in shown
    assert "another than any of the portal" in shown


def test_a_look_is_ordered_on_the_page_and_its_findings_come_by_themselves(
    operator: Client, update_module: UpdateModule, device: Device
) -> None:
    operator.post(page_of(update_module, "check"), {"everything": "on"})
    assert "on its way" in operator.get(page_of(update_module)).content.decode()
    assert operator.get(page_of(update_module, "checks")).status_code == 200
    run_module_check(str(ModuleCheck.objects.get().pk))
    done = operator.get(page_of(update_module, "checks"))
    assert done.status_code == 286
    assert "SupportsRollback: Yes." in done.content.decode()
    operator.post(page_of(update_module, "check"), {"again": device.name})
    assert ModuleCheck.objects.get().verdict == ModuleCheck.Verdict.WAITING


def test_a_look_at_nobody_is_refused(operator: Client, update_module: UpdateModule) -> None:
    operator.post(page_of(update_module, "check"), {})
    assert not ModuleCheck.objects.exists()


def test_the_walk_through_holds_what_it_says(
    operator: Client, actor: Actor, make_device: MakeDevice
) -> None:
    """Both scripts, deployed one after the other: the second one's upgrade is taken back by a failure, and by hand."""
    device, made = make_device(), scripts(operator)
    notices = Path(device.root) / "srv" / "notices"

    def carried_out(name: str, module: bytes, files: list[tuple[str, bytes]]) -> Upgrade:
        upload_update_module(name="notices", file=ContentFile(module), actor=actor)
        info = named(name) | {"payloads": [{"type": "notices"}]}
        info["artifact_depends"] = {"device_type": ["box"]}
        content = written(info=info, types={"type": "notices"}, files=files)
        artifact = upload_artifact(file=ContentFile(content), actor=actor)
        upgrade = apply_artifact(device=device, artifact=artifact, actor=actor, reason="Learn")
        run_artifact(str(upgrade.pk))
        upgrade.refresh_from_db()
        return upgrade

    def there() -> dict[str, str]:
        return {path.name: path.read_text() for path in notices.iterdir()}

    first = carried_out("one", made["smallest"], [("friday.txt", b"Closed")])
    assert (first.outcome, there()) == ("succeeded", {"friday.txt": "Closed"}), first.error

    second = carried_out("two", made["rollback"], [("monday.txt", b"Open")])
    assert (second.outcome, there()) == ("succeeded", {"monday.txt": "Open"}), second.error

    broken = made["rollback"].replace(b"        for file", b"        exit 1\n        for file")
    third = carried_out("three", broken, [("tuesday.txt", b"Open")])
    assert (third.outcome, there()) == ("rolled_back", {"monday.txt": "Open"})

    undo = roll_back_upgrade(upgrade=second, actor=actor, reason="It was better before")
    run_artifact(str(undo.pk))
    undo.refresh_from_db()
    assert (undo.outcome, there()) == ("succeeded", {"friday.txt": "Closed"}), undo.error
