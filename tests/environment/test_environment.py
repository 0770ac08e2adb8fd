"""The parts that other tests stand on do what they promise."""

from __future__ import annotations

import base64
import io
import os
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import paramiko
import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import connection
from playwright.sync_api import Browser, Page
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from devices.drivers.beam.trouble import NodeTroubled
from tests.environment import debian
from tests.environment.chromium import open_page
from tests.environment.device_container import DeviceContainer
from tests.environment.docker import DockerEngine
from tests.environment.erlang import Erlang
from tests.environment.ports import free_port
from tests.environment.redis import RedisServer
from tests.environment.waiting import wait_until
from tests.environment.workdir import owner_is_dead, workdir

DeviceFactory = Callable[..., DeviceContainer]


def ssh(device: DeviceContainer) -> paramiko.SSHClient:
    """Logged in, with the device's own host key checked."""
    kind, blob = device.host_key.split(" ")
    client = paramiko.SSHClient()
    host_key = paramiko.PKey.from_type_string(kind, base64.b64decode(blob))
    client.get_host_keys().add(f"[{device.host}]:{device.port}", kind, host_key)
    key = paramiko.Ed25519Key.from_private_key(io.StringIO(device.client_key_pem))
    client.connect(device.host, device.port, device.user, pkey=key, allow_agent=False, timeout=10)
    return client


def over_ssh(device: DeviceContainer, command: str) -> str:
    with ssh(device) as client:
        _, output, _ = client.exec_command(command, timeout=30)
        return output.read().decode().strip()


def test_each_of_debians_packages_has_its_reason() -> None:
    lines = [line for line in debian.LIST.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not line.partition("#")[2].strip()] == []
    assert debian.listed() == sorted(debian.listed())


def test_what_the_portal_writes_goes_to_this_processs_own_folder() -> None:
    assert Path(os.environ["FLEETWRIGHT_VAR"]) == workdir()
    assert Path(default_storage.path("artifact")).is_relative_to(workdir())


def test_a_leftover_of_a_killed_process_is_told_from_that_of_a_living_one() -> None:
    assert not owner_is_dead(workdir().name)
    assert owner_is_dead("fleetwright-4194399-abc")
    assert not owner_is_dead("fleetwright-notes-abc")


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[0] == "127.0.0.1"


def test_waiting_ends_with_what_was_waited_for() -> None:
    with pytest.raises(TimeoutError, match="a miracle: not seen within 0 s"):
        wait_until(lambda: False, seconds=0, what="a miracle")


@pytest.mark.database
def test_the_database_answers_and_forgets() -> None:
    User.objects.create_user("ada")
    assert User.objects.count() == 1


@pytest.mark.database(transaction=True)
def test_a_process_that_a_test_starts_is_given_the_tests_own_database(database_url: str) -> None:
    assert str(connection.settings_dict["NAME"]) in database_url


