"""`manage.py device VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from devices import services
from devices.admin_views.host_key import fingerprint
from devices.api.devices import DeviceSerializer, import_as_json
from devices.models import Credential, Device
from devices.queries import devices_matching
from devices.services.csv_table import MOST_BYTES
from devices.services.device_files import devices_csv
from devices.services.imports import Preview, Verdict, import_devices, preview_import
from portal.cli import enrolment, find
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb

FILTERS: Final = ("q", "device_type", "driver", "installed")


def tell(device: Device, *, out: Output) -> None:
    """What is known of the device."""
    if out.as_json:
        out.document(DeviceSerializer(device).data)
        return
    out.facts(
        (
            ("name", device.name),
            ("type", device.device_type),
            ("driver", device.driver),
            ("host", f"{device.host}:{device.port}" if device.host else ""),
            ("root", device.root),
            ("installed", device.artifact_name),
            ("last seen", device.last_seen),
            ("unreachable", device.unreachable_reason),
            ("host key", fingerprint(device.host_key)),
            ("offered key", fingerprint(device.offered_host_key)),
            (
                "attributes",
                "\n".join(f"{key} = {word}" for key, word in sorted(device.attributes.items())),
            ),
            ("provides", "\n".join(f"{key} = {word}" for key, word in device.provides.items())),
        )
    )


def _device_argument(parser: ArgumentParser) -> None:
    parser.add_argument("device", metavar="NAME")


def _filter_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--search", dest="q", metavar="WORDS", help="in name, host and type")
    parser.add_argument("--type", dest="device_type", metavar="TYPE")
    parser.add_argument("--driver", choices=Device.Driver.values)
    parser.add_argument("--installed", metavar="NAME", help="the name of what is installed")
    parser.add_argument("--group", metavar="NAME")
    parser.add_argument("--unreachable", action="store_true")


def _list_arguments(parser: ArgumentParser) -> None:
    _filter_arguments(parser)
    limit_argument(parser)


def _add_arguments(parser: ArgumentParser) -> None:
    _device_argument(parser)
    parser.add_argument("--type", dest="device_type", required=True, metavar="TYPE")
    parser.add_argument("--driver", choices=Device.Driver.values, required=True)
    parser.add_argument("--host", default="")
    parser.add_argument("--port", type=int, default=22)
    parser.add_argument("--credential", metavar="NAME", help="what SSH logs in with")
    parser.add_argument("--root", default="/", help="the folder that plays / on it")


def _key_arguments(parser: ArgumentParser) -> None:
    _device_argument(parser)
    parser.add_argument("fingerprint", nargs="?", help="SHA256:..., as you know it from the device")


def _import_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="CSV with a header; `device export` writes one")
    parser.add_argument("--reason", metavar="WHY", help="kept in the history; required to import")
    parser.add_argument("--preview", action="store_true", help="only say what would happen")


def _delete_arguments(parser: ArgumentParser) -> None:
    _device_argument(parser)
    reason_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("devices.view_device")
    rows = shown(devices_matching(_filter(call)), call)
    if call.out.as_json:
        call.out.document(DeviceSerializer(rows, many=True).data)
        return
    call.out.table(
        ("NAME", "TYPE", "DRIVER", "INSTALLED", "LAST SEEN", "UNREACHABLE"),
        (
            (
                row.name,
                row.device_type,
                row.driver,
                row.artifact_name,
                row.last_seen,
                row.unreachable_reason,
            )
            for row in rows
        ),
    )


def _filter(call: Call) -> dict[str, Any]:
    words: dict[str, Any] = {word: call.words[word] for word in FILTERS if call.words[word]}
    if call.words["group"]:
        words["group"] = find.group(call.words["group"]).pk
    if call.words["unreachable"]:
        words["unreachable"] = True
    return words


def _show(call: Call) -> None:
    call.actor.require("devices.view_device")
    tell(find.device(call.words["device"]), out=call.out)


def _add(call: Call) -> None:
    words = call.words
    device = Device(
        name=words["device"],
        credential=_credential(words["credential"]),
        **{field: words[field] for field in ("device_type", "driver", "host", "port", "root")},
    )
    tell(services.save_device(device=device, actor=call.actor), out=call.out)


def _credential(name: str | None) -> Credential | None:
    if name is None:
        return None
    credential = Credential.objects.filter(name=name).first()
    if credential is None:
        raise CommandError(f"There is no credential {name!r}.")
    return credential


def _refresh(call: Call) -> None:
    device = services.refresh_device(device=find.device(call.words["device"]), actor=call.actor)
    tell(device, out=call.out)
    if device.unreachable_reason:
        raise CommandError(device.unreachable_reason)


def _confirm_host_key(call: Call) -> None:
    device = find.device(call.words["device"])
    if not device.offered_host_key:
        raise CommandError(f"{device} shows no other key than the confirmed one; refresh it first.")
    shown_key = fingerprint(device.offered_host_key)
    if call.words["fingerprint"] is None:
        raise CommandError(
            f"{device} shows {shown_key}. If that is right, say so: give it as well."
        )
    if call.words["fingerprint"] != shown_key.partition(" ")[2]:
        raise CommandError(f"{device} shows another key: {shown_key}.")
    confirmed = services.confirm_host_key(
        device=device, key=device.offered_host_key, actor=call.actor
    )
    tell(confirmed, out=call.out)


def _delete(call: Call) -> None:
    device = find.device(call.words["device"])
    name, data = device.name, DeviceSerializer(device).data
    services.delete_device(device=device, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(data)
    else:
        call.out.text(f"{name} is gone.")


def _export(call: Call) -> None:
    call.actor.require("devices.view_device")
    for line in devices_csv(devices_matching(_filter(call))):
        call.out.raw(line)


def _import(call: Call) -> None:
    path: Path = call.words["file"]
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    if call.words["preview"]:
        preview = preview_import(content=content, actor=call.actor)
    elif call.words["reason"]:
        preview = import_devices(content=content, actor=call.actor, reason=call.words["reason"])
    else:
        raise CommandError("Say why with --reason: it is kept in the history.")
    if call.out.as_json:
        call.out.document(import_as_json(preview))
    else:
        _tell_import(preview, out=call.out)
    if wrong := preview.of(Verdict.WRONG):
        raise CommandError(f"{len(wrong)} rows are wrong.")


def _tell_import(preview: Preview, *, out: Output) -> None:
    out.text(", ".join(f"{count} {verdict}" for verdict, count in preview.counts.items()))
    for note in preview.notes:
        out.text(note)
    for row in preview.of(Verdict.WRONG):
        out.text(f"line {row.line}, {row.name}: {' '.join(row.problems)}")


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list devices by name", _list_arguments, _list),
    "show": Verb("show what is known of a device", _device_argument, _show),
    "add": Verb("add a device", _add_arguments, _add),
    "refresh": Verb(
        "ask a device who it is; status 1 if it is not reached", _device_argument, _refresh
    ),
    "confirm-host-key": Verb(
        "trust the key that a device shows", _key_arguments, _confirm_host_key
    ),
    "export": Verb("write devices as CSV", _filter_arguments, _export),
    "import": Verb("add and change devices as a CSV file says", _import_arguments, _import),
    "delete": Verb("delete a device that the history does not name", _delete_arguments, _delete),
    **enrolment.VERBS,
}
