"""`manage.py instance install|…`: instances of module images."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from portal.cli import find
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.upgrade import tell_new, wait_argument
from portal.cli.verb import Call, Verb
from updates.api.installations import InstallationSerializer
from updates.models import Installation, Instance
from updates.services.installations import (
    hold_instance,
    offer_version,
    release_instance,
    save_installation,
    skip_version,
)
from updates.services.installing import NewInstance, adopt, install_module, uninstall_module
from updates.services.module_updates import reinstall


def facts_of(made: Installation) -> list[tuple[str, object]]:
    """What a person wants to know of it."""
    return [
        ("image", made.image),
        ("digest", made.digest),
        ("user", made.user),
        ("folder", made.install_dir),
        ("failed scripts", made.get_on_failed_script_display()),
        ("data", _kept(made)),
        ("ports", _ports(made)),
        ("held", made.held_why),
        ("skipped", made.skipped),
        ("uninstalled", made.uninstalled_at),
    ]


def _kept(made: Installation) -> str:
    if not made.keeps_data:
        return "not kept before updates"
    return f"kept before updates, with {len(made.volumes)} volumes"


def _ports(made: Installation) -> str:
    blocks = {
        "tcp": (made.first_tcp_port, made.tcp_ports),
        "udp": (made.first_udp_port, made.udp_ports),
    }
    return ", ".join(
        f"{protocol} {first}-{first + count - 1}"
        for protocol, (first, count) in blocks.items()
        if first
    )


def _tell(made: Installation, *, out: Output) -> None:
    if out.as_json:
        out.document(InstallationSerializer(made).data)
        return
    out.facts([("name", made.instance.name), ("version", made.instance.version), *facts_of(made)])


def _instance_argument(parser: ArgumentParser) -> None:
    parser.add_argument("instance", metavar="NAME")


def _with_reason(parser: ArgumentParser) -> None:
    _instance_argument(parser)
    reason_argument(parser)


def _ordering(parser: ArgumentParser) -> None:
    _with_reason(parser)
    wait_argument(parser)


def _place_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rootfull", action="store_true", help="it belongs to root")
    parser.add_argument("--user", default="", help="the instance's name, unless told")
    parser.add_argument(
        "--install-dir", default="", metavar="FOLDER", help="~/.config of the user, unless told"
    )
    reason_argument(parser)


def _install_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("image", help="such as ghcr.io/nethserver/mymodule:1.0.0")
    parser.add_argument("--device", required=True, metavar="NAME")
    parser.add_argument("--name", default="", help="the module's with its next number, unless told")
    parser.add_argument("--tcp-ports", type=int, default=0, metavar="N", help="how many it needs")
    parser.add_argument("--udp-ports", type=int, default=0, metavar="N")
    _place_arguments(parser)
    wait_argument(parser)


def _adopt_arguments(parser: ArgumentParser) -> None:
    _instance_argument(parser)
    parser.add_argument("image", help="the one that is installed there")
    _place_arguments(parser)


def _version_arguments(parser: ArgumentParser) -> None:
    _instance_argument(parser)
    parser.add_argument("version")
    parser.add_argument("--reason", default="", metavar="WHY")


def _settings_arguments(parser: ArgumentParser) -> None:
    _instance_argument(parser)
    parser.add_argument("--failed-scripts", choices=Installation.Scripts.values)
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--keep-data", dest="keeps_data", action="store_true", default=None)
    kept.add_argument("--no-keep-data", dest="keeps_data", action="store_false", default=None)
    parser.add_argument(
        "--volume", action="append", metavar="NAME", help="again for more; '': none"
    )
    parser.add_argument("--probes", type=Path, metavar="FILE", help="a JSON list of probes")


def _install(call: Call) -> None:
    words = call.words
    new = NewInstance(
        image=words["image"], device=find.device(words["device"]), name=words["name"],
        rootfull=words["rootfull"], user=words["user"], install_dir=words["install_dir"],
        tcp_ports=_count(words["tcp_ports"]), udp_ports=_count(words["udp_ports"]),
    )  # fmt: skip
    tell_new(install_module(new, actor=call.actor, reason=words["reason"]), call=call)


def _count(number: int) -> int:
    if not 0 <= number <= 100:
        raise CommandError("An instance has 0 to 100 ports.")
    return number


def _adopt(call: Call) -> None:
    words, instance = call.words, find.instance(call.words["instance"])
    new = NewInstance(
        image=words["image"], device=instance.device, rootfull=words["rootfull"],
        user=words["user"], install_dir=words["install_dir"],
    )  # fmt: skip
    made = adopt(instance=instance, new=new, actor=call.actor, reason=words["reason"])
    _tell(made, out=call.out)


def _uninstall(call: Call) -> None:
    instance = find.instance(call.words["instance"])
    upgrade = uninstall_module(instance=instance, actor=call.actor, reason=call.words["reason"])
    if upgrade is None:  # nothing of it was ever on its device
        _tell(_made(instance), out=call.out)
    else:
        tell_new(upgrade, call=call)


def _reinstall(call: Call) -> None:
    order = reinstall(
        instance=find.instance(call.words["instance"]),
        actor=call.actor,
        reason=call.words["reason"],
    )
    tell_new(order.upgrades.get(), call=call)


def _hold(call: Call) -> None:
    instance = find.instance(call.words["instance"])
    made = hold_instance(instance=instance, why=call.words["reason"], actor=call.actor)
    _tell(made, out=call.out)


def _unhold(call: Call) -> None:
    instance = find.instance(call.words["instance"])
    made = release_instance(instance=instance, actor=call.actor, reason=call.words["reason"])
    _tell(made, out=call.out)


def _skip(call: Call) -> None:
    _tell(skip_version(**_version_words(call)), out=call.out)


def _offer(call: Call) -> None:
    _tell(offer_version(**_version_words(call)), out=call.out)


def _version_words(call: Call) -> dict[str, Any]:
    return {
        "instance": find.instance(call.words["instance"]),
        "version": call.words["version"],
        "actor": call.actor,
        "reason": call.words["reason"],
    }


def _settings(call: Call) -> None:
    words, made = call.words, _made(find.instance(call.words["instance"]))
    given = {"on_failed_script": words["failed_scripts"], "keeps_data": words["keeps_data"]}
    if words["volume"] is not None:
        given["volumes"] = [name for name in words["volume"] if name]
    if words["probes"] is not None:
        given["probes"] = _json(words["probes"])
    given = {name: value for name, value in given.items() if value is not None}
    if given:
        for name, value in given.items():
            setattr(made, name, value)
        made = save_installation(installation=made, actor=call.actor)
    call.actor.require("updates.view_installation")
    _tell(made, out=call.out)


def _made(instance: Instance) -> Installation:
    made = Installation.objects.select_related("instance").filter(instance=instance).first()
    if made is None:
        raise CommandError(f"{instance} was not installed from a module image.")
    return made


def _json(path: Path) -> object:
    try:
        found: object = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}.") from None
    return found


VERBS: Final[Mapping[str, Verb]] = {
    "install": Verb("install a new instance of a module image", _install_arguments, _install),
    "adopt": Verb("take one under control that stands there already", _adopt_arguments, _adopt),
    "reinstall": Verb("install the version that is there once more", _ordering, _reinstall),
    "uninstall": Verb("take it away from its device", _ordering, _uninstall),
    "hold": Verb("give it no update but by a person who names it alone", _with_reason, _hold),
    "unhold": Verb("hold it no longer", _with_reason, _unhold),
    "skip": Verb("do not offer a version for it", _version_arguments, _skip),
    "offer": Verb("offer a skipped version again", _version_arguments, _offer),
    "settings": Verb("show how it is updated, or change that", _settings_arguments, _settings),
}
