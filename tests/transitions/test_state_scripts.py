"""State scripts: which run when, what their statuses mean, and who waits for them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_django import Settings

from portal.core.actors import PORTAL
from tests.transitions.played import AFTER, BEFORE, BROKEN, FolderDevice, carried_out, order
from updates.machine import Outcome, State
from updates.models import Upgrade
from updates.queries import Standstill, stuck_upgrades
from updates.recipes.state_scripts import RESUME_AT
from updates.services.carry_out import Ending
from updates.services.recover import recover
from updates.services.upgrades import roll_back_upgrade

pytestmark = pytest.mark.database

STATES = (
    "ArtifactInstall",
    "ArtifactReboot",
    "ArtifactCommit",
    "ArtifactRollback",
    "ArtifactRollbackReboot",
    "ArtifactFailure",
)
NO_ERROR = STATES[3:]
SCRIPT = b"""#!/bin/sh
name=${0##*/} root=$FLEETWRIGHT_ROOT
echo "$name" >>"$root/log"
echo "$name speaks"
[ ! -e "$root/$name" ] || . "$root/$name"
"""
EVERY = [
    (f"{state}_{action}_00", SCRIPT)
    for state in STATES
    for action in ("Enter", "Leave", "Error")
    if action != "Error" or state not in NO_ERROR
]


def goes(
    device: FolderDevice,
    *,
    scripts: Sequence[tuple[str, bytes]] = EVERY,
    does: dict[str, str] | None = None,
    **behaviour: str,
) -> Upgrade:
    """The upgrade, carried out as far as one worker takes it. `does`: what a script does besides writing its name down."""
    for name, text in (does or {}).items():
        (device.root / name).write_text(f"{text}\n")
    said = {"rollback": "Yes", "reboot": "Yes", **behaviour}
    upgrade = order(device, said, scripts=scripts)
    carried_out(device, upgrade)
    return upgrade


def runs(device: FolderDevice) -> list[str]:
    """What ran, without the queries and the scripts' numbers."""
    queries = ("ProvidePayloadFileSizes", "SupportsRollback", "NeedsArtifactReboot")
    return [word.removesuffix("_00") for word in device.log() if word not in queries]


def device_script(device: FolderDevice, name: str, *, mode: int = 0o755) -> Path:
    folder = device.root / "etc/mender/scripts"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(SCRIPT)
    path.chmod(mode)
    return path


def test_the_order_with_a_reboot(device: FolderDevice) -> None:
    for name in ("Download_Enter_00", "Download_Leave_00", "Download_Error_00"):
        device_script(device, name)

    upgrade = goes(device)

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert runs(device) == [
        "Download_Enter", "Download", "Download_Leave",
        "ArtifactInstall_Enter", "ArtifactInstall", "ArtifactInstall_Leave",
        "ArtifactReboot_Enter", "ArtifactReboot", "ArtifactVerifyReboot", "ArtifactReboot_Leave",
        "ArtifactCommit_Enter", "ArtifactCommit", "ArtifactCommit_Leave", "Cleanup",
    ]  # fmt: skip
    said = upgrade.events.filter(kind="output", call__endswith="ArtifactInstall_Enter_00").get()
    assert said.text == "ArtifactInstall_Enter_00 speaks\n"


@pytest.mark.parametrize(
    ("fails", "before"),
    [
        ("ArtifactInstall", ["ArtifactInstall", "ArtifactInstall_Error"]),
        (
            "ArtifactVerifyReboot",
            [
                "ArtifactInstall", "ArtifactInstall_Leave", "ArtifactReboot_Enter", "ArtifactReboot",
                "ArtifactVerifyReboot", "ArtifactReboot_Error",
            ],
        ),
    ],
)  # fmt: skip
def test_the_order_on_the_way_back(device: FolderDevice, fails: str, before: list[str]) -> None:
    upgrade = goes(device, fail=fails)

    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    assert runs(device) == [
        "Download", "ArtifactInstall_Enter", *before,
        "ArtifactRollback_Enter", "ArtifactRollback", "ArtifactRollback_Leave",
        "ArtifactRollbackReboot_Enter", "ArtifactRollbackReboot", "ArtifactVerifyRollbackReboot",
        "ArtifactRollbackReboot_Leave",
        "ArtifactFailure_Enter", "ArtifactFailure", "ArtifactFailure_Leave", "Cleanup",
    ]  # fmt: skip


def test_a_state_that_is_left_out_leaves_out_its_scripts(device: FolderDevice) -> None:
    upgrade = goes(device, reboot="No", rollback="No", fail="ArtifactCommit")

    assert upgrade.outcome == Outcome.BROKEN
    assert not [word for word in runs(device) if "Reboot" in word or "Rollback" in word]


def test_scripts_of_one_place_run_in_the_order_of_their_names(device: FolderDevice) -> None:
    names = [
        "ArtifactInstall_Enter_10_b",
        "ArtifactInstall_Enter_02_x+y",
        "ArtifactInstall_Enter_10",
    ]
    goes(device, scripts=[(name, SCRIPT) for name in names], reboot="No")

    assert [word for word in device.log() if "_Enter_" in word] == sorted(names)


def test_names_of_any_length_fit_into_the_history(device: FolderDevice, settings: Settings) -> None:
    settings.STATE_SCRIPT_RETRY_SECONDS = 0.1
    names = [f"Download_Enter_00_{'x' * 190}{end}" for end in ("a", "b", "c")]
    for name in names:
        device_script(device, name)
    twice = 'test "$(grep -c "$name" "$root/log")" = 2 || exit 21'

    upgrade = goes(device, scripts=[], does={names[1]: twice, names[2]: "exit 1"})

    assert upgrade.outcome == Outcome.FAILED
    assert f"{names[2]} failed" in upgrade.error
    assert device.log() == [names[0], names[1], names[1], names[2]]
    calls = set(upgrade.events.values_list("call", flat=True))
    assert len({call for call in calls if "-Download_Enter_00_xxx" in call}) == 4
    assert max(len(call) for call in calls) == 100


def test_only_what_is_meant_runs_of_what_lies_on_the_device(device: FolderDevice) -> None:
    device_script(device, "Download_Enter_00", mode=0o644)
    device_script(device, "Download_Enter_1_one_digit")
    device_script(device, "ArtifactInstall_Enter_00_not_from_here")
    device_script(device, "Download_Enter_05_this_one")
    device_script(device, "version").write_text("3\n")

    assert goes(device, scripts=[]).outcome == Outcome.SUCCEEDED

    scripts = [word for word in device.log() if "_Enter_" in word]
    assert scripts == ["Download_Enter_05_this_one"]


def test_scripts_of_a_version_that_nobody_knows_are_not_run(device: FolderDevice) -> None:
    device_script(device, "Download_Enter_00")
    device_script(device, "version").write_text("4\n")

    upgrade = goes(device)

    assert (upgrade.outcome, device.log()) == (Outcome.FAILED, [])
    assert "version 4" in upgrade.error


@pytest.mark.parametrize("where", ["Enter", "Leave"])
def test_a_script_of_the_download_that_fails_ends_it(device: FolderDevice, where: str) -> None:
    device_script(device, f"Download_{where}_00")
    device_script(device, "Download_Error_00")

    upgrade = goes(device, scripts=[], does={f"Download_{where}_00": "exit 1"})

    assert (upgrade.outcome, device.provides()) == (Outcome.FAILED, BEFORE)
    cleaned = ["Cleanup"] if where == "Leave" else []
    begun = ["Download", "Download_Leave"] if where == "Leave" else ["Download_Enter"]
    assert runs(device) == [*begun, "Download_Error", *cleaned]


def test_a_script_that_fails_fails_its_state(device: FolderDevice) -> None:
    upgrade = goes(device, does={"ArtifactInstall_Enter_00": "exit 1"})

    assert upgrade.outcome == Outcome.ROLLED_BACK
    assert (
        upgrade.error == "The state script ArtifactInstall_Enter_00 failed: it ended with status 1."
    )
    assert "ArtifactInstall" not in runs(device)
    assert "ArtifactInstall_Error" in runs(device)


def test_a_script_that_fails_after_the_commit_needs_a_person(device: FolderDevice) -> None:
    upgrade = goes(device, reboot="No", does={"ArtifactCommit_Leave_00": "exit 1"})

    assert (upgrade.outcome, device.provides()) == (Outcome.BROKEN, BROKEN)
    last = ["ArtifactCommit", "ArtifactCommit_Leave", "ArtifactCommit_Error", "Cleanup"]
    assert runs(device)[-4:] == last


@pytest.mark.parametrize(
    "script", ["ArtifactRollback_Enter", "ArtifactRollbackReboot_Leave", "ArtifactFailure_Enter"]
)
def test_a_script_that_fails_on_the_way_back_stops_nothing_but_needs_a_person(
    device: FolderDevice, script: str
) -> None:
    upgrade = goes(device, fail="ArtifactInstall", does={f"{script}_00": "exit 1"})

    assert (upgrade.outcome, device.provides()) == (Outcome.BROKEN, BROKEN)
    assert runs(device)[-3:] == ["ArtifactFailure", "ArtifactFailure_Leave", "Cleanup"]


def test_an_error_script_that_fails_is_only_noted(device: FolderDevice) -> None:
    does = {"ArtifactInstall_Error_00": "exit 1"}
    upgrade = goes(device, fail="ArtifactInstall", does=does)

    assert upgrade.outcome == Outcome.ROLLED_BACK
    assert upgrade.events.filter(text__contains="It goes on nevertheless").exists()


def test_a_script_may_ask_for_another_try(device: FolderDevice, settings: Settings) -> None:
    settings.STATE_SCRIPT_RETRY_SECONDS = 0.1
    thrice = 'test "$(grep -c ArtifactInstall_Enter "$root/log")" = 3 || exit 21'

    upgrade = goes(device, reboot="No", does={"ArtifactInstall_Enter_00": thrice})

    assert (upgrade.outcome, device.provides()) == (Outcome.SUCCEEDED, AFTER)
    assert runs(device).count("ArtifactInstall_Enter") == 3
    assert runs(device).count("ArtifactInstall_Leave") == 1


def test_a_script_that_asks_for_too_long_has_failed(
    device: FolderDevice, settings: Settings
) -> None:
    settings.STATE_SCRIPT_RETRY_SECONDS = 0.2
    settings.STATE_SCRIPT_RETRY_LIMIT_SECONDS = 0.3

    upgrade = goes(device, reboot="No", does={"ArtifactInstall_Enter_00": "exit 21"})

    assert upgrade.outcome == Outcome.ROLLED_BACK
    assert "asked for another try for 0.3 seconds" in upgrade.error


def test_a_script_that_hangs_is_killed_at_its_limit(
    device: FolderDevice, settings: Settings
) -> None:
    settings.STATE_SCRIPT_LIMIT_SECONDS = 1.5

    upgrade = goes(device, reboot="No", does={"ArtifactInstall_Leave_00": "sleep 600"})

    assert upgrade.outcome == Outcome.ROLLED_BACK
    assert upgrade.error_code == "DEV-201"


def test_scripts_behind_the_commit_run_again_after_a_power_loss(device: FolderDevice) -> None:
    cut = (
        'mkdir "$root/was-cut" 2>/dev/null || exit 0\n'
        'cat /proc/sys/kernel/random/uuid >"$root/boot_id"; kill -s KILL 0'
    )
    upgrade = goes(device, reboot="No", does={"ArtifactCommit_Leave_00": cut})

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert runs(device).count("ArtifactCommit_Leave") == 2
    assert runs(device).count("ArtifactCommit") == 1


def test_no_worker_is_held_by_a_long_wait(device: FolderDevice, settings: Settings) -> None:
    again = 'test "$(grep -c ArtifactInstall_Enter "$root/log")" = 2 || exit 21'
    does = {"ArtifactInstall_Enter_00": again}
    upgrade = goes(device, reboot="No", does=does)

    assert (upgrade.state, upgrade.lease_until) == (State.INSTALLING, None)
    assert recover() == []
    assert not stuck_upgrades(Standstill.UNHELD).exists()

    facts = upgrade.facts
    facts[RESUME_AT] = facts["scripts"]["again_at"] = time.time() - 1
    Upgrade.objects.filter(pk=upgrade.pk).update(facts=facts)
    assert recover() == [upgrade]
    assert stuck_upgrades(Standstill.UNHELD).exists()

    assert carried_out(device, upgrade) is Ending.FINISHED
    assert upgrade.outcome == Outcome.SUCCEEDED
    assert runs(device).count("ArtifactInstall_Enter") == 2
    assert upgrade.repeats == 0


def test_a_rollback_by_hand_runs_the_scripts_of_what_it_takes_back(device: FolderDevice) -> None:
    upgrade = goes(device, reboot="No")
    (device.root / "log").unlink()

    undo = roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason="it is slow")
    carried_out(device, undo)

    assert undo.outcome == Outcome.SUCCEEDED, undo.error
    assert device.provides() == BEFORE
    expected = ["ArtifactRollback_Enter", "ArtifactRollback", "ArtifactRollback_Leave", "Cleanup"]
    assert runs(device) == expected
