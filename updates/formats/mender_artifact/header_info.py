"""The member `header-info` of the header: what the artifact is called and which devices it is for."""

from __future__ import annotations

from dataclasses import dataclass

from portal.core.strict_json import JsonObject
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.json_member import (
    decode_json_text,
    parse_json_object,
)
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.names import check_label, check_payload_type

_WHERE = "header-info"


@dataclass(frozen=True, slots=True)
class HeaderInfo:
    """`text` unchanged, and what it says. `payload_type` is None for a bootstrap artifact (JSON null)."""

    text: str
    payload_type: str | None
    name: str
    group: str | None
    device_types: tuple[str, ...]
    depends_names: tuple[str, ...]
    depends_groups: tuple[str, ...]


def parse_header_info(content: bytes, *, limits: Limits) -> HeaderInfo:
    """Every name is checked afterwards; there is one payload, one name and at least one device type."""
    text = decode_json_text(content, where=_WHERE)
    info = parse_json_object(text, where=_WHERE, limits=limits)
    info.check_keys(required=("payloads", "artifact_provides", "artifact_depends"))
    provides = info.child("artifact_provides").check_keys(
        required=("artifact_name",), optional=("artifact_group",)
    )
    depends = info.child("artifact_depends").check_keys(
        required=("device_type",), optional=("artifact_name", "artifact_group")
    )
    name = check_label(
        provides.text("artifact_name"),
        rule="artifact-name",
        what="The artifact name",
        longest=limits.name_characters,
    )
    device_types = _labels(
        depends, "device_type", rule="device-type", longest=limits.device_type_characters
    )
    if not device_types:
        raise ArtifactRefused("device-type", "The artifact names no device type it is for.")
    longest = limits.name_characters
    return HeaderInfo(
        text=text,
        payload_type=_payload_type(info),
        name=name,
        group=_group(provides, limits=limits),
        device_types=device_types,
        depends_names=_labels(depends, "artifact_name", rule="artifact-name", longest=longest),
        depends_groups=_labels(depends, "artifact_group", rule="artifact-group", longest=longest),
    )


def _payload_type(info: JsonObject) -> str | None:
    payloads = info.children("payloads")
    if len(payloads) != 1:
        raise ArtifactRefused(
            "payload-count",
            f"The artifact has {len(payloads)} payloads; clients install artifacts with exactly one.",
        )
    payload = payloads[0].check_keys(required=("type",))
    return None if payload.value("type") is None else check_payload_type(payload.text("type"))


def _group(provides: JsonObject, *, limits: Limits) -> str | None:
    """An empty group is what no group is: tools leave the key out then, other writers may not."""
    if "artifact_group" not in provides or provides.value("artifact_group") == "":
        return None
    group = provides.text("artifact_group")
    what, longest = "The artifact group", limits.name_characters
    return check_label(group, rule="artifact-group", what=what, longest=longest)


def _labels(depends: JsonObject, key: str, *, rule: str, longest: int) -> tuple[str, ...]:
    what = f"A value of {key} in {depends.where}"
    return tuple(
        check_label(text, rule=rule, what=what, longest=longest) for text in depends.texts(key)
    )
