"""Every status of the hot-patch document, from real nodes of both runtimes, as the product stores and shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from devices.drivers.nodes import CHECK_SECONDS, CONNECT_SECONDS, PatchFile, Status
from patches.errors import NotApplicable
from patches.jobs import run_patch, run_patch_check
from patches.models import Node, NodeResult, Patch, PatchCheck
from patches.services.applicable import refuse_not_applicable
from patches.services.patch_checks import request_patch_checks
from patches.services.patch_orders import apply_patch
from patches.services.patches import upload_patch
from tests.drivers.nodes.beam_under_test import BeamUnderTest
from tests.drivers.nodes.node_under_test import NodeUnderTest
from tests.drivers.nodes.python_under_test import DESK, SPARE, PythonUnderTest
from tests.environment.python_nodes import PythonService
from tests.journal.rows import new_device
from tests.patches.bay import Bay, who, zip_of
from updates.machine import Outcome
from updates.models import Instance, Module, Upgrade
from updates.services.upgrades import roll_back_upgrade

pytestmark = pytest.mark.database(transaction=True)

Make = Callable[[NodeUnderTest], PatchFile]

REFUSED: list[tuple[Status, Make]] = [
    (Status.ERROR, lambda node: node.system_library()),
    (Status.NOT_BEAM, lambda node: node.text_for_a_module()),
    (Status.WRONG_PATH, lambda node: node.in_a_wrong_folder()),
]
APPLIED: list[tuple[Status, Make, int]] = [
    (Status.NOT_CHANGED, lambda node: node.module_with_other_bytes(), 1),
    (Status.OK, lambda node: node.module(2), 2),
    (Status.NOT_LOADED, lambda node: node.spare(2), 1),
]


def on_record(node: NodeUnderTest) -> Instance:
    """The running service as an instance with one node."""
    device = new_device("host", driver="local", root="/")
    words: dict[str, object] = {"name": "service-node", "device": device, "root": str(node.root)}
    if isinstance(node, BeamUnderTest):
        runtime, version = "beam", "1.0.0"
        words |= {
            "address": node.node.name, "host": "127.0.0.1", "port_mapper": node.world.epmd_port,
            "secret": node.world.cookie, "application": "bay",
        }  # fmt: skip
    else:
        assert isinstance(node, PythonUnderTest)
        runtime, version = "python", (node.root / "VERSION").read_text().strip()
        words |= {"address": str(node.service.folder), "secret": node.service.key.decode()}
    module = Module.objects.create(name="service", runtime=runtime)
    instance = Instance.objects.create(
        module=module, device=device, name="service-1", version=version
    )
    Node.objects.create(instance=instance, **words)
    return instance


def uploaded(instance: Instance, file: PatchFile) -> Patch:
    assert file.data is not None
    return upload_patch(
        file=ContentFile(zip_of({file.path: file.data}), name="fix.zip"),
        module=instance.module, version=instance.version, actor=who("patches.upload_patch"),
    )  # fmt: skip


def checked(instance: Instance, patch: Patch) -> PatchCheck:
    [check] = request_patch_checks(
        patch=patch, instances=[instance], actor=who("patches.check_patch")
    )
    run_patch_check(str(check.pk))
    check.refresh_from_db()
    return check


def applied(instance: Instance, patch: Patch) -> Upgrade:
    upgrade = apply_patch(
        patch=patch, instance=instance, actor=who("patches.apply_patch"), reason="a test"
    )
    run_patch(str(upgrade.pk))
    upgrade.refresh_from_db()
    return upgrade


def the_status(upgrade: Upgrade) -> int | None:
    return NodeResult.objects.get(upgrade=upgrade, step="apply").status


@pytest.mark.parametrize(("status", "make"), REFUSED, ids=[row[0].name for row in REFUSED])
def test_what_is_refused(node: NodeUnderTest, status: Status, make: Make) -> None:
    instance = on_record(node)
    node.answer()
    patch = uploaded(instance, make(node))

    check = checked(instance, patch)

    assert (check.integral, check.refusal) == (status, "")
    [file] = check.results.get().files
    assert file["status"] == status
    assert file["detail"]
    with pytest.raises(NotApplicable, match=rf"{status.name.lower()} \({status.value}\)"):
        refuse_not_applicable(patch, instance)
    assert node.answer() == 1


@pytest.mark.parametrize(
    ("status", "make", "answer"), APPLIED, ids=[row[0].name for row in APPLIED]
)
def test_what_is_applied(node: NodeUnderTest, status: Status, make: Make, answer: int) -> None:
    instance = on_record(node)
    node.answer()
    patch = uploaded(instance, make(node))

    assert checked(instance, patch).integral == status
    upgrade = applied(instance, patch)

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert upgrade.unchanged == (status is Status.NOT_CHANGED)
    assert upgrade.unchanged or the_status(upgrade) == status
    assert node.answer() == answer
    node.restart()
    assert node.answer() == answer


def test_what_runs_in_older_code_is_not_updated_and_a_restart_completes_it(
    node: NodeUnderTest,
) -> None:
    instance = on_record(node)
    node.answer()
    holder = node.hold_older_code()
    version = node.answer() + 1
    patch = uploaded(instance, node.module(version))
    checked(instance, patch)

    upgrade = applied(instance, patch)

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert the_status(upgrade) == Status.NOT_UPDATED
    assert holder.is_alive()
    assert Node.objects.get().restart_needed
    node.restart()
    assert node.answer() == version


def test_what_fails_at_its_load_is_not_updated_and_stays_as_it_was(node: NodeUnderTest) -> None:
    instance = on_record(node)
    node.answer()
    patch = uploaded(instance, node.failing_at_load())
    checked(instance, patch)

    upgrade = applied(instance, patch)

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert the_status(upgrade) == Status.NOT_UPDATED
    node.restart()
    assert node.answer() == 1


def test_a_patch_and_its_way_back(node: NodeUnderTest) -> None:
    instance = on_record(node)
    count = node.bump()
    patch = uploaded(instance, node.module(2))
    checked(instance, patch)
    upgrade = applied(instance, patch)
    assert node.answer() == 2

    undo = roll_back_upgrade(
        upgrade=upgrade, actor=who("updates.roll_back_upgrade"), reason="no good"
    )
    run_patch(str(undo.pk))

    undo.refresh_from_db()
    assert undo.outcome == Outcome.SUCCEEDED, undo.error
    assert (node.answer(), node.count()) == (1, count)
    node.restart()
    assert node.answer() == 1


def test_what_one_process_alone_has_loaded_is_not_changed_by_the_same_code(tmp_path: Path) -> None:
    """The check says so, and so does the apply."""
    farm = PythonService(tmp_path / "root", program="prefork")
    farm.start()
    try:
        node = PythonUnderTest(farm)
        instance = on_record(node)
        farm.run("import shop.spare", process=farm.processes()[-1])
        same = b"# The same.\n" + farm.original(SPARE).encode()
        desk = node.module(2).data
        assert desk is not None
        patch = upload_patch(
            file=ContentFile(zip_of({DESK: desk, SPARE: same}), name="fix.zip"),
            module=instance.module, version=instance.version, actor=who("patches.upload_patch"),
        )  # fmt: skip
        check = checked(instance, patch)

        upgrade = applied(instance, patch)

        assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
        assert (check.integral, the_status(upgrade)) == (Status.NOT_CHANGED, Status.NOT_CHANGED)
    finally:
        farm.remove()


def test_frozen_dead_and_strange_nodes_beside_a_healthy_one(
    bay: Bay, started: Callable[..., list[object]]
) -> None:
    """Each is answered for within its own limit, with a reason of its own, and the healthy one is not kept waiting."""
    healthy, frozen = bay.nodes
    for node in started(2):
        bay.join(node)  # type: ignore[arg-type]
    strange, dead = bay.nodes[2:]
    Node.objects.filter(pk=bay.row(strange).pk).update(secret="another")
    frozen.freeze()
    dead.stop()
    began = time.monotonic()

    check = bay.check(bay.patch())

    assert time.monotonic() - began < CONNECT_SECONDS + CHECK_SECONDS
    frozen.go_on()
    said = {row.node_name: (row.status, row.trouble) for row in check.results.all()}
    assert said == {
        bay.row(healthy).name: (6, ""),
        bay.row(frozen).name: (1, "timed_out"),
        bay.row(strange).name: (1, "refused"),
        bay.row(dead).name: (1, "unreachable"),
    }
    assert check.integral == 1
    assert all(row.detail for row in check.results.filter(is_reachable=False))
    assert "another" not in "".join(check.results.values_list("detail", flat=True))
