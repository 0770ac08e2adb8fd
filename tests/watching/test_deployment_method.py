"""How the portal was put where it runs, told by what each manager of containers leaves there."""

from __future__ import annotations

from pathlib import Path

import pytest

from updates.services.deployment_method import Method, detect_method, how_to_upgrade


@pytest.mark.parametrize(
    ("files", "variables", "method"),
    [
        ({}, {}, Method.MANUAL),
        ({".dockerenv": ""}, {}, Method.DOCKER),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Method.KUBERNETES),
        ({"var/run/secrets/kubernetes.io/x": ""}, {}, Method.KUBERNETES),
        ({"proc/1/cgroup": "0::/kubepods/besteffort/pod1"}, {}, Method.KUBERNETES),
        ({"proc/1/cgroup": "12:pids:/docker/0123"}, {}, Method.DOCKER),
        ({"proc/1/cgroup": "0::/system.slice/docker-0123.scope"}, {}, Method.DOCKER),
        ({"run/systemd/container": "lxc"}, {}, Method.LXC),
        ({"proc/1/environ": "TERM=linux\0container=lxc\0"}, {}, Method.LXC),
        ({}, {"container": "lxc"}, Method.LXC),
        ({"proc/1/cgroup": "0::/init.scope"}, {}, Method.MANUAL),
    ],
)
def test_each_manager_is_known_by_what_it_leaves(
    tmp_path: Path, files: dict[str, str], variables: dict[str, str], method: Method
) -> None:
    for name, text in files.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    assert detect_method(variables, root=tmp_path) is method


def test_where_docker_does_not_run_it_the_commands_are_given() -> None:
    def commands(method: Method) -> str:
        found = how_to_upgrade(method, image="ghcr.io/example/fleetwright", version="2.14.0")
        return "\n".join(line for one in found for line in one.commands)

    assert commands(Method.DOCKER) == ""
    said = commands(Method.KUBERNETES)
    for command in (
        "kubectl set image deployment/fleetwright fleetwright=ghcr.io/example/fleetwright:2.14.0",
        "kubectl rollout status", "kubectl rollout undo", "helm upgrade", "helm rollback",
    ):  # fmt: skip
        assert command in said
    for method in (Method.MANUAL, Method.LXC):
        assert "git checkout v2.14.0" in commands(method)
        assert "pip install" in commands(method)
