"""`manage.py simulate`: a fleet of pretend devices, which ask this portal or another one for updates, as real ones do."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from devices.auth_request import id_hash_of, read_device_key
from devices.models import AuthSet
from devices.services.enrolment import accept_many, preauthorise
from portal.core.actors import PORTAL
from portal.core.errors import Conflict
from portal.settings.environment import VAR_DIR
from portal.simulator.client import Server
from portal.simulator.device import Habits, PretendDevice
from portal.simulator.fleet import Fleet
from portal.simulator.shelf import Shelf
from portal.simulator.summary import line, summary
from portal.simulator.tally import Tally
from portal.simulator.wire import Wire

MOST_DEVICES: Final = 100_000
MOST_AT_ONCE: Final = 500
REBOOT_RATE: Final = 0.2
SIMULATED: Final = "A pretend device, let in as it was started"


class Command(BaseCommand):
    help = (
        "Runs pretend devices, which speak Mender's device API over HTTP, until Ctrl-C. "
        "They keep their keys: a second start is the same fleet."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("--devices", type=_number(1, MOST_DEVICES), default=20, metavar="N")
        add(
            "--failure-rate",
            type=_share,
            default=0.1,
            metavar="P",
            help="of updates; 0.1 unless told",
        )
        add("--poll", type=_seconds, default=5.0, metavar="S", help="seconds between two polls; 5")
        add("--install", type=_seconds, default=3.0, metavar="S", help="seconds for installing; 3")
        add("--server", default="http://127.0.0.1:8000", metavar="URL", help="whom they ask")
        add("--device-type", default="simulated", metavar="TYPE", help="what they are")
        add("--at-once", type=_number(1, MOST_AT_ONCE), default=32, metavar="N", help="requests")
        add(
            "--seed",
            type=int,
            default=0,
            help="another seed is another fleet; the same does the same",
        )
        add("--folder", type=Path, metavar="FOLDER", help="where they keep their keys")
        add(
            "--accept", action="store_true", help="let them in first, in this portal's own database"
        )
        add("--until-idle", action="store_true", help="end when nobody has anything to do")
        add("--json", action="store_true", dest="as_json", help="only a summary, for programs")

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        tally = Tally()
        try:
            server = Server(Wire(options["server"], tally), Shelf(), tally)
        except ValueError as error:
            raise CommandError(str(error)) from None
        folder = options["folder"] or VAR_DIR / "simulated" / str(options["seed"])
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        habits = Habits(
            device_type=options["device_type"],
            poll_seconds=options["poll"],
            install_seconds=options["install"],
            failure_rate=options["failure_rate"],
            reboot_rate=REBOOT_RATE,
            seed=options["seed"],
        )
        devices = [
            PretendDevice(number, server, habits, folder)
            for number in range(1, options["devices"] + 1)
        ]
        if options["accept"]:
            _let_in(devices)
        seconds = self._run(devices, tally, options)
        found = summary(tally, devices=len(devices), seconds=seconds)
        if options["as_json"]:
            self._say(json.dumps(found.as_json(), indent=1))
            return
        for words in found.lines():
            self._say(words)

    def _run(self, devices: list[PretendDevice], tally: Tally, options: dict[str, Any]) -> float:
        """Until Ctrl-C, or until nobody has anything to do, if that is the end; how many seconds it took."""
        began, polls = time.monotonic(), 0
        with Fleet(devices, at_once=options["at_once"]) as fleet:
            try:
                while not (fleet.is_idle() and options["until_idle"]):
                    time.sleep(1)
                    if not options["as_json"]:
                        self._say(line(tally, seconds=time.monotonic() - began, polls_before=polls))
                    polls = tally.counts()["polls"]
            except KeyboardInterrupt:
                pass  # the way to end it
        return time.monotonic() - began

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _let_in(devices: list[PretendDevice]) -> None:
    """Each of them is accepted by when it asks; what somebody has decided about one of them stays decided."""
    for device in devices:
        key = read_device_key(device.key.public_pem)
        try:
            preauthorise(id_data=device.identity, key=key, actor=PORTAL, reason=SIMULATED)
        except Conflict:
            waiting = AuthSet.objects.filter(
                identity__id_hash=id_hash_of(device.identity),
                key_hash=key.hash,
                status=AuthSet.Status.PENDING,
            )
            accept_many(auth_sets=waiting, actor=PORTAL, reason=SIMULATED)


def _number(least: int, most: int) -> Any:  # noqa: ANN401 - what argparse calls
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"a number from {least} to {most}")
        return int(text)

    return number


def _seconds(text: str) -> float:
    return _float(text, most=86_400.0, what="seconds, a day at most")


def _share(text: str) -> float:
    return _float(text, most=1.0, what="a share from 0 to 1")


def _float(text: str, *, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ArgumentTypeError(what)
    return value
