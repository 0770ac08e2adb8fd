"""The Update Modules that Debian's mender-client brings run unchanged: the device's own, over SSH, on a device with systemd."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from devices.models import Device
from portal.core.actors import PORTAL
from tests.e2e.conftest import DEVICE_TYPE
from tests.environment.device_container import DeviceContainer
from tests.environment.programs import program
from updates.machine import Outcome
from updates.models import Upgrade
from updates.services.artifacts import upload_artifact
from updates.services.carry_out import Ending, carry_out
from updates.services.planning import plan_now
from updates.services.recipes import artifact_recipe
from updates.services.upgrades import apply_artifact

Apply = Callable[..., Upgrade]

SCRIPT = """\
#!/bin/sh
echo "the script ran" > /script-ran
"""
CONTROL = """\
Package: hello-fleet
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@fleet.example>
Description: says that it is there
"""


@pytest.fixture
def applied(device: Device, tmp_path: Path) -> Apply:
    """The upgrade to an artifact of these files and words for the real tool, carried out to its end."""

    def apply(payload_type: str, files: dict[str, bytes], *words: str, name: str) -> Upgrade:
        command = [program("mender-artifact", package="mender-artifact"), "write", "module-image"]
        command += ["-t", DEVICE_TYPE, "-T", payload_type, "-n", name, *words]
        for file, content in files.items():
            (tmp_path / file).write_bytes(content)
            command += ["-f", str(tmp_path / file)]
        target = tmp_path / f"{name}.mender"
        subprocess.run([*command, "-o", str(target)], check=True, capture_output=True)
        content_file = ContentFile(target.read_bytes(), name=target.name)
        artifact = upload_artifact(file=content_file, actor=PORTAL)
        upgrade = apply_artifact(device=device, artifact=artifact, actor=PORTAL, reason="to see")
        ending = carry_out(
            str(upgrade.pk),
            make_recipe=lambda fresh, shell: artifact_recipe(plan_now(fresh), shell),
            worker="worker-1",
            wants_leave=lambda: False,
        )
        assert ending is Ending.FINISHED
        upgrade.refresh_from_db()
        device.refresh_from_db()
        return upgrade

    return apply


def test_single_file_directory_script_and_deb(
    applied: Apply, container: DeviceContainer, device: Device, tmp_path: Path
) -> None:
    """One device for all four: it takes longest to boot."""
    _single_file(applied, container)
    _directory(applied, container)
    _script(applied, container)
    _deb(applied, container, tmp_path)
    assert device.artifact_name == "deb-1"


def _single_file(applied: Apply, container: DeviceContainer) -> None:
    parts = {
        "dest_dir": b"/opt\n",
        "filename": b"motd\n",
        "permissions": b"640\n",
        "motd": b"hello\n",
    }
    upgrade = applied("single-file", parts, name="single-1")

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert container.exec("cat", "/opt/motd").strip() == "hello"
    assert container.exec("stat", "-c", "%a", "/opt/motd").strip() == "640"


def _directory(applied: Apply, container: DeviceContainer) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("pages/index")
        entry.size = 5
        archive.addfile(entry, io.BytesIO(b"index"))
    container.exec("mkdir", "-p", "/srv/site")
    parts = {"dest_dir": b"/srv/site\n", "update.tar": stream.getvalue()}
    upgrade = applied("directory", parts, name="directory-1")

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert container.exec("cat", "/srv/site/pages/index").strip() == "index"


def _script(applied: Apply, container: DeviceContainer) -> None:
    upgrade = applied("script", {"say.sh": SCRIPT.encode()}, name="script-1")

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert container.exec("cat", "/script-ran").strip() == "the script ran"


def _deb(applied: Apply, container: DeviceContainer, folder: Path) -> None:
    tree = folder / "hello"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(CONTROL)
    (tree / "opt").mkdir()
    (tree / "opt" / "hello").write_text("hello\n")
    package = folder / "hello.deb"
    build = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)]
    subprocess.run(build, check=True, capture_output=True)
    upgrade = applied("deb", {"hello.deb": package.read_bytes()}, name="deb-1")

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert container.exec("cat", "/opt/hello").strip() == "hello"


def test_what_single_file_replaced_comes_back(
    applied: Apply, container: DeviceContainer, tmp_path: Path
) -> None:
    """A state script makes the upgrade fail, after the module has put its file in place."""
    container.exec("sh", "-c", "mkdir -p /opt && echo before > /opt/motd")
    script = tmp_path / "ArtifactCommit_Enter_00_no"
    script.write_text("#!/bin/sh\ncat /opt/motd\nexit 1\n")
    script.chmod(0o755)
    parts = {"dest_dir": b"/opt\n", "filename": b"motd\n", "motd": b"after\n"}
    upgrade = applied("single-file", parts, "-s", str(script), name="single-2")

    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    said = upgrade.events.filter(kind="output", call__endswith="ArtifactCommit_Enter_00_no").get()
    assert said.text == "after\n"
    assert container.exec("cat", "/opt/motd").strip() == "before"
