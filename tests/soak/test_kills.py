"""Twenty devices, two workers, and somebody who kills both at random: every outcome is what the device itself says."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from devices.models import Device
from portal.core.actors import PORTAL
from tests.drivers.sshd import RunningSshd
from tests.e2e.conftest import StartPortal
from tests.e2e.portal_process import PortalProcess
from tests.environment.redis import RedisServer
from tests.environment.ssh_fleet import ssh_devices
from tests.environment.waiting import wait_until
from tests.soak.conftest import IS_LONG, WriteReport
from updates.machine import ACTIVE, Outcome, State
from updates.models import Artifact, Upgrade
from updates.services.artifacts import upload_update_module
from updates.services.upgrades import apply_artifact

DEVICES = 20
SECONDS = 600 if IS_LONG else 60
LEAST_KILLS = 30 if IS_LONG else 3
"""Of each kind. Fewer have shown nothing."""
KINDS = ("worker", "device", "connections")
LOOKING_SECONDS = 60
"""How long the killer waits for something that runs on a device."""
PATIENCE_SECONDS = 180
LEASE = {"LEASE_SECONDS": "3", "HEARTBEAT_SECONDS": "1"}
REPEATABLE = {"ArtifactRollback", "ArtifactFailure", "Cleanup"}

# The record names the upgrade, by the folder of its tree; `installed` says whose work is in place.
MODULE = """#!/bin/sh
state=$1 tree=$2 root=$FLEETWRIGHT_ROOT
case $state in
    SupportsRollback) echo Yes; exit 0 ;;
    Download|ArtifactInstall|ArtifactCommit|ArtifactRollback|ArtifactFailure|Cleanup) ;;
    *) exit 0 ;;
esac
upgrade=${tree%/tree}; upgrade=${upgrade##*/}
echo "$upgrade $state start" >> "$root/record"
sleep 0.$(( ($$ % 5) + 1 ))
case $state in
    ArtifactInstall)
        cp "$root/installed" "$tree/tmp/before"
        echo "$upgrade" > "$root/installed.new"; mv "$root/installed.new" "$root/installed"
        if [ $(( $$ % 7 )) -eq 0 ]; then echo "$upgrade $state end" >> "$root/record"; exit 1; fi ;;
    ArtifactRollback) if [ -s "$tree/tmp/before" ]; then cp "$tree/tmp/before" "$root/installed"; fi ;;
