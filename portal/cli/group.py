"""`manage.py group VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from devices.api.groups import DeviceGroupSerializer
from devices.models import DeviceGroup
from devices.queries import devices_in
from portal.cli.limit import limit_argument, shown
from portal.cli.verb import Call, Verb


def _list_arguments(parser: ArgumentParser) -> None:
    limit_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("devices.view_devicegroup")
    rows = shown(DeviceGroup.objects.all(), call)
    if call.out.as_json:
        call.out.document(DeviceGroupSerializer(rows, many=True).data)
        return
    call.out.table(
        ("NAME", "KIND", "DEVICES", "FILTER"),
        ((row.name, row.kind, devices_in(row).count(), _filter(row)) for row in rows),
    )


def _filter(group: DeviceGroup) -> str:
    return " ".join(f"{word}={value}" for word, value in group.filter.items())


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list device groups by name", _list_arguments, _list),
}
