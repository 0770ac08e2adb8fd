"""What a registry has under its names, changed as makers' tools change it, without any engine."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import requests

from tests.environment.registry import Registry

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
_SECONDS: Final = 10


def retag(registry: Registry, name: str, old: str, new: str) -> None:
    """The tag `new` names what `old` names."""
    _put(registry, name, new, _get(registry, name, old), kind=MANIFEST)


def put_index(registry: Registry, name: str, tag: str, images: dict[str, str]) -> str:
    """The tag names an index of these images: their tags, by platforms such as `linux/arm64`. Its digest."""
    entries = []
    for platform, image in images.items():
        data = _get(registry, name, image)
        system, architecture = platform.split("/")
        entries.append(
            {
                "mediaType": MANIFEST, "digest": _digest(data), "size": len(data),
                "platform": {"os": system, "architecture": architecture},
            }
        )  # fmt: skip
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return _put(registry, name, tag, json.dumps(index).encode(), kind=INDEX)


def put_for_architecture(
    registry: Registry, name: str, old: str, new: str, *, architecture: str
) -> str:
    """The tag `new` names an image like `old`, which says of itself to be for that architecture. Its digest."""
    manifest: dict[str, Any] = json.loads(_get(registry, name, old))
    url = f"http://{registry.host}/v2/{name}/blobs"
    config = requests.get(f"{url}/{manifest['config']['digest']}", timeout=_SECONDS).json()
    data = json.dumps({**config, "architecture": architecture}).encode()
    begun = requests.post(f"{url}/uploads/", timeout=_SECONDS)
    place = begun.headers["Location"]
    put = requests.put(
        place, params={"digest": _digest(data)}, data=data, timeout=_SECONDS,
        headers={"Content-Type": "application/octet-stream"},
    )  # fmt: skip
    put.raise_for_status()
    manifest["config"] |= {"digest": _digest(data), "size": len(data)}
    return _put(registry, name, new, json.dumps(manifest).encode(), kind=MANIFEST)


def _get(registry: Registry, name: str, tag: str) -> bytes:
    url = f"http://{registry.host}/v2/{name}/manifests/{tag}"
    answer = requests.get(url, headers={"Accept": MANIFEST}, timeout=_SECONDS)
    answer.raise_for_status()
    return answer.content


def _put(registry: Registry, name: str, tag: str, data: bytes, *, kind: str) -> str:
    url = f"http://{registry.host}/v2/{name}/manifests/{tag}"
    answer = requests.put(url, data=data, headers={"Content-Type": kind}, timeout=_SECONDS)
    answer.raise_for_status()
    return _digest(data)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
