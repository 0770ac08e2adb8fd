"""Images that engines have: who uses them, and removing them for good, but never by force."""

from __future__ import annotations

from uuid import uuid4

import pytest
from redis import Redis
from rq import Queue

from devices.models import Device, EngineAccess, EngineLook
from devices.services.engine_looks import look_again
from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.cli.conftest import run
from tests.environment.docker import DockerEngine
from tests.environment.module_images import build_image
from tests.environment.redis import RedisServer
from tests.journal.rows import new_device
from tests.modules.rows import new_instance, order, upgrade_of
from tests.services.people import somebody
from updates.jobs import run_image_removal
from updates.models import ImageRemoval, ImageRemovalPart, Installation, Instance, Module
from updates.recipes.engine_images import KEEP
from updates.services.local_images import (
    job_id,
    local_images,
    recover_removals,
    request_removal,
)

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

HAD = {
    "id": "sha256:" + "1" * 64,
    "tags": ["shop:1"],
    "digests": [],
    "size": 1,
    "created": "",
}


def reached(name: str, socket: str = "/nowhere/docker.sock") -> Device:
    device = new_device(name)
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX, socket_path=socket)
    return device


def looked_at(device: Device, *images: dict[str, object]) -> EngineLook:
    now = clock.now()
    return EngineLook.objects.create(
        device=device, asked_at=now, answered_at=now, images=list(images)
    )


@pytest.mark.docker
def test_what_nothing_needs_is_removed_and_each_image_has_its_outcome(
    docker_engine: DockerEngine,
) -> None:
    device = reached("far", str(docker_engine.socket))
    for name in ("free:1", "taken:1"):
        build_image(docker_engine, name, {"a": name})
    docker_engine.docker("create", "--name=taker", "taken:1", "x")
    look_again(device)
    words = ["free:1", "taken:1", "never:1", "--device=far", "--reason=Room"]
    assert "is on its way to 1 engine." in run("image", "remove", *words).out
    part = ImageRemovalPart.objects.get()
    run_image_removal(str(part.pk))
    part.refresh_from_db()
    left = docker_engine.docker("images", "--quiet", "taken:1")
    docker_engine.docker("rm", "taker")
    docker_engine.docker("rmi", "taken:1")
    assert [(row[0], row[1]) for row in part.outcomes] == [
        ("docker.io/library/free:1", "removed"),
        ("docker.io/library/taken:1", "in_use"),
        ("docker.io/library/never:1", "absent"),
    ]
    assert "is used by taker" in part.outcomes[1][2]
    assert left
    assert part.finished_at is not None
    tags = [tag for image in EngineLook.objects.get().images for tag in image["tags"]]
    assert "taken:1" in tags
    assert "free:1" not in tags
    assert AuditEvent.objects.get(action="image.remove").reason == "Room"
    shown = run("image", "show").out
    for words_there in ("removed", "in_use", "absent", "taker"):
        assert words_there in shown
    run_image_removal(str(part.pk))  # once more, as after a crash: nothing is done again


@pytest.mark.docker
def test_what_a_way_back_holds_stays_by_all_of_its_names(docker_engine: DockerEngine) -> None:
    device = reached("far", str(docker_engine.socket))
    own = build_image(docker_engine, "before:1", {"a": "before"})
    docker_engine.docker("tag", "before:1", f"{KEEP}:{uuid4()}-0")
    request_removal(
        references=["before:1", own],
        devices=Device.objects.filter(pk=device.pk),
        actor=PORTAL,
        reason="Room",
    )
    part = ImageRemovalPart.objects.get()
    run_image_removal(str(part.pk))
    part.refresh_from_db()
    left = docker_engine.docker("images", "--quiet", "--no-trunc", "before:1")
    docker_engine.docker("rmi", "--force", own)
    assert left == own
    assert [row[1] for row in part.outcomes] == ["in_use", "in_use"]
    assert "a way back holds it, and it goes with that" in part.outcomes[0][2]


def test_an_engine_that_is_away_is_said_and_nothing_is_claimed() -> None:
    device = reached("far")
    looked_at(device, HAD)
    request_removal(
        references=["shop:1"], devices=Device.objects.all(), actor=PORTAL, reason="Room"
    )
    part = ImageRemovalPart.objects.get()
    assert "No Docker Engine answers" in run_image_removal(str(part.pk))
    part.refresh_from_db()
    assert part.outcomes == []


