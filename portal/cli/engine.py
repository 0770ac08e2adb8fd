"""`manage.py engine VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Final

from django.core.management.base import CommandError

from devices.api.engines import EngineLookSerializer, EngineSerializer
from devices.models import EngineAccess
from devices.services.engine_looks import request_look
from devices.services.engine_settings import delete_engine_access, save_engine_access
from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.reason import reason_argument
from portal.cli.secret import HELP, text_of
from portal.cli.verb import Call, Verb


def _device_argument(parser: ArgumentParser) -> None:
    parser.add_argument("device", help="the device's name")


def _list(call: Call) -> None:
    call.actor.require("devices.view_engineaccess")
    rows = shown(EngineAccess.objects.select_related("device__engine_look").defer("key"), call)
    if call.out.as_json:
        call.out.document(EngineSerializer(rows, many=True).data)
        return
    call.out.table(("DEVICE", "WAY", "SAYS", "ASKED", "ERROR"), (_row(access) for access in rows))


def _row(access: EngineAccess) -> tuple[object, ...]:
    look = getattr(access.device, "engine_look", None)
    if look is None:
        return access.device, access.way, "-", "never", "-"
    return access.device, access.way, look.version or "-", look.asked_at, look.error or "-"


def _show(call: Call) -> None:
    call.actor.require("devices.view_engineaccess")
    access = _access(call)
    if call.out.as_json:
        call.out.document(EngineSerializer(access).data)
        return
    look = getattr(access.device, "engine_look", None)
    said = dict(EngineLookSerializer(look).data) if look else {"asked_at": "never"}
    call.out.facts(
        (
            ("device", access.device),
            ("way", access.way),
            (
                "place",
                (access.host and f"{access.host}:{access.port}") or access.socket_path or "-",
            ),
            *((name.replace("_", " "), value) for name, value in said.items()),
        )
    )


def _set_arguments(parser: ArgumentParser) -> None:
    _device_argument(parser)
    parser.add_argument("--way", required=True, choices=[way.value for way in EngineAccess.Way])
    parser.add_argument("--socket", default="", metavar="PATH", help="for unix and ssh")
    parser.add_argument("--host", default="", help="for tcp")
    parser.add_argument("--port", type=int, default=2376, help="for tcp; 2376 unless told")
    parser.add_argument("--authority-file", metavar="FILE", help="for tcp: who vouches for it, PEM")
    parser.add_argument("--certificate-file", metavar="FILE", help="for tcp: the portal's own, PEM")
    parser.add_argument("--key-file", metavar="FILE", help=f"for tcp: that one's key, PEM: {HELP}")


def _set(call: Call) -> None:
    words = call.words
    device = find.device(words["device"])
    access = EngineAccess.objects.filter(device=device).first() or EngineAccess(device=device)
    access.way, access.socket_path = words["way"], words["socket"]
    access.host, access.port = words["host"], words["port"]
    for field in ("authority", "certificate", "key"):
        if words[f"{field}_file"]:
            setattr(access, field, text_of(words[f"{field}_file"]))
    saved = save_engine_access(access=access, actor=call.actor)
    _tell(call, saved, says="is reached so from now on.")


def _ask(call: Call) -> None:
    look = request_look(device=find.device(call.words["device"]), actor=call.actor)
    if call.out.as_json:
        call.out.document(EngineLookSerializer(look).data)
        return
    call.out.text(f"The engine of {look.device} is being asked.")


def _forget_arguments(parser: ArgumentParser) -> None:
    _device_argument(parser)
    reason_argument(parser)


def _forget(call: Call) -> None:
    access = _access(call)
    delete_engine_access(access=access, actor=call.actor, reason=call.words["reason"])
    call.out.text(f"The engine of {access.device} is forgotten.")


def _access(call: Call) -> EngineAccess:
    device = find.device(call.words["device"])
    rows = EngineAccess.objects.select_related("device__engine_look").defer("key")
    access = rows.filter(device=device).first()
    if access is None:
        raise CommandError(f"Nobody has said how the engine of {device} is reached.")
    return access


def _tell(call: Call, access: EngineAccess, *, says: str) -> None:
    if call.out.as_json:
        call.out.document(EngineSerializer(access).data)
        return
    call.out.text(f"The engine of {access.device} {says}")


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list engines by their devices, and what they said last", limit_argument, _list),
    "show": Verb("what one engine said last", _device_argument, _show),
    "set": Verb("say how a device's engine is reached", _set_arguments, _set),
    "ask": Verb("have a worker ask the engine what it has", _device_argument, _ask),
    "forget": Verb("forget how the engine is reached", _forget_arguments, _forget),
}
