"""`manage.py device` and `group`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from devices.models import Credential, Device, DeviceGroup
from portal.core.models import AuditEvent
from tests.cli.conftest import new_box, run
from tests.journal.rows import new_upgrade

pytestmark = pytest.mark.database


@pytest.fixture
def key() -> str:
    """A host key, in OpenSSH's one-line form."""
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def test_a_device_is_added_and_shown(db: None) -> None:
    Credential.objects.create(name="root", kind="password", username="root", secret="open")

    said = run(
        "device", "add", "gate-1", "--type", "gate", "--driver", "ssh", "--host", "gate.example",
        "--port", "2222", "--credential", "root",
    )  # fmt: skip

    assert said.status == 0, said.error
    assert said.facts["host"] == "gate.example:2222"
    assert run("device", "show", "gate-1", "--json").json["credential"] == (
        Credential.objects.get().pk
    )
    assert AuditEvent.objects.get(action="device.add").actor.startswith("cli:")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("gate/1 --driver local", "name: Letters, digits, dots, dashes and underscores"),
        ("gate-1 --driver ssh", "A device reached by SSH needs a host and a credential."),
        ("gate-1 --driver local --root here", "root: An absolute path on the device."),
        ("gate-1 --driver ssh --credential gone", "There is no credential 'gone'."),
        ("box-1 --driver local", "name: Device with this Name already exists."),
    ],
)
def test_a_device_that_cannot_be_is_refused_by_field(
    device: Device, words: str, sentence: str
) -> None:
    said = run("device", "add", *words.split(), "--type", "gate")

    assert said.status == 1
    assert sentence in said.error
    assert Device.objects.count() == 1


def test_devices_are_listed_and_found(device: Device) -> None:
    Device.objects.create(name="gate-1", device_type="gate", driver="local")
    DeviceGroup.objects.create(name="lab").members.add(device)

    def found(*words: str) -> list[str]:
        return [row["name"] for row in run("device", "list", "--json", *words).json]

    assert [line.split()[0] for line in run("device", "list").lines] == ["NAME", "box-1", "gate-1"]
    assert found("--type", "gate") == found("--search", "gate") == ["gate-1"]
    assert found("--installed", "app-1") == found("--group", "lab") == ["box-1"]
    assert found("--unreachable") == []
    assert run("device", "list", "--group", "moon").error == "There is no device group 'moon'."


def test_a_refreshed_device_says_what_it_is(device: Device) -> None:
    said = run("device", "refresh", "box-1")

    assert said.status == 0, said.error
    assert said.facts["attributes"].startswith("hostname = ")


def test_a_key_is_trusted_only_by_the_fingerprint_that_the_operator_knows(
    device: Device, key: str
) -> None:
    Device.objects.update(offered_host_key=key)

    asked = run("device", "confirm-host-key", "box-1")
    wrong = run("device", "confirm-host-key", "box-1", "SHA256:guess")
    Device.objects.get(host_key="")
    fingerprint = asked.error.split()[3].rstrip(".")
    said = run("device", "confirm-host-key", "box-1", fingerprint)

    assert (asked.status, wrong.status) == (1, 1)
    assert wrong.error.startswith("box-1 shows another key: ssh-ed25519 SHA256:")
    assert said.status == 0, said.error
    assert said.facts["host key"] == f"ssh-ed25519 {fingerprint}"
    assert Device.objects.get().host_key == key
    assert "refresh it first" in run("device", "confirm-host-key", "box-1", fingerprint).error


def test_only_a_device_without_history_is_deleted(device: Device) -> None:
    new_box("box-2")
    new_upgrade(device)

    kept = run("device", "delete", "box-1", "--reason", "Sold")
    gone = run("device", "delete", "box-2", "--reason", "Sold", "--json")

    assert kept.error == "box-1 is part of the history, so it stays. [FW-100]"
    assert gone.json["name"] == "box-2"
    assert Device.objects.get() == device


def test_groups_are_listed_with_how_many_they_hold(device: Device) -> None:
    DeviceGroup.objects.create(name="lab").members.add(device)
    DeviceGroup.objects.create(name="gates", kind="dynamic", filter={"device_type": "gate"})

    rows = [line.split() for line in run("group", "list").lines[1:]]

    assert rows == [["gates", "dynamic", "0", "device_type=gate"], ["lab", "static", "1"]]
    assert {row["name"] for row in run("group", "list", "--json").json} == {"gates", "lab"}


def test_an_exported_fleet_is_imported_elsewhere(device: Device, tmp_path: Path) -> None:
    new_box("box-2")
    exported = run("device", "export", "--search", "box-2")
    file = tmp_path / "fleet.csv"
    file.write_text(exported.out)
    Device.objects.get(name="box-2").delete()

    preview = run("device", "import", str(file), "--preview")
    unreasoned = run("device", "import", str(file))
    said = run("device", "import", str(file), "--reason", "Moved", "--json")

    assert exported.lines[0].startswith("name,device_type,driver,")
    assert [line.split(",")[0] for line in exported.lines[1:]] == ["box-2"]
    assert preview.lines[0] == "1 new, 0 changed, 0 unchanged, 0 wrong"
    assert "--reason" in unreasoned.error
    assert said.json["counts"]["new"] == 1
    assert Device.objects.get(name="box-2").device_type == "box"


def test_a_row_that_is_wrong_is_named_and_nothing_is_imported(db: None, tmp_path: Path) -> None:
    file = tmp_path / "fleet.csv"
    file.write_text("name,device_type,driver\nbox-1,box,local\nbox-2,box,teleport\n")

    preview = run("device", "import", str(file), "--preview")
    refused = run("device", "import", str(file), "--reason", "More")

    assert (preview.status, preview.error) == (1, "1 rows are wrong.")
    assert preview.lines[-1].startswith("line 3, box-2: driver: ")
    assert refused.status == 1
    assert not Device.objects.exists()
