"""Python systems of one process and of many: which statuses they give, how trouble shows, and that no process is forgotten."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.drivers.nodes import FileResult, NodeReport, PatchFile, Status, Trouble, Turn
from devices.drivers.python_node import fleetwright_agent
from devices.drivers.python_node.doors import PythonAddress
from devices.drivers.python_node.runtime import PythonNode
from devices.drivers.ssh import SshAddress
from devices.drivers.ssh_dial import SshDial
from devices.drivers.ssh_login import KeyLogin
from tests.drivers.sshd import RunningSshd
from tests.environment.ports import free_port
from tests.environment.programs import need_root
from tests.environment.python_nodes import QUICK, PythonService
from tests.environment.waiting import wait_until
from tests.environment.workdir import workdir

TURN = Turn(upgrade="processes", fence=1)
DESK = "shop/desk.py"
ANSWER = "__import__('shop.desk').desk.answer()"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def service(root: Path) -> Iterator[PythonService]:
    service = PythonService(root)
    service.start()
    yield service
    service.remove()


@pytest.fixture
def farm(root: Path) -> Iterator[PythonService]:
    """A master and two workers."""
    service = PythonService(root, program="prefork")
    service.start()
    yield service
    service.remove()


def desk(service: PythonService, version: int) -> PatchFile:
    source = service.original(DESK).replace("    return 1\n", f"    return {version}\n")
    return PatchFile(DESK, source.encode())


def only(report: NodeReport) -> FileResult:
    assert report.is_reachable, report
    (result,) = report.results
    return result


def answers(service: PythonService) -> list[object]:
    return [service.value(ANSWER, process=process) for process in service.processes()]


# Statuses


@pytest.mark.parametrize(
    ("path", "data", "status", "reason"),
    [
        ("json.py", b"x = 1", Status.ERROR, "system"),
        ("sys.py", b"x = 1", Status.ERROR, "system"),
        ("site-packages/thing.py", b"x = 1", Status.ERROR, "system"),
        (DESK, b"x = \0", Status.NOT_BEAM, "not_python"),
        (DESK, b"x = (", Status.NOT_BEAM, "not_python"),
        (DESK, b"# coding: utf-8\nx = '\xff'", Status.NOT_BEAM, "not_python"),
        (DESK, b"# coding: no-such\nx = 1", Status.NOT_BEAM, "not_python"),
        ("shop/notes.txt", b"x", Status.NOT_BEAM, "not_python"),
        ("shop/desk.pyc", b"x", Status.NOT_BEAM, "not_python"),
        ("shop/no-name.py", b"x = 1", Status.WRONG_PATH, "name"),
        ("nowhere/desk.py", b"x = 1", Status.WRONG_PATH, "folder"),
        ("desk/../shop/desk.py", b"x = 1", Status.WRONG_PATH, "path"),
        ("fleetwright_agent.py", b"x = 1", Status.WRONG_PATH, "elsewhere"),
        (DESK, b"raise SystemExit", Status.NOT_UPDATED, "raised"),
        ("shop/spare.py", b"VALUE = 2", Status.NOT_LOADED, "not_loaded"),
        ("data/rates", b"x", None, "written"),
    ],
)
def test_each_file_has_its_status(
    service: PythonService, path: str, data: bytes, status: Status | None, reason: str
) -> None:
    result = only(service.runtime().apply([PatchFile(path, data)], turn=TURN))
    assert (result.status, result.reason) == (status, reason), result
    assert service.value(ANSWER) == 1


def test_installed_packages_are_system_libraries(service: PythonService) -> None:
    service.write("vendor/site-packages/inside.py", "x = 1\n")
    service.run(f"import sys\nsys.path.insert(0, r'{service.root}/vendor/site-packages')")
    service.run("import inside")
    file = PatchFile("vendor/site-packages/inside.py", b"x = 2\n")
    (loaded,) = service.runtime().inspect([file.path]).loaded
    assert loaded.is_system and loaded.is_loaded
    assert only(service.runtime().apply([file], turn=TURN)).status is Status.ERROR
    assert service.value("__import__('inside').x") == 1


def test_a_compiled_extension_waits_for_a_restart(service: PythonService) -> None:
    modules = subprocess.run(
        [sys.executable, "-c", "import _testmultiphase as m, _json as j; print(j.__file__)"],
        capture_output=True,
        text=True,
        check=False,
    )
    extension = Path(modules.stdout.strip() or "/nowhere")
    if not extension.is_file():
        pytest.skip("this Python has all its extensions built in")
    name = f"fast{extension.name[extension.name.index('.') :]}"
    shutil.copy(extension, service.root / "shop" / name)
    service.run(
        f"import importlib.util as u, sys\ns = u.spec_from_file_location('_json', r'{service.root}/shop/{name}')\n"
        "sys.modules['shop.fast'] = u.module_from_spec(s)"
    )
    result = only(service.runtime().apply([PatchFile(f"shop/{name}", b"new")], turn=TURN))
    assert (result.status, result.reason, result.is_written) == (
        Status.NOT_UPDATED,
        "extension",
        True,
    )


def test_a_module_whose_file_goes_is_taken_out_unless_somebody_uses_it(
    service: PythonService,
) -> None:
    gone = PatchFile("shop/added.py", None)
    service.write("shop/added.py", "def f(): return 1\n")
    service.run("import importlib, sys\nimportlib.invalidate_caches()\nimport shop.added")
    service.run("from shop import desk\ndesk.extra = shop.added.f")
    held = only(service.runtime().apply([gone], turn=TURN))
    assert (held.status, held.reason, held.is_written) == (Status.NOT_UPDATED, "held", True)
    assert "shop.desk" in held.detail
    service.write("shop/added.py", "def f(): return 1\n")
    service.run("del desk.extra")
    out = only(service.runtime().apply([gone], turn=TURN))
    assert (out.status, out.is_written) == (Status.OK, True)
    assert not service.value("'shop.added' in sys.modules or hasattr(shop, 'added')")


def test_the_version_is_the_systems_own_and_a_flipped_link_changes_nothing(
    tmp_path: Path,
) -> None:
    first, current = tmp_path / "1.0.0", tmp_path / "current"
    service = PythonService(first)
    current.symlink_to(first)
    service.root = current
    service.start()
    try:
        shutil.copytree(first, tmp_path / "2.0.0")
        current.unlink()
        current.symlink_to(tmp_path / "2.0.0")
        report = service.runtime().apply([desk(service, 2)], turn=TURN)
        assert (report.status, report.version) == (Status.OK, "1.0.0")
        assert service.value(ANSWER) == 2
        assert "return 2" in (first / DESK).read_text()
        assert "return 2" not in (tmp_path / "2.0.0" / DESK).read_text()
    finally:
        service.remove()


def test_looking_writes_no_compiled_copies(service: PythonService) -> None:
    before = sorted(service.root.rglob("*"))
    service.runtime().inspect([DESK, "main.py", "shop/spare.py"])
    service.runtime().check([desk(service, 2), PatchFile("shop/spare.py", b"x = 1")])
    assert sorted(service.root.rglob("*")) == before


# Trouble


def test_a_stranger_on_the_port_is_not_told_anything(service: PythonService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        heard = bytearray()

        def talk() -> None:
            line, _ = stranger.accept()
            with line:
                heard.extend(line.recv(8))
                line.sendall(bytes(32))
                heard.extend(line.recv(64, socket.MSG_WAITALL))
                line.sendall(b"1" + bytes(32))
                heard.extend(line.recv(1 << 16))

        thread = threading.Thread(target=talk)
        thread.start()
        address = PythonAddress(port=stranger.getsockname()[1])
        node = PythonNode(address, key=service.key, limits=QUICK)
        report = node.inspect([DESK])
        thread.join()
    assert (report.is_reachable, report.reason) == (False, Trouble.REFUSED), report
    assert len(heard) == 72
    assert service.key not in heard


def test_the_key_is_in_no_words(service: PythonService) -> None:
    node = service.runtime(key=b"wrong key that nobody should read")
    report = node.inspect([DESK])
    assert report.reason is Trouble.REFUSED
    assert "wrong key" not in repr(node) + repr(report)
    assert service.key.decode() not in repr(service.runtime())


def test_nobody_at_the_port_is_unreachable() -> None:
    node = PythonNode(PythonAddress(port=free_port()), key=b"k" * 16, limits=QUICK)
    report = node.inspect([])
    assert (report.reason, report.status) == (Trouble.UNREACHABLE, Status.ERROR)


def test_a_folder_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    node = PythonNode(PythonAddress(folder=str(tmp_path / "none")), key=b"k" * 16)
    assert node.inspect([]).reason is Trouble.UNREACHABLE


def test_a_process_that_is_killed_during_apply_has_died_and_its_files_are_whole(
    service: PythonService,
) -> None:
    source = service.original(DESK)
    slow = PatchFile(DESK, (source + "\nimport time\ntime.sleep(30)\n").encode())
    reports: list[NodeReport] = []
    thread = threading.Thread(
        target=lambda: reports.append(service.runtime().apply([slow], turn=TURN))
    )
    thread.start()
    beside = service.root / "shop"
    wait_until(lambda: list(beside.glob(".desk*")), seconds=10, what="the file beside")
    service.stop()
    thread.join()
    assert (reports[0].is_reachable, reports[0].reason) == (False, Trouble.DIED), reports
    assert (service.root / DESK).read_text() == source
    service.start()
    assert only(service.runtime().apply([desk(service, 2)], turn=TURN)).status is Status.OK
    assert not list(beside.glob(".desk*"))


def test_a_caller_who_says_nothing_keeps_nobody_waiting(service: PythonService) -> None:
    (process,) = service.processes()
    lines = []
    for _ in range(5):
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(service.folder / f"{process}.sock"))
        lines.append(line)
    began = time.monotonic()
    assert service.runtime().inspect([DESK]).is_reachable
    assert time.monotonic() - began < 2
    for line in lines:
        line.close()


@pytest.mark.parametrize("key", [b"short", b""])
def test_a_key_that_is_too_short_is_not_taken(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        fleetwright_agent.start(root=str(tmp_path), folder=str(tmp_path / "a"), key=key)
    assert not (tmp_path / "a").exists()


def test_a_folder_that_others_may_write_to_is_not_taken(tmp_path: Path) -> None:
    open_folder = tmp_path / "a"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    with pytest.raises(ValueError, match="others"):
        fleetwright_agent.start(root=str(tmp_path), folder=str(open_folder), key=b"k" * 16)


def test_only_its_user_can_knock(service: PythonService) -> None:
    (process,) = service.processes()
    assert service.folder.stat().st_mode & 0o777 == 0o700
    assert (service.folder / f"{process}.sock").stat().st_mode & 0o777 == 0o600


def test_the_agent_is_written_for_python_3_9() -> None:
    folder = Path(fleetwright_agent.__file__).parent
    for path in [Path(fleetwright_agent.__file__), *(folder / "engine").glob("*.py")]:
        compile(path.read_text(), str(path), "exec", flags=1024, _feature_version=9)


# Many processes


def test_master_and_workers_are_all_patched_and_new_workers_come_patched(
    farm: PythonService,
) -> None:
    report = farm.runtime().apply([desk(farm, 2)], turn=TURN)
    assert only(report).status is Status.OK
    assert "3 processes" in report.runtime
    assert all(str(process) in report.detail for process in farm.processes())
    assert answers(farm) == [2, 2, 2]
    _, worker, _ = farm.processes()
    os.kill(worker, signal.SIGKILL)
    wait_until(
        lambda: len(farm.processes()) == 3 and worker not in farm.processes(),
        seconds=10,
        what="a new worker",
    )
    assert answers(farm) == [2, 2, 2]
    assert only(farm.runtime().apply([desk(farm, 2)], turn=TURN)).status is Status.NOT_CHANGED


def test_what_one_worker_has_loaded_counts(farm: PythonService) -> None:
    _, worker, _ = farm.processes()
    farm.run("import shop.spare", process=worker)
    (loaded,) = farm.runtime().inspect(["shop/spare.py"]).loaded
    assert loaded.is_loaded and loaded.version == loaded.disk_version
    (kept,) = farm.runtime().keep(["shop/spare.py"]).files
    assert kept.version == loaded.version
    result = only(farm.runtime().apply([PatchFile("shop/spare.py", b"VALUE = 2\n")], turn=TURN))
    assert result.status is Status.OK
    assert farm.value("__import__('shop.spare').spare.VALUE", process=worker) == 2


def test_one_worker_in_old_code_is_named(farm: PythonService) -> None:
    _, _, worker = farm.processes()
    farm.run("from shop import desk\nheld = desk.quotes()\nnext(held)", process=worker)
    new = farm.original(DESK).replace("yield 1", "yield 2").encode()
    result = only(farm.runtime().apply([PatchFile(DESK, new)], turn=TURN))
    assert (result.status, result.lingering) == (Status.NOT_UPDATED, 1)
    assert str(worker) in result.detail
    assert result.is_written


def test_a_worker_that_gave_up_its_rights_is_patched_by_what_its_master_wrote() -> None:
    need_root("giving up rights")
    farm = PythonService(workdir() / "readable", program="prefork")
    farm.start()
    try:
        for worker in farm.processes()[1:]:
            farm.run("import os\nos.setgid(65534)\nos.setuid(65534)", process=worker)
        result = only(farm.runtime().apply([desk(farm, 2)], turn=TURN))
        assert (result.status, result.is_written) == (Status.OK, True), result
        assert answers(farm) == [2, 2, 2]
    finally:
        farm.remove()
        shutil.rmtree(farm.root)


def test_one_frozen_worker_is_told_beside_the_others(farm: PythonService) -> None:
    _, worker, _ = farm.processes()
    farm.freeze(worker)
    report = farm.runtime().check([desk(farm, 2)])
    assert (report.is_reachable, report.reason) == (False, Trouble.TIMED_OUT)
    assert str(worker) in report.detail
    assert report.status is Status.ERROR
    assert len(report.results) == 1


def test_a_frozen_master_keeps_its_workers_from_being_patched_alone(farm: PythonService) -> None:
    master, *workers = farm.processes()
    farm.freeze(master)
    report = farm.runtime().apply([desk(farm, 2)], turn=TURN)
    assert (report.is_reachable, report.reason) == (False, Trouble.TIMED_OUT)
    assert [farm.value(ANSWER, process=worker) for worker in workers] == [1, 1]


def test_sockets_of_processes_that_are_gone_do_not_count(farm: PythonService) -> None:
    _, worker, _ = farm.processes()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: worker not in farm.processes(), seconds=10, what="the worker's end")
    wait_until(lambda: len(farm.processes()) == 3, seconds=10, what="a new worker")
    report = farm.runtime().inspect([DESK])
    assert report.is_reachable
    assert str(worker) not in report.detail


def test_through_one_port_every_process_is_reached(root: Path) -> None:
    farm = PythonService(root, program="prefork", port=free_port())
    farm.start()
    try:
        assert only(farm.runtime().apply([desk(farm, 2)], turn=TURN)).status is Status.OK
        assert answers(farm) == [2, 2, 2]
        assert farm.runtime(key=b"another key, long enough").inspect([]).reason is Trouble.REFUSED
        _, worker, _ = farm.processes()
        farm.freeze(worker)
        report = farm.runtime().inspect([DESK])
        assert (report.reason, str(worker) in report.detail) == (Trouble.TIMED_OUT, True)
    finally:
        farm.remove()


def test_a_device_is_patched_through_its_ssh(root: Path, sshd: RunningSshd) -> None:
    farm = PythonService(root, program="prefork", port=free_port())
    farm.start()
    place = SshAddress(sshd.host, sshd.port, sshd.user)
    login = KeyLogin(sshd.client_key_pem)
    try:
        with SshDial(place, login=login, host_key=sshd.host_key) as dial:
            node = farm.runtime(dial=dial)
            assert only(node.apply([desk(farm, 2)], turn=TURN)).status is Status.OK
            assert answers(farm) == [2, 2, 2]
            farm.stop()
            assert node.inspect([DESK]).reason is Trouble.UNREACHABLE
    finally:
        farm.remove()


def test_the_port_outlives_the_process_that_had_it(root: Path) -> None:
    farm = PythonService(root, program="prefork", port=free_port())
    farm.start()
    try:
        master, *workers = farm.processes()
        os.kill(master, signal.SIGKILL)
        wait_until(
            lambda: farm.runtime().inspect([DESK]).is_reachable,
            seconds=10,
            what="another process on the port",
        )
        report = farm.runtime().inspect([DESK])
        assert all(str(worker) in report.detail for worker in workers)
        assert str(master) not in report.detail
    finally:
        farm.remove()