esac
echo "$upgrade $state end" >> "$root/record"
"""


@dataclass(slots=True)
class Killer:
    """Somebody with a die. What was killed is counted."""

    dice: random.Random
    devices: list[Device]
    start_worker: Callable[[], PortalProcess]
    sshd: RunningSshd
    workers: list[PortalProcess] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    to_do: list[str] = field(default_factory=list)

    def strike(self) -> None:
        """Somebody is killed: in any order, and each kind as often as the others."""
        self.to_do = self.to_do or self.dice.sample(KINDS, len(KINDS))
        what = self.to_do.pop()
        if what == "worker":
            self.workers.pop(self.dice.randrange(len(self.workers))).kill_with_children()
            self.workers.append(self.start_worker())
        elif what == "connections":
            self.sshd.kill_connections()
        else:
            wait_until(self._cuts_one, seconds=LOOKING_SECONDS, what="something that runs")
        self.killed[what] += 1

    def has_more_to_show(self, *, until: float) -> bool:
        """On a slow machine too few may have been killed by then, of one kind or the other."""
        is_late = time.monotonic() >= until
        return not is_late and any(self.killed[what] < LEAST_KILLS for what in KINDS)

    def _cuts_one(self) -> bool:
        return any(cut(device) for device in self.dice.sample(self.devices, len(self.devices)))


def cut(device: Device) -> bool:
    """All that runs on the device is gone at once. False when nothing ran."""
    found = False
    for path in Path(device.work_root).glob("*/steps/*/pid"):
        if (path.parent / "status").exists():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            pid, began = path.read_text().split()
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19] == began:
                os.killpg(int(pid), signal.SIGKILL)
                found = True
    return found


@pytest.fixture
def fleet(own_sshd: RunningSshd, tmp_path: Path, transactional_db: None) -> list[Device]:
    found = ssh_devices(own_sshd, tmp_path, count=DEVICES)
    for device in found:
        (Path(device.root) / "installed").write_text("nothing\n")
    return found


def test_every_outcome_is_what_the_device_itself_says(
    fleet: list[Device],
    own_sshd: RunningSshd,
    uploaded: Callable[..., Artifact],
    start_portal: StartPortal,
    redis_server: RedisServer,
    write_report: WriteReport,
) -> None:
    seed = int(os.environ.get("SOAK_SEED", time.time_ns() % 10**6))

    def worker() -> PortalProcess:
        return start_portal("rqworker", "updates", **LEASE)

    dice = random.Random(seed)  # noqa: S311 - it only has to be the same again
    killer = Killer(dice, fleet, worker, own_sshd, workers=[worker(), worker()])
    start_portal("recover", "--every", "1", **LEASE)
    upload_update_module(name="web-file", file=ContentFile(MODULE.encode()), actor=PORTAL)
    artifact = uploaded("web-1", {"index": "one"}, device_type="web")
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends or killer.has_more_to_show(until=ends + PATIENCE_SECONDS):
        keep_busy(fleet, artifact)
        killer.strike()
        time.sleep(killer.dice.uniform(0.5, 2.5))
    wait_until(
        lambda: not Upgrade.objects.exclude(state=State.FINISHED).exists(),
        seconds=PATIENCE_SECONDS,
        what="the end of every upgrade",
    )

    wrong = [complaint for device in fleet for complaint in disagreements(device)]
    outcomes = Counter(str(row.outcome) for row in Upgrade.objects.only("outcome"))
    write_report("kills.md", report(outcomes, killed=killer.killed, wrong=wrong, seed=seed))
    assert wrong == [], f"SOAK_SEED={seed}"
    assert outcomes[Outcome.SUCCEEDED] > 0
    assert [what for what in KINDS if killer.killed[what] < LEAST_KILLS] == [], killer.killed


def keep_busy(fleet: list[Device], artifact: Artifact) -> None:
    """Each device has an upgrade that waits or runs."""
    unfinished = Upgrade.objects.exclude(state=State.FINISHED)
    busy = set(unfinished.values_list("device_id", flat=True))
    for device in fleet:
        if device.pk not in busy:
            device.refresh_from_db()
            apply_artifact(
                device=device, artifact=artifact, actor=PORTAL, reason="again", force=True
            )


def disagreements(device: Device) -> list[str]:
    """What the portal says of this device's upgrades that the device does not."""
    calls: dict[str, list[tuple[str, str]]] = defaultdict(list)
    record = Path(device.root) / "record"
    for line in record.read_text().splitlines() if record.exists() else []:
        upgrade, word, mark = line.split()
        calls[upgrade].append((word, mark))
    found: list[str] = []
    in_place = "nothing"
    for row in device.upgrades.order_by("created_at", "id"):
        said = outcome_of(calls[str(row.pk)])
        if row.outcome != said:
            found.append(f"{row.pk}: {row.outcome}, the device says {said}")
        starts = Counter(word for word, mark in calls[str(row.pk)] if mark == "start")
        twice = [word for word, times in starts.items() if times > 1 and word not in REPEATABLE]
        if twice:
            found.append(f"{row.pk}: {twice} ran twice")
        if row.state in ACTIVE:
            found.append(f"{row.pk}: still {row.state}")
        in_place = str(row.pk) if row.outcome == Outcome.SUCCEEDED else in_place
    actual = (Path(device.root) / "installed").read_text().strip()
    if actual != in_place:
        found.append(f"{device.name}: {actual} is in place, not {in_place}")
    return found


def outcome_of(calls: list[tuple[str, str]]) -> Outcome:
    """How an upgrade ended, by the device's own record."""
    if ("ArtifactRollback", "end") in calls:
        return Outcome.ROLLED_BACK
    if ("ArtifactCommit", "end") in calls:
        return Outcome.SUCCEEDED
    return Outcome.BROKEN if ("ArtifactInstall", "start") in calls else Outcome.FAILED


def report(outcomes: Counter[str], *, killed: Counter[str], wrong: list[str], seed: int) -> str:
    what_was_done = (
        f"{DEVICES} devices over SSH, two workers, {SECONDS} seconds of upgrades, one after the other on each device,\n"
        "while workers, devices (all that runs there, at once) and connections were killed at random."
    )
    sums = f"{outcomes.total()} upgrades, {killed.total()} kills, {len(wrong)} outcomes that the device does not confirm."
    lines = [
        "# Random kills",
        "",
        f"Written by `make soak`: {what_was_done}",
        "Afterwards each upgrade's outcome was compared with what the device itself had written down.",
        "",
        f"**{sums}** Seed {seed}.",
        "",
        "| outcome | upgrades |",
        "|---|---|",
        *(f"| {outcome} | {count} |" for outcome, count in outcomes.most_common()),
        "",
        "| killed | times |",
        "|---|---|",
        *(f"| {what} | {count} |" for what, count in killed.most_common()),
        *(["", *wrong] if wrong else []),
    ]
    return "\n".join(lines) + "\n"
