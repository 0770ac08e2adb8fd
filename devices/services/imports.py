"""Many devices from one file: first what it would do, row by row, then all of it or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from devices.attribute_words import attributes_in
from devices.models import Credential, Device, StoredImport
from devices.queries import SELECTION_HOURS
from devices.services.csv_table import Line
from devices.services.device_files import DeviceFile, read_devices
from devices.services.devices import EDITABLE, USE_LOCAL_DRIVER, why_not_driven
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.edits import differences
from portal.core.errors import NotPermitted, Refused

BATCH: Final = 500
DEFAULTS: Final = {"port": "22", "root": "/"}
"""What an empty cell means where nothing is no answer."""
PORTS: Final = range(1, 65536)
NAMED_LINES: Final = 3
CHANGED_MEANWHILE: Final = "The fleet changed meanwhile: look at the preview again."


class Verdict(StrEnum):
    """What a row would do."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file: the device as it would be, what that changes, or why it cannot be."""

    line: int
    name: str
    verdict: Verdict
    device: Device | None
    changes: dict[str, Any]
    problems: list[str]


@dataclass(frozen=True)
class Preview:
    """What a file would do. `notes` is what somebody should know before they say yes."""

    rows: list[Row]
    notes: list[str]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows there are of each verdict."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict.value: found[verdict] for verdict in Verdict}

    def of(self, verdict: Verdict) -> list[Row]:
        """The rows of this verdict, as they stand in the file."""
        return [row for row in self.rows if row.verdict is verdict]


def store_import(*, name: str, content: bytes, actor: Actor) -> StoredImport:
    """The file can be looked at and carried out for a day. Refused when nobody can read it; older ones are swept away."""
    if actor.user is None:
        raise NotPermitted("An import belongs to somebody who logs in.")
    actor.require("devices.add_device")
    read_devices(content)
    now = clock.now()
    with transaction.atomic():
        StoredImport.objects.filter(created_at__lt=now - timedelta(hours=SELECTION_HOURS)).delete()
        return StoredImport.objects.create(
            owner=actor.user, name=name[:255], content=content, created_at=now
        )


def preview_import(*, content: bytes, actor: Actor) -> Preview:
    """What `import_devices` would do with the file now, and what it would refuse. Nothing is changed."""
    return _previewed(read_devices(content), actor=actor)


def import_devices(*, content: bytes, actor: Actor, reason: str) -> Preview:
    """Every device of the file is as the file says, new ones too. Refused as a whole when one row is wrong.

    Columns that the file lacks stay as they are, and so do attributes that a row does not name.
    """
    with transaction.atomic():
        file = read_devices(content)
        preview = _previewed(file, actor=actor)
        if wrong := preview.of(Verdict.WRONG):
            lines = ", ".join(str(row.line) for row in wrong[:NAMED_LINES])
            raise Refused(
                f"{len(wrong)} rows are wrong (line {lines}{', …' if len(wrong) > NAMED_LINES else ''}): "
                "nothing was imported."
            )
        new, changed = preview.of(Verdict.NEW), preview.of(Verdict.CHANGED)
        try:
            Device.objects.bulk_create([row.device for row in new if row.device], batch_size=BATCH)
        except IntegrityError:
            raise Refused(CHANGED_MEANWHILE) from None
        audit.record_all(
            actor=actor,
            reason=reason,
            acts=(
                (
                    "device.add" if row.verdict is Verdict.NEW else "device.change",
                    row.device,
                    {"changes": row.changes, "by": "import"},
                )
                for row in (*new, *changed)
                if row.device
            ),
        )
        # The last of it, since whatever these devices ask for waits from here on.
        _write(file, [row.device for row in changed if row.device])
    return preview


def _write(file: DeviceFile, devices: list[Device]) -> None:
    """What the file says of them is stored. What others changed meanwhile, and the file does not say, is as they left it."""
    told = [column for column in EDITABLE if column in file.columns and column != "name"]
    lines = {line.cells["name"]: line for line in file.lines}
    devices.sort(key=lambda device: device.pk)  # so that two imports do not wait for each other
    for at in range(0, len(devices), BATCH):
        some = devices[at : at + BATCH]
        held = Device.objects.select_for_update(no_key=True).order_by("pk")
        present = dict(held.filter(pk__in=[one.pk for one in some]).values_list("pk", "attributes"))
        if len(present) != len(some):
            raise Refused(CHANGED_MEANWHILE)
        for device in some:
            attributes = attributes_in(lines[device.name].cells.get("attributes", ""))
            device.attributes = _merged(present[device.pk], attributes)
        Device.objects.bulk_update(some, told)


