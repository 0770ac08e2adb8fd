"""The header of an artifact that is being written, in the tool's order and with the tool's keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO

from updates.formats.mender_artifact.header import (
    HEADER_INFO,
    META_DATA,
    SCRIPTS,
    TYPE_INFO,
    Header,
    read_header,
)
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.names import ROOTFS_IMAGE, check_script_name
from updates.formats.mender_artifact.packing import packer
from updates.formats.mender_artifact.spec import ArtifactSpec
from updates.formats.mender_artifact.tar_archive import tar_archive
from updates.formats.tar.writer import small_tar

_MODE = 0o600
_SCRIPT_MODE = 0o755


def write_header(spec: ArtifactSpec, *, checksum: str, limits: Limits) -> tuple[Header, bytes]:
    """Return the header as our own reader understands it, and its packed bytes.

    `checksum` is what is provided under the spec's `checksum_key`. Raises ArtifactRefused for whatever the reader refuses.
    """
    content = small_tar(_members(spec, checksum=checksum))
    header = read_header(tar_archive(BytesIO(content), where="the header"), limits=limits)
    packing = packer(spec.packing)
    return header, packing.compress(content) + packing.flush()


def _members(spec: ArtifactSpec, *, checksum: str) -> Iterator[tuple[str, bytes, int]]:
    yield HEADER_INFO, _json(_header_info(spec)), _MODE
    for script in spec.scripts:
        yield f"{SCRIPTS}{check_script_name(script.name)}", script.content, _SCRIPT_MODE
    yield TYPE_INFO, _json(_type_info(spec, checksum=checksum)), _MODE
    if spec.meta_data or spec.payload_type == ROOTFS_IMAGE:
        yield META_DATA, _encoded(spec.meta_data), _MODE


def _header_info(spec: ArtifactSpec) -> dict[str, object]:
    provides: dict[str, object] = {"artifact_name": spec.name}
    if spec.group:
        provides["artifact_group"] = spec.group
    depends: dict[str, object] = {}
    if spec.depends_names:
        depends["artifact_name"] = list(spec.depends_names)
    depends["device_type"] = list(spec.device_types)
    if spec.depends_groups:
        depends["artifact_group"] = list(spec.depends_groups)
    return {
        "payloads": [{"type": spec.payload_type}],
        "artifact_provides": provides,
        "artifact_depends": depends,
    }


def _type_info(spec: ArtifactSpec, *, checksum: str) -> dict[str, object]:
    info: dict[str, object] = {"type": spec.payload_type}
    provides = dict(spec.provides)
    if spec.checksum_key:
        provides[spec.checksum_key] = checksum
    if spec.depends:
        info["artifact_depends"] = {
            key: values[0] if len(values) == 1 else list(values)
            for key, values in sorted(spec.depends.items())
        }
    if provides:
        info["artifact_provides"] = dict(sorted(provides.items()))
    if spec.clears_provides is not None:
        info["clears_artifact_provides"] = list(spec.clears_provides)
    return info


def _json(value: object) -> bytes:
    return _encoded(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _encoded(text: str) -> bytes:
    """Half of a surrogate pair comes out as what it is not in UTF-8, for the reader to refuse."""
    return text.encode(errors="surrogatepass")
