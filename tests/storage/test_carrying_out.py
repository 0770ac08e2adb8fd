"""Upgrades take their files from either storage."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from devices.models import Device
from portal.core.actors import PORTAL
from tests.api.conftest import MakeFile, mender_file
from updates.jobs import run_artifact
from updates.models import Upgrade
from updates.services.artifacts import upload_artifact, upload_update_module
from updates.services.upgrades import apply_artifact

pytestmark = pytest.mark.database

__all__ = ["mender_file"]

MODULE = b"""#!/bin/sh
if [ "$1" = ArtifactInstall ]; then
    mkdir -p "$FLEETWRIGHT_ROOT/var/www" && cp "$2"/files/* "$FLEETWRIGHT_ROOT/var/www"
fi
"""


@pytest.fixture
def ordered(storage: Storage, mender_file: MakeFile, tmp_path: Path) -> Upgrade:
    """An artifact for a device on this machine; it and its Update Module are in the storage."""
    upload_update_module(name="web-file", file=ContentFile(MODULE), actor=PORTAL)
    artifact = upload_artifact(file=ContentFile(mender_file()), actor=PORTAL)
    device = Device.objects.create(
        name="box", device_type="box", driver=Device.Driver.LOCAL, root=str(tmp_path / "box")
    )
    return apply_artifact(device=device, artifact=artifact, actor=PORTAL, reason="A test")


def test_what_is_stored_gets_to_the_device(ordered: Upgrade, tmp_path: Path) -> None:
    run_artifact(str(ordered.pk))
    ordered.refresh_from_db()
    assert ordered.outcome == "succeeded", ordered.error
    assert (tmp_path / "box/var/www/index.html").read_text() == "<h1>Hello</h1>"


def test_what_the_storage_lost_is_a_failure_that_says_so(
    ordered: Upgrade, storage: Storage
) -> None:
    storage.delete(str(ordered.plan["file"]))
    run_artifact(str(ordered.pk))
    ordered.refresh_from_db()
    assert (ordered.outcome, ordered.error_code) == ("failed", "FW-103")
    assert "does not have this file any more" in ordered.error
