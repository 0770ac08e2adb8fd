"""Containers made again by a real engine: the same with the same image, and with another one what that one says."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_containers import ContainerDetails
from devices.drivers.engine_ways import UnixWay
from tests.environment.docker import DockerEngine as RunningEngine
from tests.environment.module_images import Files, build_image, busybox_files
from tests.environment.waiting import wait_until
from updates.recipes.container.clone import UPGRADE_LABEL, clone
from updates.recipes.container.dependants import dependants

FIRST = """\
ENV VERSION=1 MODE=plain
LABEL version=1 maker=us
WORKDIR /www
EXPOSE 80
VOLUME /of-image
HEALTHCHECK --interval=1s CMD test -e /www/first
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["exec httpd -f -p 80 -h /www"]
"""
SECOND = """\
ENV VERSION=2 MODE=plain NEW=yes
LABEL version=2 maker=us
WORKDIR /www
EXPOSE 80 81
VOLUME /of-image
HEALTHCHECK --interval=1s CMD test -e /www/second
ENTRYPOINT ["/bin/busybox"]
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One engine, two images of an application, and names for one test."""

    engine: DockerEngine
    running: RunningEngine
    first: str
    second: str
    name: str

    def docker(self, *words: str) -> str:
        return self.running.docker(*words)

    def details(self, name: str = "") -> ContainerDetails:
        found = self.engine.containers.named(name or self.name)
        assert found is not None
        return found

    def made_again(
        self, name: str, image: str, *, with_it: ContainerDetails | None = None
    ) -> ContainerDetails:
        """As an upgrade does it; the old container stays, under another name. `with_it` is one that was made again before."""
        containers, old = self.engine.containers, self.details(name)
        names = {with_it.id: with_it.name} if with_it is not None else {}
        made = clone(
            old,
            old_image=self.engine.image_config(old.image_id),
            image=image,
            upgrade="u-1",
            names=names,
        )
        containers.stop(name, grace_seconds=0, on_tick=lambda: None)
        containers.rename(name, f"{name}-old")
        containers.create(name, made.body)
        for other in made.others:
            containers.connect(name, other.network, other.settings)
        return self.details(name)


@pytest.fixture(scope="module")
def images(docker_engine: RunningEngine) -> tuple[str, str]:
    """The application's two versions."""
    names = []
    for number, (word, dockerfile) in enumerate((("first", FIRST), ("second", SECOND)), start=1):
        files: Files = {**busybox_files(), f"www/{word}": word, "etc/": ""}
        build_image(docker_engine, f"to-be-made-again:{number}", files, dockerfile=dockerfile)
        names.append(f"to-be-made-again:{number}")
    return names[0], names[1]


@pytest.fixture
def place(docker_engine: RunningEngine, images: tuple[str, str]) -> Iterator[Place]:
    name = f"again-{secrets.token_hex(4)}"
    with DockerEngine(UnixWay(str(docker_engine.socket))) as engine:
        yield Place(engine, docker_engine, *images, name)
    for one in docker_engine.docker("ps", "-aq", "--filter", f"name={name}").split():
        docker_engine.docker("rm", "--force", "--volumes", one)
    for kind in ("volume", "network"):
        for one in docker_engine.docker(kind, "ls", "-q", "--filter", f"name={name}").split():
            docker_engine.docker(kind, "rm", one)


