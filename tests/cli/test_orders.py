"""`manage.py apply`, `deploy` and `deployment`: orders, and waiting for them."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission, User

from devices.models import Device, DeviceGroup
from devices.services.bulk import MEANT_ABOVE
from portal.core.models import AuditEvent
from tests.cli.conftest import a_worker, new_box, run
from updates.machine import Event
from updates.models import Artifact, Deployment, Upgrade

pytestmark = pytest.mark.database


def test_an_applied_artifact_is_an_upgrade_that_waits(artifact: Artifact, device: Device) -> None:
    said = run("apply", "app-2", "box-1", "--reason", "A fix")

    upgrade = Upgrade.objects.get()
    assert said.status == 0, said.error
    assert said.facts["state"] == "Pending (0 %)"
    assert upgrade.requested_by is None
    assert upgrade.requested_by_name.startswith("cli:")
    assert (upgrade.reason, upgrade.plan["force"]) == ("A fix", False)


def test_an_order_without_a_reason_is_no_order(artifact: Artifact, device: Device) -> None:
    for words in (["apply", "app-2", "box-1"], ["deploy", "app-2", "--all"]):
        said = run(*words)
        assert said.status == 1
        assert "--reason" in said.error
    assert run("apply", "app-2", "box-1", "--reason", " ").error.endswith("[FW-100]")
    assert not Upgrade.objects.exists()


def test_a_busy_device_is_refused_with_the_reason(artifact: Artifact, device: Device) -> None:
    run("apply", "app-2", "box-1", "--reason", "A fix")

    said = run("apply", "app-2", "box-1", "--reason", "Again", "--json")

    assert (said.status, said.out) == (1, "")
    assert said.error == "box-1 is busy: app-2 on box-1 is pending. [UPD-104]"


@pytest.mark.database(transaction=True)
def test_waiting_prints_what_happens_and_ends_well(artifact: Artifact, device: Device) -> None:
    with a_worker():
        said = run("apply", "app-2", "box-1", "--reason", "A fix", "--wait")

    words = [line[10:] for line in said.lines]
    assert said.status == 0, said.error
    assert words[0].startswith("pending             Ordered by cli:")
    assert "          | one" in said.lines
    assert words.index("installing") < words.index("finished")
    assert said.lines[-1].endswith(": The change is in place.")


@pytest.mark.database(transaction=True)
def test_waiting_ends_with_status_1_when_the_upgrade_fails(
    artifact: Artifact, device: Device
) -> None:
    with a_worker(download=Event.FAILED):
        said = run("apply", "app-2", "box-1", "--reason", "A fix", "--wait", "--json")

    assert said.status == 1
    assert "It failed before anything was changed." in said.error
    assert said.json["outcome"] == "failed"


def test_a_preview_says_who_gets_it_and_does_nothing(artifact: Artifact, device: Device) -> None:
    Device.objects.create(name="pot", device_type="teapot", driver="local")
    new_box("box-2")
    Device.objects.filter(name="box-2").update(provides={"artifact_name": "app-2"})

    said = run("deploy", "app-2", "--all", "--preview")
    data = run("deploy", "app-2", "--all", "--preview", "--json").json

    assert [line.split() for line in said.lines[1:4]] == [
        ["1", "get", "it", "box-1"],
        ["1", "have", "it", "already", "box-2"],
        ["1", "are", "left", "out", "pot"],
    ]
    assert said.lines[4].startswith("pot: ")
    assert [data[part]["count"] for part in ("takes", "unchanged", "left_out")] == [1, 1, 1]
    assert not Deployment.objects.exists()


def test_a_deployment_goes_to_named_devices_and_members_of_groups(
    artifact: Artifact, device: Device
) -> None:
    boxes = [new_box(f"box-{number}") for number in range(2, 6)]
    DeviceGroup.objects.create(name="lab").members.set(boxes[:2])

    said = run(
        "deploy", "app-2", "--device", "box-1", "--device", "box-2", "--group", "lab",
        "--reason", "A fix", "--name", "Friday", "--json",
    )  # fmt: skip

    assert said.status == 0, said.error
    assert said.json["counts"]["waiting"] == 3
    deployment = Deployment.objects.get()
    assert deployment.name == "Friday"
    assert deployment.selection["groups"] == [DeviceGroup.objects.get().pk]
    assert run("deployment", "show", deployment.pk.hex[:6]).facts["upgrades"] == "3 waiting"


def test_a_deployment_goes_to_what_the_filter_of_the_device_list_finds(
    artifact: Artifact, device: Device
) -> None:
    new_box("box-2")
    new_box("kiosk")
    Device.objects.filter(name="box-2").update(provides={"artifact_name": "app-0"})
    wanted = ["--filter", "installed=app-1", "--filter", "q=box-"]

    shown = run("deploy", "app-2", *wanted, "--preview", "--json").json
    said = run("deploy", "app-2", *wanted, "--reason", "A fix", "--json")

    assert [row["name"] for row in shown["takes"]["first"]] == ["box-1"]
    assert said.json["selection"] == {"filter": {"installed": "app-1", "q": "box-"}}
    assert [row.device for row in Upgrade.objects.all()] == [device]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--filter installed=app-1 --all", "Choose one way only: --device and --group, or"),
        ("--filter installed=app-1 --device box-1", "Choose one way only: --device and --group, or"),
        ("--filter q=a --filter q=b", "--filter says q twice."),
        ("--filter installed", "--filter takes WORD=VALUE, such as device_type=box, not 'installed'."),
        ("--filter nonsense=1", "A device filter knows no nonsense. [FW-100]"),
        ("", "Choose devices: --device, --group, --filter or --all."),
    ],
)  # fmt: skip
def test_a_choice_that_makes_no_sense_is_refused(
    words: str, says: str, artifact: Artifact, device: Device
) -> None:
    assert run("deploy", "app-2", *words.split(), "--reason", "A fix").error.startswith(says)
    assert not Deployment.objects.exists()


def test_who_acts_as_somebody_reaches_the_devices_of_that_person(
    artifact: Artifact, device: Device
) -> None:
    carol = User.objects.create_user("carol")
    carol.user_permissions.set(Permission.objects.filter(codename="deploy_artifact"))
    words = ("deploy", "app-2", "--all", "--reason", "A fix", "--as", "carol")

    refused = run(*words)
    carol.user_permissions.add(Permission.objects.get(codename="view_device"))

    assert refused.error == "No device is chosen. [FW-100]"
    assert run(*words).status == 0


@pytest.mark.database(transaction=True)
def test_waiting_for_a_deployment_prints_its_counts(artifact: Artifact, device: Device) -> None:
    new_box("box-2")

    with a_worker(orders=2):
        said = run("deploy", "app-2", "--all", "--reason", "A fix", "--wait")

    assert said.status == 0, said.error
    assert said.lines[-1].endswith("  2 succeeded")


@pytest.mark.database(transaction=True)
def test_a_deployment_that_did_not_succeed_everywhere_ends_with_status_1(
    artifact: Artifact, device: Device
) -> None:
    with a_worker(download=Event.FAILED):
        said = run("deploy", "app-2", "--all", "--reason", "A fix", "--wait", "--json")

    assert (said.status, said.error) == (1, "1 of 1 upgrades did not succeed: 1 failed.")
    assert said.json["counts"]["outcomes"]["failed"] == 1


def test_a_cancelled_deployment_is_over(artifact: Artifact, device: Device) -> None:
    run("deploy", "app-2", "--all", "--reason", "A fix")
    deployment = Deployment.objects.get().pk.hex[:8]

    said = run("deployment", "cancel", deployment, "--reason", "Not today")
    watched = run("deployment", "watch", deployment, "--json")

    assert said.out == "A cancel is on its way to 1 upgrades.\n"
    assert AuditEvent.objects.get(action="deployment.cancel").reason == "Not today"
    assert json.loads(watched.out)["outcomes"]["cancelled"] == 1
    assert watched.status == 1
    assert run("deployment", "list").lines[1].split()[:5] == [
        deployment,
        "app-2",
        "app-2",
        "1",
        "cancelled",
    ]


def test_a_deployment_to_many_says_how_many_it_means(artifact: Artifact, device: Device) -> None:
    """Those that it does not fit do not count, as in the API."""
    Device.objects.create(name="pot", device_type="teapot", driver="local")
    Device.objects.bulk_create(
        Device(name=f"many-{number}", device_type=device.device_type, driver=device.driver)
        for number in range(MEANT_ABOVE)
    )
    order = ("deploy", "app-2", "--all", "--reason", "A fix", "--json")
    for words, says in (
        ((), "It would be 101 devices: say --count N to say that you mean so many."),
        (("--count", "102"), "You said 102, and it would be 101 devices."),
    ):
        said = run(*order, *words)
        assert (said.status, said.error) == (1, f"{says} [FW-100]")
    assert not Deployment.objects.exists()
    assert run(*order, "--count", "101").json["counts"]["total"] == 101