def test_redis_is_empty_for_each_test(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


test_redis_is_empty_for_the_next_test_too = test_redis_is_empty_for_each_test


def test_redis_can_go_away_and_come_back_empty(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set("ordered", "yes")
        redis_server.stop()
        with pytest.raises(RedisConnectionError):
            client.ping()
        redis_server.start()
        assert client.get("ordered") is None


def test_erlang_nodes_share_a_folder_or_have_their_own_and_start_again(
    erlang: Erlang, tmp_path: Path
) -> None:
    one, two = (erlang.node(name, root=tmp_path / "shared") for name in ("one", "two"))
    lacking = erlang.node("lacking_one", root=tmp_path / "own", without=("bay_spare",))
    erlang.start(one, two, lacking)
    assert one.call("bay_counter", "bump") == 1
    assert [node.call("bay_counter", "count") for node in (one, two, lacking)] == [1, 0, 0]
    assert two.call("bay_spare", "answer") == 1
    with pytest.raises(NodeTroubled, match="undef"):
        lacking.call("bay_spare", "answer")
    one.restart()
    assert one.call("bay_counter", "count") == 0
    for node in (one, two, lacking):
        node.stop()


@pytest.mark.e2e
def test_the_engine_is_private_and_runs_what_was_made_from_nothing(
    docker_engine: DockerEngine,
) -> None:
    assert docker_engine.docker("info", "--format", "{{.DockerRootDir}}").startswith(str(workdir()))


@pytest.mark.e2e
def test_a_device_boots_and_lets_its_key_holder_in(device_container: DeviceFactory) -> None:
    device = device_container(device_type="raspberrypi4")
    assert over_ssh(device, "systemctl is-system-running") == "running"
    assert over_ssh(device, "systemctl daemon-reload && echo reloaded") == "reloaded"
    assert over_ssh(device, "cat /var/lib/mender/device_type") == "device_type=raspberrypi4"
    assert over_ssh(device, "mender --version").startswith("3.")
    assert "single-file" in over_ssh(device, "ls /usr/share/mender/modules/v3")


@pytest.mark.e2e
def test_a_devices_users_have_a_user_manager(device_container: DeviceFactory) -> None:
    device = device_container()
    device.exec("useradd", "--create-home", "module1")
    device.exec("loginctl", "enable-linger", "module1")
    user_id = device.exec("id", "--user", "module1")
    reload = f"XDG_RUNTIME_DIR=/run/user/{user_id} systemctl --user daemon-reload && echo reloaded"
    wait_until(
        lambda: over_ssh(device, f"su module1 -c '{reload}'") == "reloaded",
        seconds=20,
        what="the user manager of module1",
    )


@pytest.mark.e2e
def test_two_devices_are_two(device_container: DeviceFactory) -> None:
    one, other = device_container(), device_container()
    assert one.host_key != other.host_key
    assert one.boot_id() != other.boot_id()


@pytest.mark.e2e
@pytest.mark.parametrize("how", ["told from outside", "told by itself", "stopped", "killed"])
def test_a_reboot_changes_the_boot_id_and_keeps_the_files(
    device_container: DeviceFactory, how: str
) -> None:
    device = device_container()
    before = over_ssh(device, "cat /proc/sys/kernel/random/boot_id")
    device.exec("sh", "-c", "echo kept > /root/kept; echo lost > /tmp/lost")
    match how:
        case "told from outside":
            device.reboot()
        case "told by itself":
            over_ssh(device, "systemctl reboot")
            device.wait_for_boot_after(before)
        case "stopped":
            device.stop()
            device.start()
        case "killed":
            device.kill()
            device.start()
    assert over_ssh(device, "cat /proc/sys/kernel/random/boot_id") != before
    assert over_ssh(device, "cat /root/kept; ls /tmp/lost 2>&1").startswith("kept\nls: cannot")


@pytest.mark.e2e
def test_a_cut_off_device_hangs_and_is_the_same_afterwards(device_container: DeviceFactory) -> None:
    device = device_container()
    boot_id = device.boot_id()
    device.cut_network()
    with pytest.raises(OSError), socket.create_connection((device.host, device.port), timeout=1):
        pass
    device.restore_network()
    assert over_ssh(device, "cat /proc/sys/kernel/random/boot_id") == boot_id


@pytest.mark.e2e
def test_a_device_reaches_the_machine(
    docker_engine: DockerEngine, device_container: DeviceFactory
) -> None:
    device = device_container()
    with socket.create_server((docker_engine.machine_address, 0)) as server:
        port = server.getsockname()[1]
        server.settimeout(10)
        device.exec("bash", "-c", f"echo hello > /dev/tcp/{docker_engine.machine_address}/{port}")
        connection_from_device, _ = server.accept()
        with connection_from_device:
            assert connection_from_device.recv(6) == b"hello\n"


class HelloHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            b"<title>Hello</title><script>document.title += ' ' + location.hash</script>"
        )

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Not on the terminal."""


@pytest.mark.e2e
@pytest.mark.database(transaction=True)
def test_a_page_is_read_in_a_real_browser_while_the_test_uses_the_database(page: Page) -> None:
    server = HTTPServer(("127.0.0.1", 0), HelloHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/#there")
        User.objects.create_user("ada")
        assert page.title() == "Hello #there"
        assert User.objects.count() == 1
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.e2e
def test_a_page_whose_script_fails_fails_its_test(chromium: Browser) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match="nonsense is not defined"),
        open_page(chromium) as page,
    ):
        page.goto("data:text/html,<script>nonsense()</script>")
