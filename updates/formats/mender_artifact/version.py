"""The member `version`: what every artifact of the format starts with."""

from __future__ import annotations

from portal.core.quoting import quoted
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.json_member import decode_json_text, parse_json_object
from updates.formats.mender_artifact.limits import Limits

_VERSION = 3
VERSION_CONTENT = b'{"format":"mender","version":3}'


def check_version(content: bytes, *, limits: Limits) -> None:
    """The content says "Mender, version 3" and nothing else."""
    text = decode_json_text(content, where="version")
    version = parse_json_object(text, where="version", limits=limits)
    version.check_keys(required=("format", "version"))
    if version.text("format") != "mender":
        raise ArtifactRefused(
            "version-format", f"The format is {quoted(version.text('format'))}, not 'mender'."
        )
    number = version.value("version")
    if type(number) is not int or number != _VERSION:
        raise ArtifactRefused(
            "version-unsupported",
            f"The artifact has format version {quoted(str(number))}; only version 3 can be read.",
        )
