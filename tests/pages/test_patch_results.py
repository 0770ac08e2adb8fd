"""What an upgrade's page says of nodes that have not loaded all of a patch, without nodes that run."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from patches.models import Node, NodeResult
from portal.core.actors import PORTAL
from tests.journal.rows import brought_to, held
from tests.patches.rows import (
    PATHS,
    answered,
    applied,
    file_of,
    new_instance,
    new_node,
    new_patch,
    ordered,
)
from updates.machine import State
from updates.models import Instance, Upgrade
from updates.services.upgrades import roll_back_upgrade

pytestmark = pytest.mark.database

APPLY, BACK = NodeResult.Step.APPLY, NodeResult.Step.BACK
NEW_WAITS = "The new code is on the disk, and the old one still runs"
OLD_WAITS = "What was there before is on the disk, and the patched code still runs"


@pytest.fixture
def instance(db: None) -> Instance:
    """Two nodes of one system."""
    found = new_instance("bay-1")
    for number in (1, 2):
        new_node(found, f"bay-node-{number}")
    return found


def said(upgrade: Upgrade, step: NodeResult.Step, *files: dict[str, Any]) -> None:
    for node in Node.objects.all():
        answered(node, 4, upgrade=upgrade, step=step, files=list(files))


def told(client: Client, upgrade: Upgrade) -> str:
    """The upgrade's page, as words with one space between them."""
    address = reverse("admin:updates_upgrade_change", args=[upgrade.pk])
    shown = html.unescape(client.get(address).content.decode())
    return " ".join(shown.replace("<strong>", "").replace("</strong>", "").split())


def test_code_that_waits_on_the_disk_is_told_with_its_nodes(
    operator: Client, instance: Instance
) -> None:
    upgrade = ordered(new_patch(), instance)
    said(upgrade, APPLY, *[file_of(path, 4, written=True) for path in PATHS])
    brought_to(State.FINISHED, held(upgrade))

    why = f"{NEW_WAITS}: bay_greeting, bay_counter of 1.0.0 + fix."
    assert f"Restart by hand: bay-node-1, bay-node-2. {why}" in told(operator, upgrade)
    node = Node.objects.all()[0]
    page = operator.get(reverse("admin:patches_node_change", args=[node.pk]))
    assert f"Restart needed.</strong> {why}</p>" in page.content.decode()


def test_code_that_failed_at_its_load_is_not_to_be_restarted_for(
    operator: Client, instance: Instance
) -> None:
    upgrade = ordered(new_patch(), instance)
    said(upgrade, APPLY, file_of(PATHS[0], 4), file_of(PATHS[1], 6, written=True))
    brought_to(State.FINISHED, held(upgrade))

    shown = told(operator, upgrade)
    assert "Not loaded: bay-node-1, bay-node-2. bay_greeting could not be loaded" in shown
    assert "a restart brings nothing, mend the code." in shown
    assert "Restart by hand" not in shown
    assert "restart needed" not in shown


def test_a_way_back_that_waits_says_what_is_on_the_disk_then(
    operator: Client, instance: Instance
) -> None:
    upgrade = applied(new_patch(), instance)
    undo = roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason="It was wrong")
    said(undo, APPLY, file_of(PATHS[0], 4, written=True), file_of(PATHS[1], 4))
    brought_to(State.FINISHED, held(undo))

    shown = told(operator, undo)
    assert f"{OLD_WAITS}: bay_greeting." in shown
    assert "does not bring back what was there before" in shown
    assert NEW_WAITS not in shown


def test_what_was_taken_back_at_once_needs_no_restart(operator: Client, instance: Instance) -> None:
    upgrade = ordered(new_patch(), instance)
    waits, back = (file_of(PATHS[0], status, written=True) for status in (4, 6))
    said(upgrade, APPLY, waits)
    assert "Restart by hand" in told(operator, upgrade)

    said(upgrade, BACK, back)

    assert "Restart by hand" not in told(operator, upgrade)
    assert "restart needed" not in told(operator, upgrade)


def test_a_way_back_that_is_taken_back_has_the_patch_on_the_disk(
    operator: Client, instance: Instance
) -> None:
    upgrade = applied(new_patch(), instance)
    undo = roll_back_upgrade(upgrade=upgrade, actor=PORTAL, reason="It was wrong")
    said(undo, BACK, file_of(PATHS[0], 4, written=True))

    assert f"{NEW_WAITS}: bay_greeting of 1.0.0 + fix." in told(operator, undo)
