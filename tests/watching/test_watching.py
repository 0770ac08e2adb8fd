"""What on an engine can be watched, and how it is looked after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from devices.models import EngineLook
from devices.services.engine_looks import look_again
from portal.core.actors import PORTAL
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.environment.docker import DockerEngine
from tests.environment.module_images import build_image
from tests.journal.rows import new_device
from tests.services.people import somebody
from tests.watching.rows import DIGEST, IMAGE_ID, SHOP, container, image, seen, watched
from updates.models import Instance, Module, WatchedContainer
from updates.services.watch_settings import save_watched
from updates.services.watching import NewWatch, not_backed_up, standing_on, unwatch, watch

pytestmark = pytest.mark.database
WHY = "It is ours"


def test_containers_of_one_image_in_one_project_stand_together() -> None:
    look = seen(
        new_device("far"),
        container("shop-web-1", project="shop", volumes=["shop_data", "f" * 64]),
        container("shop-worker-1", project="shop", state="exited"),
        container("other-web-1", project="other"),
        container("alone"),
        container("alone-too"),
    )
    found = {one.containers: one for one in standing_on(look)}
    assert set(found) == {
        ("shop-web-1", "shop-worker-1"), ("other-web-1",), ("alone",), ("alone-too",),
    }  # fmt: skip
    shop = found["shop-web-1", "shop-worker-1"]
    assert (shop.image, shop.image_id, shop.digest) == (f"{SHOP}:1.0.0", IMAGE_ID, DIGEST)
    assert (shop.volumes, shop.state) == (("f" * 64, "shop_data"), "exited, running")


def test_what_is_watched_is_an_instance_of_its_images_module_and_on_record() -> None:
    device = new_device("far")
    seen(device, container("web", volumes=["data"]), container("job"))
    actor = somebody("olga", "add_watchedcontainer")
    row = watch(NewWatch(device=device, containers=["web", "job"]), actor=actor, reason=WHY)
    instance = row.instance
    assert (instance.name, instance.version, instance.device) == ("web", "1.0.0", device)
    assert (instance.module.name, instance.module.source) == ("shop", SHOP)
    assert (row.image, row.image_id, row.digest) == (f"{SHOP}:1.0.0", IMAGE_ID, DIGEST)
    assert (row.containers, row.volumes) == (["web", "job"], ["data"])
    assert row.backup_dir == "/nowhere/var/lib/fleetwright/backups/web"
    entry = AuditEvent.objects.get(action="container.watch")
    assert (entry.subject, entry.reason, entry.actor) == ("web", WHY, "olga")
    with pytest.raises(Refused, match="web looks after one of them already"):
        watch(NewWatch(device=device, containers=["job"]), actor=actor, reason=WHY)
    with pytest.raises(NotPermitted):
        watch(NewWatch(device=device, containers=["job"]), actor=somebody("bob"), reason=WHY)


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"containers": []}, "Choose containers"),
        ({"containers": ["a", "a"]}, "each once"),
        ({"containers": ["nobody"]}, "was not seen to have nobody"),
        ({"containers": ["a", "other"]}, "other is made from another image than a"),
        ({"containers": ["nameless"]}, "say which one it was"),
        ({"containers": ["a"], "image": f"{SHOP}@{DIGEST}"}, "is pinned to a digest"),
        ({"containers": ["a"], "image": "No Name"}, "not the name of an image"),
    ],
)
def test_what_cannot_be_watched_is_refused_and_nothing_is_kept(
    new: dict[str, Any], says: str
) -> None:
    device, other = new_device("far"), f"sha256:{'2' * 64}"
    seen(
        device,
        container("a"),
        container("other", image_id=other, image="redis:7"),
        container("nameless", image_id=f"sha256:{'3' * 64}", image=f"sha256:{'3' * 64}"),
    )
    with pytest.raises(Refused, match=says):
        watch(NewWatch(device=device, **new), actor=PORTAL, reason=WHY)
    assert not Module.objects.exists()
    assert not Instance.objects.exists()


def test_folders_that_containers_write_to_are_data_and_what_is_not_is_told() -> None:
    device = new_device("far")
    paths = ["/dev/snd", "/srv/a", "/srv/a/in", "/srv/b/file", "/var", "/var/run/docker.sock"]
    folders = [path for path in paths if path not in ("/srv/b/file", "/var/run/docker.sock")]
    web = container("web", volumes=["data", "e" * 64], written_paths=paths, folders=folders)
    seen(device, web, container("job", written_paths=["/srv"], folders=["/srv"]))
    row = watch(NewWatch(device=device, containers=["web", "job"]), actor=PORTAL, reason=WHY)
    assert row.volumes == ["data", "e" * 64, "/srv/a"]
    assert not_backed_up(row) == ["/srv", "/srv/b/file", "/var"]
    row.volumes = ["/srv/b/file"]
    assert not_backed_up(row) == ["/srv", "/srv/a", "/srv/a/in", "/var", "data", "e" * 64]


def test_an_engine_that_was_never_asked_is_to_be_asked_first() -> None:
    with pytest.raises(Refused, match="ask it first"):
        watch(NewWatch(device=new_device("far"), containers=["a"]), actor=PORTAL, reason=WHY)


def test_a_name_that_another_device_has_is_made_longer() -> None:
    watched("web", device=new_device("one"))
    second = watched("web", device=new_device("two"))
    assert second.instance.name == "two-web"


def test_a_module_of_another_source_keeps_its_name() -> None:
    Module.objects.create(name="shop", source="docker.io/library/shop")
    row = watched("web")
    assert row.instance.module.name == "ghcr.io-example-shop"


def test_what_is_watched_no_longer_can_be_taken_up_again_with_its_history() -> None:
    device = new_device("far")
    first = watched("web", device=device)
    actor = somebody("olga", "change_watchedcontainer", "add_watchedcontainer")
    unwatch(watched=first, actor=actor, reason="Sold")
    first.refresh_from_db()
    assert first.unwatched_at is not None
    with pytest.raises(Refused, match="is watched no longer"):
        unwatch(watched=first, actor=actor, reason="Sold")
    assert standing_on(EngineLook.objects.get())[0].watched is None
    newer = image(f"{SHOP}:1.1.0", id=f"sha256:{'2' * 64}")
    seen(device, container("web", image_id=newer["id"], image=f"{SHOP}:1.1.0"), images=[newer])
    again = watch(NewWatch(device=device, containers=["web"]), actor=actor, reason=WHY)
    assert (again.pk, again.instance.version, again.unwatched_at) == (first.pk, "1.1.0", None)


def test_the_portal_itself_stays_watched() -> None:
    row = watched("portal", is_portal=True)
    with pytest.raises(Refused, match="the portal itself"):
        unwatch(watched=row, actor=PORTAL, reason="x")


DUMP = {"container": "db", "command": ["pg_dump"], "file": "/tmp/dump", "restore": ["pg_restore"]}
GOOD: dict[str, Any] = {
    "volumes": ["data", "/srv/app"], "hook": ["sync"], "dumps": [DUMP], "health_seconds": 600, "keeps_backups": 3,
    "probes": [{"kind": "http", "url": "http://127.0.0.1/"}], "track": "candidate", "backup_dir": "/backups",
}  # fmt: skip


def test_settings_hold_and_their_change_is_on_record() -> None:
    row = watched("web")
    actor = somebody("olga", "change_watchedcontainer")
    for field, value in GOOD.items():
        setattr(row, field, value)
    save_watched(watched=row, actor=actor)
    row.refresh_from_db()
    assert {field: getattr(row, field) for field in GOOD} == GOOD
    entry = AuditEvent.objects.get(action="container.change")
    assert entry.data["changes"]["keeps_backups"] == [1, 3]
    with pytest.raises(NotPermitted):
        save_watched(watched=row, actor=somebody("bob"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("volumes", "data"),
        ("volumes", ["/"]),
        ("volumes", ["/var"]),
        ("volumes", ["/proc/sys"]),
        ("volumes", ["/srv/../etc"]),
        ("volumes", ["/srv/app", "/srv/app/data"]),
        ("hook", "rm -rf"),
        ("hook", [1]),
        ("hook", ["a\0"]),
        ("hook", ["a"] * 100),
        ("dumps", [{}]),
        ("dumps", [DUMP | {"file": "relative"}]),
        ("dumps", [DUMP | {"command": []}]),
        ("dumps", [DUMP | {"container": ""}]),
        ("probes", [{"kind": "magic"}]),
        ("backup_dir", "/"),
        ("backup_dir", "/a/../b"),
        ("backup_dir", "relative"),
        ("project_dir", "relative"),
        ("keeps_backups", 0),
        ("health_seconds", 0),
        ("stop_seconds", 10**6),
        ("containers", ["web", "more"]),
        ("track", "any"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_its_field(field: str, value: object) -> None:
    row = watched("web")
    setattr(row, field, value)
    with pytest.raises(ValidationError) as caught:
        save_watched(watched=row, actor=PORTAL)
    assert set(caught.value.message_dict) <= {field, "__all__"}
    assert getattr(WatchedContainer.objects.get(), field) != value


@pytest.mark.docker
def test_a_real_engine_tells_projects_images_and_volumes(
    docker_engine: DockerEngine, tmp_path: Path
) -> None:
    (tmp_path / "one").write_text("a file")
    build_image(docker_engine, "shop.example/app:1.0.0", {"a": "watched"})
    device = new_device("near")
    label = "com.docker.compose.project=shopping"
    for name in ("one", "two"):
        docker_engine.docker(
            "create", "--name", f"watched-{name}", "--label", label, "--volume",
            f"watched-{name}:/data", "--volume", f"{tmp_path}:/books", "--volume", f"{tmp_path}/one:/one",
            "--volume", f"{tmp_path}:/only-read:ro", "shop.example/app:1.0.0", "/a",
        )  # fmt: skip
    try:
        seen(device)
        device.engine_access.socket_path = str(docker_engine.socket)
        device.engine_access.save()
        found = {one.containers: one for one in standing_on(look_again(device))}
        both = found["watched-one", "watched-two"]
        assert (both.image, both.project) == ("shop.example/app:1.0.0", "shopping")
        assert both.volumes == ("watched-one", "watched-two", str(tmp_path))
        assert both.written[2:] == (str(tmp_path), f"{tmp_path}/one")
        row = watch(NewWatch(device=device, containers=both.containers), actor=PORTAL, reason=WHY)
        assert (row.image_id, row.instance.version) == (both.image_id, "1.0.0")
    finally:
        docker_engine.docker("rm", "--volumes", "watched-one", "watched-two")
        docker_engine.docker("rmi", "shop.example/app:1.0.0")
