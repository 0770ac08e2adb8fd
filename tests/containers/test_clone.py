"""What of a container goes into the one that takes its place: case by case, from what an engine tells of it."""

from __future__ import annotations

from typing import Any

import pytest

from devices.drivers.engine_answers import container_of, details_of
from updates.recipes.container.clone import UPGRADE_LABEL, Clone, clone
from updates.recipes.container.dependants import dependants
from updates.recipes.container.endpoints import Endpoint

ID = "1234567890abcdef" * 4
OTHER = "fedcba0987654321" * 4
OLD: dict[str, Any] = {
    "Env": ["PATH=/bin", "VERSION=1"],
    "Labels": {"version": "1", "maker": "us"},
    "Cmd": ["serve"],
    "Entrypoint": ["/entry"],
    "WorkingDir": "/app",
    "User": "app",
    "StopSignal": "SIGINT",
    "Healthcheck": {"Test": ["CMD", "old"], "Interval": 5},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
}


def inspected(
    *,
    config: dict[str, Any] | None = None,
    host: dict[str, Any] | None = None,
    networks: dict[str, Any] | None = None,
    mounts: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A container of the old image, as an engine tells of it, but for these."""
    return {
        "Id": ID,
        "Name": "/web",
        "Config": {**OLD, "Image": "app:1", "Hostname": ID[:12], **(config or {})},
        "HostConfig": {"NetworkMode": "default", **(host or {})},
        "NetworkSettings": {"Networks": {"bridge": {}} if networks is None else networks},
        "Mounts": mounts or [],
    }


def cloned(raw: dict[str, Any], *, names: dict[str, str] | None = None) -> Clone:
    return clone(
        details_of(raw), old_image=OLD, image="app:2", upgrade="u-1", names=names or {ID: "web"}
    )


def test_of_a_container_that_chose_nothing_the_new_image_says_all() -> None:
    made = cloned(inspected())
    assert made.others == []
    assert made.body == {
        "Image": "app:2",
        "Labels": {UPGRADE_LABEL: "u-1"},
        "HostConfig": {"NetworkMode": "bridge", "Links": [], "Binds": [], "Mounts": []},
    }


CHOSEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a variable of its own": (
        {"Env": ["PATH=/bin", "VERSION=1", "MODE=a=b"]},
        {"Env": ["MODE=a=b"]},
    ),
    "an inherited variable with another value": ({"Env": ["VERSION=9"]}, {"Env": ["VERSION=9"]}),
    "a label of its own, and another value": (
        {"Labels": {"version": "9", "maker": "us", "ours": ""}},
        {"Labels": {"version": "9", "ours": "", UPGRADE_LABEL: "u-1"}},
    ),
    "the mark of an earlier upgrade": (
        {"Labels": {UPGRADE_LABEL: "u-0"}},
        {"Labels": {UPGRADE_LABEL: "u-1"}},
    ),
    "another command": ({"Cmd": ["work", "-v"]}, {"Cmd": ["work", "-v"]}),
    "another entrypoint, its command with it": (
        {"Entrypoint": ["/ours"], "Cmd": ["serve"]},
        {"Entrypoint": ["/ours"], "Cmd": ["serve"]},
    ),
    "another entrypoint without a command": (
        {"Entrypoint": ["/ours"], "Cmd": None},
        {"Entrypoint": ["/ours"]},
    ),
    "no entrypoint": (
        {"Entrypoint": None, "Cmd": ["/x"]},
        {"Entrypoint": [""], "Cmd": ["/x"]},
    ),
    "another user, directory and signal": (
        {"User": "0", "WorkingDir": "/", "StopSignal": "SIGQUIT"},
        {"User": "0", "WorkingDir": "/", "StopSignal": "SIGQUIT"},
    ),
    "a name for itself": (
        {"Hostname": "web-1", "Domainname": "example"},
        {"Hostname": "web-1", "Domainname": "example"},
    ),
    "another health check": (
        {"Healthcheck": {"Test": ["CMD", "ours"], "Interval": 9}},
        {"Healthcheck": {"Test": ["CMD", "ours"], "Interval": 9}},
    ),
    "another pace of the image's health check": (
        {"Healthcheck": {"Test": ["CMD", "old"], "Interval": 9}},
        {"Healthcheck": {"Interval": 9}},
    ),
    "no health check": (
        {"Healthcheck": {"Test": ["NONE"]}},
        {"Healthcheck": {"Test": ["NONE"]}},
    ),
    "another port": (
        {"ExposedPorts": {"80/tcp": {}, "90/udp": {}}},
        {"ExposedPorts": {"90/udp": {}}},
    ),
    "another volume": ({"Volumes": {"/data": {}, "/own": {}}}, {"Volumes": {"/own": {}}}),
    "a terminal, a grace of its own": (
        {"Tty": True, "OpenStdin": True, "StopTimeout": 90},
        {"Tty": True, "OpenStdin": True, "StopTimeout": 90},
    ),
    "a hardware address, as engines before API 1.44 tell it": (
        {"MacAddress": "02:00:00:00:00:01"},
        {"MacAddress": "02:00:00:00:00:01"},
    ),
}


@pytest.mark.parametrize(("config", "expected"), CHOSEN.values(), ids=CHOSEN.keys())
def test_what_was_chosen_stays(config: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = cloned(inspected()).body
    assert cloned(inspected(config=config)).body == {**plain, **expected}


def test_what_the_host_configuration_says_stays_but_for_what_is_the_old_containers() -> None:
    host = {
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        "CapAdd": ["NET_ADMIN"],
        "Memory": 5,
        "ContainerIDFile": "/run/id",
        "Links": ["/db:/web/database"],
    }
    made = cloned(inspected(host=host)).body
    kept = {key: host[key] for key in ("PortBindings", "RestartPolicy", "CapAdd", "Memory")}
    assert made["HostConfig"] == {
        **kept,
        "NetworkMode": "bridge",
        "Links": ["db:database"],
        "Binds": [],
        "Mounts": [],
    }
    # A port that is published has to be exposed, whatever the new image exposes.
    assert made["ExposedPorts"] == {"80/tcp": {}}


def volume(name: str, target: str, *, writable: bool = True) -> dict[str, Any]:
    return {"Type": "volume", "Name": name, "Destination": target, "RW": writable}


def test_volumes_without_a_name_of_their_own_are_kept_by_the_engines() -> None:
    host = {
        "Binds": ["named:/data:ro", "/etc/x:/x", "/bare"],
        "Mounts": [
            {"Type": "volume", "Target": "/typed", "VolumeOptions": {"NoCopy": True}},
            {"Type": "volume", "Source": "other", "Target": "/other"},
            {"Type": "tmpfs", "Target": "/tmp"},
        ],
    }
    mounts = [
        volume("named", "/data", writable=False),
        {"Type": "bind", "Source": "/etc/x", "Destination": "/x", "RW": True},
        volume("0a", "/bare"),
        volume("0b", "/typed"),
        volume("other", "/other"),
        volume("0c", "/of-the-image"),
        volume("0d", "/read", writable=False),
    ]
    made = cloned(inspected(host=host, mounts=mounts)).body["HostConfig"]
    assert made["Binds"] == ["named:/data:ro", "/etc/x:/x"]
    assert made["Mounts"] == [
        {"Type": "volume", "Source": "other", "Target": "/other"},
        {"Type": "tmpfs", "Target": "/tmp"},
        {"Type": "volume", "Source": "0a", "Target": "/bare", "ReadOnly": False},
        {
            "Type": "volume",
            "Source": "0b",
            "Target": "/typed",
            "VolumeOptions": {"NoCopy": True},
        },
        {"Type": "volume", "Source": "0c", "Target": "/of-the-image", "ReadOnly": False},
        {"Type": "volume", "Source": "0d", "Target": "/read", "ReadOnly": True},
    ]


def test_it_is_made_in_the_network_it_was_made_in_and_connected_to_the_others() -> None:
    networks = {
        "a-front": {"Aliases": ["www", ID[:12]], "NetworkID": "n1", "EndpointID": "e"},
        "back": {
            "Aliases": [ID[:12]],
            "IPAMConfig": {"IPv4Address": "10.0.0.9"},
            "IPAddress": "10.0.0.9",
            "MacAddress": "02:42:0a:00:00:09",
            "DNSNames": ["web", ID[:12]],
        },
        "c-side": {
            "MacAddress": "02:42:ac:00:00:FF",
            "IPAddress": "10.0.1.2",
            "DriverOpts": {"a": "b"},
        },
    }
    made = cloned(inspected(host={"NetworkMode": "back"}, networks=networks))
    assert made.body["HostConfig"]["NetworkMode"] == "back"
    assert made.body["NetworkingConfig"] == {
        "EndpointsConfig": {"back": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}
    }
    assert made.others == [
        Endpoint("a-front", {"Aliases": ["www"]}),
        Endpoint("c-side", {"DriverOpts": {"a": "b"}, "MacAddress": "02:42:ac:00:00:FF"}),
    ]


def test_a_network_that_was_given_by_its_id_is_found_and_one_that_was_left_is_not_joined() -> None:
    by_id = inspected(host={"NetworkMode": "n2"}, networks={"a": {}, "b": {"NetworkID": "n2"}})
    assert cloned(by_id).body["HostConfig"]["NetworkMode"] == "b"
    left = inspected(host={"NetworkMode": "gone"}, networks={"b": {}, "a": {"Aliases": ["x"]}})
    made = cloned(left)
    assert made.body["HostConfig"]["NetworkMode"] == "a"
    assert made.body["NetworkingConfig"] == {"EndpointsConfig": {"a": {"Aliases": ["x"]}}}
    assert made.others == [Endpoint("b", {})]


@pytest.mark.parametrize("mode", ["host", "none"])
def test_a_mode_without_networks_stays(mode: str) -> None:
    made = cloned(inspected(host={"NetworkMode": mode}, networks={mode: {"NetworkID": "n"}}))
    assert made.body["HostConfig"]["NetworkMode"] == mode
    assert "NetworkingConfig" not in made.body
    assert made.others == []


def test_the_name_of_the_device_is_not_kept_as_the_containers_own() -> None:
    raw = inspected(config={"Hostname": "device-7"}, host={"UTSMode": "host"})
    assert "Hostname" not in cloned(raw).body


def test_whose_network_is_shared_is_named_and_what_is_the_others_is_left_out() -> None:
    raw = inspected(
        config={
            "Hostname": "database",
            "ExposedPorts": {"80/tcp": {}, "81/tcp": {}},
            "MacAddress": "x",
        },
        host={"NetworkMode": f"container:{OTHER}", "PidMode": f"container:{OTHER}"},
        networks={},
    )
    made = cloned(raw, names={ID: "web", OTHER: "db"})
    assert made.body["HostConfig"]["NetworkMode"] == "container:db"
    assert made.body["HostConfig"]["PidMode"] == "container:db"
    assert not {"Hostname", "ExposedPorts", "MacAddress", "NetworkingConfig"} & set(made.body)
    assert made.others == []
    apart = cloned(raw, names={ID: "web"}).body["HostConfig"]
    assert apart["NetworkMode"] == f"container:{OTHER}"
    named = inspected(host={"NetworkMode": "container:db"}, networks={})
    assert cloned(named, names={OTHER: "db"}).body["HostConfig"]["NetworkMode"] == "container:db"


def test_what_was_read_is_not_changed() -> None:
    raw = inspected(
        host={"Binds": ["/bare"], "Links": ["/db:/web/x"]}, mounts=[volume("0a", "/bare")]
    )
    before = repr(raw)
    cloned(raw)
    assert repr(raw) == before


def test_dependants_are_those_that_share_the_network_in_their_order() -> None:
    def listed(name: str, mode: str) -> dict[str, Any]:
        return {"Id": name * 4, "Names": [f"/{name}"], "HostConfig": {"NetworkMode": mode}}

    modes = {
        "last": "container:second",
        "second": "container:webwebwebweb",
        "web": "bridge",
        "alone": "container:another",
        "first": "container:web",
        "webx": "host",
    }
    containers = [container_of(listed(*row)) for row in modes.items()]
    web = next(one for one in containers if one.name == "web")
    assert [one.name for one in dependants(web, containers)] == ["second", "first", "last"]
    assert dependants(next(one for one in containers if one.name == "webx"), containers) == []
