"""What an artifact becomes on a device: an Update Module's file tree (Mender's Update Modules v3 file API), and what lies beside.

tree/           the module's own; `files/` comes with its Download, see download_script
payload/        the payload's files, until the module has seen them
payload.list    their names and sizes
scripts/        the artifact's state scripts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from devices.drivers.shell import TreeFile
from updates.formats.mender_artifact import OpenedArtifact
from updates.plan import ArtifactPlan
from updates.recipes.download_script import LIST, PAYLOAD

OnChunk = Callable[[int], None]
"""Called with the number of bytes of each piece of the payload, before it is handed on."""


def entries(plan: ArtifactPlan, opened: OpenedArtifact, *, on_chunk: OnChunk) -> Iterator[TreeFile]:
    """All of it, read from `opened` as it is asked for. ArtifactRefused where the artifact is not what it promises."""
    yield from _tree(plan)
    yield TreeFile("scripts", 0o755)
    for script in opened.scripts:
        yield TreeFile(
            f"scripts/{script.name}", 0o755, chunks=[script.content], size=len(script.content)
        )
    yield TreeFile(PAYLOAD, 0o755)
    lines: list[str] = []
    for file in opened.files():
        chunks = _counted(file.chunks(), on_chunk)
        yield TreeFile(f"{PAYLOAD}/{file.name}", 0o644, chunks=chunks, size=file.size)
        lines.append(f"{file.name} {file.size}\n")
    yield _text(LIST, "".join(lines))


def _tree(plan: ArtifactPlan) -> Iterator[TreeFile]:
    provides = plan.device.provides
    yield TreeFile("tree", 0o755)
    yield _text("tree/version", "3")
    yield _text("tree/current_artifact_name", f"{provides.get('artifact_name', '')}\n")
    yield _text("tree/current_artifact_group", provides.get("artifact_group", ""))
    yield _text("tree/current_device_type", plan.device.device_type)
    yield TreeFile("tree/header", 0o755)
    yield _text("tree/header/artifact_name", plan.artifact_name)
    yield _text("tree/header/artifact_group", plan.artifact_group)
    yield _text("tree/header/payload_type", plan.payload_type)
    yield _text("tree/header/header-info", plan.header_info)
    yield _text("tree/header/type-info", plan.type_info)
    yield _text("tree/header/meta-data", plan.meta_data)
    yield TreeFile("tree/tmp", 0o700)


def _counted(chunks: Iterable[bytes], on_chunk: OnChunk) -> Iterator[bytes]:
    for chunk in chunks:
        on_chunk(len(chunk))
        yield chunk


def _text(path: str, text: str) -> TreeFile:
    data = text.encode()
    chunks: Iterable[bytes] = [data] if data else []
    return TreeFile(path, 0o644, chunks=chunks, size=len(data))
