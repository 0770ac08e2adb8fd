"""What every way to an engine promises, against a real one."""

from __future__ import annotations

import secrets
import time

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine import EngineLimits, Platform
from devices.drivers.engine_helpers import LABEL
from devices.errors import (
    BadReference,
    EngineRefused,
    ImageInUse,
    NoSuchImage,
    NoSuchPath,
    NoSuchPlatform,
    NotInRegistry,
    PullFailed,
    UnsafeName,
)
from tests.drivers.engine.engine_under_test import EngineUnderTest, ignore, packed, unpacked
from tests.environment.module_images import Entry, Files, build_image, busybox_files, push_image
from tests.environment.registry import Registry
from tests.environment.waiting import wait_until

FILES: Files = {
    "imageroot/": Entry(mode=0o755),
    "imageroot/update-module.d/20restart": Entry(b"#!/bin/sh\n", mode=0o755),
    "imageroot/update-module.d/10expand": Entry(link="../actions/create/20expand"),
    "imageroot/a name with spaces": "text",
}
LABELS = {"org.nethserver.images": "one/a:1  two/b:2", "quoted": 'a "b" $c \\d'}


def pull(engine: DockerEngine, reference: str, *, limit_seconds: float = 60) -> list[float]:
    told: list[float] = []
    image = engine.pull(
        reference, login=None, on_progress=told.append, on_tick=ignore, limit_seconds=limit_seconds
    )
    assert engine.image(reference) == image
    return told


def test_it_says_what_it_is(engine: DockerEngine, under_test: EngineUnderTest) -> None:
    version = under_test.running.docker("version", "--format", "{{.Server.Version}}")
    assert engine.version().startswith(f"Docker Engine {version}, API 1.")
    wanted = under_test.running.docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
    assert str(engine.platform()) == wanted
    root = under_test.running.docker("info", "--format", "{{.DockerRootDir}}")
    assert engine.root_dir() == root


def test_an_image_is_found_by_name_id_and_digest(
    engine: DockerEngine, under_test: EngineUnderTest, registry: Registry, name: str
) -> None:
    reference = f"{registry.host}/{name}:1"
    files = {**FILES, "name": name}
    digest = push_image(under_test.running, reference, files, labels=LABELS, keep=True)
    image = engine.image(reference)
    assert image is not None
    assert image.tags == [reference]
    assert image.digests == [f"{registry.host}/{name}@{digest}"]
    assert image.labels == LABELS
    assert image.platform == Platform("linux", engine.platform().architecture)
    size = under_test.running.docker("inspect", "--format={{.Size}}", reference)
    assert image.size == int(size) > 0
    assert engine.image(image.id) == image
    assert engine.image(f"{registry.host}/{name}@{digest}") == image
    assert image in engine.images()


def test_an_image_that_is_not_there_is_none(engine: DockerEngine, name: str) -> None:
    assert engine.image(name) is None
    assert engine.image("sha256:" + "0" * 64) is None


@pytest.mark.parametrize("text", ["", "../x", "a b", "A/b", "a\nb", "0" * 64])
def test_what_cannot_be_an_images_name_reaches_no_engine(engine: DockerEngine, text: str) -> None:
    with pytest.raises(BadReference):
        engine.image(text)
    with pytest.raises(BadReference):
        pull(engine, text)
    with pytest.raises(BadReference):
        engine.remove_image(text)
    with pytest.raises(BadReference):
        engine.export(text, "/x")


def test_a_pull_brings_an_image_and_tells_how_far_it_is(
    engine: DockerEngine, under_test: EngineUnderTest, registry: Registry, name: str
) -> None:
    reference = f"{registry.host}/{name}:1"
    digest = push_image(
        under_test.running, reference, {"data": Entry(secrets.token_bytes(1 << 20))}
    )
    told = pull(engine, reference)
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) > 1
    engine.remove_image(reference)
    pull(engine, f"{registry.host}/{name}:ignored@{digest}")
    image = engine.image(f"{registry.host}/{name}@{digest}")
    assert image is not None
    assert image.tags == []


def test_an_engine_asks_a_registry_for_us_and_fetches_nothing(
    engine: DockerEngine, under_test: EngineUnderTest, registry: Registry, name: str
) -> None:
    reference = f"{registry.host}/{name}:1"
    digest = push_image(under_test.running, reference, busybox_files())

    assert engine.published(reference, engine.platform()).digest == digest
    assert engine.image(reference) is None
    with pytest.raises(NotInRegistry, match="has no image"):
        engine.published(f"{registry.host}/{name}:2", engine.platform())
    with pytest.raises(NoSuchPlatform, match="not for windows/amd64"):
        engine.published(reference, Platform("windows", "amd64", ""))


def test_a_pull_of_what_is_not_there_says_so_in_the_registrys_words(
    engine: DockerEngine, registry: Registry, name: str
) -> None:
    with pytest.raises(PullFailed, match=rf"{name}:1 cannot be pulled: .*manifest unknown\.$"):
        pull(engine, f"{registry.host}/{name}:1")


def test_a_tag_moves(engine: DockerEngine, under_test: EngineUnderTest, name: str) -> None:
    first = build_image(under_test.running, f"{name}:1", {"a": "1"})
    second = build_image(under_test.running, f"{name}:2", {"a": "2"})
    for image_id in (first, second):
        engine.tag(image_id, f"{name}:current")
        image = engine.image(f"{name}:current")
        assert image is not None
        assert image.id == image_id
    with pytest.raises(NoSuchImage):
        engine.tag("sha256:" + "0" * 64, f"{name}:current")