# Each row makes two containers, which takes seconds: options that have nothing to do with each other share one.
AS_THEY_ARE: dict[str, list[str]] = {
    "nothing chosen": [],
    "its life": [
        *("--env=A=1", "--env=VERSION=1", "--env=MODE=", "--label=version=9", "--stop-timeout=90"),
        *("--memory=64m", "--cpus=0.5", "--ulimit=nofile=99", "--pids-limit=50", "--init", "--tty"),
        *(
            "--restart=on-failure:3",
            "--log-driver=json-file",
            "--log-opt=max-size=1m",
            "--interactive",
        ),
        *("--hostname=web-1", "--domainname=example", "--add-host=db:10.9.9.9"),
        *("--dns=10.0.0.1", "--dns-search=example", "--dns-opt=ndots:2"),
        *("--cap-add=NET_ADMIN", "--cap-drop=MKNOD", "--read-only"),
        "--security-opt=no-new-privileges",
    ],
    "no entrypoint, another health check": [
        *("--entrypoint=", "--health-cmd=true", "--health-start-period=3s"),
    ],
    "another entrypoint, another pace of the health check": [
        *("--entrypoint=/bin/sleep", "--health-interval=9s", "--user=7:8", "--workdir=/"),
        "--stop-signal=SIGQUIT",
    ],
    "the device's own spaces": [
        *("--network=host", "--pid=host", "--ipc=host", "--uts=host", "--privileged"),
        "--no-healthcheck",
    ],
    "its data, its ports": [
        *("--volume=/a", "--mount=type=volume,dst=/b,volume-nocopy", "--volume=/etc/hosts:/h:ro"),
        *("--tmpfs=/t:size=1m", "--mount=type=tmpfs,dst=/u"),
        *("--publish=127.0.0.1:18999:80", "--publish=90/udp", "--expose=99"),
    ],
    "all ports": ["--publish-all"],
    "no network": ["--network=none"],
}


@pytest.mark.parametrize("options", AS_THEY_ARE.values(), ids=AS_THEY_ARE.keys())
def test_with_the_same_image_it_is_the_same_again(place: Place, options: list[str]) -> None:
    command = ["600"] if "--entrypoint=/bin/sleep" in options or "--entrypoint=" in options else []
    place.docker("create", f"--name={place.name}", *options, place.first, *command)
    old = place.details()
    new = place.made_again(place.name, place.first)
    assert new.id != old.id
    assert comparable(new) == comparable(old)
    assert new.labels[UPGRADE_LABEL] == "u-1"


def comparable(container: ContainerDetails) -> dict[str, Any]:
    """What an engine tells of a container, without what is another's by its nature."""
    raw = container.raw
    config = {key: value for key, value in raw["Config"].items() if value}
    config["Env"] = sorted(config["Env"])
    config["Labels"] = {k: v for k, v in container.labels.items() if k != UPGRADE_LABEL}
    if config.get("Hostname") == container.id[:12]:
        del config["Hostname"]
    # Unnamed volumes were made for the image's own wish, or for somebody's: the first is told there alone.
    host = {k: v for k, v in raw["HostConfig"].items() if v and k not in ("Mounts", "NetworkMode")}
    mode = container.network_mode.replace("default", "bridge")
    mounts = sorted(
        (one.target, one.kind, one.volume, one.source, one.writable) for one in container.mounts
    )
    macs = {name: one["MacAddress"] for name, one in raw["NetworkSettings"]["Networks"].items()}
    return {"config": config, "host": host, "mode": mode, "mounts": mounts, "macs": macs}


def in_network(place: Place, network: str, *words: str) -> str:
    """What a program of busybox says in another container of that network."""
    options = ["--rm", f"--network={network}", "--entrypoint=/bin/busybox", "--no-healthcheck"]
    return place.docker("run", *options, place.first, *words)


