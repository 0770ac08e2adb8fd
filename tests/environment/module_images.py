"""Images built from nothing, in a second: module images, and small services that run."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.environment.docker import COMMAND_SECONDS, DockerEngine
from tests.environment.programs import program


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an image, by default nobody's to execute; or, with `link`, a symbolic link."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""


Files = Mapping[str, bytes | str | Entry]
"""What is where in the image: paths without a leading slash; a text is a plain file; one that ends with `/` is a directory."""


def build_image(
    engine: DockerEngine,
    reference: str,
    files: Files,
    *,
    labels: Mapping[str, str] | None = None,
    dockerfile: str = "",
) -> str:
    """The engine has an image of that name with these files and labels; its id. `dockerfile` is more lines for it."""
    context = _tar(
        {
            "Dockerfile": Entry(f"FROM scratch\nADD files.tar /\n{dockerfile}\n".encode()),
            "files.tar": Entry(_tar(files)),
        }
    )
    wanted = [word for item in (labels or {}).items() for word in ("--label", "=".join(item))]
    finished = subprocess.run(
        ["docker", "--host", engine.url, "build", "--quiet", "--tag", reference, *wanted, "-"],
        input=context,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
        # The engine's own builder: the other one is not everywhere, and wants to fetch a part of itself.
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )
    if finished.returncode:
        raise RuntimeError(f"docker build: {finished.stderr.decode(errors='replace').strip()}")
    return finished.stdout.decode().strip().splitlines()[-1]


def push_image(
    engine: DockerEngine,
    reference: str,
    files: Files,
    *,
    labels: Mapping[str, str] | None = None,
    dockerfile: str = "",
    login: tuple[str, str] | None = None,
    keep: bool = False,
) -> str:
    """The registry that `reference` names has that image; the engine has it too if it is kept. Its digest, `sha256:…`."""
    build_image(engine, reference, files, labels=labels, dockerfile=dockerfile)
    with tempfile.TemporaryDirectory() as folder:
        auth = base64.b64encode(":".join(login).encode()).decode() if login else ""
        auths = {reference.partition("/")[0]: {"auth": auth}} if login else {}
        Path(folder, "config.json").write_text(json.dumps({"auths": auths}))
        engine.docker("--config", folder, "push", reference)
    shown = engine.docker("inspect", "--format", '{{join .RepoDigests " "}}', reference)
    repository = reference.rpartition(":")[0]
    digest = next(one for one in shown.split() if one.startswith(f"{repository}@"))
    if not keep:
        engine.docker("rmi", reference)
    return digest.partition("@")[2]


def busybox_files() -> dict[str, Entry]:
    """What a container needs to run a shell: `sh`, `sleep`, `httpd` and the rest of busybox, in /bin."""
    binary = Path(program("busybox", package="busybox-static")).read_bytes()
    tools = (
        "sh",
        "sleep",
        "httpd",
        "cat",
        "ls",
        "echo",
        "touch",
        "test",
        "rm",
        "wget",
        "true",
        "false",
    )
    links = {f"bin/{tool}": Entry(link="busybox") for tool in tools}
    return {"bin/busybox": Entry(binary, mode=0o755), **links}


def _tar(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, given in files.items():
            entry = Entry(given.encode()) if isinstance(given, str) else given
            entry = Entry(entry) if isinstance(entry, bytes) else entry
            info = tarfile.TarInfo(path.rstrip("/"))
            info.mode, info.size = entry.mode, len(entry.data)
            if path.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, entry.mode | 0o111
            elif entry.link:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            archive.addfile(info, io.BytesIO(entry.data))
    return stream.getvalue()
