"""What an artifact file says about itself, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from portal.cli.output import Output
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import ArtifactDescription, PublicKey, verify_signature


def signature_of(description: ArtifactDescription, keys: Iterable[PublicKey]) -> str:
    """A few words on who signed it, as far as `keys` tell."""
    keys = tuple(keys)
    if description.signature is None:
        return "none"
    if not keys:
        return "signed; give a public key (-k) to verify it"
    try:
        key = verify_signature(description, keys)
    except ArtifactRefused as refused:
        return f"signed, but not verified: {refused}"
    return f"good, by the key {key.fingerprint} ({key.kind})"


def as_json(path: Path, description: ArtifactDescription, *, signature: str) -> dict[str, object]:
    """The whole description, with the file's path and the words about its signature."""
    return {"path": str(path), **description.as_json(), "signature_says": signature}


def tell(description: ArtifactDescription, *, signature: str, out: Output) -> None:
    """One fact a line."""
    clears = description.clears_provides
    out.facts(
        (
            ("name", description.name),
            ("group", description.group),
            ("payload type", description.payload_type or "none: a bootstrap artifact"),
            ("device types", description.device_types),
            ("depends", "\n".join(_depends(description))),
            ("provides", "\n".join(f"{k} = {v}" for k, v in description.provides.items())),
            ("clears", "everything" if clears is None else clears),
            ("scripts", "\n".join(description.scripts)),
            ("meta-data", description.meta_data),
            (
                "files",
                "\n".join(f"{f.sha256}  {f.name} ({f.size} bytes)" for f in description.files),
            ),
            ("packed", _packed(description)),
            ("signature", signature),
            ("warnings", "\n".join(description.warnings)),
        )
    )


def _depends(description: ArtifactDescription) -> list[str]:
    needs = {
        "artifact_name": description.depends_names,
        "artifact_group": description.depends_groups,
        **description.depends,
    }
    return [f"{key} = {' or '.join(values)}" for key, values in needs.items() if values]


def _packed(description: ArtifactDescription) -> str:
    header, data = description.header_compression, description.data_compression
    return header.value if header is data else f"header {header.value}, data {data.value}"
