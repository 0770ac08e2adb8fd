"""The member `headers/0000/type-info`: what the payload needs, gives and clears on a device."""

from __future__ import annotations

from dataclasses import dataclass

from portal.core.quoting import quoted
from portal.core.strict_json import JsonObject
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.header_info import HeaderInfo
from updates.formats.mender_artifact.json_member import (
    decode_json_text,
    parse_json_object,
)
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.names import check_label, check_value

_WHERE = "type-info"


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """`text` unchanged, and what it says. `clears_provides` is None where there is no such list."""

    text: str
    depends: dict[str, list[str]]
    provides: dict[str, str]
    clears_provides: tuple[str, ...] | None
    warnings: tuple[str, ...]


def parse_type_info(content: bytes, *, header_info: HeaderInfo, limits: Limits) -> TypeInfo:
    """It agrees with header-info afterwards: on the type, and on who says what."""
    text = decode_json_text(content, where=_WHERE)
    info = parse_json_object(text, where=_WHERE, limits=limits)
    info.check_open_keys(
        required=("type",),
        optional=("artifact_provides", "artifact_depends", "clears_artifact_provides"),
    )
    warnings = _check_type(info, payload_type=header_info.payload_type)
    provides = _provides(info.child("artifact_provides"), limits=limits)
    depends = _depends(info.child("artifact_depends"), limits=limits)
    _check_reserved(provides, depends, header_info=header_info)
    clears = None
    if "clears_artifact_provides" in info:
        clears = tuple(
            check_value(glob, rule="clears-provides", what="A glob in type-info", limits=limits)
            for glob in info.texts("clears_artifact_provides")
        )
    return TypeInfo(
        text=text, depends=depends, provides=provides, clears_provides=clears, warnings=warnings
    )


def _check_type(info: JsonObject, *, payload_type: str | None) -> tuple[str, ...]:
    if payload_type is not None and info.value("type") == "":
        # mender-artifact before 4.4 wrote this for every rootfs-image, and all clients look at header-info instead.
        return (
            f"The artifact's type-info leaves the payload type empty; header-info says {payload_type}. "
            "mender-artifact 4.4 and later refuse to read such a file.",
        )
    if info.value("type") is not None:
        info.text("type")
    if info.value("type") != payload_type:
        raise ArtifactRefused(
            "type-info-mismatch",
            f"The payload type is {quoted(str(info.value('type')))} in type-info, "
            f"but {quoted(str(payload_type))} in header-info.",
        )
    return ()


def _provides(provides: JsonObject, *, limits: Limits) -> dict[str, str]:
    checked: dict[str, str] = {}
    for key, _ in provides.items():
        what = f"A key of {provides.where}"
        check_label(key, rule="provides", what=what, longest=limits.name_characters)
        what = f"The value of {quoted(key)} in {provides.where}"
        checked[key] = check_value(provides.text(key), rule="provides", what=what, limits=limits)
    return checked


def _depends(depends: JsonObject, *, limits: Limits) -> dict[str, list[str]]:
    checked: dict[str, list[str]] = {}
    for key, value in depends.items():
        what = f"A key of {depends.where}"
        check_label(key, rule="depends", what=what, longest=limits.name_characters)
        texts = [value] if isinstance(value, str) else list(depends.texts(key))
        if not texts:
            raise ArtifactRefused(
                "depends", f"The key {quoted(key)} in {depends.where} allows no value at all."
            )
        what = f"The value of {quoted(key)} in {depends.where}"
        checked[key] = [
            check_value(text, rule="depends", what=what, limits=limits) for text in texts
        ]
    return checked


def _check_reserved(
    provides: dict[str, str], depends: dict[str, list[str]], *, header_info: HeaderInfo
) -> None:
    """What header-info says must not be said again: the 3.x clients refuse it, the others store the second one."""
    reserved = {"artifact_name", "device_type"}
    if header_info.group is not None:
        reserved.add("artifact_group")
    for key in reserved & provides.keys():
        raise ArtifactRefused(
            "provides-reserved",
            f"The artifact's type-info provides {key}, which belongs to header-info or to the device.",
        )
    reserved = {"device_type"}
    if header_info.depends_names:
        reserved.add("artifact_name")
    if header_info.depends_groups:
        reserved.add("artifact_group")
    for key in reserved & depends.keys():
        raise ArtifactRefused(
            "depends-reserved",
            f"The artifact's type-info depends on {key}, and header-info already says which.",
        )
