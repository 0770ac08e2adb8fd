"""How this portal was put where it runs: what can upgrade it there, and what people do where nothing can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

SHORT: Final = 4096


class Method(StrEnum):
    """The seed's words."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    LXC = "lxc"
    MANUAL = "manual"


WHY_NOT: Final = {
    Method.KUBERNETES: "The portal runs in Kubernetes, which upgrades it: see the commands on this page.",
    Method.LXC: "The portal runs in an LXC container: see the commands on this page.",
    Method.MANUAL: "The portal runs as a plain process: see the commands on this page.",
}
"""Why nothing here can upgrade the portal, where it is not run by Docker."""


@dataclass(frozen=True, slots=True)
class HowTo:
    """What a person does by hand: commands, in their order."""

    title: str
    commands: tuple[str, ...]


def detect_method(variables: Mapping[str, str], *, root: Path = Path("/")) -> Method:
    """What says so: a pod's environment, the file that Docker makes, what a container's manager tells its first process."""
    manager = _read(root / "run/systemd/container") or variables.get("container", "")
    environment, group = _read(root / "proc/1/environ"), _read(root / "proc/1/cgroup")
    signs = (
        (Method.KUBERNETES, "KUBERNETES_SERVICE_HOST" in variables),
        (Method.KUBERNETES, (root / "var/run/secrets/kubernetes.io").exists()),
        (Method.DOCKER, (root / ".dockerenv").exists()),
        (Method.LXC, manager.startswith("lxc") or "container=lxc" in environment),
        (Method.KUBERNETES, "kubepods" in group),
        (Method.DOCKER, manager.startswith("docker") or "/docker" in group),
        (Method.LXC, "/lxc" in group),
    )
    return next((method for method, is_so in signs if is_so), Method.MANUAL)


def how_to_upgrade(method: Method, *, image: str, version: str) -> list[HowTo]:
    """Commands to upgrade the portal to the version where it is not run by Docker, and to go back."""
    match method:
        case Method.DOCKER:
            return []
        case Method.KUBERNETES:
            return [
                HowTo(
                    "Rolling update",
                    (
                        f"kubectl set image deployment/fleetwright fleetwright={image}:{version}",
                        "kubectl rollout status deployment/fleetwright",
                    ),
                ),
                HowTo("Roll back", ("kubectl rollout undo deployment/fleetwright",)),
                HowTo(
                    "With Helm",
                    (
                        f"helm upgrade fleetwright ./helm/fleetwright --set image.tag={version} --reuse-values",
                        "helm rollback fleetwright",
                    ),
                ),
            ]
        case _:
            return [
                HowTo("Stop it", ("systemctl stop fleetwright",)),
                HowTo(
                    "Take the other version",
                    (
                        "git fetch --tags",
                        f"git checkout v{version.removeprefix('v')}",
                        ".venv/bin/pip install --require-hashes -r requirements.txt",
                    ),
                ),
                HowTo("Start it: it migrates its database", ("systemctl start fleetwright",)),
            ]


def _read(path: Path) -> str:
    """The beginning of a file that may not be there, or not be ours to read."""
    try:
        with path.open("rb") as file:
            return file.read(SHORT).decode(errors="replace")
    except OSError:
        return ""