def test_only_engines_that_had_one_are_asked_or_that_were_never_asked() -> None:
    looked_at(reached("has"), HAD)
    looked_at(reached("has-not"))
    reached("never-asked")
    new_device("no-engine")
    removal = request_removal(
        references=[" docker.io/library/shop:1 "],
        devices=Device.objects.all(),
        actor=PORTAL,
        reason="Room",
    )
    names = removal.parts.values_list("device__name", flat=True)
    assert sorted(names) == ["has", "never-asked"]
    with pytest.raises(Refused, match="None of these engines"):
        request_removal(
            references=["shop:2"],
            devices=Device.objects.filter(name="has"),
            actor=PORTAL,
            reason="Room",
        )


def test_an_order_needs_names_a_reason_and_a_permission() -> None:
    looked_at(reached("has"), HAD)
    everywhere = Device.objects.all()
    with pytest.raises(Refused, match="upper case"):
        request_removal(references=["Shop"], devices=everywhere, actor=PORTAL, reason="Room")
    for ours in (f"{KEEP}:{uuid4()}-0", KEEP):
        with pytest.raises(Refused, match="is the portal's own: a way back holds it"):
            request_removal(references=[ours], devices=everywhere, actor=PORTAL, reason="Room")
    with pytest.raises(Refused, match="Name between"):
        request_removal(references=[], devices=everywhere, actor=PORTAL, reason="Room")
    with pytest.raises(Refused, match="Say why"):
        request_removal(references=["shop:1"], devices=everywhere, actor=PORTAL, reason=" ")
    with pytest.raises(NotPermitted):
        request_removal(
            references=["shop:1"], devices=everywhere, actor=somebody("vera"), reason="Room"
        )
    assert not ImageRemoval.objects.exists()


@pytest.mark.usefixtures("transactional_db")
def test_what_redis_forgot_has_a_job_again(redis_server: RedisServer) -> None:
    looked_at(reached("has"), HAD)
    request_removal(
        references=["shop:1"], devices=Device.objects.all(), actor=PORTAL, reason="Room"
    )
    part = ImageRemovalPart.objects.get()
    queue = Queue("updates", connection=Redis.from_url(redis_server.url))
    assert queue.get_job_ids() == [job_id(part)]
    redis_server.empty()
    recover_removals({job_id(part)})
    assert queue.get_job_ids() == []
    recover_removals(set())
    assert queue.get_job_ids() == [job_id(part)]


def test_an_image_is_listed_with_the_containers_and_instances_that_use_it() -> None:
    device = reached("far")
    look = looked_at(device, HAD, HAD | {"id": "sha256:" + "2" * 64, "tags": []})
    look.containers = [{"name": "keeper", "image_id": HAD["id"], "state": "exited"}]
    look.save()
    module = Module.objects.create(name="shop")
    instance = Instance.objects.create(name="shop1", module=module, device=device, version="1")
    Installation.objects.create(
        instance=instance,
        image="docker.io/library/shop:1",
        images=["docker.io/library/shop:1"],
        user="root",
        install_dir="/var/lib/shop1",
    )
    named, nameless = sorted(local_images(look), key=lambda row: row.name, reverse=True)
    assert (named.name, named.containers, named.instances) == ("shop:1", ["keeper"], ["shop1"])
    assert (nameless.containers, nameless.instances) == ([], [])
    out = run("image", "list", "far").out
    for words in ("shop:1", "keeper", "shop1"):
        assert words in out
    assert "has not said anything yet" in run("image", "list", reached("mute").name).error


def test_an_image_that_a_way_back_holds_says_whose_by_all_of_its_names() -> None:
    instance = new_instance("shop1", device=reached("far"))
    order(instance, actor=PORTAL)
    ours, strange = f"{KEEP}:{upgrade_of(instance).pk}-0", f"{KEEP}:{uuid4()}-new"
    free = {"id": "sha256:" + "2" * 64, "tags": ["free:1"]}
    look = looked_at(
        instance.device, HAD | {"tags": ["shop:1", ours]}, HAD | {"tags": [strange]}, HAD | free
    )
    unknown = strange.removeprefix(f"{KEEP}:").removesuffix("-new")
    assert {row.name: row.kept_for for row in local_images(look)} == {
        "shop:1": ["shop1"], ours: ["shop1"], strange: [unknown], "free:1": [],
    }  # fmt: skip
    assert f"{ours} " in run("image", "list", "far").out