def test_with_another_image_that_image_counts_and_what_was_chosen_stays(place: Place) -> None:
    name, docker = place.name, place.docker
    docker("network", "create", "--subnet=10.78.0.0/24", f"{name}-front")
    docker("network", "create", f"{name}-back")
    options = [
        *(f"--network={name}-front", "--ip=10.78.0.9", "--network-alias=www"),
        *("--env=MODE=ours", "--label=ours=yes", "--restart=unless-stopped", "--memory=64m"),
        *(
            f"--volume={name}:/data",
            "--volume=/unnamed",
            "--publish=80",
        ),
    ]
    docker("run", "--detach", f"--name={name}", *options, place.first)
    docker("network", "connect", "--alias=inner", f"{name}-back", name)
    for path in ("/data", "/unnamed", "/of-image"):
        docker("exec", name, "/bin/sh", "-c", f"echo {path} of old >{path}/kept")
    old = place.details()

    new = place.made_again(name, place.second)
    place.engine.containers.start(name)
    config, host = new.raw["Config"], new.raw["HostConfig"]
    assert {"VERSION=2", "NEW=yes", "MODE=ours"} <= set(config["Env"])
    assert "VERSION=1" not in config["Env"]
    assert new.labels == {"version": "2", "maker": "us", "ours": "yes", UPGRADE_LABEL: "u-1"}
    assert config["Entrypoint"] == ["/bin/busybox"]
    assert config["Healthcheck"]["Test"] == ["CMD-SHELL", "test -e /www/second"]
    assert sorted(config["ExposedPorts"]) == ["80/tcp", "81/tcp"]
    assert (new.restart_policy, host["Memory"]) == ("unless-stopped", 64 << 20)
    wait_until(lambda: place.details().health == "healthy", seconds=30, what="health")

    new = place.details()
    assert new.networks[f"{name}-front"] == "10.78.0.9"
    assert old.id[:12] not in docker("inspect", name)
    for network, alias in ((f"{name}-front", "www"), (f"{name}-back", "inner")):
        assert new.networks[network] in in_network(place, network, "nslookup", alias)
    url = f"http://{new.networks[f'{name}-back']}/second"
    assert in_network(place, f"{name}-back", "wget", "-q", "-O", "-", url) == "second"
    published = docker("port", name, "80").splitlines()[0]
    assert published.startswith("0.0.0.0:")
    assert sorted((one.target, one.volume) for one in new.mounts) == sorted(
        (one.target, one.volume) for one in old.mounts
    )
    for path in ("/data", "/unnamed", "/of-image"):
        assert docker("exec", name, "/bin/cat", f"{path}/kept") == f"{path} of old"


def test_a_hardware_address_that_was_chosen_stays(place: Place) -> None:
    address = "02:11:22:33:44:55"
    # Engines before API 1.44 take it in the one place, later ones in the other.
    body = {
        "Image": place.first,
        "MacAddress": address,
        "HostConfig": {"NetworkMode": "bridge"},
        "NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": address}}},
    }
    place.engine.containers.create(place.name, body)
    for image in (place.first, place.second, place.second):
        place.engine.containers.start(place.name)
        networks = place.details().raw["NetworkSettings"]["Networks"]
        assert networks["bridge"]["MacAddress"] == address
        place.made_again(place.name, image)
        place.docker("rm", f"{place.name}-old")


def test_who_shares_its_network_is_found_and_shares_that_of_the_new_one(place: Place) -> None:
    name, docker = place.name, place.docker
    docker("run", "--detach", f"--name={name}", place.first)
    beside = ["--entrypoint=/bin/sleep", "--no-healthcheck", place.first, "600"]
    docker("run", "--detach", f"--name={name}-beside", f"--network=container:{name}", *beside)
    docker("run", "--detach", f"--name={name}-alone", "--network=none", *beside)
    old = place.details()
    found = dependants(old, place.engine.containers.all())
    assert [one.name for one in found] == [f"{name}-beside"]

    place.made_again(name, place.second)
    place.engine.containers.start(name)
    for with_it in (old, None):  # the second time, what it shares is not made again
        shared = place.made_again(f"{name}-beside", place.first, with_it=with_it)
        place.engine.containers.start(f"{name}-beside")
        assert shared.network_mode in (f"container:{place.details().id}", f"container:{name}")
        docker("rm", f"{name}-beside-old")
    assert (
        docker("exec", f"{name}-beside", "/bin/wget", "-qO-", "http://127.0.0.1/second") == "second"
    )
