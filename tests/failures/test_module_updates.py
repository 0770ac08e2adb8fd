"""The telling cells of the table of module updates: each ends exactly old or exactly new, and the history says which.

All cells are in tests/soak/test_module_table.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.environment.waiting import wait_until
from tests.failures.door import Fault
from tests.modules.faults import cut, full, gone, killed, lift_limit, limit_room
from tests.modules.host import Host, ordered
from tests.modules.mymodule import FAIL, script
from tests.modules.stage import Stage
from tests.modules.table import JOB, Bench, Cell
from updates.machine import Outcome, State

pytestmark = pytest.mark.database(transaction=True)

SYSTEMCTL = "/usr/local/bin/systemctl"
# One restart of services takes its time; it says when they run.
SLOW = """\
#!/bin/sh
case "$*" in
  *" restart "*) if rmdir /opt/slow/wanted 2>/dev/null; then /bin/systemctl "$@"; mkdir /opt/slow/begun; sleep 3; exit; fi ;;
esac
exec /bin/systemctl "$@"
"""


@pytest.fixture(autouse=True)
def soon_noticed(settings: Settings) -> None:
    """Who takes over does so soon, and health is asked for at short intervals."""
    settings.LEASE_SECONDS = 3
    settings.HEARTBEAT_SECONDS = 0.5
    settings.HEALTH_LIMIT_SECONDS = 20
    settings.HEALTH_PASSES = 2
    settings.HEALTH_PAUSE_SECONDS = 0.3


@pytest.fixture
def bench(module_stage: Stage, transactional_db: None) -> Iterator[Bench]:
    """An instance in a file system with little room."""
    host = Host(module_stage.device(), module_stage.engine)
    limit_room(host)
    yield Bench.set_up(host, module_stage)
    host.reset()
    lift_limit(host)


@pytest.fixture
def host(module_stage: Stage, transactional_db: None) -> Iterator[Host]:
    """A device whose service manager may be put another in front of."""
    host = Host(module_stage.device(), module_stage.engine)
    yield host
    host.container.exec("rm", "-rf", SYSTEMCTL, "/opt/slow")
    host.reset()


def test_each_ends_exactly_old_or_exactly_new(bench: Bench, module_stage: Stage) -> None:
    """One instance for all: what one upgrade leaves must not harm the next."""
    host = bench.host
    rows: list[tuple[State, Fault, str]] = [
        (State.DOWNLOADING, gone(module_stage), "failed"),
        (State.INSTALLING, full(host), "rolled_back"),
        (State.INSTALLING, cut(host), "succeeded"),
        (State.INSTALLING, killed(), "succeeded"),
        (State.ROLLING_BACK, full(host), "rolled_back"),
        (State.ROLLING_BACK, killed(), "rolled_back"),
    ]
    for state, fault, outcome in rows:
        cell = Cell(state, fault, bench.image(state))
        upgrade = bench.carry_out(cell)
        assert (upgrade.outcome, bench.complaint(upgrade)) == (outcome, ""), (
            f"{cell}: {upgrade.error}"
        )
        bench.make_old(upgrade)


def test_data_that_is_kept_is_not_overwritten_by_who_takes_over_while_the_services_go_on(
    module_stage: Stage, host: Host
) -> None:
    module, run = module_stage.module, host.container.exec
    v1 = module.build("1.7.0")
    v2 = module.build("2.7.0", {"imageroot/update-module.d/30migrate": script(FAIL)})
    instance = host.install(v1, keeps_data=True, volumes=["mymodule1-data"])

    def in_volume(command: str) -> str:
        volume = ("--volume=mymodule1-data:/data", "--entrypoint=/bin/busybox")
        web = module.service("web", "1.7.0")
        return host.engine.docker("run", "--rm", *volume, web, "sh", "-c", command)

    def write_as_they_run() -> None:
        begun = "[ -d /opt/slow/begun ] && echo yes || true"
        wait_until(lambda: run("sh", "-c", begun), seconds=60, what="restart")
        in_volume("echo later >/data/database")

    in_volume("echo before >/data/database")
    run("sh", "-c", f"cat >{SYSTEMCTL} && chmod 755 {SYSTEMCTL}", stdin=SLOW.encode())
    run("sh", "-c", "mkdir -p /opt/slow/wanted && chmod 777 /opt/slow")
    upgrade = ordered(instance, v2)
    dies = Fault("worker killed", dies=True, middle=write_as_they_run)
    JOB.meets(dies, upgrade=upgrade, state=State.BACKING_UP)

    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    assert in_volume("cat /data/database") == "before"
    assert host.answer(instance) == "web 1.7.0"
