"""What every Shell promises: files and trees."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.drivers.shell import Shell, TreeFile
from devices.errors import CommandFailed, DeviceUnreachable, OutOfSpace, UnsafeName
from tests.drivers.device import Device
from tests.environment.waiting import wait_until

ODD_NAMES = ["-rf", "a b", "it's", 'say "x"', "new\nline", "*", "é", "\\", "$HOME", "x" * 200]


def read_all(shell: Shell, path: Path) -> bytes:
    return b"".join(shell.get_file(str(path)))


def leftovers(root: Path) -> list[str]:
    return [path.name for path in root.rglob(".fleetwright-*")]


@pytest.mark.parametrize("name", ["-rf", 'it\'s a\nnew "line"', "x" * 255])
def test_a_file_goes_there_and_comes_back(shell: Shell, device: Device, name: str) -> None:
    path = device.root / "new folder" / name
    content = bytes(range(256)) * 1000
    assert shell.put_file(str(path), [content[:70000], content[70000:]], mode=0o4750) == 256_000
    assert path.read_bytes() == content
    assert path.stat().st_mode & 0o7777 == 0o4750
    assert read_all(shell, path) == content


def test_an_empty_file_is_a_file(shell: Shell, device: Device) -> None:
    assert shell.put_file(str(device.root / "empty"), []) == 0
    assert read_all(shell, device.root / "empty") == b""


def test_a_file_that_does_not_come_whole_leaves_the_old_one(shell: Shell, device: Device) -> None:
    path = device.root / "file"
    path.write_text("old")

    def breaks() -> Iterator[bytes]:
        yield b"new" * 1000
        raise ValueError("the source is gone")

    with pytest.raises(ValueError, match="the source is gone"):
        shell.put_file(str(path), breaks())
    assert path.read_text() == "old"
    assert leftovers(device.root) == []


def test_a_new_file_does_not_show_before_it_is_whole(shell: Shell, device: Device) -> None:
    path = device.root / "file"
    seen: list[bool] = []

    def watching() -> Iterator[bytes]:
        for _ in range(3):
            yield bytes(100_000)
            seen.append(path.exists())

    shell.put_file(str(path), watching())
    assert (seen, path.stat().st_size) == ([False] * 3, 300_000)


def test_a_directory_is_not_overwritten_by_a_file(shell: Shell, device: Device) -> None:
    (device.root / "folder").mkdir()
    with pytest.raises(CommandFailed):
        shell.put_file(str(device.root / "folder"), [b"x"])
    assert leftovers(device.root) == []


def test_a_missing_file_is_a_failed_command(shell: Shell, device: Device) -> None:
    with pytest.raises(CommandFailed) as failed:
        read_all(shell, device.root / "missing")
    assert "No such file" in failed.value.output


def test_a_file_may_be_left_half_read(shell: Shell, device: Device) -> None:
    (device.root / "big").write_bytes(bytes(8 << 20))
    pieces = shell.get_file(str(device.root / "big"))
    assert next(pieces)
    del pieces
    assert shell.boot_id() == "first"


@pytest.mark.parametrize("device", ["local"], indirect=True)
@pytest.mark.parametrize("path", ["relative", "/", "/a/../b", "", "/a\0b"])
def test_paths_that_must_not_be_are_refused(shell: Shell, path: str) -> None:
    for attempt in (
        lambda: shell.put_file(path, [b"x"]),
        lambda: shell.put_tree(path, []),
        lambda: shell.remove_tree(path),
    ):
        with pytest.raises(UnsafeName):
            attempt()


def test_a_full_device_is_out_of_space(shell: Shell, device: Device) -> None:
    small = device.root / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    where = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    if os.geteuid() != 0 or subprocess.run(mount, env=where, check=False).returncode != 0:
        pytest.skip("a small file system can only be mounted as root")
    try:
        assert shell.free_bytes(str(small)) <= 256 * 1024
        with pytest.raises(OutOfSpace):
            shell.put_file(str(small / "file"), [bytes(1 << 20)])
        with pytest.raises(OutOfSpace):
            shell.put_tree(
                str(small / "tree"), [TreeFile("big", 0o644, [bytes(1 << 20)], size=1 << 20)]
            )
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], env=where, check=True)


def test_free_space_is_that_of_the_nearest_parent(shell: Shell, device: Device) -> None:
    room = os.statvfs(device.root)
    said = shell.free_bytes(str(device.root / "not" / "there yet"))
    assert abs(said - room.f_bavail * room.f_frsize) < 1 << 30


def a_tree() -> list[TreeFile]:
    return [
        TreeFile("empty", 0o700),
        TreeFile("bin", 0o755),
        TreeFile("bin/run", 0o4755, [b"#!/bin/sh\n", b"true\n"], size=15),
        TreeFile("secret", 0o600, [b""]),
        TreeFile("to-run", 0o777, link="bin/run"),
        TreeFile("dangling", 0o777, link="/nowhere at/all"),
        *[
            TreeFile(f"odd/{name}", 0o640, [name.encode()], size=len(name.encode()))
            for name in ODD_NAMES
        ],
    ]


def as_facts(entries: list[TreeFile]) -> dict[str, tuple[object, ...]]:
    return {
        entry.path: (
            None if entry.link else entry.mode,
            entry.link,
            None if entry.chunks is None else b"".join(entry.chunks),
        )
        for entry in entries
    }


def facts_there(shell: Shell, path: Path) -> dict[str, tuple[object, ...]]:
    facts: dict[str, tuple[object, ...]] = {}
    for entry in shell.get_tree(str(path)):
        facts |= as_facts([entry])
    return facts


def test_a_tree_goes_there_and_comes_back(shell: Shell, device: Device) -> None:
    path = device.root / "a tree"
    sent = sum(entry.size for entry in a_tree())
    assert shell.put_tree(str(path), a_tree()) == sent
    expected = as_facts(a_tree())
    assert {
        name: facts for name, facts in facts_there(shell, path).items() if name != "odd"
    } == expected
    assert (path / "bin" / "run").stat().st_mode & 0o7777 == 0o4755
    assert leftovers(device.root) == []


def test_a_tree_joins_what_is_there(shell: Shell, device: Device) -> None:
    path = device.root / "tree"
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "kept").write_text("kept")
    (path / "bin" / "run").write_text("old")
    (path / "to-run").symlink_to("/etc")
    shell.put_tree(str(path), a_tree())
    assert (path / "bin" / "kept").read_text() == "kept"
    assert (path / "bin" / "run").read_text() == "#!/bin/sh\ntrue\n"
    assert str((path / "to-run").readlink()) == "bin/run"


def test_a_directory_is_not_replaced_by_a_trees_file(shell: Shell, device: Device) -> None:
    path = device.root / "tree"
    (path / "secret" / "held").mkdir(parents=True)
    with pytest.raises(CommandFailed):
        shell.put_tree(str(path), a_tree())
    assert (path / "secret" / "held").is_dir()
    assert leftovers(device.root) == []


def test_a_link_on_the_device_does_not_lead_a_tree_astray(shell: Shell, device: Device) -> None:
    elsewhere, path = device.root / "elsewhere", device.root / "tree"
    elsewhere.mkdir()
    path.mkdir()
    (path / "bin").symlink_to(elsewhere)
    shell.put_tree(str(path), a_tree())
    assert list(elsewhere.iterdir()) == []
    assert not (path / "bin").is_symlink()


@pytest.mark.parametrize(
    "entries",
    [
        [TreeFile("../escaped", 0o644, [b""])],
        [TreeFile("/escaped", 0o644, [b""])],
        [TreeFile("a/../../escaped", 0o644, [b""])],
        [TreeFile("", 0o644, [b""])],
        [TreeFile(".", 0o755)],
        [TreeFile("a\0b", 0o644, [b""])],
        [TreeFile("link", 0o777, link=".."), TreeFile("link/escaped", 0o644, [b""])],
        [TreeFile("link", 0o777, link="")],
    ],
)
def test_names_that_lead_out_of_a_tree_are_refused(
    shell: Shell, device: Device, entries: list[TreeFile]
) -> None:
    with pytest.raises(UnsafeName):
        shell.put_tree(str(device.root / "tree"), [TreeFile("first", 0o644, [b""]), *entries])
    assert not (device.root / "tree").exists()
    assert leftovers(device.root) == []


def raises_midway() -> Iterator[TreeFile]:
    yield TreeFile("first", 0o644, [b"x"], size=1)
    raise ValueError("the source is gone")


@pytest.mark.parametrize(
    "source",
    [
        raises_midway,
        lambda: iter([TreeFile("short", 0o644, [b"x"], size=2)]),
        lambda: iter([TreeFile("long", 0o644, [b"xyz"], size=2)]),
    ],
)
def test_a_tree_that_does_not_come_whole_leaves_nothing(
    shell: Shell, device: Device, source: Callable[[], Iterator[TreeFile]]
) -> None:
    with pytest.raises(ValueError, match=r"gone|announced"):
        shell.put_tree(str(device.root / "tree"), source())
    assert not (device.root / "tree").exists()
    assert leftovers(device.root) == []


def test_a_hard_link_comes_as_a_file_of_its_own(shell: Shell, device: Device) -> None:
    (device.root / "tree").mkdir()
    (device.root / "tree" / "one").write_text("same")
    os.link(device.root / "tree" / "one", device.root / "tree" / "two")
    os.mkfifo(device.root / "tree" / "pipe")
    facts = facts_there(shell, device.root / "tree")
    assert {name: fact[2] for name, fact in facts.items()} == {"one": b"same", "two": b"same"}


def test_a_tree_may_be_listed_without_reading_it(shell: Shell, device: Device) -> None:
    shell.put_tree(str(device.root / "tree"), a_tree())
    names = [entry.path for entry in shell.get_tree(str(device.root / "tree"))]
    assert sorted(names) == sorted([*as_facts(a_tree()), "odd"])


def test_a_missing_tree_is_a_failed_command(shell: Shell, device: Device) -> None:
    with pytest.raises(CommandFailed):
        list(shell.get_tree(str(device.root / "missing")))


def test_a_removed_tree_is_gone_also_when_it_was_never_there(shell: Shell, device: Device) -> None:
    (device.root / "kept").write_text("kept")
    shell.put_tree(str(device.root / "tree"), [TreeFile("out", 0o777, link=str(device.root))])
    for _ in range(2):
        shell.remove_tree(str(device.root / "tree"))
        assert not (device.root / "tree").exists()
    assert (device.root / "kept").exists()


@pytest.mark.parametrize("device", ["ssh"], indirect=True)
def test_a_file_cut_off_midway_never_gets_its_name(shell: Shell, device: Device) -> None:
    going = threading.Event()

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(1 << 16)
            going.set()

    def cut() -> None:
        going.wait(timeout=10)
        if device.sshd is not None:
            device.sshd.kill_connections()

    cutter = threading.Thread(target=cut)
    cutter.start()
    with pytest.raises(DeviceUnreachable):
        shell.put_file(str(device.root / "file"), endless())
    cutter.join()
    assert not (device.root / "file").exists()
    wait_until(lambda: not leftovers(device.root), seconds=10, what="a clean device")
