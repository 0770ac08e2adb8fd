"""How many files a payload may have, as far as the format says something about that."""

from __future__ import annotations

from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.header import Header
from updates.formats.mender_artifact.manifest import Manifest
from updates.formats.mender_artifact.names import ROOTFS_IMAGE


def check_payload(header: Header, manifest: Manifest) -> None:
    """The number of files fits the payload type. Raises ArtifactRefused otherwise."""
    if header.info.payload_type is None and manifest.files:
        raise ArtifactRefused(
            "bootstrap-with-data",
            "A bootstrap artifact has no payload, but the manifest lists files.",
        )
    if header.info.payload_type == ROOTFS_IMAGE and len(manifest.files) != 1:
        raise ArtifactRefused(
            "rootfs-image-files",
            f"A rootfs-image has exactly one file, but the manifest lists {len(manifest.files)}.",
        )
