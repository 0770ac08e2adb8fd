"""A device that is played by a folder, with a recording Update Module; and workers that really run, hang and die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections

from devices.drivers.linked_shell import Booting
from devices.drivers.local import LocalShell
from devices.drivers.shell import Shell
from devices.models import Device
from portal.core.actors import PORTAL
from tests.environment.programs import program
from tests.environment.waiting import wait_until
from updates.models import Artifact, Upgrade
from updates.runner import Recipe
from updates.services.artifacts import upload_artifact, upload_update_module
from updates.services.carry_out import Ending, carry_out
from updates.services.planning import plan_now
from updates.services.recipes import artifact_recipe
from updates.services.upgrades import apply_artifact

RECORDER = Path(__file__).with_name("recorder.sh")
PATIENCE_SECONDS = 20
ENDINGS = list(Ending)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the Update Module wrote down; `is_over` when it came to its end by itself."""

    word: str
    is_over: bool


class PlayedDevice:
    """A device whose `/` is the folder `root`. It boots by getting another boot id."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir()
        self.boot()
        self.row = Device.objects.create(
            name=f"played-{uuid.uuid4().hex[:8]}",
            device_type="box",
            driver=Device.Driver.LOCAL,
            root=str(root),
            provides={"artifact_name": "old"},
        )

    def boot(self) -> None:
        (self.root / "boot_id").write_text(f"{uuid.uuid4()}\n")

    def shell(self) -> Shell:
        path = self.root / "boot_id"
        boot = ("sh", "-c", 'cat /proc/sys/kernel/random/uuid >"$0"', str(path))
        return LocalShell(booting=Booting(boot_id_path=str(path), reboot_command=boot))

    def go(self) -> None:
        """Calls that wait go on."""
        (self.root / "go").touch()

    def await_start(self, word: str) -> None:
        wait_until(
            lambda: any(call.word == word for call in self.calls()),
            seconds=PATIENCE_SECONDS,
            what=f"the start of {word}",
        )

    def await_end(self, word: str) -> None:
        wait_until(
            lambda: Call(word, is_over=True) in self.calls(),
            seconds=PATIENCE_SECONDS,
            what=f"the end of {word}",
        )

    def await_fence(self, fence: int) -> None:
        """The device has seen the holder with this number."""
        path = Path(self.row.work_root)
        wait_until(
            lambda: any(int(f.read_text() or 0) >= fence for f in path.glob("fence-*[0-9a-f]")),
            seconds=PATIENCE_SECONDS,
            what=f"holder {fence} at the device",
        )

    def calls(self) -> list[Call]:
        """What the Update Module wrote down, in the order of the calls' starts. Queries are calls too."""
        log = self.root / "log"
        lines = [line.split() for line in log.read_text().split("\n")] if log.exists() else []
        ended = {(line[1], line[2]) for line in lines if line[:1] == ["end"]}
        started = [(line[1], line[2]) for line in lines if line[:1] == ["start"]]
        return [Call(word, (word, pid) in ended) for word, pid in started]

    def words(self) -> list[str]:
        """The working calls, without the queries."""
        queries = ("ProvidePayloadFileSizes", "SupportsRollback", "NeedsArtifactReboot")
        return [call.word for call in self.calls() if call.word not in queries]

    def has_overlapped(self) -> bool:
        """Whether a call ever began while the one before it was still running."""
        return (self.root / "overlapped").exists()


def order(device: PlayedDevice, folder: Path, **behaviour: str) -> Upgrade:
    """An upgrade of `device` to an artifact whose Update Module behaves as said (see recorder.sh)."""
    upload_update_module(
        name="recorder", file=ContentFile(RECORDER.read_bytes(), "recorder"), actor=PORTAL
    )
    artifact = upload(folder, **behaviour)
    return apply_artifact(
        device=device.row, artifact=artifact, actor=PORTAL, reason="to see it fail"
    )


def upload(folder: Path, *, name: str = "new", **behaviour: str) -> Artifact:
    """A real artifact, in the storage. By default it can be rolled back and wants its own kind of reboot."""
    meta = {"rollback": "Yes", "reboot": "Yes", **behaviour}
    (folder / "payload").write_text(name)
    (folder / "meta.json").write_text(json.dumps(meta))
    words = f"write module-image -T recorder -t box -n {name} -f payload -m meta.json -o out.mender"
    tool = program("mender-artifact", package="mender-artifact")
    subprocess.run([tool, *words.split()], cwd=folder, check=True, capture_output=True)
    content = (folder / "out.mender").read_bytes()
    return upload_artifact(file=SimpleUploadedFile("out.mender", content), actor=PORTAL)


class Worker:
    """Carries upgrades of one played device out, as a job does."""

    def __init__(self, device: PlayedDevice, *, name: str = "worker-1") -> None:
        self._device = device
        self._name = name

    def once(self, upgrade: Upgrade, *, wants_leave: Callable[[], bool] = lambda: False) -> Ending:
        return carry_out(
            str(upgrade.pk),
            make_recipe=self._recipe,
            worker=self._name,
            wants_leave=wants_leave,
        )

    def as_soon_as_free(self, upgrade: Upgrade) -> Ending:
        """Goes on as soon as the lease of whoever held it has lapsed."""
        ending = Ending.HELD

        def got_it() -> bool:
            nonlocal ending
            ending = self.once(upgrade)
            return ending is not Ending.HELD

        wait_until(got_it, seconds=PATIENCE_SECONDS, what="a lapsed lease")
        return ending

    def _recipe(self, upgrade: Upgrade, _shell: Shell) -> Recipe:
        return artifact_recipe(plan_now(upgrade), self._device.shell())


class WorkerProcess:
    """A worker in a process of its own, that can be stopped in its tracks and killed."""

    def __init__(self, worker: Worker, upgrade: Upgrade) -> None:
        connections.close_all()  # they must not be shared with the child
        with warnings.catch_warnings():
            # The child runs nothing of the threads that its parent may have.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            status = 99
            try:
                status = ENDINGS.index(worker.once(upgrade))
            finally:
                os._exit(status)

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def freeze(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)
        os.waitpid(self._pid, os.WUNTRACED)

    def wake(self) -> Ending:
        """It goes on where it was frozen; how its part ended."""
        os.kill(self._pid, signal.SIGCONT)
        _, status = os.waitpid(self._pid, 0)
        return ENDINGS[os.waitstatus_to_exitcode(status)]


class Meanwhile:
    """Something that happens while the test's own thread carries an upgrade out."""

    def __init__(self, *deeds: Callable[[], object]) -> None:
        self._deeds = deeds
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            for deed in self._deeds:
                deed()
        finally:
            connections.close_all()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exc: object) -> None:
        self._thread.join()
