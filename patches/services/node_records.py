"""Which nodes there are, and how each of them is reached."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction

from patches.models import Node
from patches.queries import in_force
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of, require_save
from portal.core.errors import Refused
from updates.models import Module
from updates.services.ordering import locked_idle
from updates.services.reasons import given_reason

SET_RESTART: Final = "patches.set_restart_command"
"""Whoever may say by which command a node is restarted can run any command on its device: a permission of its own."""
EDITABLE: Final = (
    "name", "instance", "device", "address", "host", "way", "uses_tls", "port_mapper", "secret",
    "root", "application", "restart_command",
)  # fmt: skip
"""What a person says about a node. The rest is what the node itself said, and no edit writes over it."""


def save_node(*, node: Node, actor: Actor) -> Node:
    """The node, new or edited, is as given. Django's ValidationError, by field, when that cannot be.

    Another restart command than the stored one needs a permission of its own. A node stays with its instance.
    """
    require_save(node, actor=actor)
    changes = changes_of(node, fields=EDITABLE)
    if "restart_command" in changes:
        actor.require(SET_RESTART)
    node.full_clean()
    _require_sense(node, changes)
    with transaction.atomic():
        is_new = node._state.adding
        node.save(update_fields=None if is_new else EDITABLE)
        audit.record(
            actor=actor, action="node.add" if is_new else "node.change", subject=node,
            data={"changes": changes},
        )  # fmt: skip
    return node


def delete_node(*, node: Node, actor: Actor, reason: str) -> None:
    """The node is not known any more, and no patch goes there. What it answered stays in the history.

    Refused while a patch is in force on its instance, for nobody could take that back on the node any more; TargetBusy while
    an upgrade of the device is under way.
    """
    actor.require("patches.delete_node")
    reason = given_reason(reason)
    with transaction.atomic():
        locked_idle(node.instance.device)
        if (patched := in_force(node.instance).first()) is not None:
            raise Refused(
                f"{patched.patch} is in force on {node.instance}: without the node it could not be taken back. "
                "Revert it, or record an installation, first."
            )
        audit.record(actor=actor, action="node.delete", subject=node, reason=reason)
        node.delete()


def _require_sense(node: Node, changes: dict[str, object]) -> None:
    if not node._state.adding and "instance" in changes:
        raise ValidationError(
            {"instance": "A node stays with its instance: delete it, and add another."}
        )
    if node.instance.module.runtime == Module.Runtime.BEAM:
        name, at, host = node.address.partition("@")
        if not (name and at and host):
            raise ValidationError({"address": "An Erlang node is called name@host."})
