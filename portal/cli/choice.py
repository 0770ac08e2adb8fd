"""Choosing devices on the command line, as the API's orders do."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import CommandError
from django.db.models import QuerySet

from devices.models import Device
from devices.queries import select_devices
from portal.cli import find
from portal.cli.verb import Call

HOW_TO_MEAN: Final = "say --count N"
"""Where a command says how many devices it is meant for."""


def choice_arguments(parser: ArgumentParser) -> None:
    """--device, --group (both as often as wanted) and --all."""
    parser.add_argument(
        "--device", action="append", default=[], metavar="NAME", help="again for more"
    )
    parser.add_argument(
        "--group", action="append", default=[], metavar="NAME", help="again for more"
    )
    parser.add_argument("--all", action="store_true", help="all devices")


def count_argument(parser: ArgumentParser) -> None:
    """--count, which more than a hundred devices want."""
    parser.add_argument(
        "--count", type=int, metavar="N", help="how many it would be; required for more than 100"
    )


def selection(call: Call) -> dict[str, Any]:
    """How the call chose its devices: the arguments of `select_devices`. CommandError when it chose none."""
    if call.words["all"]:
        return {"everything": True}
    devices = [find.device(name).pk for name in call.words["device"]]
    groups = [find.group(name).pk for name in call.words["group"]]
    if not devices and not groups:
        raise CommandError("Choose devices: --device, --group or --all.")
    return {"devices": devices, "groups": groups}


def chosen(call: Call) -> QuerySet[Device]:
    """The devices that the call chose."""
    return select_devices(**selection(call))
