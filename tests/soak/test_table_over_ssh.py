"""Mender's transition table over real SSH, on a device with systemd: power loss is the device killed and started again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import close_old_connections
from pytest_django import Settings

from devices.models import Device
from tests.environment.device_container import DeviceContainer
from tests.environment.waiting import wait_until
from tests.soak.conftest import IS_LONG, WriteReport
from tests.transitions.played import BEFORE, order
from tests.transitions.rows import Row, endless, on_a_full_disk, table
from updates.machine import REPEAT_LIMIT, Outcome
from updates.models import Upgrade
from updates.services.carry_out import Ending, carry_out
from updates.services.planning import plan_now
from updates.services.recipes import artifact_recipe

HANDFUL = (
    "cut ArtifactInstall; rollback Yes, reboot No",
    "cut ArtifactReboot; rollback Yes, reboot Yes",
    "cut ArtifactRollback@1, fail ArtifactInstall; rollback Yes, reboot Yes",
    "fail ArtifactVerifyReboot; rollback Yes, reboot Automatic",
    "cut NeedsArtifactReboot@1; rollback Yes, reboot No",
    "full ArtifactInstall ArtifactRollback; rollback Yes, reboot No",
    "flood ArtifactInstall; rollback Yes, reboot Yes",
)
ENDLESS = "fail ArtifactInstall ArtifactVerifyRollbackReboot; rollback Yes, reboot Automatic"
REPEATS = 3
"""How many are allowed in the rows that never end."""
LIMIT_SECONDS = 8
PATIENCE_SECONDS = 120


class SshDevice:
    """The container as `tests.transitions` wants its devices."""

    def __init__(self, container: DeviceContainer, row: Device) -> None:
        self.container = container
        self.row = row

    def make_ready(self) -> None:
        """As new, but for what the portal keeps there."""
        self.container.exec("rm", "-f", "/log", "/installed", "/cut-now")
        Device.objects.filter(pk=self.row.pk).update(device_type="box", provides=BEFORE)
        self.row.refresh_from_db()

    @contextmanager
    def disk_for(self, row: Row) -> Iterator[None]:
        """A call that fills the disk finds a small one, where all is that the portal keeps there."""
        work_root = self.row.work_root
        is_small = row.fault in ("full", "flood")
        if is_small:
            self.container.exec("mkdir", "-p", work_root)
            self.container.exec("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", work_root)
        yield
        if is_small:
            self.container.exec("umount", "--lazy", work_root)

    def log(self) -> list[str]:
        return self.container.exec("sh", "-c", "cat /log 2>/dev/null || true").split()

    def is_changed(self) -> bool:
        return bool(self.container.exec("sh", "-c", "ls /installed 2>/dev/null || true"))

    def provides(self) -> dict[str, str]:
        self.row.refresh_from_db()
        return dict(self.row.provides)


@contextmanager
def somebody_at_the_plug(container: DeviceContainer) -> Iterator[None]:
    """Whenever the device asks for it, its power goes and comes back."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            asked = container.exec("sh", "-c", "ls /cut-now 2>/dev/null || true")
            if asked:
                container.exec("rm", "/cut-now")
                container.kill()
                container.start()

    thread = threading.Thread(target=_until_over, args=(watch, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _until_over(watch: Callable[[], None], over: threading.Event) -> None:
    """A device that reboots by itself cannot be asked meanwhile."""
    while not over.is_set():
        try:
            watch()
        except RuntimeError:
            over.wait(0.5)


def carried_out(upgrade: Upgrade) -> Upgrade:
    ending = carry_out(
        str(upgrade.pk),
        make_recipe=lambda fresh, shell: artifact_recipe(plan_now(fresh), shell),
        worker="soak",
        wants_leave=lambda: False,
    )
    assert ending is Ending.FINISHED
    upgrade.refresh_from_db()
    return upgrade


@pytest.fixture
def played(container: DeviceContainer, device: Device) -> SshDevice:
    return SshDevice(container, device)


def test_every_fault_leads_where_the_table_says(
    played: SshDevice,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    write_report: WriteReport,
) -> None:
    """All cells if this is the long run, else a handful. One device for all: what one upgrade leaves must not harm the next."""
    rows = [row for row in (*table(), *on_a_full_disk()) if IS_LONG or str(row) in HANDFUL]
    never_end = [row for row in endless(REPEATS) if IS_LONG or str(row) == ENDLESS]
    assert IS_LONG or (len(rows), len(never_end)) == (len(HANDFUL), 1)
    usual = settings.STATE_LIMIT_SECONDS
    lines: list[str] = []
    wrong: list[str] = []
    began = time.monotonic()
    for number, row in enumerate([*rows, *never_end]):
        played.make_ready()
        settings.STATE_LIMIT_SECONDS = (
            {**usual, row.state: LIMIT_SECONDS} if row.fault == "hang" else usual
        )
        allowed = REPEATS if number >= len(rows) else REPEAT_LIMIT
        monkeypatch.setattr("updates.course.REPEAT_LIMIT", allowed)
        started = time.monotonic()
        with somebody_at_the_plug(played.container), played.disk_for(row):
            upgrade = carried_out(order(played, row.behaviour, name=f"new-{number}"))
        complaint = differs(row, upgrade, played)
        wrong += [f"{row}: {complaint}"] if complaint else []
        seconds = time.monotonic() - started
        verdict = complaint or "as the table says"
        lines.append(f"| {row} | {upgrade.outcome} | {seconds:.0f} | {verdict} |")
    write_report(
        "transitions.md", report(lines, wrong=len(wrong), seconds=time.monotonic() - began)
    )
    close_old_connections()
    assert wrong == []


def differs(row: Row, upgrade: Upgrade, device: SshDevice) -> str:
    """What is not as the row says; nothing when all is. A reboot that the portal makes is not in the module's record."""
    wait_until(lambda: device.log() != [], seconds=PATIENCE_SECONDS, what="the device's record")
    calls = [word for word in row.calls if word != "reboot"]
    found = []
    if upgrade.outcome != row.outcome:
        found.append(f"ended {upgrade.outcome}: {upgrade.error}")
    if device.log() != calls:
        found.append(f"calls were {' '.join(device.log())}")
    provides = {**row.provides}
    provides["artifact_name"] = provides["artifact_name"].replace("new", upgrade.to_version)
    if device.provides() != provides:
        found.append(f"provides {device.provides()}")
    if row.outcome != Outcome.BROKEN and device.is_changed() != (row.outcome == Outcome.SUCCEEDED):
        found.append("the device itself says otherwise")
    return "; ".join(found)


def report(lines: list[str], *, wrong: int, seconds: float) -> str:
    head = [
        "# The transition table over SSH",
        "",
        "Written by `make soak`: each cell of Mender's transition table on a device with systemd (a container), over real SSH.",
        "Power loss is the device killed in the middle of the call, and started again.",
        "A disk that is filled has 24 MiB.",
        "",
        f"**{len(lines)} cells, {wrong} not as the table says, {seconds / 60:.0f} minutes.**",
        "",
        "| what goes wrong | outcome | seconds | |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *lines]) + "\n"
