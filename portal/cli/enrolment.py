"""`manage.py device pending|accept|reject|reject-many|forget-many|preauthorise|decommission`: who may be a device of ours."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from django.core.management.base import CommandError
from django.db.models import QuerySet

from devices.api.devices import DeviceSerializer
from devices.api.keys import UNDECIDED, DeviceKeySerializer
from devices.auth_request import KEY_LIMIT_BYTES, read_device_key, read_id_data_of
from devices.keys import keys_with
from devices.models import AuthSet
from devices.services.bulk import require_meant
from devices.services.enrolment import (
    accept,
    decommission,
    dismiss_many,
    preauthorise,
    reject,
    reject_many,
)
from portal.cli import find
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb

HASH: Final = re.compile(r"[0-9a-f]{4,64}")
SHOWN: Final = 16


def _pending_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--status", choices=AuthSet.Status.values, default="pending")
    parser.add_argument("--search", default="", metavar="WORDS", help="in identities and keys")
    limit_argument(parser)


def _key_argument(parser: ArgumentParser) -> None:
    parser.add_argument("key", help="the beginning of its hash, as `device pending` shows it")


def _accept_arguments(parser: ArgumentParser) -> None:
    _key_argument(parser)
    parser.add_argument("--reason", default="", metavar="WHY", help="kept in the history")


def _reject_arguments(parser: ArgumentParser) -> None:
    _key_argument(parser)
    reason_argument(parser)


def _many_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--status", choices=UNDECIDED, default="pending")
    parser.add_argument("--search", default="", metavar="WORDS", help="as `device pending` has it")
    parser.add_argument("--count", type=int, metavar="N", help="how many you mean, if many")
    reason_argument(parser)


def _preauthorise_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("identity", nargs="+", metavar="NAME=VALUE", help="as the device tells it")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="public key, PEM")
    reason_argument(parser)


def _decommission_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("device", metavar="NAME")
    reason_argument(parser)


def _pending(call: Call) -> None:
    call.actor.require("devices.view_authset")
    status = AuthSet.Status(call.words["status"])
    found = keys_with(status=status, text=call.words["search"])
    rows = shown(found.order_by("requested_at", "pk"), call)
    if call.out.as_json:
        call.out.document(DeviceKeySerializer(rows, many=True).data)
        return
    call.out.table(
        ("KEY", "IDENTITY", "DEVICE", "FIRST ASKED", "LAST ASKED"),
        (
            (
                row.key_hash[:SHOWN],
                row.identity,
                row.identity.device,
                row.requested_at,
                row.last_asked_at,
            )
            for row in rows
        ),
    )


def _accept(call: Call) -> None:
    key = _key(call)
    accept(auth_set=key, actor=call.actor, reason=call.words["reason"])
    _tell(_key(call), out=call.out)


def _reject(call: Call) -> None:
    _tell(reject(auth_set=_key(call), actor=call.actor, reason=call.words["reason"]), out=call.out)


def _reject_many(call: Call) -> None:
    done = reject_many(auth_sets=_many(call), actor=call.actor, reason=call.words["reason"])
    _tell_count(len(done), "rejected", out=call.out)


def _forget_many(call: Call) -> None:
    count = dismiss_many(auth_sets=_many(call), actor=call.actor, reason=call.words["reason"])
    _tell_count(count, "forgotten", out=call.out)


def _many(call: Call) -> QuerySet[AuthSet]:
    """The keys that the call finds, as long as nobody else decides about them.

    Refused when they are many and their number was not said.
    """
    words = call.words
    found = keys_with(status=AuthSet.Status(words["status"]), text=words["search"])
    ids = list(found.order_by().values_list("pk", flat=True))
    require_meant(count=len(ids), said=words["count"], how="say --count", what="keys")
    return found.filter(pk__in=ids)


def _tell_count(count: int, done: str, *, out: Output) -> None:
    if out.as_json:
        out.document({"count": count})
    else:
        out.text(f"{count} key{'' if count == 1 else 's'} {done}.")


def _preauthorise(call: Call) -> None:
    parts: dict[str, str] = {}
    for word in call.words["identity"]:
        name, separator, value = word.partition("=")
        if not separator or name in parts:
            raise CommandError(f"{word!r} is no part of an identity: name=value, each name once.")
        parts[name] = value
    path: Path = call.words["key"]
    try:
        with path.open("rb") as file:
            pem = file.read(KEY_LIMIT_BYTES + 1).decode(errors="replace")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    made = preauthorise(
        id_data=read_id_data_of(parts),
        key=read_device_key(pem),
        actor=call.actor,
        reason=call.words["reason"],
    )
    _tell(made, out=call.out)


def _decommission(call: Call) -> None:
    device = find.device(call.words["device"])
    decommission(device=device, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(DeviceSerializer(device).data)
    else:
        call.out.text(f"{device} is decommissioned.")


def _key(call: Call) -> AuthSet:
    given = call.words["key"].lower()
    if not HASH.fullmatch(given):
        raise CommandError("A key is named by the beginning of its hash: 4 hex digits or more.")
    found = list(
        AuthSet.objects.filter(key_hash__startswith=given).select_related("identity__device")[:2]
    )
    if len(found) != 1:
        raise CommandError(f"{'Several keys begin' if found else 'No key begins'} with {given}.")
    return found[0]


def _tell(key: AuthSet, *, out: Output) -> None:
    if out.as_json:
        out.document(DeviceKeySerializer(key).data)
        return
    out.facts(
        (
            ("key", key.key_hash),
            ("identity", key.identity),
            ("status", key.status),
            ("device", key.identity.device),
            ("decided by", key.decided_by_name),
        )
    )


VERBS: Final[Mapping[str, Verb]] = {
    "pending": Verb("list who asks to be let in", _pending_arguments, _pending),
    "accept": Verb("let a device with this key in", _accept_arguments, _accept),
    "reject": Verb("do not let this key in, or not any more", _reject_arguments, _reject),
    "reject-many": Verb("let none of the keys that are found in", _many_arguments, _reject_many),
    "forget-many": Verb("forget all keys that are found", _many_arguments, _forget_many),
    "preauthorise": Verb(
        "let a device in as soon as it asks", _preauthorise_arguments, _preauthorise
    ),
    "decommission": Verb(
        "forget the keys of a device that pulls", _decommission_arguments, _decommission
    ),
}
