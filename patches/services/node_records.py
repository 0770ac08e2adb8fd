"""Which nodes there are, and how each of them is reached."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction

from devices.models import Device
from devices.services import USE_LOCAL_DRIVER
from patches.models import Node
from patches.queries import in_force
from patches.services.reach import runtime_of
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of, require_save
from portal.core.errors import FleetwrightError, Refused
from updates.models import Module
from updates.services.ordering import locked_idle
from updates.services.reasons import given_reason

SHORTEST_KEY: Final = 16
SET_RESTART: Final = "patches.set_restart_command"
"""Whoever may say by which command a node is restarted can run any command on its device: a permission of its own."""
EDITABLE: Final = (
    "name", "instance", "device", "address", "host", "way", "port_mapper", "secret", "tls_authority",
    "tls_certificate", "tls_key", "root", "application", "restart_command",
)  # fmt: skip
"""What a person says about a node. The rest is what the node itself said, and no edit writes over it."""


def save_node(*, node: Node, actor: Actor) -> Node:
    """The node, new or edited, is as given. Django's ValidationError, by field, when that cannot be.

    Another restart command than the stored one, or another device to run it on, needs a permission of its own; on the portal's
    own host one more. A node stays with its instance.
    """
    require_save(node, actor=actor)
    changes = changes_of(node, fields=EDITABLE)
    if node.restart_command and {"restart_command", "device"} & changes.keys():
        _require_command(node, actor)
    elif "restart_command" in changes:
        actor.require(SET_RESTART)
    node.full_clean()
    require_sense(node)
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


def _require_same_place(node: Node, changes: dict[str, object]) -> None:
    if "instance" in changes:
        raise ValidationError(
            {"instance": "A node stays with its instance: delete it, and add another."}
        )
    if "root" in changes and in_force(node.instance).exists():
        raise ValidationError(
            {"root": "A patch is in force there, with paths below this root: revert it first."}
        )


def _require_command(node: Node, actor: Actor) -> None:
    """Nothing, or NotPermitted: who says what is run where can do anything there."""
    actor.require(SET_RESTART)
    if node.device.driver == Device.Driver.LOCAL:
        actor.require(USE_LOCAL_DRIVER)


def require_sense(node: Node) -> None:
    """Nothing, or Django's ValidationError, by field, when a node of its runtime cannot be reached like this, or was another."""
    if not node._state.adding:
        _require_same_place(node, changes_of(node, fields=EDITABLE))
    if not node.instance.module.runtime:
        raise ValidationError({"instance": "Its module takes no hot patches: it has no runtime."})
    _SENSE[Module.Runtime(node.instance.module.runtime)](node)
    try:
        runtime_of(node)
    except FleetwrightError as error:
        raise ValidationError({"address": str(error)}) from error
    if node.uses_tls and node.way != Node.Way.DIRECT:
        raise ValidationError({"way": "A node that speaks TLS only is reached directly."})
    if node.uses_tls and not (node.tls_certificate and node.tls_key):
        raise ValidationError({"tls_certificate": "TLS needs a certificate of ours, and its key."})


def _require_erlang(node: Node) -> None:
    name, at, host = node.address.partition("@")
    if not (name and at and host):
        raise ValidationError({"address": "An Erlang node is called name@host."})


def _require_python(node: Node) -> None:
    if node.uses_tls:
        raise ValidationError({"tls_authority": "Only Erlang nodes are reached over TLS."})
    is_port = node.address.isascii() and node.address.isdigit() and 0 < int(node.address) < 65536
    if not is_port and not node.address.startswith("/"):
        raise ValidationError(
            {"address": "A Python system is a port, or the absolute path of its agents' folder."}
        )
    if not is_port and node.way != Node.Way.DIRECT:
        raise ValidationError({"way": "A folder is on this machine: on a device it takes a port."})
    if len(node.secret.encode()) < SHORTEST_KEY:
        raise ValidationError({"secret": f"The agents' key has at least {SHORTEST_KEY} bytes."})


_SENSE: Final = {
    Module.Runtime.BEAM: _require_erlang,
    Module.Runtime.PYTHON: _require_python,
}
