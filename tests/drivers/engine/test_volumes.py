"""What every way to an engine promises of volumes, against a real one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.drivers.docker_engine import DockerEngine
from devices.errors import BrokenTar, EngineRefused, NoSuchVolume, UnsafeName, VolumeInUse
from tests.drivers.engine.engine_under_test import EngineUnderTest, contents_of, packed
from tests.environment.module_images import build_image, busybox_files


@pytest.mark.usefixtures("nothing_left")
def test_a_volume_is_written_and_read_back_byte_for_byte(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    first = {"old": b"old", "kept": b"1"}
    second = {"kept": b"2", "new": secrets.token_bytes(300_000)}
    for contents in (first, second):
        engine.write_volume(name, [packed(contents)])
        assert contents_of(engine.read_volume(name)) == contents
    assert name in engine.volumes()


@pytest.mark.usefixtures("nothing_left")
def test_a_volume_stays_what_it_was_but_for_itscontents_of(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    docker = under_test.running.docker
    options = ["--opt=type=tmpfs", "--opt=device=tmpfs", "--opt=o=size=5m", "--label=a=b c"]
    docker("volume", "create", *options, name)
    look = ("volume", "inspect", "--format={{json .Options}} {{json .Labels}} {{.Driver}}", name)
    before = docker(*look)
    engine.write_volume(name, [packed({"a": b"1"})])
    assert docker(*look) == before
    assert "size=5m" in before


def test_a_volume_that_lies_elsewhere_is_refused_untouched(
    engine: DockerEngine, under_test: EngineUnderTest, name: str, tmp_path: Path
) -> None:
    (tmp_path / "precious").touch()
    options = ["--opt=type=none", f"--opt=device={tmp_path}", "--opt=o=bind"]
    under_test.running.docker("volume", "create", *options, name)
    with pytest.raises(EngineRefused, match="lies elsewhere"):
        engine.write_volume(name, [packed({"a": b"1"})])
    assert contents_of(engine.read_volume(name)) == {"precious": b""}


@pytest.mark.usefixtures("nothing_left")
def test_owners_and_modes_in_a_volume_come_back_its_own_too(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    build_image(under_test.running, f"{name}:1", busybox_files())
    run = ["run", "--rm", "--network=none", f"--volume={name}:/data", f"{name}:1", "sh", "-c"]
    under_test.running.docker(
        *run, "touch /data/x && /bin/busybox chown -R 12:34 /data && /bin/busybox chmod 700 /data"
    )
    saved = b"".join(engine.read_volume(name))
    engine.write_volume(name, [saved])
    look = "/bin/busybox stat -c '%u:%g %a' /data /data/x"
    assert under_test.running.docker(*run, look).split("\n") == ["12:34 700", "12:34 644"]


def test_a_volume_that_a_container_needs_is_not_replaced(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    build_image(under_test.running, f"{name}:1", {"a": "1"})
    options = [f"--name={name}", f"--volume={name}:/data"]
    under_test.running.docker("create", *options, f"{name}:1", "x")
    with pytest.raises(VolumeInUse, match=f"is used by {name}") as refused:
        engine.write_volume(name, [packed({"a": b"1"})])
    assert refused.value.containers == [name]
    assert contents_of(engine.read_volume(name)) == {}
    under_test.running.docker("rm", name)


def test_a_leftover_helper_is_in_nobodys_way(
    engine: DockerEngine, under_test: EngineUnderTest, name: str
) -> None:
    engine.write_volume(name, [packed({"a": b"1"})])
    left = engine.read_volume(name)  # somebody who died while reading
    next(left)
    engine.write_volume(name, [packed({"a": b"2"})])
    assert contents_of(engine.read_volume(name)) == {"a": b"2"}
    left.close()  # type: ignore[attr-defined]  # a generator


@pytest.mark.usefixtures("nothing_left")
def test_what_a_volumes_source_raises_comes_out_and_half_a_tar_is_refused(
    engine: DockerEngine, name: str
) -> None:
    class NoMore(OSError):
        pass

    def breaking() -> Iterator[bytes]:
        yield packed({"a": b"1" * 2000})[:1024]
        raise NoMore

    with pytest.raises(NoMore):
        engine.write_volume(name, breaking())
    with pytest.raises(BrokenTar):
        engine.write_volume(name, [packed({"a": b"1" * 2000})[:1024]])
    engine.write_volume(name, [packed({"a": b"1"})])
    assert contents_of(engine.read_volume(name)) == {"a": b"1"}


def test_a_volume_that_is_not_there_is_an_error_and_reading_makes_none(
    engine: DockerEngine, name: str
) -> None:
    with pytest.raises(NoSuchVolume, match=f"no volume {name}"):
        engine.read_volume(name)
    assert name not in engine.volumes()
    with pytest.raises(UnsafeName):
        engine.read_volume("../etc")
    with pytest.raises(UnsafeName):
        engine.write_volume("a/b", [])
