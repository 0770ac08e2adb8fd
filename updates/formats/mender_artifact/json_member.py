"""JSON as the artifact's members hold it."""

from __future__ import annotations

from portal.core import strict_json
from portal.core.strict_json import JsonObject
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.limits import Limits


def decode_json_text(content: bytes, *, where: str) -> str:
    """Return the content as text. Raises ArtifactRefused if it is not UTF-8."""
    return strict_json.decode_json_text(content, where=where, refused=ArtifactRefused)


def parse_json_object(text: str, *, where: str, limits: Limits) -> JsonObject:
    """Parse text that must be one JSON object. Raises ArtifactRefused for anything else, however nested or oddly written."""
    return strict_json.json_object(
        text, where=where, depth=limits.json_depth, refused=ArtifactRefused
    )