def test_removing_takes_one_tag_and_with_the_last_one_the_image(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    image_id = build_image(under_test.running, f"{name}:1", {"a": name})
    engine.tag(image_id, f"{name}:2")
    with pytest.raises(EngineRefused, match="multiple repositories"):
        engine.remove_image(image_id)
    engine.remove_image(f"{name}:1")
    assert engine.image(f"{name}:1") is None
    assert engine.image(image_id) is not None
    engine.remove_image(f"{name}:2")
    engine.remove_image(f"{name}:2")
    assert engine.image(image_id) is None


@pytest.mark.parametrize("begin", ["create", "run"])
def test_an_image_that_a_container_needs_stays_and_the_container_is_named(
    engine: DockerEngine, under_test: EngineUnderTest, name: str, begin: str
) -> None:
    docker = under_test.running.docker
    build_image(under_test.running, f"{name}:1", {**busybox_files(), "name": name})
    detached = ["--detach"] if begin == "run" else []
    docker(begin, *detached, "--network=none", f"--name={name}", f"{name}:1", "sleep", "600")
    with pytest.raises(ImageInUse, match=f"is used by {name}") as refused:
        engine.remove_image(f"{name}:1")
    assert refused.value.containers == [name]
    assert engine.image(f"{name}:1") is not None
    docker("rm", "--force", name)
    engine.remove_image(f"{name}:1")
    assert engine.image(f"{name}:1") is None


@pytest.mark.usefixtures("nothing_left")
def test_an_export_keeps_modes_links_and_names(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    image_id = build_image(under_test.running, f"{name}:1", FILES)
    entries = unpacked(engine.export(image_id, "/imageroot"))
    assert sorted(entries) == [
        "imageroot",
        "imageroot/a name with spaces",
        "imageroot/update-module.d",
        "imageroot/update-module.d/10expand",
        "imageroot/update-module.d/20restart",
    ]
    assert entries["imageroot/update-module.d/10expand"].linkname == "../actions/create/20expand"
    assert entries["imageroot/update-module.d/20restart"].mode & 0o777 == 0o755
    assert entries["imageroot/a name with spaces"].mode & 0o777 == 0o644


@pytest.mark.usefixtures("nothing_left")
def test_an_export_of_what_is_not_there_is_known_at_once(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    build_image(under_test.running, f"{name}:1", FILES)
    with pytest.raises(NoSuchPath, match="has no /nowhere"):
        engine.export(f"{name}:1", "/nowhere")
    with pytest.raises(NoSuchImage):
        engine.export("sha256:" + "0" * 64, "/imageroot")
    with pytest.raises(UnsafeName):
        engine.export(f"{name}:1", "../etc")


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("taken", [0, 1])
def test_an_export_that_nobody_reads_to_its_end_leaves_nothing(
    engine: DockerEngine, under_test: EngineUnderTest, name: str, taken: int
) -> None:
    large = Entry(secrets.token_bytes(8 << 20))
    image_id = build_image(under_test.running, f"{name}:1", {"data/large": large})
    stream = engine.export(image_id, "/data")
    for _ in range(taken):
        next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert engine.image(image_id) is not None


def test_containers_are_described(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    docker = under_test.running.docker
    image_id = build_image(under_test.running, f"{name}:1", {**busybox_files(), "name": name})
    health = ["--health-cmd=test -e /well", "--health-interval=1s", "--health-retries=1"]
    options = [f"--name={name}", "--label=a=b c", f"--volume={name}:/data", "--network=none"]
    docker("run", "--detach", *options, *health, f"{name}:1", "sleep", "600")

    def described() -> tuple[str, str]:
        found = next(one for one in engine.containers.all(running_only=True) if one.name == name)
        assert (found.image_id, found.image) == (image_id, f"{name}:1")
        assert (found.labels["a"], found.volumes) == ("b c", [name])
        return found.state, found.health

    assert described()[1] in ("starting", "unhealthy")
    wait_until(lambda: described() == ("running", "unhealthy"), seconds=20, what="ill health")
    docker("exec", name, "touch", "/well")
    wait_until(lambda: described() == ("running", "healthy"), seconds=20, what="health")
    docker("stop", "--time=0", name)
    assert [one for one in engine.containers.all(running_only=True) if one.name == name] == []
    assert next(one for one in engine.containers.all() if one.name == name).state == "exited"
    docker("rm", "--volumes", name)


def test_what_killed_workers_left_is_swept_and_what_lives_is_not(
    under_test: EngineUnderTest, name: str
) -> None:
    build_image(under_test.running, f"{name}:1", FILES)
    with under_test.open() as living, under_test.open(EngineLimits(helper_seconds=2)) as sweeper:
        living.write_volume(name, [packed({"a": b"1"})])
        streams = [living.export(f"{name}:1", "/imageroot"), living.read_volume(name)]
        assert living.sweep() == 0
        time.sleep(3)
        assert sweeper.sweep() == 2
        assert sweeper.sweep() == 0
        assert under_test.running.docker("images", "-q", "--filter", f"label={LABEL}") == ""
        for stream in streams:
            stream.close()  # type: ignore[attr-defined]  # generators
