"""`manage.py group VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from django.core.management.base import CommandError

from devices.api.groups import DeviceGroupSerializer
from devices.models import DeviceGroup
from devices.queries import devices_in
from devices.services.groups import Change, delete_group, name_members, save_group
from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.reason import reason_argument
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


def _words_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--description", help="what it is for")
    parser.add_argument(
        "--filter",
        action="append",
        metavar="WORD=VALUE",
        help="a word of the device list's filter, again for more: the group is what it finds",
    )
    parser.add_argument(
        "--signed-only",
        choices=["yes", "no"],
        help="whether its devices take only what a trusted key has signed",
    )


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("group", help="its name")
    _words_arguments(parser)


def _edit_arguments(parser: ArgumentParser) -> None:
    _add_arguments(parser)
    parser.add_argument("--name", dest="new_name", help="instead of the name that it has")


def _add(call: Call) -> None:
    kind = DeviceGroup.Kind.DYNAMIC if call.words["filter"] else DeviceGroup.Kind.STATIC
    _save(DeviceGroup(name=call.words["group"], kind=kind), call)


def _edit(call: Call) -> None:
    call.actor.require("devices.change_devicegroup")
    group = find.group(call.words["group"])
    if call.words["new_name"]:
        group.name = call.words["new_name"]
    _save(group, call)


def _save(group: DeviceGroup, call: Call) -> None:
    words = call.words
    if words["description"] is not None:
        group.description = words["description"]
    if words["filter"]:
        group.filter = _filter_words(words["filter"])
    if words["signed_only"]:
        group.signed_only = words["signed_only"] == "yes"
    _tell(save_group(group=group, actor=call.actor), call)


def _filter_words(given: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in given]
    if wrong := [word for word, sign, _ in pairs if not sign]:
        raise CommandError(f"--filter takes WORD=VALUE, and not {wrong[0]!r}.")
    return {word: value for word, _, value in pairs}


def _members_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("group", help="its name; not that of one with a filter")
    parser.add_argument("change", choices=[change.value for change in Change])
    parser.add_argument("device", nargs="+", metavar="DEVICE", help="names of devices")
    reason_argument(parser)


def _members(call: Call) -> None:
    group = find.group(call.words["group"])
    came, went = name_members(
        group=group,
        names=call.words["device"],
        change=Change(call.words["change"]),
        actor=call.actor,
        reason=call.words["reason"],
    )
    if call.out.as_json:
        call.out.document({"added": came, "removed": went})
    else:
        call.out.text(f"{came} came, {went} went: {devices_in(group).count()} are in {group}.")


def _delete_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("group", help="its name")
    reason_argument(parser)


def _delete(call: Call) -> None:
    group = find.group(call.words["group"])
    data = DeviceGroupSerializer(group).data
    delete_group(group=group, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(data)
    else:
        call.out.text(f"{group} is gone; its devices stay.")


def _tell(group: DeviceGroup, call: Call) -> None:
    if call.out.as_json:
        call.out.document(DeviceGroupSerializer(group).data)
        return
    call.out.facts(
        (
            ("name", group.name),
            ("kind", group.kind),
            ("devices", devices_in(group).count()),
            ("filter", _filter(group)),
            ("signed only", group.signed_only),
            ("description", group.description),
        )
    )


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list device groups by name", _list_arguments, _list),
    "add": Verb("make a group: of named devices, or by a filter", _add_arguments, _add),
    "edit": Verb("change a group", _edit_arguments, _edit),
    "members": Verb("put devices into a group, or out of it", _members_arguments, _members),
    "delete": Verb("delete a group; its devices stay", _delete_arguments, _delete),
}
