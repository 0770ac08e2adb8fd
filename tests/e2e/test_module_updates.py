"""Instances of modules on a device with systemd, a Docker Engine and a registry: installed, updated, taken back, gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from portal.core.actors import PORTAL
from tests.environment.module_images import Entry
from tests.environment.waiting import wait_until
from tests.modules.host import (
    PATIENCE_SECONDS,
    WHY,
    Host,
    carried_out,
    taken_back,
    uninstalled,
    updated,
)
from tests.modules.mymodule import FAIL, HEARD, RESTART, ROOTFULL, SAY, Tree, script
from tests.modules.stage import Stage
from updates.errors import NotUndoable
from updates.machine import Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.services.module_updates import reinstall

EXPAND = '#!/bin/sh\necho "expanded by $0"\n'
ACTION = '#!/bin/sh\necho "$AGENT_TASK_ACTION"\n'
V1: Tree = {
    "imageroot/etc/old.conf": "old\n",
    "imageroot/etc/deep/gone": "x\n",
    "imageroot/actions/create-module/15action": script(ACTION),
    "imageroot/actions/destroy-module/15action": script(ACTION),
}
V2: Tree = {
    "imageroot/etc/new.conf": "new\n",
    "imageroot/actions/create-module/10expand": script(EXPAND),
    "imageroot/update-module.d/10say": script(SAY),
    "imageroot/update-module.d/12expand": Entry(link="../actions/create-module/10expand"),
    "imageroot/update-module.d/15heard": script(HEARD),
    "imageroot/update-module.d/17action": script(ACTION),
}
V3: Tree = {
    "imageroot/etc/three.conf": "3\n",
    "imageroot/update-module.d/10say": script(SAY),
    "imageroot/update-module.d/15migrate": script(FAIL),
}
LOOPS: Tree = {
    "imageroot/systemd/user/mymodule-loops.service": (
        "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=3\n"
    ),
    "imageroot/actions/create-module/30loop": script(
        "#!/bin/sh\nsystemctl --user start mymodule-loops\n"
    ),
}
OURS = ["swap", "environment", "systemctl-daemon-reload"]
IN_VOLUME = (
    "docker --host unix:///opt/docker/docker.sock run --rm --entrypoint /bin/busybox"
    ' --volume "$MODULE_ID-data:/data" "$WEB_IMAGE"'
)


@pytest.fixture(autouse=True)
def soon_well(settings: Settings) -> None:
    """Health is asked for at short intervals."""
    settings.HEALTH_LIMIT_SECONDS = 20
    settings.HEALTH_PASSES = 2
    settings.HEALTH_PAUSE_SECONDS = 0.3


@pytest.fixture
def host(module_stage: Stage, transactional_db: None) -> Iterator[Host]:
    host = Host(module_stage.device(), module_stage.engine)
    yield host
    host.reset()


def calls(upgrade: Upgrade) -> list[str]:
    """What ran on the device while the upgrade was being installed, in its order."""
    entered = upgrade.events.get(to_state=State.INSTALLING)
    prefix = f"{entered.seq:04d}-"
    ended = upgrade.events.filter(call__startswith=prefix, data__has_key="status").order_by("seq")
    return [row.call.removeprefix(prefix).rpartition(".")[2] for row in ended]


def said(upgrade: Upgrade, word: str) -> str:
    """What a script of the upgrade wrote."""
    kind = UpgradeEvent.Kind.OUTPUT
    rows = upgrade.events.filter(kind=kind, call__endswith=f".{word}").order_by("seq")
    return "".join(row.text for row in rows)


def test_an_update_one_that_fails_the_way_back_by_hand_and_the_end(
    host: Host, module_stage: Stage
) -> None:
    module = module_stage.module
    v1, v2, v3 = module.build("1.0.0", V1), module.build("2.0.0", V2), module.build("3.0.0", V3)
    instance = host.install(v1)
    root = instance.installation.install_dir
    host.container.exec("sh", "-c", 'echo mine >"$1/etc/local.conf"', "sh", root)
    first = host.stands(instance)
    assert (first.answer, first.units) == ("web 1.0.0", ["mymodule.service"])

    second = updated(instance, v2)
    assert second.outcome == Outcome.SUCCEEDED, second.error
    assert calls(second) == [
        *OURS,
        "30noted",
        "10say",
        "12expand",
        "15heard",
        "17action",
        "20restart",
    ]
    assert said(second, "10say") == f"from {v1} to {v2} in {root}/state\n"
    assert said(second, "12expand") == f"expanded by {root}/update-module.d/12expand\n"
    new = host.stands(instance)
    assert (new.answer, new.units) == ("web 2.0.0", ["mymodule.service"])
    assert {"./etc/new.conf", "./etc/local.conf"} < set(new.tree)
    assert not {"./etc/old.conf", "./etc/deep", "./etc/deep/gone"} & set(new.tree)
    assert new.tree["./update-module.d/12expand"].endswith("../actions/create-module/10expand")
    environment = host.environment(instance)
    assert environment["WEB_IMAGE"] == module.service("web", "2.0.0")
    assert environment["PREV_WEB_IMAGE"] == module.service("web", "1.0.0")

    third = updated(instance, v3)
    assert third.outcome == Outcome.ROLLED_BACK, third.error
    assert third.error == "update-module.d/15migrate ended with status 7."
    assert "the schema cannot be migrated" in said(third, "15migrate")
    assert calls(third) == [*OURS, "30noted", "10say", "15migrate"]
    assert host.stands(instance).differs(new) == []

    back = taken_back(second)
    assert back.outcome == Outcome.SUCCEEDED, back.error
    assert host.stands(instance).differs(first) == []
    instance.refresh_from_db()
    assert instance.version == "1.0.0"

    gone = uninstalled(instance)
    assert gone.outcome == Outcome.SUCCEEDED, gone.error
    assert [
        said(Upgrade.objects.filter(instance=instance).earliest("created_at"), "15action"),
        said(second, "17action"),
        said(gone, "15action"),
    ] == ["create-module\n", "update-module\n", "destroy-module\n"]
    left = host.stands(instance)
    assert (left.tree, left.units, left.answer) == ({}, [], "")
    assert (
        host.container.exec("sh", "-c", "ls /home; ls -d /var/lib/fleetwright/*-*-*-*/; true") == ""
    )
    assert host.engine.docker("ps", "--all", "--quiet", "--filter", "name=-web$") == ""
    kept = host.engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert not [
        name for name in kept if name in first.images or name.startswith("fleetwright.local")
    ]


def test_a_way_back_that_is_gone_is_not_offered(
    host: Host, module_stage: Stage, settings: Settings
) -> None:
    settings.KEPT_WAYS_BACK = 1
    module = module_stage.module
    instance = host.install(module.build("1.0.0", V1))
    first, second = (updated(instance, module.build(f"{number}.0.0", V2)) for number in (2, 3))
    assert (first.outcome, second.outcome) == (Outcome.SUCCEEDED, Outcome.SUCCEEDED)
    assert taken_back(second).outcome == Outcome.SUCCEEDED
    first.refresh_from_db()
    with pytest.raises(NotUndoable, match="is not on the device any more"):
        taken_back(first)


def test_a_rootfull_instance_whose_units_a_script_copies(host: Host, module_stage: Stage) -> None:
    module = module_stage.module
    rootfull = {"org.nethserver.rootfull": "1"}
    worker = "imageroot/systemd/system/mymodule-worker.service"
    second: Tree = {**ROOTFULL, worker: "[Service]\nExecStart=/bin/sleep infinity\n"}
    third: Tree = {
        **ROOTFULL,
        "imageroot/systemd/system/mymodule-third.timer": "[Timer]\nOnCalendar=daily\n",
        "imageroot/update-module.d/30migrate": script(FAIL),
    }
    instance = host.install(module.build("1.1.0", ROOTFULL, labels=rootfull), rootfull=True)
    first = host.stands(instance)
    assert (first.answer, first.units) == ("web 1.1.0", [f"{instance}.service"])

    done = updated(instance, module.build("2.1.0", second, labels=rootfull))
    assert done.outcome == Outcome.SUCCEEDED, done.error
    new = host.stands(instance)
    assert new.answer == "web 2.1.0"
    assert f"/etc/systemd/system/{instance}-worker.service" in new.tree

    failed = updated(instance, module.build("3.1.0", third, labels=rootfull))
    assert failed.outcome == Outcome.ROLLED_BACK, failed.error
    assert host.stands(instance).differs(new) == []

    back = taken_back(done)
    assert back.outcome == Outcome.SUCCEEDED, back.error
    assert host.stands(instance).differs(first) == []

    assert uninstalled(instance).outcome == Outcome.SUCCEEDED
    left = host.stands(instance)
    assert (left.tree, left.units, left.answer) == ({}, [], "")


def test_an_uninstall_that_came_half_way_is_brought_to_its_end_by_another(
    host: Host, module_stage: Stage
) -> None:
    instance = host.install(module_stage.module.build("1.0.0", V1))
    home, run = f"/home/{instance}", host.container.exec
    place, refuses = "/usr/local/bin/userdel", "#!/bin/sh\necho No. >&2\nexit 1\n"
    run("sh", "-c", f"cat >{place} && chmod 755 {place}", stdin=refuses.encode())
    try:
        first = uninstalled(instance)
    finally:
        run("rm", place)
    assert (first.outcome, first.warning) == (Outcome.SUCCEEDED, "unmake-place failed: No.")

    run("sh", "-c", f"mkdir {home}/held && mount -t tmpfs tmpfs {home}/held")
    try:
        second = uninstalled(instance)
    finally:
        run("umount", f"{home}/held")
    assert second.outcome == Outcome.SUCCEEDED, second.error
    assert second.warning.startswith("unmake-place failed: ")
    assert run("sh", "-c", f"id -u {instance} 2>/dev/null; ls -d {home}") == home

    third = uninstalled(instance)
    assert (third.outcome, third.warning) == (Outcome.SUCCEEDED, ""), third.error
    assert run("sh", "-c", "ls /home; ls /var/lib/fleetwright/instances; true") == ""


def test_data_comes_back_with_what_wrote_it(host: Host, module_stage: Stage) -> None:
    module = module_stage.module

    def writes(version: str) -> str:
        inside = f"{IN_VOLUME} sh -c 'echo {version} >/data/database'"
        return f"#!/bin/sh\nset -e\necho {version} >database\n{inside}\n"

    def data() -> list[str]:
        path = f"{instance.installation.install_dir}/state/database"
        env = ["env", f"MODULE_ID={instance}", f"WEB_IMAGE={module.service('web', '1.2.0')}"]
        inside = host.container.exec(*env, "sh", "-c", f"{IN_VOLUME} cat /data/database")
        return [host.container.exec("cat", path), inside]

    v1 = module.build("1.2.0", {"imageroot/actions/create-module/10data": script(writes("one"))})
    v2 = module.build("2.2.0", {"imageroot/update-module.d/10data": script(writes("two"))})
    v3 = module.build(
        "3.2.0",
        {
            "imageroot/update-module.d/10data": script(writes("three")),
            "imageroot/update-module.d/30migrate": script(FAIL),
        },
    )
    instance = host.install(v1, keeps_data=True, volumes=["mymodule1-data"])
    assert data() == ["one", "one"]

    done = updated(instance, v2)
    assert (done.outcome, data()) == (Outcome.SUCCEEDED, ["two", "two"]), done.error

    failed = updated(instance, v3)
    assert (failed.outcome, data()) == (Outcome.ROLLED_BACK, ["two", "two"]), failed.error
    assert host.answer(instance) == "web 2.2.0"

    back = taken_back(done)
    assert (back.outcome, data()) == (Outcome.SUCCEEDED, ["one", "one"]), back.error
    assert host.answer(instance) == "web 1.2.0"


def test_a_service_that_did_not_run_well_before_is_not_waited_for_on_the_way_back(
    host: Host, module_stage: Stage
) -> None:
    module = module_stage.module
    instance = host.install(module.build("1.6.0", LOOPS))

    failed = updated(instance, module.build("3.6.0", {**LOOPS, **V3}))

    assert failed.outcome == Outcome.ROLLED_BACK, failed.error
    assert failed.error == "update-module.d/15migrate ended with status 7."
    note = failed.events.get(text__startswith="The instance is not well before the change.")
    assert note.text.endswith("activating.")
    wait_until(
        lambda: host.answer(instance) == "web 1.6.0", seconds=PATIENCE_SECONDS, what="an answer"
    )


def test_a_version_once_more_and_a_failing_script_that_is_passed_over(
    host: Host, module_stage: Stage
) -> None:
    module = module_stage.module
    count = script("#!/bin/sh\necho again >>count\n")
    v1 = module.build("1.3.0", {"imageroot/update-module.d/10count": count})
    instance = host.install(v1, on_failed_script="continue")

    same = updated(instance, v1)
    assert (same.outcome, same.unchanged) == (Outcome.SUCCEEDED, True)
    order = reinstall(instance=instance, actor=PORTAL, reason=WHY)
    again = carried_out(order.upgrades.get())
    assert (again.outcome, again.unchanged) == (Outcome.SUCCEEDED, False), again.error
    assert calls(again) == [*OURS, "30noted", "10count", "20restart"]
    counted = f"{instance.installation.install_dir}/state/count"
    assert host.container.exec("cat", counted) == "again"

    failing = updated(instance, module.build("3.0.0", V3))
    assert failing.outcome == Outcome.SUCCEEDED, failing.error
    assert calls(failing) == [*OURS, "30noted", "10say", "15migrate", "20restart"]
    note = failing.events.get(text__contains="the instance is set to go on")
    assert note.text.startswith("update-module.d/15migrate ended with status 7")
    assert host.answer(instance) == "web 3.0.0"


def test_steps_of_its_own_run_between_ours_and_in_place_of_them(
    host: Host, module_stage: Stage
) -> None:
    module = module_stage.module
    before = {"imageroot/actions/update-module/01before": script("#!/bin/sh\necho before\n")}
    instead: Tree = {
        "imageroot/actions/update-module/02late": script("#!/bin/sh\nexit 1\n"),
        "imageroot/actions/update-module/50run_scriptdir": script(RESTART),
        "imageroot/update-module.d/10fail": script(FAIL),
    }
    instance = host.install(module.build("1.4.0", before))

    done = updated(instance, module.build("2.4.0", instead))

    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert calls(done) == ["01before", *OURS, "30noted", "50run_scriptdir"]
    assert host.answer(instance) == "web 2.4.0"


def test_a_script_in_python_imports_the_agent_that_it_knows(
    host: Host, module_stage: Stage
) -> None:
    module = module_stage.module
    python = (
        "#!/usr/bin/env python3\nimport os\nimport agent\n"
        "agent.set_progress(50)\n"
        "agent.set_env('FROM_PYTHON', os.environ['PREV_IMAGE_URL'])\n"
        "agent.assert_exp(agent.read_envfile('environment')['FROM_PYTHON'])\n"
    )
    heard = '#!/bin/sh\necho "told: $FROM_PYTHON"\n'
    v1 = module.build("1.5.0", V1)
    instance = host.install(v1)

    scripts: Tree = {
        "imageroot/update-module.d/11python": script(python),
        "imageroot/update-module.d/12heard": script(heard),
    }
    done = updated(instance, module.build("2.5.0", scripts))

    assert done.outcome == Outcome.SUCCEEDED, done.error
    assert said(done, "12heard") == f"told: {v1}\n"
    assert host.environment(instance)["FROM_PYTHON"] == v1


def test_units_that_the_manager_does_not_read_are_a_failure_before_any_script(
    host: Host, module_stage: Stage
) -> None:
    module = module_stage.module
    refuses = (
        '#!/bin/sh\ncase "$*" in *daemon-reload*)'
        " if rmdir /opt/refuses/now 2>/dev/null; then echo No. >&2; exit 1; fi;; esac\n"
        'exec /bin/systemctl "$@"\n'
    )
    instance = host.install(module.build("1.0.0", V1))
    first = host.stands(instance)
    place = "/usr/local/bin/systemctl"
    host.container.exec("sh", "-c", f"cat >{place} && chmod 755 {place}", stdin=refuses.encode())
    host.container.exec("sh", "-c", "mkdir -p /opt/refuses/now && chmod 777 /opt/refuses")
    try:
        failed = updated(instance, module.build("2.0.0", V2))
    finally:
        host.container.exec("rm", "-r", place, "/opt/refuses")

    assert failed.outcome == Outcome.ROLLED_BACK, failed.error
    assert failed.error == "systemctl daemon-reload failed: No."
    assert calls(failed) == OURS
    assert host.stands(instance).differs(first) == []


def test_images_that_are_there_are_not_fetched_unless_it_is_forced(
    host: Host, module_stage: Stage
) -> None:
    module, registry = module_stage.module, module_stage.registry
    v2 = module.build("2.0.0", V2)
    instance = host.install(module.build("1.0.0", V1))
    for reference in (v2, module.service("web", "2.0.0"), module.service("worker", "2.0.0")):
        host.engine.docker("pull", reference)
    registry.stop()
    try:
        there = updated(instance, v2)
        assert there.outcome == Outcome.SUCCEEDED, there.error
        assert host.answer(instance) == "web 2.0.0"
        assert not there.events.filter(text__contains="was fetched").exists()
        before = host.stands(instance)

        forced = updated(instance, v2, force=True)
    finally:
        registry.start()
    assert forced.outcome == Outcome.FAILED
    assert forced.error == f"The registry {registry.host} cannot be reached."
    assert host.stands(instance).differs(before) == []
