"""`manage.py device pending|accept|reject|preauthorise|decommission`."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.models import AuthSet, Device
from tests.cli.conftest import run
from tests.pulled.pretend import PretendDevice, public_text
from tests.pulled.rows import asking_device

pytestmark = pytest.mark.database


def test_who_asks_is_listed_accepted_and_rejected() -> None:
    key = asking_device("aa:01")
    other = asking_device("bb:01")
    shown = run("device", "pending", "--search", "aa")
    assert key.key_hash[:16] in shown.out
    assert other.key_hash[:16] not in shown.out
    [row] = run("device", "pending", "--search", "aa", "--json").json
    assert row["key_hash"] == key.key_hash
    accepted = run("device", "accept", key.key_hash[:16], "--json")
    assert (accepted.json["status"], accepted.json["device"]) == (
        "accepted",
        Device.objects.get().pk,
    )
    rejected = run("device", "reject", key.key_hash[:16], "--reason", "Not ours")
    assert rejected.facts["status"] == "rejected"


@pytest.mark.parametrize("key", ["xyz", "ab", "00000000"])
def test_a_key_that_is_none_is_said(key: str) -> None:
    asking_device("aa:01")
    said = run("device", "accept", key)
    assert (said.status, "key" in said.error.lower()) == (1, True)
    assert not Device.objects.exists()


def test_one_is_preauthorised_from_a_file_and_decommissioned(tmp_path: Path) -> None:
    device = PretendDevice({"mac": "01", "sn": "7"})
    file = tmp_path / "key.pem"
    file.write_text(public_text(device.key))
    words = ["device", "preauthorise", "mac=01", "sn=7", "--key", str(file), "--reason", "Factory"]
    assert run(*words).facts["status"] == "preauthorized"
    assert run(*words).status == 1
    assert device.ask().status_code == 200
    name = Device.objects.get().name
    assert run("device", "decommission", name, "--reason", "Scrapped").status == 0
    assert not AuthSet.objects.exists()
    assert device.ask().status_code == 401


def test_what_is_no_identity_and_no_file_is_said(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    for words in (["mac"], ["mac=1", "mac=2"], ["mac=1"]):
        said = run("device", "preauthorise", *words, "--key", missing, "--reason", "x")
        assert said.status == 1
    assert not AuthSet.objects.exists()


def test_many_are_rejected_and_forgotten_when_the_search_finds_them() -> None:
    for number in range(3):
        asking_device(f"aa:{number}")
    wanted = asking_device("bb:01")
    rejected = run("device", "reject-many", "--search", "aa", "--reason", "A flood")
    assert rejected.out == "3 keys rejected.\n"
    words = ["--status", "rejected", "--search", "aa", "--reason", "A flood", "--json"]
    assert run("device", "forget-many", *words).json == {"count": 3}
    identity = wanted.identity
    AuthSet.objects.bulk_create(
        AuthSet(identity=identity, public_key="x", key_hash=f"{number:064}", status="pending")
        for number in range(100)
    )
    refused = run("device", "reject-many", "--reason", "A flood")
    assert "It would be 101 keys: say --count" in refused.error
    AuthSet.objects.exclude(pk=wanted.pk).delete()
    assert AuthSet.objects.get() == wanted
