"""One pretend device: what it says and does, in the order in which Mender's client does it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Final

from portal.simulator.client import Client, Offer, Server
from portal.simulator.errors import NotSent, Trouble, Unexpected
from portal.simulator.home import Home
from updates.formats.mender_artifact import ArtifactDescription
from updates.recipes.artifact_fit import after_commit

INVENTORY_SECONDS: Final = 8 * 3600.0
"""As Mender's client has it unless told otherwise."""
RETRY_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
REPORT_TRIES: Final = 4
SITES: Final = ("Hamburg", "Leipzig", "Munich")
LOG: Final = (
    "Downloaded the artifact; all checksums are right.",
    "Running the Update Module: ArtifactInstall.",
    "ArtifactInstall ended with status 1: {why}.",
    "Running the Update Module: ArtifactRollback.",
    "Running the Update Module: ArtifactFailure.",
    "What was installed before is installed again.",
)
NOT_SENT_LOG: Final = ("The artifact cannot be downloaded: {why}.",)

Steps = Generator[float, None, None]
"""Gives how many seconds pass before it wants to go on."""
Heard = Generator[float, None, bool]
"""The same, and at the end whether the server wants the update to go on."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How the devices of a fleet behave.

    `failure_rate`: the share of updates that fail while they are installed. `reboot_rate`: the share of devices that reboot
    into what they installed.
    """

    device_type: str
    poll_seconds: float
    install_seconds: float
    failure_rate: float
    reboot_rate: float
    seed: int


class PretendDevice:
    """The device with this number in its fleet. What it does is a function of the seed and of what it is told.

    Its life is a generator: whoever drives it waits for as many seconds as it gives, and takes the next step then.
    """

    def __init__(self, number: int, server: Server, habits: Habits, folder: Path) -> None:
        self.name = f"simulated-{number:04}"
        self._server, self._habits = server, habits
        self._tally = server.tally
        self._random = Random(f"{habits.seed}/{number}")  # noqa: S311 - a throw of dice
        self._reboots = self._random.random() < habits.reboot_rate
        self._home = Home(folder, self.name)
        self._provides = self._home.provides()
        self.key = self._home.key(is_small=number % 2 == 1)
        self.identity = {"name": self.name, "mac": _address(habits.seed, number)}
        self._client = Client(server, identity=self.identity, key=self.key)
        self._told_at: float | None = None
        self._deployment = ""
        self.is_idle = False
        """Whether it is let in, and its last poll found nothing to do."""

    def life(self) -> Steps:
        """Comes, polls, updates, for ever. A fleet's devices do not begin all at once."""
        yield self._random.uniform(0, self._habits.poll_seconds)
        while True:
            try:
                self._tell_inventory_when_due()
                yield from self.turn()
            except Trouble as trouble:
                self._meet(trouble)
            yield self._habits.poll_seconds

    def turn(self) -> Steps:
        """One poll, and all of the update that it offers, if it offers one. Raises Trouble."""
        offer = self._client.poll({"device_type": self._habits.device_type, **self._provides})
        self._tally.count("polls")
        if offer is None:
            self.is_idle = True
            return
        self.is_idle = False
        if offer.deployment != self._deployment:
            self._deployment = offer.deployment
            self._tally.count("offered")
        if offer.artifact_name == self._provides["artifact_name"]:
            if (yield from self._report(offer, "already-installed")):
                self._tally.count("already installed")
            return
        yield from self._update(offer)

    def arrive(self) -> None:
        """It is let in, and has told what it is. Raises Trouble."""
        self._client.authenticate()
        self._client.tell_inventory(self._inventory())
        self._told_at = time.monotonic()

    def _tell_inventory_when_due(self) -> None:
        now = time.monotonic()
        if self._told_at is None:
            self.arrive()
            self._tally.count("let in")
        elif now - self._told_at > INVENTORY_SECONDS:
            self._client.tell_inventory(self._inventory())
            self._told_at = now

    def _meet(self, trouble: Trouble) -> None:
        self.is_idle = False
        self._tally.trouble(str(trouble))

    def _update(self, offer: Offer) -> Steps:
        """The whole of it, unless the server says that it is over: then what was done is taken back."""
        fails = self._random.random() < self._habits.failure_rate
        if not (yield from self._report(offer, "downloading")):
            yield from self._give_up(offer, "aborted", "the server says that it is over")
            return
        try:
            artifact = yield from self._fetch(offer)
        except NotSent as trouble:
            self._tally.trouble(str(trouble))
            yield from self._give_up(offer, "failed", str(trouble), log=NOT_SENT_LOG)
            return
        for status in ("installing", *(("rebooting", "installing") if self._reboots else ())):
            if not (yield from self._report(offer, status)):
                yield from self._give_up(offer, "aborted", "the server says that it is over")
                return
            yield self._habits.install_seconds
            if fails:
                yield from self._give_up(offer, "failed", "this pretend device fails now and then")
                return
        # Whether the server is there and still knows it: what is committed cannot be taken back.
        self._client.authenticate()
        self._provides = after_commit(self._provides, artifact)
        self._home.keep(self._provides)
        is_heard = yield from self._report(offer, "success")
        self._tally.count("succeeded" if is_heard else "aborted")

    def _fetch(self, offer: Offer) -> Generator[float, None, ArtifactDescription]:
        """The artifact, whole and checked. It waits for a server that is away, as long as that takes."""
        file = self._client.download(offer)
        pause = RETRY_SECONDS
        with file.content:
            while not self._client.go_on(file):
                yield pause
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            return self._client.finished(file, offer)

    def _report(self, offer: Offer, status: str) -> Heard:
        """Whether the server wants it to go on. Raises Trouble when it takes no report for a while."""
        for _ in range(REPORT_TRIES):
            answer = self._client.report(offer, status)
            if answer.status in (HTTPStatus.NO_CONTENT, HTTPStatus.CONFLICT):
                return answer.status == HTTPStatus.NO_CONTENT
            yield RETRY_SECONDS
        raise Unexpected(f"status: {answer.status}")

    def _give_up(self, offer: Offer, count: str, why: str, *, log: tuple[str, ...] = LOG) -> Steps:
        """What was installed before is installed still, and the server was told, with the log."""
        yield from self._report(offer, "failure")
        self._client.send_log(offer, [line.format(why=why) for line in log])
        self._tally.count(count)

    def _inventory(self) -> dict[str, str]:
        throw = Random(self.name)  # noqa: S311 - a throw of dice
        return {
            "device_type": self._habits.device_type,
            "artifact_name": self._provides["artifact_name"],
            "mender_client_version": "simulated",
            "hostname": self.name,
            "kernel": "Linux version 6.1.0-simulated",
            "mem_total_kB": str(throw.choice((262_144, 524_288, 1_048_576))),
            "site": throw.choice(SITES),
            "floor": str(throw.randrange(5)),
        }


def _address(seed: int, number: int) -> str:
    """A locally administered MAC address of its own."""
    digest = hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()
    return ":".join(("02", *(digest[place : place + 2] for place in range(0, 10, 2))))
