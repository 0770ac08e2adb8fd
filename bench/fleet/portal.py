"""The portal as operators run it, with two web processes, and its simulator's devices. Orders are given by its own commands."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any, Final

from bench.fleet.processes import cpu_seconds
from portal.simulator.client import Server
from portal.simulator.device import Habits, PretendDevice
from portal.simulator.errors import Trouble
from portal.simulator.shelf import Shelf
from portal.simulator.tally import Tally
from portal.simulator.wire import Wire
from tests.e2e.portal_process import ROOT
from tests.environment.child import Child
from tests.environment.ports import free_port
from tests.environment.redis import RedisServer
from tests.environment.waiting import wait_until
from tests.running.portal_up import portal_environment

START_SECONDS: Final = 180
WEB_PROCESSES: Final = 2
OFFER_SECONDS: Final = 60
AGAIN_SECONDS: Final = 0.05
DEVICE_TYPE: Final = "simulated"
HABITS: Final = Habits(
    device_type=DEVICE_TYPE,
    poll_seconds=1.0,
    install_seconds=0.0,
    failure_rate=0.0,
    reboot_rate=0.0,
    seed=0,
)


class Portal:
    """A fresh one, which runs, and whose devices are accepted and have told their inventory."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        url: str,
        database: Child | None,
        devices: int,
        payload_bytes: int,
    ) -> None:
        """`url` names its database; `database` is the server of that, if it has one."""
        self.name = name
        self.tally = Tally()
        self._database = database
        self._payload_bytes = payload_bytes
        self._folder = folder
        self._numbers = count(1)
        self._deployment = ""
        folder.mkdir(parents=True)
        self._redis = RedisServer(folder / "redis" / "redis.sock")
        self._redis.start()
        self._env = portal_environment(
            folder / "var",
            {
                "DATABASE_URL": url,
                "REDIS_URL": self._redis.url,
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "WEB_PROCESSES": str(WEB_PROCESSES),
                # The whole fleet asks in the first minute.
                "NEW_DEVICES_PER_MINUTE": str(devices),
                "PENDING_DEVICES_LIMIT": str(devices),
            },
        )
        self._start(devices)

    def order(self) -> None:
        name, payload = f"bench-{next(self._numbers)}", self._folder / "payload"
        payload.write_bytes(secrets.token_bytes(self._payload_bytes))
        file = self._folder / f"{name}.mender"
        self._manage(
            "artifact", "write", "module-image", "--type", "single-file", "--device-type", DEVICE_TYPE,
            "--artifact-name", name, "--file", str(payload), "--output-path", str(file),
            "--compression", "none",
        )  # fmt: skip
        self._manage("artifact", "upload", str(file))
        words = ("deploy", name, "--all", "--reason", "bench", "--json")
        made = self._manage(*words, "--count", str(len(self._devices)))
        self._deployment = str(json.loads(made)["id"])

    def update(self, number: int) -> None:
        until = time.monotonic() + OFFER_SECONDS
        while time.monotonic() < until:
            if not self._turn(number):
                return
            time.sleep(AGAIN_SECONDS)  # it is offered nothing while the portal sends enough files
        raise RuntimeError("The portal has nothing to do for a device that is not done.")

    def poll(self, number: int) -> None:
        if not self._turn(number):
            raise RuntimeError("The portal has something to do for a device that is done.")

    def _turn(self, number: int) -> bool:
        """Whether the device that asked is offered nothing."""
        device = self._devices[number]
        for seconds in device.turn():
            time.sleep(seconds)
        return device.is_idle

    def counted(self) -> int:
        return int(self.counts()["outcomes"]["succeeded"])

    def counts(self) -> dict[str, Any]:
        """What the portal says of the latest order."""
        shown = json.loads(self._manage("deployment", "show", self._deployment, "--json"))
        counts: dict[str, Any] = shown["counts"]
        return counts

    def server_cpu_seconds(self) -> float:
        return cpu_seconds(self._web.pid) + (
            cpu_seconds(self._database.pid) if self._database else 0
        )

    def close(self) -> None:
        self._web.stop()
        self._redis.stop()

    def _start(self, devices: int) -> None:
        port = free_port()
        server = Server(Wire(f"http://127.0.0.1:{port}", self.tally), Shelf(), self.tally)
        words = [f"{name}={value}" for name, value in self._env.items()]
        web = ["manage.py", "start", "web", f"--port={port}"]
        self._web = Child(
            ["env", "-i", "-C", str(ROOT), *words, sys.executable, *web], log=self._folder / "log"
        )
        wait_until(
            lambda: self._answers(server.wire), seconds=START_SECONDS, what="the portal's answer"
        )
        fleet = self._folder / "fleet"
        self._manage(
            "simulate", "--accept", "--until-idle", "--json", "--devices", str(devices),
            "--poll", "5", "--server", f"http://127.0.0.1:{port}", "--folder", str(fleet),
        )  # fmt: skip
        self._devices = [
            PretendDevice(number, server, HABITS, fleet) for number in range(1, devices + 1)
        ]
        for device in self._devices:
            device.arrive()

    def _answers(self, wire: Wire) -> bool:
        if not self._web.running:
            raise RuntimeError(f"The portal does not start:\n{self._web.tail()}")
        try:
            return wire.ask("start", "GET", "/livez", body=b"", headers={}).status == 200
        except Trouble:
            return False

    def _manage(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env=self._env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"manage.py {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout
