"""How engines are reached, who we are to registries, and what engines say when they are asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from redis import Redis
from rq import Queue

from devices.models import Credential, Device, EngineAccess, EngineLook, RegistryLogin
from devices.services import secrets_of
from devices.services.engine_looks import job_id, look_again, recover_looks, request_look, take_look
from devices.services.engine_settings import (
    delete_engine_access,
    delete_registry_login,
    save_engine_access,
    save_registry_login,
)
from devices.services.engines import registry_login
from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.environment.certificates import certified
from tests.environment.docker import DockerEngine
from tests.environment.module_images import build_image
from tests.environment.redis import RedisServer
from tests.services.people import somebody

pytestmark = pytest.mark.database


@pytest.fixture
def device() -> Device:
    return Device.objects.create(name="here", device_type="box", driver=Device.Driver.LOCAL)


@pytest.fixture
def far() -> Device:
    credential = Credential.objects.create(
        name="key", kind=Credential.Kind.PASSWORD, username="root", secret="s3cret"
    )
    return Device.objects.create(
        name="far",
        device_type="box",
        driver=Device.Driver.SSH,
        host="127.0.0.1",
        credential=credential,
    )


def tls_access(device: Device, **changed: str) -> EngineAccess:
    texts = certified("engine.example")
    fields = {
        "host": "engine.example",
        "authority": texts.authority,
        "certificate": texts.certificate,
        "key": texts.key,
    }
    return EngineAccess(device=device, way=EngineAccess.Way.TCP, **(fields | changed))


def test_how_an_engine_is_reached_is_on_record_without_its_secrets(far: Device) -> None:
    access = save_engine_access(access=tls_access(far), actor=PORTAL)
    event = AuditEvent.objects.get(action="engine.add")
    assert event.subject == "far"
    assert event.data["changes"] == {
        "way": [None, "tcp"],
        "host": [None, "engine.example"],
        "port": [None, 2376],
        "authority": "changed",
        "certificate": "changed",
        "key": "changed",
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM devices_engineaccess")
        (stored,) = cursor.fetchone()
    assert "PRIVATE KEY" not in stored
    assert access.key in secrets_of(far)
    assert access.key.splitlines()[1] in secrets_of(far)
    access.way = EngineAccess.Way.SSH
    save_engine_access(access=access, actor=PORTAL)
    access.refresh_from_db()
    assert (access.host, access.authority, access.certificate, access.key) == ("", "", "", "")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"key": ""}, "TCP needs all three"),
        ({"authority": "", "certificate": "", "key": ""}, "TCP needs all three"),
        ({"key": certified().key}, "cannot be used"),
        ({"authority": "not PEM"}, "cannot be used"),
        ({"port": "70000"}, "between 1 and 65535"),
    ],
)
def test_what_could_never_work_is_refused(far: Device, changed: dict[str, str], why: str) -> None:
    access = tls_access(far, **changed)
    access.port = int(access.port)
    with pytest.raises(Refused, match=why):
        save_engine_access(access=access, actor=PORTAL)
    assert not AuditEvent.objects.exists()


def test_tcp_needs_a_host_and_ssh_a_device_with_ssh(device: Device, far: Device) -> None:
    with pytest.raises(ValidationError):
        save_engine_access(access=tls_access(far, host=""), actor=PORTAL)
    through_ssh = EngineAccess(device=device, way=EngineAccess.Way.SSH)
    with pytest.raises(Refused, match="here is not reached by SSH"):
        save_engine_access(access=through_ssh, actor=PORTAL)
    with pytest.raises(ValidationError):
        save_engine_access(
            access=EngineAccess(device=far, way=EngineAccess.Way.SSH, socket_path="x/../y"),
            actor=PORTAL,
        )


def test_the_portals_own_engine_asks_for_the_permission_of_its_own_host(far: Device) -> None:
    keeper = somebody("kim", "add_engineaccess", "change_engineaccess", app="devices")
    for access in (
        EngineAccess(device=far, way=EngineAccess.Way.UNIX),
        EngineAccess(device=far, way=EngineAccess.Way.TCP, host="127.0.0.1", port=2375),
    ):
        with pytest.raises(NotPermitted, match="use_local_driver"):
            save_engine_access(access=access, actor=keeper)
    own = save_engine_access(
        access=EngineAccess(device=far, way=EngineAccess.Way.UNIX), actor=PORTAL
    )
    own.way = EngineAccess.Way.SSH
    with pytest.raises(NotPermitted, match="use_local_driver"):
        save_engine_access(access=own, actor=keeper)
    with pytest.raises(NotPermitted):
        delete_engine_access(access=own, actor=keeper, reason="Mine")


def test_a_registry_is_named_as_references_name_it() -> None:
    login = RegistryLogin(registry=" index.docker.io ", username="oper", secret="geheim")
    save_registry_login(login=login, actor=PORTAL)
    found = registry_login("busybox:1")
    assert found is not None
    assert (found.username, found.secret) == ("oper", "geheim")
    assert registry_login("ghcr.io/a/b") is None
    with pytest.raises(ValidationError, match="already exists"):
        save_registry_login(
            login=RegistryLogin(registry="docker.io", username="x", secret="y"), actor=PORTAL
        )
    for name in ("https://ghcr.io", "ghcr.io/team", ""):
        with pytest.raises(Refused, match="is not a registry"):
            save_registry_login(
                login=RegistryLogin(registry=name, username="x", secret="y"), actor=PORTAL
            )
    delete_registry_login(login=login, actor=PORTAL, reason="Gone")
    assert registry_login("busybox:1") is None
    said = list(AuditEvent.objects.order_by("at").values_list("action", "data"))
    assert [action for action, _ in said] == ["registry_login.add", "registry_login.delete"]
    assert said[0][1]["changes"]["secret"] == "changed"


def reached(device: Device, path: str) -> None:
    access = EngineAccess(device=device, way=EngineAccess.Way.UNIX, socket_path=path)
    save_engine_access(access=access, actor=PORTAL)


@pytest.mark.docker
@pytest.mark.usefixtures("redis_server")
def test_what_an_engine_says_is_kept(docker_engine: DockerEngine, device: Device) -> None:
    image_id = build_image(docker_engine, "looked-at:1", {"a": "looked at"})
    docker_engine.docker("create", "--name=looked-at", "looked-at:1", "x")
    reached(device, str(docker_engine.socket))
    look = request_look(device=device, actor=somebody("olga", "refresh_device", app="devices"))
    assert look.is_being_taken
    look = take_look(look.pk)
    docker_engine.docker("rm", "looked-at")
    docker_engine.docker("rmi", "looked-at:1")
    assert (look.error, look.is_being_taken) == ("", False)
    assert look.version.startswith("Docker Engine 20.")
    assert look.platform.startswith("linux/")
    assert look.free_bytes
    (image,) = [one for one in look.images if one["id"] == image_id]
    assert image["tags"] == ["looked-at:1"]
    (container,) = [one for one in look.containers if one["name"] == "looked-at"]
    told = {"image_id": image_id, "image": "looked-at:1", "state": "created"}
    assert told.items() <= container.items()


@pytest.mark.docker
def test_the_room_is_kept_where_nothing_is_said_of_folders(
    docker_engine: DockerEngine, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_image(docker_engine, "writes:1", {"a": "writes"})
    docker_engine.docker("create", "--name=writes", "--volume=/srv:/srv", "writes:1", "x")
    reached(device, str(docker_engine.socket))
    monkeypatch.setattr("devices.services.engine_looks.SHORT_SECONDS", 0.0)
    look = look_again(device)
    docker_engine.docker("rm", "writes")
    docker_engine.docker("rmi", "writes:1")
    (container,) = [one for one in look.containers if one["name"] == "writes"]
    assert (container["written_paths"], container["folders"]) == (["/srv"], [])
    assert look.free_bytes


@pytest.mark.usefixtures("redis_server")
def test_an_engine_that_is_away_leaves_what_it_said_last(device: Device, tmp_path: Path) -> None:
    reached(device, f"{tmp_path}/docker.sock")
    before = clock.now()
    EngineLook.objects.create(
        device=device, asked_at=before, answered_at=before, images=[{"id": "sha256:1"}]
    )
    look = take_look(request_look(device=device, actor=PORTAL).pk)
    assert "No Docker Engine answers" in look.error
    assert (look.images, look.answered_at) == ([{"id": "sha256:1"}], before)
    assert not look.is_being_taken


def test_nobody_is_asked_without_a_way_or_a_permission(device: Device) -> None:
    with pytest.raises(Refused, match="is not known: say it first"):
        request_look(device=device, actor=PORTAL)
    with pytest.raises(NotPermitted):
        request_look(device=device, actor=somebody("vera"))


@pytest.mark.usefixtures("transactional_db")
def test_a_look_that_redis_forgot_is_taken_up_again(
    device: Device, redis_server: RedisServer
) -> None:
    reached(device, "/nowhere/docker.sock")
    look = request_look(device=device, actor=PORTAL)
    assert request_look(device=device, actor=PORTAL).asked_at == look.asked_at
    queue = Queue("updates", connection=Redis.from_url(redis_server.url))
    assert queue.get_job_ids() == [job_id(look)]
    redis_server.empty()
    recover_looks({job_id(look)})
    assert queue.get_job_ids() == []
    recover_looks(set())
    assert queue.get_job_ids() == [job_id(look)]
    take_look(look.pk)
    redis_server.empty()
    recover_looks(set())
    assert queue.get_job_ids() == []


@pytest.mark.usefixtures("redis_server")
def test_with_the_way_what_the_engine_said_is_forgotten(device: Device) -> None:
    reached(device, "/nowhere/docker.sock")
    request_look(device=device, actor=PORTAL)
    device.refresh_from_db()
    delete_engine_access(access=device.engine_access, actor=PORTAL, reason="Sold")
    assert not EngineLook.objects.exists()
    assert AuditEvent.objects.filter(action="engine.delete", reason="Sold").exists()
