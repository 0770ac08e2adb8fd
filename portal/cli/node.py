"""`manage.py node VERB`."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from django.core.management.base import CommandError

from patches.api.nodes import NodeSerializer
from patches.models import Node
from patches.queries import DRIFTED, RESTART_NEEDED
from patches.services.node_records import delete_node, save_node
from patches.services.nodes import is_being_restarted, request_look, request_restart
from portal.cli import find
from portal.cli.artifact.files import content_of, told
from portal.cli.limit import limit_argument, shown
from portal.cli.output import Output
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb

SECRET_LIMIT_BYTES: Final = 16 * 1024
STDIN: Final = "-"
LOOK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 600.0
"""Longer than a restart command may take, and a look after it."""


def _node_argument(parser: ArgumentParser) -> None:
    parser.add_argument("node", metavar="NAME")


def _wait_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--wait", action="store_true", help="until it has answered; status 1 unless it is reached"
    )


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--instance", metavar="NAME", help="only those of this instance")
    parser.add_argument(
        "--restart-needed", action="store_true", help="only those that wait for a restart"
    )
    parser.add_argument(
        "--drift", action="store_true", help="only those that run other code than recorded"
    )
    parser.add_argument("--unreachable", action="store_true")
    limit_argument(parser)


def _add_arguments(parser: ArgumentParser) -> None:
    _node_argument(parser)
    parser.add_argument("--instance", required=True, metavar="NAME")
    parser.add_argument(
        "--device", metavar="NAME", help="where it runs, if not on its instance's device"
    )
    parser.add_argument(
        "--address",
        required=True,
        help="name@host; for Python a port, or the folder of its agents' sockets",
    )
    parser.add_argument(
        "--host", default="", help="where to ask for it, if its address does not say it"
    )
    parser.add_argument("--way", choices=Node.Way.values, default=Node.Way.DIRECT)
    parser.add_argument("--port-mapper", type=int, default=4369, metavar="PORT", help="of epmd")
    parser.add_argument("--root", required=True, help="the folder of the running system")
    parser.add_argument(
        "--application", default="", help="the OTP application that has the version"
    )
    parser.add_argument(
        "--secret-file", required=True, metavar="FILE",
        help="with the cookie, or the key of a Python system's agents; - reads standard input",
    )  # fmt: skip
    parser.add_argument(
        "--restart-command", default="", metavar="COMMAND", help="run on its device"
    )
    for word, says in (
        ("authority", "the certificate that signed its own, for one that speaks TLS only"),
        ("certificate", "what the portal shows to such a node"),
        ("key", "the private key of that"),
    ):
        parser.add_argument(f"--tls-{word}", type=Path, metavar="FILE", help=says)


def _look_arguments(parser: ArgumentParser) -> None:
    _node_argument(parser)
    _wait_argument(parser)


def _restart_arguments(parser: ArgumentParser) -> None:
    _look_arguments(parser)
    reason_argument(parser)


def _delete_arguments(parser: ArgumentParser) -> None:
    _node_argument(parser)
    reason_argument(parser)


def _list(call: Call) -> None:
    call.actor.require("patches.view_node")
    found, words = (
        Node.objects.select_related("instance", "device").defer("secret", "tls_key"),
        call.words,
    )
    if words["instance"]:
        found = found.filter(instance=find.instance(words["instance"]))
    if words["restart_needed"]:
        found = found.filter(RESTART_NEEDED)
    if words["drift"]:
        found = found.filter(DRIFTED)
    if words["unreachable"]:
        found = found.filter(is_reachable=False)
    rows = shown(found, call)
    if call.out.as_json:
        call.out.document(NodeSerializer(rows, many=True).data)
        return
    call.out.table(
        ("NAME", "INSTANCE", "REACHABLE", "VERSION", "NEEDS", "SEEN"),
        (
            (row.name, row.instance, row.is_reachable, row.version, _needs(row), row.seen_at)
            for row in rows
        ),
    )


def _needs(node: Node) -> list[str]:
    return [
        word for word, is_so in (("restart", node.restart_needed), ("drift", node.drift)) if is_so
    ]


def _show(call: Call) -> None:
    call.actor.require("patches.view_node")
    _tell(find.node(call.words["node"]), out=call.out)


def _add(call: Call) -> None:
    words, instance = call.words, find.instance(call.words["instance"])
    node = Node(
        name=words["node"],
        instance=instance,
        device=find.device(words["device"]) if words["device"] else instance.device,
        secret=_secret(words["secret_file"]),
        **{f"tls_{word}": _pem(words[f"tls_{word}"]) for word in ("authority", "certificate", "key")},
        **{
            field: words[field]
            for field in ("address", "host", "way", "port_mapper", "root", "application", "restart_command")
        },
    )  # fmt: skip
    _tell(save_node(node=node, actor=call.actor), out=call.out)


def _secret(file: str) -> str:
    if file == STDIN:
        content = sys.stdin.buffer.read(SECRET_LIMIT_BYTES)
    else:
        with told("The secret's file"):
            content = content_of(Path(file), limit_bytes=SECRET_LIMIT_BYTES)
    return _text(content).rstrip("\r\n")


def _pem(file: Path | None) -> str:
    if file is None:
        return ""
    with told(str(file)):
        return _text(content_of(file, limit_bytes=SECRET_LIMIT_BYTES))


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CommandError("A secret or certificate is text.") from None


def _look(call: Call) -> None:
    node = find.node(call.words["node"])
    before = node.asked_at
    request_look(instance=node.instance, actor=call.actor)
    if call.words["wait"]:
        _wait(node, lambda: node.asked_at != before)
    _tell(node, out=call.out)
    _refuse_away(node, call)


def _restart(call: Call) -> None:
    node = find.node(call.words["node"])
    before = node.asked_at
    request_restart(node=node, actor=call.actor, reason=call.words["reason"])
    node.refresh_from_db()
    if call.words["wait"]:
        _wait(node, lambda: not is_being_restarted(node) and node.asked_at != before)
    _tell(node, out=call.out)
    _refuse_away(node, call)


def _wait(node: Node, is_over: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_over():
        if time.monotonic() > end:
            raise CommandError(f"{node} has not been asked yet: are there workers?")
        time.sleep(LOOK_SECONDS)
        node.refresh_from_db()


def _refuse_away(node: Node, call: Call) -> None:
    if call.words["wait"] and not node.is_reachable:
        raise CommandError(f"{node}: {node.trouble}")


def _delete(call: Call) -> None:
    node = find.node(call.words["node"])
    name, data = node.name, NodeSerializer(node).data
    delete_node(node=node, actor=call.actor, reason=call.words["reason"])
    if call.out.as_json:
        call.out.document(data)
    else:
        call.out.text(f"{name} is gone.")


def _tell(node: Node, *, out: Output) -> None:
    if out.as_json:
        out.document(NodeSerializer(node).data)
        return
    drift = [
        f"{row['path']}: {row['loaded'][:12]}, recorded {row['recorded'][:12]}"
        for row in node.drift
    ]
    out.facts(
        (
            ("name", node.name),
            ("instance", node.instance),
            ("device", node.device),
            ("address", node.address),
            ("way", node.get_way_display()),
            ("root", node.root),
            ("reachable", node.is_reachable),
            ("trouble", node.trouble),
            ("runtime", node.runtime),
            ("version", node.version),
            ("asked", node.asked_at),
            ("seen", node.seen_at),
            ("restart needed", node.restart_needed),
            ("drift", "\n".join(drift)),
            ("restarted by", node.restart_command),
            ("last restart", node.restart_said),
        )
    )


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("list nodes by name", _list_arguments, _list),
    "show": Verb("show how a node is reached, and how it was when it was last asked", _node_argument, _show),
    "add": Verb("add a node to an instance", _add_arguments, _add),
    "look": Verb("ask it, and the other nodes of its instance, how they are", _look_arguments, _look),
    "restart": Verb("run its restart command on its device", _restart_arguments, _restart),
    "delete": Verb("forget a node", _delete_arguments, _delete),
}  # fmt: skip
