"""What can go wrong around a module's update: workers, engines, registries, networks, disks."""

from __future__ import annotations

from collections.abc import Iterator

from tests.failures.door import Fault
from tests.modules.host import Host
from tests.modules.stage import Stage
from tests.modules.table import (
    FAILING,
    REFUSED,
    UNWELL,
    Bench,
    Cell,
)
from updates.machine import State

STATES = [one for one in State if one not in (State.PENDING, State.FINISHED)]


def killed() -> Fault:
    """The worker dies without a word; another one goes on."""
    return Fault("worker killed", dies=True)


def cut(host: Host) -> Fault:
    """The device's cable is out for a while, and its connections do not live to see the end of that."""
    container = host.container

    def begin() -> None:
        container.cut_network()
        container.exec("sh", "-c", "pkill -KILL -f '^sshd: ' || true")

    return Fault("device cut off", begin, container.restore_network, passes=True)


def gone(stage: Stage) -> Fault:
    """Nobody listens where the registry was."""
    return Fault("registry gone", stage.registry.stop, stage.registry.start)


def engine_stopped(stage: Stage) -> Fault:
    """The device's engine is shut down, and started again after a while."""
    return Fault("engine stopped", stage.engine.stop, stage.engine.start, passes=True)


def full(host: Host) -> Fault:
    """There is no room left where the instance lives, until the upgrade is over."""
    container = host.container
    fill = "dd if=/dev/zero of=/home/fill bs=1M 2>/dev/null; dd if=/dev/zero of=/home/fill2 bs=1k 2>/dev/null; true"
    return Fault(
        "disk full",
        lambda: container.exec("sh", "-c", fill),
        lambda: container.exec("rm", "-f", "/home/fill", "/home/fill2"),
    )


def limit_room(host: Host) -> None:
    """The device's homes have a small file system of their own."""
    host.container.exec("mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", "/home")


def lift_limit(host: Host) -> None:
    """They have not any more."""
    host.container.exec("umount", "--lazy", "/home")


def failing(bench: Bench) -> Iterator[Cell]:
    """In each state that does something on the device, that fails."""
    module, run = bench.stage.module, bench.host.container.exec
    root = f"/home/{bench.instance}/.config"

    def does(state: State, image: str, begin: str = "true", end: str = "true") -> Cell:
        fault = Fault("fails", lambda: run("sh", "-c", begin), lambda: run("sh", "-c", end))
        return Cell(state, fault, image)

    there, back = bench.image(State.INSTALLING), module.build("3.8.0", FAILING)
    manager = f"env XDG_RUNTIME_DIR=/run/user/$(id -u {bench.instance}) systemctl --user"
    as_user = f"runuser -u {bench.instance} -- {manager}"
    stop = f"{as_user} stop mymodule"
    yield does(State.CHECKING, module.reference("9.9.9"))
    yield does(State.BACKING_UP, there, f"touch {root}/.fleetwright", f"rm -f {root}/.fleetwright")
    yield does(State.DOWNLOADING, module.build("4.8.0", REFUSED))
    yield does(State.INSTALLING, back)
    yield does(State.VERIFYING, module.build("5.8.0", UNWELL))
    yield does(State.ROLLBACK_VERIFYING, back, stop)
    yield Cell(State.ROLLBACK_RESTARTING, unstartable(bench, as_user), back)
    yield Cell(State.CLEANING, untidy(bench), there)
    own = f"chown -R {bench.instance}: {root}/etc; chmod 755 {root}/etc"
    yield does(State.ROLLING_BACK, back, f"chown root: {root}/etc", own)


def unstartable(bench: Bench, as_user: str) -> Fault:
    """The service cannot be started, whatever its unit says, until that was tried."""
    run = bench.host.container.exec
    runtime = f"/run/user/$(id -u {bench.instance})"
    folder, reload = f"{runtime}/systemd/user/mymodule.service.d", f"{as_user} daemon-reload"
    drop_in = r"printf '[Service]\nExecStartPre=/bin/mkdir %%t/tried\nExecStartPre=/bin/false\n'"
    wait = f"timeout 60 sh -c 'until rmdir {runtime}/tried 2>/dev/null; do sleep 0.1; done'"
    return Fault(
        "fails",
        lambda: run("sh", "-c", f"mkdir -p {folder} && {drop_in} >{folder}/no.conf && {reload}"),
        lambda: run("sh", "-c", f"{wait} && rm -rf {folder} && {reload}"),
        passes=True,
    )


def untidy(bench: Bench) -> Fault:
    """The upgrade's work directory cannot be removed, until the upgrade is over."""
    run = bench.host.container.exec
    here = "cd /var/lib/fleetwright && cd $(ls -td *-*-*-*-*/ | head -n 1)"
    return Fault(
        "fails",
        lambda: run("sh", "-c", f"{here} && mkdir held && mount -t tmpfs tmpfs held"),
        lambda: run("sh", "-c", f"{here} && umount held && rm -rf $PWD"),
    )


def cells(bench: Bench, *faults: Fault) -> Iterator[Cell]:
    """Each state with each of these faults."""
    for state in STATES:
        for fault in faults:
            yield Cell(state, fault, bench.image(state))