def _previewed(file: DeviceFile, *, actor: Actor) -> Preview:
    return Preview(list(_rows(file, actor=actor)), file.notes)


def _rows(file: DeviceFile, *, actor: Actor) -> Iterable[Row]:
    present = Device.objects.select_related("credential").in_bulk(
        [line.cells["name"] for line in file.lines], field_name="name"
    )
    credentials = {credential.name: credential for credential in Credential.objects.all()}
    seen: dict[str, int] = {}
    for line in file.lines:
        name = line.cells["name"]
        before = present.get(name)
        device, problems = _as_told(line, before, credentials)
        if name in seen:
            problems.append(f"{name} is in line {seen[name]} already.")
        seen.setdefault(name, line.number)
        changes = differences(before, device, fields=EDITABLE)
        problems += _why_not(device, before, actor=actor, is_changed=bool(changes))
        yield Row(line.number, name, _verdict(before, changes, problems), device, changes, problems)


def _as_told(
    line: Line, before: Device | None, credentials: Mapping[str, Credential]
) -> tuple[Device, list[str]]:
    """The device as the row tells of it, over what it was before."""
    device = _copy(before) if before else Device()
    problems = []
    for column, cell in line.cells.items():
        told = cell or DEFAULTS.get(column, "")
        if column == "port":
            device.port = int(told) if told.isascii() and told.isdigit() and len(told) < 6 else 0
            if device.port not in PORTS:
                problems.append(f"port: {told[:20]!r} is no port.")
                device.port = 22
        elif column == "credential":
            device.credential = credentials.get(told)
            if told and device.credential is None:
                problems.append(f"credential: there is none with the name {told[:100]!r}.")
        elif column == "attributes":
            try:
                device.attributes = _merged(device.attributes, attributes_in(told))
            except Refused as error:
                problems.append(f"attributes: {error}")
        else:
            setattr(device, column, told)
    return device, problems


def _copy(device: Device) -> Device:
    fields = {
        field.attname: getattr(device, field.attname) for field in Device._meta.concrete_fields
    }
    copy = Device(**fields)
    copy._state.adding = False
    copy.credential = (
        device.credential
    )  # known already; asking for each row would be a query for each row
    return copy


def _merged(present: dict[str, Any], told: dict[str, str]) -> dict[str, Any]:
    """What is told, over what is there. A number stays one while the file says the same number."""
    news = {key: text for key, text in told.items() if str(present.get(key)) != text}
    return {**present, **news}


def _why_not(device: Device, before: Device | None, *, actor: Actor, is_changed: bool) -> list[str]:
    """Every reason why the device cannot be as it is told, or not by this actor."""
    problems = []
    try:
        device.clean_fields(exclude={"credential", "attributes", "provides"})
    except ValidationError as error:
        problems += [f"{field}: {' '.join(why)}" for field, why in error.message_dict.items()]
    if device.driver == Device.Driver.SSH and not (device.host and device.credential):
        problems.append("A device reached by SSH needs a host and a credential.")
    if why := why_not_driven(device, before=before.driver if before else None):
        problems.append(why)
    if not is_changed:
        return problems
    effect = "devices.change_device" if before else "devices.add_device"
    if not actor.may(effect):
        problems.append(f"You lack the permission {effect}.")
    drivers = {device.driver, before.driver if before else ""}
    if Device.Driver.LOCAL in drivers and not actor.may(USE_LOCAL_DRIVER):
        problems.append(f"The driver local needs the permission {USE_LOCAL_DRIVER}.")
    return problems


def _verdict(before: Device | None, changes: dict[str, Any], problems: list[str]) -> Verdict:
    if problems:
        return Verdict.WRONG
    if before is None:
        return Verdict.NEW
    return Verdict.CHANGED if changes else Verdict.UNCHANGED
