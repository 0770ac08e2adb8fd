"""What mender-artifact adds by itself: the software's version, and which older provides a new version clears.

As its version 3.9.0 does it for module-image and rootfs-image. Globs come behind those that were given; only the glob of the
software itself is left out where it was given already, a whole file system's other two stand there twice then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from updates.formats.mender_artifact.names import ROOTFS_IMAGE
from updates.formats.mender_artifact.spec import ArtifactSpec

CHECKSUM_KEY = "rootfs-image.checksum"
LEGACY_CHECKSUM_KEY = "rootfs_image_checksum"
_ROOTFS_CLEARS = ("artifact_group", LEGACY_CHECKSUM_KEY)


@dataclass(frozen=True, slots=True)
class Software:
    """What the payload is on a device: `<filesystem>.<name>`, or with an empty name the whole file system.

    mender-artifact's module-image takes the payload type for the name, its rootfs-image none. `version` "" is the artifact's.
    """

    name: str
    filesystem: str = ROOTFS_IMAGE
    version: str = ""

    @property
    def key(self) -> str:
        """What the keys of its provides begin with."""
        return f"{self.filesystem}.{self.name}" if self.name else self.filesystem


def with_software_version(
    spec: ArtifactSpec, software: Software, *, clears_older: bool = True, overrides: bool = False
) -> ArtifactSpec:
    """The spec provides its software's version; with `clears_older` it also clears what an older one had provided.

    A provide of the same key that the spec has already stays, unless the version `overrides` it.
    """
    version = {f"{software.key}.version": software.version or spec.name}
    provides = {**spec.provides, **version} if overrides else {**version, **spec.provides}
    clears = spec.clears_provides
    if clears_older:
        own = f"{software.key}.*"
        given = clears or ()
        others = _ROOTFS_CLEARS if software.key == ROOTFS_IMAGE else ()
        clears = (*given, *others, *(() if own in given else (own,)))
    return replace(spec, provides=provides, clears_provides=clears)
