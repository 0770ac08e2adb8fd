"""The file tree that an Update Module works on (Mender's Update Modules v3 file API), laid out on a device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from devices.drivers.shell import Shell, TreeFile
from updates.plan import ArtifactPlan


def lay_out(shell: Shell, path: str, plan: ArtifactPlan) -> None:
    """`path`, where nothing was, holds a tree for the plan's artifact, with empty `tmp/` and `files/`."""
    shell.put_tree(path, _entries(plan))


def _entries(plan: ArtifactPlan) -> Iterator[TreeFile]:
    provides = plan.device.provides
    yield _text("version", "3")
    yield _text("current_artifact_name", f"{provides.get('artifact_name', '')}\n")
    yield _text("current_artifact_group", provides.get("artifact_group", ""))
    yield _text("current_device_type", plan.device.device_type)
    yield TreeFile("header", 0o755)
    yield _text("header/artifact_name", plan.artifact_name)
    yield _text("header/artifact_group", plan.artifact_group)
    yield _text("header/payload_type", plan.payload_type)
    yield _text("header/header-info", plan.header_info)
    yield _text("header/type-info", plan.type_info)
    yield _text("header/meta-data", plan.meta_data)
    yield TreeFile("tmp", 0o700)
    yield TreeFile("files", 0o755)


def _text(path: str, text: str) -> TreeFile:
    data = text.encode()
    chunks: Iterable[bytes] = [data] if data else []
    return TreeFile(path, 0o644, chunks=chunks, size=len(data))
