"""Choosing devices on the command line, as the API's orders do."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import CommandError
from django.db.models import QuerySet

from devices.models import Device
from devices.queries import devices_chosen
from portal.cli import find
from portal.cli.verb import Call

HOW_TO_MEAN: Final = "say --count N"
"""Where a command says how many devices it is meant for."""


def choice_arguments(parser: ArgumentParser) -> None:
    """--device, --group, --filter (each as often as wanted) and --all."""
    parser.add_argument(
        "--device", action="append", default=[], metavar="NAME", help="again for more"
    )
    parser.add_argument(
        "--group", action="append", default=[], metavar="NAME", help="again for more"
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="WORD=VALUE",
        help="a word of the device list's query, such as device_type=box; again for more, all of which have to be true",
    )
    parser.add_argument("--all", action="store_true", help="all devices")


def count_argument(parser: ArgumentParser) -> None:
    """--count, which more than a hundred devices want."""
    parser.add_argument(
        "--count", type=int, metavar="N", help="how many it would be; required for more than 100"
    )


def selection(call: Call) -> dict[str, Any]:
    """How the call chose its devices: the words of `devices_chosen`. CommandError when it chose none."""
    devices = [find.device(name).pk for name in call.words["device"]]
    groups = [find.group(name).pk for name in call.words["group"]]
    words = _words(call.words["filter"])
    if words and (devices or groups or call.words["all"]):
        raise CommandError("Choose one way only: --device and --group, or --filter, or --all.")
    if words:
        return {"filter": words}
    if call.words["all"]:
        return {"everything": True}
    if not devices and not groups:
        raise CommandError("Choose devices: --device, --group, --filter or --all.")
    return {"devices": devices, "groups": groups}


def chosen(call: Call) -> QuerySet[Device]:
    """The devices that the call chose, as far as the person may touch them for whom it acts."""
    return devices_chosen(selection(call), by=call.actor.user)


def _words(filters: list[str]) -> dict[str, str]:
    words: dict[str, str] = {}
    for given in filters:
        name, _, value = (part.strip() for part in given.partition("="))
        if not name or not value:
            raise CommandError(
                f"--filter takes WORD=VALUE, such as device_type=box, not {given!r}."
            )
        if name in words:
            raise CommandError(f"--filter says {name} twice.")
        words[name] = value
    return words
