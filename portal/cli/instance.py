"""`manage.py instance VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from patches.api.modules import InstanceDetailSerializer, InstanceSerializer
from patches.queries import standing_on
from patches.services.elimination import record_installation
from patches.services.nodes import request_look
from portal.cli import find, installation
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from updates.models import Installation, Instance
from updates.services.modules import save_instance


def _instance_argument(parser: ArgumentParser) -> None:
    parser.add_argument("instance", metavar="NAME")


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--module", metavar="NAME", help="only those of this module")
    limit_argument(parser)


def _add_arguments(parser: ArgumentParser) -> None:
    _instance_argument(parser)
    parser.add_argument("--module", required=True, metavar="NAME")
    parser.add_argument("--device", required=True, metavar="NAME")
    parser.add_argument("--version", required=True, help="the one that is installed there")


def _installed_arguments(parser: ArgumentParser) -> None:
    _instance_argument(parser)
    parser.add_argument("version", help="the one that is installed now")
    reason_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("updates.view_instance")
    found = Instance.objects.select_related("module", "device")
    if call.words["module"]:
        found = found.filter(module=find.module(call.words["module"]))
    rows = shown(found, call)
    if call.out.as_json:
        call.out.document(InstanceSerializer(rows, many=True).data)
        return
    call.out.table(
        ("NAME", "MODULE", "VERSION", "DEVICE"),
        ((row.name, row.module, row.version, row.device) for row in rows),
    )


def _show(call: Call) -> None:
    call.actor.require("updates.view_instance")
    _tell(find.instance(call.words["instance"]), out=call.out)


def _add(call: Call) -> None:
    words = call.words
    instance = Instance(
        name=words["instance"],
        module=find.module(words["module"]),
        device=find.device(words["device"]),
        version=words["version"],
    )
    _tell(save_instance(instance=instance, actor=call.actor), out=call.out)


def _installed(call: Call) -> None:
    instance = record_installation(
        instance=find.instance(call.words["instance"]),
        version=call.words["version"],
        actor=call.actor,
        reason=call.words["reason"],
    )
    _tell(instance, out=call.out)


def _look(call: Call) -> None:
    instance = find.instance(call.words["instance"])
    request_look(instance=instance, actor=call.actor)
    if call.out.as_json:
        call.out.document(InstanceDetailSerializer(instance).data)
    else:
        call.out.text(
            f"The nodes of {instance} are being asked; `node list --instance` says what they said."
        )


def _tell(instance: Instance, *, out: Output) -> None:
    if out.as_json:
        out.document(InstanceDetailSerializer(instance).data)
        return
    patches = [
        f"{row.patch} ({row.get_standing_display().lower()})" for row in standing_on(instance)
    ]
    made = Installation.objects.filter(instance=instance).first()
    out.facts(
        (
            ("name", instance.name),
            ("module", _module_of(instance)),
            ("version", instance.version),
            ("device", instance.device),
            *(installation.facts_of(made) if made else ()),
            ("patches", "\n".join(patches)),
            ("nodes", "\n".join(instance.nodes.values_list("name", flat=True)[:100])),
        )
    )


def _module_of(instance: Instance) -> str:
    module = instance.module
    return f"{module} ({module.runtime})" if module.runtime else module.name


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list instances by name", _list_arguments, _list),
    "show": Verb("show an instance, its patches and nodes", _instance_argument, _show),
    "add": Verb("add an instance of a module on a device", _add_arguments, _add),
    "installed": Verb(
        "record that it was upgraded or installed anew: no patch is left of before",
        _installed_arguments,
        _installed,
    ),
    "look": Verb("ask its nodes how they are", _instance_argument, _look),
    **installation.VERBS,
}
